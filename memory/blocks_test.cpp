// Blocks: what allocate() promises, aliases, cache maintenance, calls from the audio path.

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <thread>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::is_aligned;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class MemoryBlocks : public ::testing::Test {
 protected:
  Request request(std::size_t bytes, Flags flags = 0, std::size_t alignment = 0) {
    return {&module_, bytes, alignment, flags, MODMEM_HERE};
  }
  std::byte* other_alias(void* pointer) {
    auto* bytes = static_cast<std::byte*>(pointer);
    return memory_.space().is_uncached(pointer) ? memory_.space().to_cached(pointer)
                                                : memory_.space().to_uncached(bytes);
  }

  // Not hardened: what a heap rounds up to is looked at.
  TestSystem system_{preset("mtl"), kElasticPolicy, false, kHardeningNone};
  Memory& memory_ = system_.memory();
  Owner& pipeline_ = system_.pipeline();
  Owner& module_ = system_.module(pipeline_);
  testing::NotingObserver& seen_ = system_.seen();
};

TEST_F(MemoryBlocks, BadRequestsGiveNothingAndTakeNothing) {
  const auto before = figures(system_);
  const std::uint64_t failures = module_.failures;
  EXPECT_EQ(memory_.allocate(request(0)), nullptr);
  EXPECT_EQ(memory_.allocate_zeroed(request(0)), nullptr);
  for (const std::size_t alignment : {3U, 5U, 24U, 4095U, 4097U}) {
    EXPECT_EQ(memory_.allocate(request(16, 0, alignment)), nullptr) << alignment;
    EXPECT_EQ(memory_.allocate_zeroed(request(16, 0, alignment)), nullptr) << alignment;
    EXPECT_EQ(memory_.allocate_range(request(16, 0, alignment), 32).pointer, nullptr);
  }
  EXPECT_EQ(memory_.allocate_range(request(0), 32).pointer, nullptr);
  EXPECT_TRUE(seen_.failures.empty());  // a mistake of the caller's, not a want of memory
  EXPECT_EQ(module_.failures, failures);
  EXPECT_EQ(figures(system_), before);
}

TEST_F(MemoryBlocks, SizesThatOverflowAreExplained) {
  const auto before = figures(system_);
  constexpr std::size_t kMost = SIZE_MAX;
  const std::pair<std::size_t, std::size_t> sizes[] = {
      {kMost, 0},         {kMost, 1},          {kMost - 10, 64},
      {kMost - kPage, 0}, {16, kMost / 2 + 1}, {kMost / 2 + 1, kMost / 2 + 1}};
  for (const auto& [bytes, alignment] : sizes) {
    seen_.failures.clear();
    EXPECT_EQ(memory_.allocate(request(bytes, 0, alignment)), nullptr);
    ASSERT_EQ(seen_.failures.size(), 1U) << bytes << " " << alignment;
    EXPECT_EQ(seen_.failures[0].bytes, bytes);
    EXPECT_NE(seen_.failures[0].reason, FailureReason::none);
    EXPECT_EQ(memory_.allocate(request(bytes, flag::kCoherent | flag::kDma, alignment)), nullptr);
    EXPECT_EQ(memory_.allocate_range(request(bytes, 0, alignment), bytes).pointer, nullptr);
    EXPECT_EQ(seen_.failures.size(), 3U);
  }
  EXPECT_EQ(figures(system_), before);
  EXPECT_EQ(module_.failures, 3 * std::size(sizes));
}

TEST_F(MemoryBlocks, AlignmentIsHonouredThroughBothAliases) {
  for (const Flags flags : {Flags{0}, flag::kCoherent, flag::kDma, flag::kShared}) {
    for (std::size_t alignment = 1; alignment <= 16 * kPage; alignment *= 2) {
      void* block = memory_.allocate(request(24, flags, alignment));
      ASSERT_NE(block, nullptr) << alignment;
      EXPECT_TRUE(is_aligned(block, alignment)) << alignment << " " << flags;
      EXPECT_TRUE(is_aligned(other_alias(block), alignment)) << alignment << " " << flags;
    }
  }
  EXPECT_TRUE(system_.check());
}

TEST_F(MemoryBlocks, NaturalAlignmentSuitsEveryType) {
  for (std::size_t bytes = 1; bytes < 200; bytes += 7) {
    EXPECT_TRUE(is_aligned(memory_.allocate(request(bytes)), alignof(std::max_align_t)));
  }
}

