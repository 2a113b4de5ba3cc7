// Past mistakes between cores whose caches are not coherent, which no host shows by itself: the
// caches are simulated. Numbers as in docs/regressions.md.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <vector>

#include "capi/tests/needs/cache_port_testing.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::CachePort;

constexpr std::size_t kPage = config::kPageBytes;

// A system whose cores have caches, with a heap for each of two pipelines.
class CachedSystem {
 public:
  explicit CachedSystem(const Policy& policy, bool forbid_cached = false)
      : config_(testing::preset("mtl")),
        policy_(policy),
        port_(config_),
        arena_(Memory::arena_bytes(config_, port_)) {
    if (forbid_cached) {
      port_.forbid_cached();
    }
    if (!memory_.boot(config_, policy_, port_, &seen_, arena_.span())) {
      throw std::runtime_error("boot failed");
    }
    set_host_core(0);
  }
  ~CachedSystem() {
    memory_.shutdown();
    set_host_core(0);
  }
  CachedSystem(const CachedSystem&) = delete;
  CachedSystem& operator=(const CachedSystem&) = delete;

  Memory& memory() { return memory_; }
  CachePort& port() { return port_; }
  testing::NotingObserver& seen() { return seen_; }

  std::byte* allocate(std::uint32_t core, std::size_t bytes, Flags flags, Owner* owner = nullptr) {
    set_host_core(core);
    return static_cast<std::byte*>(memory_.allocate({owner, bytes, 0, flags, {}}));
  }
  PointerStatus free(std::uint32_t core, void* block) {
    set_host_core(core);
    return memory_.free(block);
  }
  // A pipeline whose heap, where it has one, is core 0's.
  Owner* pipeline() {
    set_host_core(0);
    return memory_.create_owner(memory_.system(), {OwnerKind::pipeline, 1, "pipeline"});
  }
  // Core 0 takes back what others have freed in its heaps.
  void drain() {
    set_host_core(0);
    memory_.drain(UINT32_MAX);
  }
  std::byte* cached(std::byte* block) { return memory_.space().to_cached(block); }

 private:
  PlatformConfig config_;
  Policy policy_;
  CachePort port_;
  testing::ArenaMemory arena_;
  testing::NotingObserver seen_;
  Memory memory_;
};

class CacheNeeds : public ::testing::TestWithParam<const Policy*> {};

INSTANTIATE_TEST_SUITE_P(Policies, CacheNeeds, ::testing::ValuesIn(kPolicies),
                         [](const auto& test) { return testing::test_name(test.param->name); });

// What lies in whole lines: only of such blocks can a cache be cleaned of one and not of another.
constexpr Flags kWholeLines[] = {flag::kLargeBuffer, flag::kShared, flag::kDma};

// A block that did not empty its page was freed with its lines still dirty. They were written back
// later, over what another core had there by then.
TEST_P(CacheNeeds, s02_stale_lines_of_a_freed_block_are_dropped) {
  for (const Flags flags : kWholeLines) {
    for (const Flags next_flags : {flags, flags | flag::kCoherent}) {
      CachedSystem system(*GetParam());
      Owner* const owner = system.pipeline();
      std::byte* const neighbour = system.allocate(0, 256, flags, owner);  // the page stays mapped
      std::byte* const block = system.allocate(0, 256, flags, owner);
      ASSERT_NE(block, nullptr);
      system.port().write(0, neighbour, 256, 1);
      system.port().write(0, block, 256, 2);
      ASSERT_EQ(system.free(0, block), PointerStatus::live);

      std::byte* const next = system.allocate(1, 256, next_flags, owner);
      ASSERT_EQ(system.cached(next), block) << "another place: this shows nothing";
      if (next == block) {
        system.port().write(1, block, 256, 3);
        set_host_core(1);
        system.port().cache_writeback(block, 256);
      } else {
        system.port().write_past(block, 256, 3);
      }
      system.port().evict_all();  // of core 0 last of all, in the worst case
      EXPECT_TRUE(system.port().reads_past(block, 256, 3)) << "flags " << flags;
      EXPECT_TRUE(system.port().reads(0, neighbour, 256, 1));
      EXPECT_EQ(system.free(1, next), PointerStatus::live);
      EXPECT_EQ(system.free(0, neighbour), PointerStatus::live);
    }
  }
}

