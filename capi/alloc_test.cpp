#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "capi/capi_testing.hpp"

namespace modmem {
namespace {

class AllocTest : public HostsTest {};

std::uintptr_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

TEST_P(AllocTest, EveryAlignmentIsHonoured) {
  std::vector<void*> blocks;
  for (std::uint32_t alignment = 1; alignment <= 4096; alignment *= 2) {
    for (const std::size_t bytes : {1U, 24U, 100U, 5000U}) {
      for (void* block : {rmalloc_align(0, bytes, alignment), rballoc_align(0, bytes, alignment),
                          sof_heap_alloc(nullptr, SOF_MEM_FLAG_USER, bytes, alignment)}) {
        ASSERT_NE(block, nullptr);
        EXPECT_EQ(address(block) % alignment, 0U);
        EXPECT_EQ(address(block) % 8, 0U);
        std::memset(block, 0xa5, bytes);
        blocks.push_back(block);
      }
    }
  }
  for (void* block : {rmalloc(0, 1), rzalloc(0x10, 1), rballoc(0x100, 1)}) {
    EXPECT_EQ(address(block) % alignof(std::max_align_t), 0U);
    blocks.push_back(block);
  }
  EXPECT_EQ(address(blocks.back()) % info().cache_line_bytes, 0U);
  for (void* block : blocks) {
    rfree(block);
  }
  EXPECT_TRUE(take_lines().empty());
  EXPECT_TRUE(take_faults().empty());
}

TEST_P(AllocTest, WhatCannotBeServedIsRefused) {
  EXPECT_EQ(rmalloc(0, 0), nullptr);
  EXPECT_EQ(rzalloc(0, 0), nullptr);
  EXPECT_EQ(rballoc(0, 0), nullptr);
  EXPECT_EQ(sof_heap_alloc(nullptr, 0, 0, 8), nullptr);
  EXPECT_TRUE(take_lines().empty());
  EXPECT_EQ(rmalloc_align(0, 8, 24), nullptr);
  EXPECT_EQ(rballoc_align(0, 8, 3), nullptr);
  const auto lines = take_lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("rmalloc_align: alignment 24 bytes is no power of two, from "),
            std::string::npos);
  EXPECT_EQ(rmalloc_align(0, SIZE_MAX - 8, 64), nullptr);
  EXPECT_EQ(rmalloc(0, SIZE_MAX), nullptr);
  EXPECT_EQ(take_lines().size(), 2U);
  EXPECT_EQ(rmalloc(MODMEM_MEM_FLAG_SILENT, SIZE_MAX), nullptr);
  EXPECT_TRUE(take_lines().empty());
}

TEST_P(AllocTest, OutOfMemoryIsOneLine) {
  EXPECT_EQ(rmalloc_align(SOF_MEM_FLAG_USER | SOF_MEM_FLAG_COHERENT, 16 << 20, 64), nullptr);
  const auto lines = take_lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].find("no memory: 16777216 bytes, alignment 64 bytes, flags 0x110, owner "
                          "system 0x0, free "),
            0U);
  EXPECT_NE(lines[0].find(" bytes, largest request "), std::string::npos);
  EXPECT_NE(lines[0].find(", reason pool, from capi_test+0x"), std::string::npos) << lines[0];
}

TEST_P(AllocTest, ManyFailuresAreCountedInOneLine) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(rmalloc(0, 16 << 20), nullptr);
  }
  // Ten for each second that this takes, and one for what was left out of it before.
  EXPECT_LT(take_lines().size(), 500U);
  // Another place still gets its own.
  EXPECT_EQ(rzalloc(0, 16 << 20), nullptr);
  EXPECT_EQ(take_lines().size(), 1U);
  ASSERT_EQ(modmem_shutdown(), 0);
  const auto lines = take_lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("more failures were not logged"), std::string::npos);
}

TEST_P(AllocTest, ZeroedIsZeroed) {
  for (int round = 0; round < 2; ++round) {
    char* block = static_cast<char*>(rzalloc(0, 10000));
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(std::count(block, block + 10000, '\0'), 10000);
    std::memset(block, 0x5a, 10000);
    rfree(block);
  }
}