TEST_F(MemoryBlocks, ZeroedMeansZeroed) {
  for (const Flags flags : {Flags{0}, flag::kCoherent}) {
    void* dirty = memory_.allocate(request(3000, flags));
    std::memset(dirty, 0x5a, 3000);
    memory_.free(dirty);
    auto* block = static_cast<unsigned char*>(memory_.allocate_zeroed(request(3000, flags)));
    ASSERT_NE(block, nullptr);
    for (std::size_t i = 0; i < 3000; ++i) {
      ASSERT_EQ(block[i], 0);
    }
  }
}

TEST_F(MemoryBlocks, CoherentMeansUncachedAliasOfTheSameBytes) {
  auto* block = static_cast<std::byte*>(memory_.allocate(request(100, flag::kCoherent)));
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(memory_.space().is_uncached(block));
  std::byte* cached = memory_.space().to_cached(block);
  EXPECT_EQ(block - cached, system_.port().alias_offset());
  for (std::size_t i = 0; i < 100; ++i) {
    block[i] = static_cast<std::byte>(i);
  }
  EXPECT_EQ(std::memcmp(cached, block, 100), 0);
  cached[50] = std::byte{0xee};
  EXPECT_EQ(block[50], std::byte{0xee});
  EXPECT_EQ(memory_.usable_size(block), 128U);
  EXPECT_EQ(memory_.usable_size(cached), 128U);
  // and what is not coherent is not.
  EXPECT_FALSE(memory_.space().is_uncached(memory_.allocate(request(100))));
}

TEST_F(MemoryBlocks, WithoutAnAliasBothPointersAreEqual) {
  TestSystem mcu(preset("mcu"), kElasticPolicy, false, kHardeningNone);
  void* block = mcu.memory().allocate({nullptr, 100, 0, flag::kCoherent, MODMEM_HERE});
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(mcu.memory().space().to_cached(block), block);
  EXPECT_TRUE(is_aligned(block, mcu.config().cache_line_bytes));
  EXPECT_EQ(mcu.memory().usable_size(block) % mcu.config().cache_line_bytes, 0U);
  EXPECT_EQ(mcu.memory().free(block), PointerStatus::live);
}

TEST_F(MemoryBlocks, CoherentMemoryIsInvalidatedWhenHandedOutAndTakenBack) {
  for (const std::size_t bytes : {1U, 64U, 100U, 5000U, 3U * 4096U}) {
    system_.port().forget_invalidations();
    const std::uint64_t before = system_.port().host().invalidated_bytes();
    void* block = memory_.allocate(request(bytes, flag::kCoherent));
    ASSERT_NE(block, nullptr);
    const std::size_t usable = memory_.usable_size(block);
    std::byte* cached = memory_.space().to_cached(block);
    EXPECT_TRUE(system_.port().invalidated(cached, usable));
    EXPECT_EQ(system_.port().host().invalidated_bytes() - before, usable);
    system_.port().forget_invalidations();
    memory_.free(block);
    EXPECT_TRUE(system_.port().invalidated(cached, usable));
  }
}

// What was written through the cache and is freed must not be written back over what comes next.
TEST_F(MemoryBlocks, CachedMemoryIsInvalidatedWhenTakenBackButForLinesOfOthers) {
  system_.port().forget_invalidations();
  void* buffer = memory_.allocate(request(100, flag::kDma | flag::kLargeBuffer));
  void* small[3];
  for (void*& block : small) {
    block = memory_.allocate(request(160));  // of every second line each has a half
  }
  EXPECT_TRUE(system_.port().invalidations().empty());
  memory_.free(buffer);
  EXPECT_TRUE(system_.port().invalidated(static_cast<std::byte*>(buffer), 128));
  // The middle one ends where a line does, and starts in the first one's last.
  const auto* first = static_cast<std::byte*>(small[0]);
  const auto* middle = static_cast<std::byte*>(small[1]);
  const auto* last = static_cast<std::byte*>(small[2]);
  system_.port().forget_invalidations();
  memory_.free(small[1]);
  ASSERT_EQ(system_.port().invalidations().size(), 1U);
  EXPECT_EQ(system_.port().invalidations()[0].address, middle + 32);
  EXPECT_EQ(system_.port().invalidations()[0].bytes, 128U);
  memory_.free(small[0]);
  EXPECT_TRUE(system_.port().invalidated(first, 192)) << "nobody else is left in the third line";
  memory_.free(small[2]);
  EXPECT_TRUE(system_.port().invalidated(last, 192));
}

TEST_F(MemoryBlocks, CoherentLeaksAreInvalidatedWhenTakenBack) {
  void* block = memory_.allocate(request(100, flag::kCoherent | flag::kKernel));
  std::byte* cached = memory_.space().to_cached(block);
  system_.port().forget_invalidations();
  EXPECT_EQ(memory_.destroy_owner(module_), 1U);
  EXPECT_TRUE(system_.port().invalidated(cached, 128));
}