// All that the library notes about memory, and all that it notes in it, is seen by every core at
// once: here it dies where it reads or writes anything through a cache.
TEST_P(CacheNeeds, s11_metadata_is_never_reached_through_a_cache) {
  const auto run = [] {
    CachedSystem system(*GetParam(), true);
    Memory& memory = system.memory();
    bool good = true;
    std::vector<std::byte*> blocks;
    set_host_core(1);
    Owner* pipeline = memory.create_owner(memory.system(), {OwnerKind::pipeline, 1, "pipeline"});
    Owner* region = memory.create_owner(memory.system(), {OwnerKind::region, 2, "region"},
                                        {.kind = HeapKind::region, .bytes = 4 * kPage});
    good = good && pipeline != nullptr && region != nullptr;
    for (std::uint32_t i = 0; i < 100; ++i) {
      Owner* const owner = i % 3 == 0 ? pipeline : i % 29 == 1 ? region : nullptr;
      const Flags flags = i % 2 == 0 ? flag::kCoherent : i % 5 == 0 ? flag::kLargeBuffer : 0;
      blocks.push_back(system.allocate(i % 3, 1 + i * 13 % 900, flags, owner));
      good = good && blocks.back() != nullptr;
    }
    good = good && memory.check(CheckDepth::deep);
    for (std::uint32_t i = 0; i < 100; ++i) {
      good = good && system.free((i + 1) % 3, blocks[i * 7 % 100]) == PointerStatus::live;
    }
    good = good && memory.check(CheckDepth::deep) && memory.destroy_owner(*pipeline) == 0;
    std::exit(good ? 0 : 1);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

// Lines of freed blocks were written back over the heap's own notes. Here every core frees without
// cleaning anything, and lines are written back when it hurts most: after any other step.
TEST_P(CacheNeeds, s28_dirty_lines_never_reach_metadata) {
  struct Block {
    std::byte* address;
    std::size_t bytes;
  };
  CachedSystem system(*GetParam());
  std::minstd_rand random(28);
  const auto below = [&random](std::size_t limit) { return random() % limit; };
  std::vector<Block> live;
  for (int step = 0; step < 3000; ++step) {
    const auto core = static_cast<std::uint32_t>(below(CachePort::kCores));
    const bool full = live.size() > 60;
    if (!full && (live.empty() || below(2) == 0)) {
      const Flags flags = below(3) == 0 ? flag::kLargeBuffer : flag::kUser;
      const std::size_t bytes = 1 + below(below(8) == 0 ? 3 * kPage : 300);
      std::byte* const block = system.allocate(core, bytes, flags);
      ASSERT_NE(block, nullptr);
      system.port().write(core, block, bytes, static_cast<unsigned>(step));
      live.push_back({block, bytes});
    } else {
      const std::size_t at = below(live.size());
      ASSERT_EQ(system.free(core, live[at].address), PointerStatus::live);
      live[at] = live.back();
      live.pop_back();
    }
    for (int i = 0; i < 2 && system.port().dirty_lines() != 0; ++i) {
      system.port().evict_dirty(below(system.port().dirty_lines()));
    }
    if (step % 50 == 0) {
      ASSERT_TRUE(system.memory().check(CheckDepth::deep)) << "step " << step;
    }
  }
  system.port().evict_all();
  EXPECT_TRUE(system.memory().check(CheckDepth::deep));
  for (const Block& block : live) {
    EXPECT_EQ(system.memory().usable_size(block.address) >= block.bytes, true);
    EXPECT_EQ(system.free(0, block.address), PointerStatus::live);
  }
  EXPECT_TRUE(system.seen().faults.empty());
}

// Small blocks of two cores in one line: whichever is written back last takes the other's bytes.
TEST_P(CacheNeeds, s30_blocks_of_two_cores_share_no_line) {
  CachedSystem system(*GetParam());
  std::vector<std::byte*> blocks;
  for (unsigned i = 0; i < 60; ++i) {
    const Flags flags = i % 4 < 2 ? flag::kUser : flag::kKernel;
    blocks.push_back(system.allocate(i % CachePort::kCores, 8 + i, flags));
    ASSERT_NE(blocks.back(), nullptr);
    system.port().write(i % CachePort::kCores, blocks.back(), 8 + i, i);
  }
  system.port().evict_all();
  for (unsigned i = 0; i < 60; ++i) {
    EXPECT_TRUE(system.port().reads_past(blocks[i], 8 + i, i)) << i;
    EXPECT_EQ(system.free(i % CachePort::kCores, blocks[i]), PointerStatus::live);
  }
}

// A buffer was freed by the core of whichever end went last, with lines of the other end still
// dirty. What a core wrote is its own to clean (the writer's duty); the core that frees cleans its
// own, and whoever comes next has the memory to himself.
TEST_P(CacheNeeds, s29_core_b_frees_the_dirty_buffer_of_core_a) {
  for (const Flags flags : kWholeLines) {
    CachedSystem system(*GetParam());
    Owner* const owner = system.pipeline();
    std::byte* const neighbour = system.allocate(0, 512, flags, owner);
    std::byte* const buffer = system.allocate(0, 512, flags, owner);
    ASSERT_NE(buffer, nullptr);
    system.port().write(0, neighbour, 512, 1);
    system.port().write(0, buffer, 512, 2);
    set_host_core(0);
    system.port().cache_writeback(buffer, 512);  // the writer, as it hands it over
    system.port().cache_invalidate(buffer, 512);
    EXPECT_TRUE(system.port().reads(1, buffer, 512, 2));
    system.port().write(1, buffer, 256, 3);  // the reader marks what it has read
    ASSERT_EQ(system.free(1, buffer), PointerStatus::live);

    system.drain();
    std::byte* const next = system.allocate(2, 512, flags | flag::kCoherent, owner);
    ASSERT_EQ(system.cached(next), buffer) << "another place: this shows nothing";
    system.port().write_past(buffer, 512, 4);
    system.port().evict_all();
    EXPECT_TRUE(system.port().reads_past(buffer, 512, 4));
    EXPECT_TRUE(system.port().reads(0, neighbour, 512, 1));
    EXPECT_EQ(system.free(2, next), PointerStatus::live);

    // Where the writer forgets its duty, the library's own notes are as good as ever.
    std::byte* const careless = system.allocate(0, 512, flags, owner);
    system.port().write(0, careless, 512, 5);
    ASSERT_EQ(system.free(1, careless), PointerStatus::live);
    if (system.memory().heap_report(*owner).queued_bytes != 0) {
      // And in a heap of its own core, nothing else is lost, either: it takes the memory back, and
      // drops its lines, before others have it.
      system.drain();
      std::byte* const other = system.allocate(2, 512, flags | flag::kCoherent, owner);
      ASSERT_EQ(system.cached(other), careless);
      system.port().write_past(careless, 512, 6);
      system.port().evict_all();
      EXPECT_TRUE(system.port().reads_past(careless, 512, 6));
      EXPECT_EQ(system.free(2, other), PointerStatus::live);
    }
    system.port().evict_all();
    EXPECT_TRUE(system.memory().check(CheckDepth::deep));
    EXPECT_EQ(system.free(0, neighbour), PointerStatus::live);
    EXPECT_TRUE(system.seen().faults.empty());
  }
}

// A buffer of 8-byte alignment: to invalidate it took its neighbour's bytes in the same line.
TEST_P(CacheNeeds, s30_invalidating_a_buffer_takes_nothing_of_its_neighbours) {
  for (const Flags flags : kWholeLines) {
    CachedSystem system(*GetParam());
    std::vector<std::byte*> small;
    std::vector<std::byte*> buffers;
    for (unsigned i = 0; i < 20; ++i) {
      small.push_back(system.allocate(0, 8 + i * 4, flag::kUser));
      buffers.push_back(system.allocate(0, 8 + i * 8, flags));
      ASSERT_NE(buffers.back(), nullptr);
      system.port().write(0, small.back(), 8 + i * 4, i);
    }
    set_host_core(0);
    for (unsigned i = 0; i < 20; ++i) {
      // What a driver does before DMA writes there, in whole lines as caches have it.
      system.port().cache_invalidate(buffers[i], align_up(8 + i * 8, CachePort::kLine));
    }
    for (unsigned i = 0; i < 20; ++i) {
      EXPECT_TRUE(system.port().reads(0, small[i], 8 + i * 4, i)) << flags << ": " << i;
      EXPECT_EQ(system.free(0, small[i]), PointerStatus::live);
      EXPECT_EQ(system.free(0, buffers[i]), PointerStatus::live);
    }
  }
}

// Pages move to other frames with what a cache has of them, and with what lies past it.
TEST(CompactionAndCaches, WhatThisCoreWroteMovesAlong) {
  CachedSystem system(kElasticPolicy);
  Memory& memory = system.memory();
  Owner& stays = *memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline, .name = "s"});
  Owner& goes = *memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline, .name = "g"});
  std::vector<std::byte*> dirty;
  std::vector<std::byte*> coherent;
  for (unsigned i = 0; i < 100; ++i) {
    // Both kinds in one page, as they lie in lines of their own.
    dirty.push_back(system.allocate(0, kPage - 512, flag::kLargeBuffer, &stays));
    coherent.push_back(system.allocate(0, 512, flag::kCoherent, &stays));
    system.port().write(0, dirty.back(), kPage - 512, i);
    system.port().write_past(system.cached(coherent.back()), 512, 1000 + i);
    ASSERT_NE(system.allocate(0, kPage, 0, &goes), nullptr);
  }
  memory.destroy_owner(goes);
  ASSERT_GT(system.port().dirty_lines(), 0U);
  const std::uint32_t on = memory.pool().banks_on();
  EXPECT_GT(memory.compact(UINT32_MAX).moved, 0U);
  EXPECT_LT(memory.pool().banks_on(), on);
  system.port().evict_all();
  for (unsigned i = 0; i < 100; ++i) {
    EXPECT_TRUE(system.port().reads(0, dirty[i], kPage - 512, i)) << i;
    EXPECT_TRUE(system.port().reads_past(dirty[i], kPage - 512, i)) << i;
    EXPECT_TRUE(system.port().reads_past(system.cached(coherent[i]), 512, 1000 + i)) << i;
  }
  EXPECT_TRUE(memory.check(CheckDepth::deep));
}

}  // namespace
}  // namespace modmem