TEST_P(AllocTest, ReallocKeepsTheContentOrTheBlock) {
  EXPECT_EQ(rbrealloc(nullptr, 0, 0, 0), nullptr);
  char* block = static_cast<char*>(rbrealloc(nullptr, 0, 100, 0));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(address(block) % info().cache_line_bytes, 0U);
  std::memset(block, 1, 100);
  EXPECT_EQ(rbrealloc(block, 0, 0, 100), nullptr);
  EXPECT_EQ(rbrealloc(block, MODMEM_MEM_FLAG_SILENT, 64 << 20, 100), nullptr);
  EXPECT_EQ(rbrealloc_align(block, 0, 200, 100, 3), nullptr);
  EXPECT_EQ(std::count(block, block + 100, '\1'), 100);
  for (const std::size_t bytes : {5000U, 70000U, 60U}) {
    block = static_cast<char*>(rbrealloc(block, 0, bytes, 100));
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(std::count(block, block + std::min<std::size_t>(bytes, 100), '\1'),
              static_cast<long>(std::min<std::size_t>(bytes, 100)));
  }
  EXPECT_EQ(rbrealloc(block + 8, 0, 100, 60), nullptr);
  const auto faults = take_faults();
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].function, "rbrealloc_align");
  EXPECT_EQ(faults[0].kind, MODMEM_FAULT_INTERIOR);
  rfree(block);
}

TEST_P(AllocTest, ReallocHonoursALargerAlignment) {
  for (int round = 0; round < 8; ++round) {
    char* block = static_cast<char*>(rballoc_align(0, 200, 64));
    std::memset(block, 7, 200);
    for (const std::uint32_t alignment : {64U, 512U, 4096U}) {
      block = static_cast<char*>(rbrealloc_align(block, 0, 200, 200, alignment));
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(address(block) % alignment, 0U);
      EXPECT_EQ(std::count(block, block + 200, '\7'), 200);
    }
    rfree(block);
    rfree(rmalloc(0, 1000));
  }
}

TEST_P(AllocTest, MisuseIsReportedAndChangesNothing) {
  char* block = static_cast<char*>(rmalloc(0, 100));
  char* other = static_cast<char*>(rmalloc(0, 100));
  const auto before = info();
  int local = 0;
  rfree(nullptr);
  rfree(&local);
  rfree(block + 16);
  sof_heap_free(nullptr, block + 1);
  rfree(block);
  rfree(block);
  rfree(other);
  const auto faults = take_faults();
  ASSERT_EQ(faults.size(), 4U);
  EXPECT_EQ(faults[0].kind, MODMEM_FAULT_FOREIGN);
  EXPECT_EQ(faults[0].pointer, &local);
  EXPECT_EQ(faults[0].heap, "");
  EXPECT_EQ(faults[1].kind, MODMEM_FAULT_INTERIOR);
  EXPECT_EQ(faults[1].heap, "system");
  EXPECT_EQ(faults[1].owner, "system");
  EXPECT_EQ(faults[2].function, "sof_heap_free");
  // A stand-in that is gone is nothing that the library knows.
  EXPECT_EQ(faults[3].kind, is_libc() ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE);
  EXPECT_EQ(faults[3].pointer, block);
  for (const SeenFault& fault : faults) {
    EXPECT_TRUE(fault.fatal);
  }
  EXPECT_EQ(take_lines().size(), 4U);
  EXPECT_EQ(info().faults, before.faults + 4);
}

TEST_P(AllocTest, BothAliasesAreTheSameBlock) {
  void* coherent = rmalloc(SOF_MEM_FLAG_COHERENT, 100);
  ASSERT_NE(coherent, nullptr);
  EXPECT_EQ(address(coherent) % info().cache_line_bytes, 0U);
  void* cached = rmalloc(0, 100);
  EXPECT_EQ(sys_cache_is_ptr_uncached(coherent), !is_libc());
  EXPECT_TRUE(sys_cache_is_ptr_cached(cached));
  EXPECT_EQ(sys_cache_uncached_ptr_get(sys_cache_cached_ptr_get(coherent)), coherent);
  EXPECT_EQ(sys_cache_cached_ptr_get(sys_cache_uncached_ptr_get(cached)), cached);
  EXPECT_EQ(modmem_usable_size(sys_cache_cached_ptr_get(coherent)), modmem_usable_size(coherent));
  *static_cast<int*>(coherent) = 42;
  EXPECT_EQ(*static_cast<int*>(sys_cache_cached_ptr_get(coherent)), 42);
  dcache_writeback_region(cached, 100);
  dcache_invalidate_region(cached, 1);
  dcache_writeback_invalidate_region(sys_cache_uncached_ptr_get(cached), 100);
  dcache_writeback_region(nullptr, 100);
  rfree(sys_cache_cached_ptr_get(coherent));
  rfree(sys_cache_uncached_ptr_get(cached));
  int local = 0;
  EXPECT_EQ(sys_cache_uncached_ptr_get(&local), &local);
  EXPECT_EQ(sys_cache_cached_ptr_get(&local), &local);
  EXPECT_TRUE(take_faults().empty());
}

TEST_P(AllocTest, UnknownFlagsHaveNoEffect) {
  void* block = rmalloc(0x40000803U, 100);
  EXPECT_NE(block, nullptr);
  const auto lines = take_lines();
  ASSERT_EQ(lines.size(), kChecks ? 1U : 0U);
  if (kChecks) {
    EXPECT_EQ(lines[0].find("rmalloc: flags 0x40000800 are not known"), 0U);
  }
  rfree(block);
}