TEST_F(MemoryBlocks, AreFreedThroughEitherAliasAndFromAnyThread) {
  const auto before = system_.pool_state();
  for (const Flags flags : {Flags{0}, flag::kCoherent, flag::kShared, flag::kKernel}) {
    for (const std::size_t bytes : {1U, 300U, 9000U}) {
      void* one = memory_.allocate(request(bytes, flags));
      void* two = memory_.allocate(request(bytes, flags));
      EXPECT_EQ(memory_.usable_size(other_alias(one)), memory_.usable_size(one));
      EXPECT_EQ(memory_.free(other_alias(one), &module_), PointerStatus::live);
      std::thread([&] { EXPECT_EQ(memory_.free(two, &module_), PointerStatus::live); }).join();
      EXPECT_TRUE(system_.check());
    }
  }
  EXPECT_EQ(system_.pool_state(), before);
  EXPECT_TRUE(seen_.faults.empty());
}

TEST_F(MemoryBlocks, NothingIsFreedForNullptr) {
  const auto before = figures(system_);
  EXPECT_EQ(memory_.free(nullptr), PointerStatus::live);
  EXPECT_EQ(memory_.free(nullptr, &module_), PointerStatus::live);
  EXPECT_EQ(memory_.usable_size(nullptr), 0U);
  EXPECT_TRUE(seen_.faults.empty());
  EXPECT_EQ(figures(system_), before);
}

TEST_F(MemoryBlocks, NoOwnerMeansTheSystem) {
  const std::size_t before = memory_.system().own;
  void* block = memory_.allocate({nullptr, 123, 0, 0, MODMEM_HERE});
  EXPECT_EQ(memory_.system().own, before + 123);
  EXPECT_STREQ(system_.heap_of(block).name, "system");
  EXPECT_EQ(memory_.free(block, &memory_.system()), PointerStatus::live);
  EXPECT_EQ(memory_.system().own, before);
}

TEST_F(MemoryBlocks, UsableSizeCoversTheRequestAndMayBeUsed) {
  for (const std::size_t bytes : {1U, 16U, 17U, 4095U, 4096U, 4097U, 100000U}) {
    void* block = memory_.allocate(request(bytes));
    ASSERT_NE(block, nullptr);
    const std::size_t usable = memory_.usable_size(block);
    EXPECT_GE(usable, bytes);
    std::memset(block, 0xff, usable);
    EXPECT_TRUE(system_.check());
    EXPECT_EQ(memory_.usable_size(static_cast<char*>(block) + 1), 0U);
  }
}

TEST_F(MemoryBlocks, CallsFromTheAudioPathAreServedAndCounted) {
  const std::uint64_t before = memory_.audio_path_calls();
  void* kept = memory_.allocate(request(10));
  EXPECT_EQ(memory_.audio_path_calls(), before);
  const AudioPathScope scope;
  void* block = memory_.allocate(request(10));
  EXPECT_EQ(memory_.audio_path_calls(), before + 1);
  block = memory_.reallocate(block, request(20));
  EXPECT_EQ(memory_.audio_path_calls(), before + 2);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
  EXPECT_EQ(memory_.audio_path_calls(), before + 3);
  EXPECT_NE(memory_.allocate_zeroed(request(10)), nullptr);
  EXPECT_EQ(memory_.audio_path_calls(), before + 4);
  EXPECT_NE(memory_.allocate_range(request(10), 20).pointer, nullptr);
  EXPECT_EQ(memory_.audio_path_calls(), before + 5);
  EXPECT_NE(memory_.reallocate(nullptr, request(10)), nullptr);
  EXPECT_EQ(memory_.audio_path_calls(), before + 6);
  EXPECT_EQ(memory_.release_all(module_), 4U);
  EXPECT_EQ(memory_.audio_path_calls(), before + 7);
  Owner* owner = memory_.create_owner(pipeline_, {});
  memory_.destroy_owner(*owner);
  EXPECT_EQ(memory_.audio_path_calls(), before + 9);
  // Looking is no allocating; and another thread is on no audio path.
  EXPECT_EQ(memory_.usable_size(kept), 0U);
  EXPECT_GT(memory_.largest_request(request(1)), 0U);
  std::thread([&] { memory_.free(memory_.allocate(request(10))); }).join();
  EXPECT_EQ(memory_.audio_path_calls(), before + 9);
}

}  // namespace
}  // namespace modmem