TEST_P(AllocTest, RangesAreMultiplesOfTheMinimum) {
  std::size_t actual = 1;
  EXPECT_EQ(modmem_alloc_range(nullptr, 0, 100, 0, 0, &actual), nullptr);
  EXPECT_EQ(actual, 0U);
  EXPECT_EQ(modmem_alloc_range(nullptr, 0, 99, 100, 0, nullptr), nullptr);
  EXPECT_EQ(take_lines().size(), 2U);
  void* exact = modmem_alloc_range(nullptr, 0, 1000, 300, 64, &actual);
  ASSERT_NE(exact, nullptr);
  EXPECT_EQ(actual, 1200U);
  std::memset(exact, 1, actual);
  rfree(exact);
  void* most = modmem_alloc_range(nullptr, SOF_MEM_FLAG_USER, SIZE_MAX, 1000, 0, &actual);
  ASSERT_NE(most, nullptr);
  EXPECT_EQ(actual % 1000, 0U);
  EXPECT_GT(actual, info().pool_bytes / 2);
  // The headroom is left to others.
  EXPECT_LT(actual, info().pool_bytes * 7 / 8);
  void* another = rmalloc(0, 50000);
  EXPECT_NE(another, nullptr);
  rfree(another);
  rfree(most);
}

TEST_P(AllocTest, L3OutlivesAPowerCycle) {
  char* kept = static_cast<char*>(rmalloc(SOF_MEM_FLAG_L3, 3000));
  ASSERT_NE(kept, nullptr);
  std::strcpy(kept, "still here");
  ASSERT_NE(rmalloc(0, 100), nullptr);
  l3_heap_save();
  ASSERT_EQ(modmem_host_power_cycle(), 0);
  EXPECT_STREQ(kept, "still here");
  rfree(kept);
  EXPECT_TRUE(take_faults().empty());
  EXPECT_EQ(rmalloc(SOF_MEM_FLAG_L3 | SOF_MEM_FLAG_COHERENT, 100), nullptr);
  modmem_host_set_core(1);
  EXPECT_EQ(rmalloc(SOF_MEM_FLAG_L3, 100), nullptr);
  modmem_host_set_core(0);
}

TEST_P(AllocTest, CallsOnTheAudioPathAreTold) {
  void* kept = rmalloc(0, 100);
  EXPECT_EQ(modmem_audio_path_calls(nullptr, 0), 0U);
  modmem_audio_path_enter();
  for (int i = 0; i < 3; ++i) {
    void* block = rmalloc(0, 24);
    rfree(block);
  }
  modmem_audio_path_leave();
  rfree(rmalloc(0, 50));
  modmem_audio_path_call calls[4] = {};
  ASSERT_EQ(modmem_audio_path_calls(calls, 4), 2U);
  EXPECT_STREQ(calls[0].function, "");
  EXPECT_EQ(calls[0].count, 3U);
  EXPECT_EQ(calls[0].bytes, 72U);
  EXPECT_NE(calls[0].site, nullptr);
  EXPECT_STREQ(calls[1].function, "rfree");
  EXPECT_EQ(calls[1].count, 3U);
  EXPECT_NE(calls[1].site, calls[0].site);
  EXPECT_EQ(modmem_audio_path_calls(calls, 1), 2U);
  rfree(kept);
}

TEST_P(AllocTest, AForkedChildHasAMemoryOfItsOwn) {
  char* block = static_cast<char*>(rmalloc(0, 5000));
  char* coherent = static_cast<char*>(rmalloc(SOF_MEM_FLAG_COHERENT, 100));
  std::memset(block, 1, 5000);
  coherent[0] = 2;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // As it was; then both go their ways.
    bool good = block[4999] == 1 && coherent[0] == 2 && modmem_check(true);
    std::memset(block, 3, 5000);
    rfree(block);
    rfree(coherent);
    for (int i = 0; i < 100; ++i) {
      good = good && rmalloc(0, 3000) != nullptr;
    }
    good = good && modmem_check(true);
    _exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(std::count(block, block + 5000, '\1'), 5000);
  EXPECT_EQ(coherent[0], 2);
  EXPECT_TRUE(modmem_check(true));
  rfree(block);
  rfree(coherent);
  EXPECT_TRUE(take_faults().empty());
}

TEST_P(AllocTest, TracingNamesEveryHeap) {
  heap_trace_all(1);
  const auto lines = take_lines();
  ASSERT_GE(lines.size(), 2U);
  EXPECT_EQ(lines[0].find("heap system: elastic in sram, live 0 bytes, at most "), 0U);
  EXPECT_EQ(lines.back().find("heap metadata: "), 0U);
}

MODMEM_ON_ALL_HOSTS(AllocTest);

}  // namespace
}  // namespace modmem
