// Blocks that other cores end: over for their user at once, and for their heap when its core gets
// to them.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "memory/testing/cores_fixture.hpp"

namespace modmem {
namespace {

using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;
constexpr std::uint32_t kAll = UINT32_MAX;

class RemoteFree : public testing::CoresFixture {
 protected:
  std::size_t drain(std::uint32_t core, std::uint32_t most = kAll) {
    set_host_core(core);
    return memory_.drain(most);
  }
  // `count` blocks of `bytes` in the owner's heap, taken on its core and ended by another.
  void queue(Owner& owner, std::size_t count, std::size_t bytes = 100) {
    std::vector<std::byte*> blocks;
    for (std::size_t i = 0; i < count; ++i) {
      blocks.push_back(take(owner.spec.core, owner, bytes));
    }
    for (std::byte* block : blocks) {
      ASSERT_EQ(end((owner.spec.core + 1U) % kCores, block), PointerStatus::live);
    }
  }
  std::size_t queued(const Owner& owner) { return memory_.heap_report(owner).queued_bytes; }

  const testing::PoolState boot_ = system_.pool_state();
};

TEST_F(RemoteFree, EndsABlockForItsUserAtOnce) {
  Owner& mine = pipeline_of(1);
  std::byte* block = take(1, mine, 100);
  std::byte* neighbour = take(1, mine, 100);
  EXPECT_EQ(end(2, block, &memory_.system()), PointerStatus::foreign) << "not its owner";
  EXPECT_EQ(end(2, block, &mine), PointerStatus::live);
  EXPECT_EQ(mine.own, 100U);
  EXPECT_EQ(mine.frees, 1U);
  EXPECT_EQ(memory_.heap_report(mine).live_bytes, 100U);
  EXPECT_EQ(queued(mine), 100U);
  EXPECT_TRUE(system_.check());
  system_.seen().faults.clear();
  for (std::uint32_t core = 0; core < kCores; ++core) {
    set_host_core(core);
    EXPECT_EQ(memory_.status(block), PointerStatus::not_live);
    EXPECT_EQ(memory_.usable_size(block), 0U);
    EXPECT_FALSE(memory_.pin(block));
    EXPECT_EQ(memory_.reallocate(block, {&mine, 200, 0, 0, {}}), nullptr);
    EXPECT_EQ(memory_.status(neighbour), PointerStatus::live);
  }
  EXPECT_EQ(end(2, block), PointerStatus::not_live);
  EXPECT_EQ(system_.seen().faults.size(), kCores + 1);
  EXPECT_EQ(drain(1), 0U);
  EXPECT_EQ(queued(mine), 0U);
  EXPECT_EQ(end(1, block), PointerStatus::not_live);
  EXPECT_EQ(take(1, mine, 100), block) << "its memory is there again";
  EXPECT_TRUE(system_.check());
}

TEST_F(RemoteFree, AnOwnerEndsWithBlocksThatWaitAndOneThatIsPinned) {
  for (const bool releases : {false, true}) {
    Owner& mine = pipeline_of(1);
    std::byte* pinned = take(1, mine, 100);
    ASSERT_TRUE(memory_.pin(pinned));
    queue(mine, 2);
    if (releases) {
      memory_.release_owner(mine);
    } else {
      EXPECT_EQ(memory_.destroy_owner(mine), 1U);
    }
    EXPECT_TRUE(system_.check());
    EXPECT_EQ(memory_.status(pinned), PointerStatus::not_live);
  }
}

TEST_F(RemoteFree, KeepsItsMemoryUntilItsCoreComes) {
  Owner& mine = pipeline_of(1);
  queue(mine, 1, 3 * kPage);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 3 * kPage);
  EXPECT_EQ(drain(0), 0U);
  EXPECT_EQ(drain(2), 0U);
  EXPECT_NE(take(0, mine, 3 * kPage), nullptr) << "another core's call";
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 6 * kPage);
  EXPECT_EQ(drain(1), 0U);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 3 * kPage);
  EXPECT_TRUE(system_.check());
}

// A pointer into a block that waits for its core points into nothing that lives.
TEST_F(RemoteFree, NothingLivesInsideOfAQueuedBlock) {
  Owner& mine = pipeline_of(1);
  std::byte* lives = take(1, mine, 100);
  std::byte* small = take(1, mine, 100);
  std::byte* large = take(1, mine, 3 * kPage);
  ASSERT_EQ(end(2, small), PointerStatus::live);
  ASSERT_EQ(end(2, large), PointerStatus::live);
  for (std::byte* inside : {small + 1, small + 99, large + 1, large + 2 * kPage}) {
    system_.seen().faults.clear();
    EXPECT_EQ(memory_.status(inside), PointerStatus::not_live);
    EXPECT_EQ(end(2, inside), PointerStatus::not_live);
    ASSERT_EQ(system_.seen().faults.size(), 1U);
    EXPECT_EQ(system_.seen().faults.back().status, PointerStatus::not_live);
  }
  EXPECT_EQ(memory_.status(lives + 1), PointerStatus::interior);
  drain(1);
  EXPECT_EQ(memory_.status(lives + 1), PointerStatus::interior);
  system_.seen().faults.clear();
}

TEST_F(RemoteFree, DropsTheLinesOfBothCores) {
  Owner& mine = pipeline_of(1);
  std::byte* block = take(1, mine, 4096, flag::kLargeBuffer);
  system_.port().forget_invalidations();
  end(2, block);
  EXPECT_TRUE(system_.port().invalidated(block, 4096)) << "of who ended it";
  system_.port().forget_invalidations();
  drain(1);
  EXPECT_TRUE(system_.port().invalidated(block, 4096)) << "of who had it";
}

TEST_F(RemoteFree, EachCallOfTheCoreTakesBackAFew) {
  Owner& first = pipeline_of(1);
  Owner& second = pipeline_of(1);
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 20; ++i) {
    blocks.push_back(take(1, first, 100));
    blocks.push_back(take(1, second, 100));
  }
  blocks.push_back(take(0, memory_.system(), 100));
  std::byte* own = take(2, memory_.system(), 10);
  for (std::byte* block : blocks) {
    EXPECT_EQ(end(2, block), PointerStatus::live);
  }
  std::size_t left = 40;
  const auto bytes_left = [&] { return queued(first) + queued(second); };
  // Other cores' calls do not.
  EXPECT_EQ(end(2, own), PointerStatus::live);
  EXPECT_EQ(bytes_left(), left * 100);
  for (int round = 0; round < 4; ++round) {
    std::byte* block = take(1, memory_.system(), 10);
    left -= Memory::kDrainStep;
    EXPECT_EQ(bytes_left(), left * 100);
    EXPECT_EQ(end(1, block), PointerStatus::live);
    left -= Memory::kDrainStep;
    EXPECT_EQ(bytes_left(), left * 100);
    EXPECT_TRUE(system_.check());
  }
  EXPECT_EQ(drain(1, 3), left - 3);
  EXPECT_EQ(drain(1, 0), left - 3);
  EXPECT_EQ(drain(1), 0U);
  EXPECT_EQ(bytes_left(), 0U);
  EXPECT_EQ(drain(0, 0), 1U);
}

TEST_F(RemoteFree, ARequestThatWouldFailTakesBackAll) {
  Owner& mine = pipeline_of(1);
  set_host_core(1);
  const std::size_t most = memory_.largest_request({&mine, 1, 0, 0, {}}) / 64 / kPage * kPage;
  std::vector<std::byte*> blocks;
  while (std::byte* block = take(1, mine, most)) {
    blocks.push_back(block);
  }
  for (std::byte* block : blocks) {
    EXPECT_EQ(end(0, block), PointerStatus::live);
  }
  EXPECT_EQ(take(0, memory_.system(), 20 * most), nullptr) << "core 0 can not take them back";
  set_host_core(1);
  const std::size_t before = queued(mine);
  EXPECT_EQ(before, blocks.size() * most);
  std::byte* large = take(1, mine, 60 * most);
  EXPECT_NE(large, nullptr);
  EXPECT_EQ(queued(mine), 0U);
  EXPECT_EQ(end(0, large), PointerStatus::live);
  // What would succeed counts them, and so does a range.
  set_host_core(1);
  EXPECT_GE(memory_.largest_request({&mine, 1, 0, 0, {}}), 60 * most);
  large = take(1, mine, 60 * most);
  EXPECT_EQ(end(0, large), PointerStatus::live);
  set_host_core(1);
  const Range range = memory_.allocate_range({&mine, 1, 0, 0, {}}, 40 * most);
  EXPECT_EQ(range.bytes, 40 * most);
  EXPECT_TRUE(system_.check());
}

TEST_F(RemoteFree, WhatSkipsTheCacheOrServesAllIsTakenBackAtOnce) {
  Owner& mine = pipeline_of(1);
  for (const Flags flags : {flag::kCoherent, flag::kShared, flag::kShared | flag::kUser}) {
    std::byte* block = take(1, mine, 3 * kPage, flags);
    const std::uint32_t taken = memory_.pool().taken();
    EXPECT_EQ(end(2, block), PointerStatus::live);
    EXPECT_LT(memory_.pool().taken(), taken);
    EXPECT_EQ(queued(mine), 0U);
  }
  EXPECT_TRUE(system_.check());
}

TEST_F(RemoteFree, AHeapTakesItsQueueWithIt) {
  Owner& mine = pipeline_of(1);
  Owner& other = pipeline_of(1);
  queue(mine, 10);
  queue(other, 10);
  queue(mine, 10);
  EXPECT_NE(take(1, other, 10), nullptr);
  set_host_core(0);
  EXPECT_EQ(memory_.destroy_owner(mine), 0U);
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(memory_.destroy_owner(other), 1U);
  EXPECT_EQ(drain(1), 0U);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_F(RemoteFree, ShutdownLeavesNothingQueued) {
  queue(memory_.system(), 10);
  queue(pipeline_of(2), 10);
  set_host_core(0);
  EXPECT_EQ(system_.shutdown(), 0U);
  EXPECT_EQ(system_.port().mapped_pages(), 0U);
}

TEST_F(RemoteFree, ModulesEndOnOtherCoresThanTheirPipelines) {
  Owner& mine = pipeline_of(1);
  Owner& module = system_.module(mine);
  std::byte* first = take(1, module, 100);
  std::byte* second = take(1, module, 200);
  set_host_core(0);
  EXPECT_EQ(memory_.release_all(module), 2U);
  EXPECT_EQ(module.own, 0U);
  EXPECT_EQ(queued(mine), 300U);
  EXPECT_NE(take(0, module, 50), nullptr);
  EXPECT_EQ(memory_.destroy_owner(module), 1U);
  EXPECT_EQ(queued(mine), 350U);
  EXPECT_EQ(memory_.status(first), PointerStatus::not_live);
  EXPECT_EQ(memory_.status(second), PointerStatus::not_live);
  EXPECT_TRUE(system_.check());
}

TEST_F(RemoteFree, ResizingOnAnotherCoreGivesNothingBack) {
  Owner& mine = pipeline_of(1);
  std::byte* large = take(1, mine, 4 * kPage, flag::kLargeBuffer);
  std::memset(large, 7, 4 * kPage);
  set_host_core(2);
  EXPECT_EQ(memory_.reallocate(large, {&mine, kPage, 0, flag::kLargeBuffer, {}}), large);
  EXPECT_EQ(mine.own, kPage);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 4 * kPage);
  EXPECT_TRUE(system_.check());
  set_host_core(1);
  EXPECT_EQ(memory_.reallocate(large, {&mine, 1000, 0, flag::kLargeBuffer, {}}), large);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, kPage);
  // One that shares lines moves, as the other core's bytes must not lie in them.
  std::byte* small = take(1, mine, 24);
  std::byte* next = take(1, mine, 24);
  std::memset(next, 9, 24);
  set_host_core(2);
  auto* moved = static_cast<std::byte*>(memory_.reallocate(next, {&mine, 48, 0, 0, {}}));
  EXPECT_NE(moved, next);
  EXPECT_EQ(moved[23], std::byte{9});
  EXPECT_EQ(memory_.status(next), PointerStatus::not_live);
  EXPECT_EQ(queued(mine), 24U);
  EXPECT_EQ(end(1, small), PointerStatus::live);
  EXPECT_TRUE(system_.check());
}

TEST_F(RemoteFree, OfRegionsAndPrivateHeapsToo) {
  set_host_core(1);
  Owner* region = memory_.create_owner(memory_.system(), {OwnerKind::region, 1, "region"},
                                       {.kind = HeapKind::region, .bytes = 4 * kPage});
  Owner& heap = system_.owner(memory_.system(), {OwnerKind::heap, 2, "mine"});
  ASSERT_NE(region, nullptr);
  queue(heap, 6);
  EXPECT_EQ(queued(heap), 600U);
  queue(*region, 6);
  EXPECT_EQ(queued(*region), 600U);
  EXPECT_EQ(memory_.region_info(*region).freed_blocks, 0U);
  EXPECT_EQ(drain(1), 0U);
  EXPECT_EQ(memory_.region_info(*region).freed_blocks, 6U);
  set_host_core(0);
  EXPECT_EQ(memory_.put_region(*region), RegionPut::last);
  EXPECT_EQ(memory_.destroy_owner(heap), 0U);
  EXPECT_EQ(system_.pool_state(), boot_);
}

// Where guests live in a heap that ends, its pages become those of the system's heap of its core,
// and what waits there waits on, behind what waits there already.
TEST(RemoteFreeWithGuests, WhatWaitsGoesOverToTheHeir) {
  for (const bool heir_has_some : {false, true}) {
    PlatformConfig config = testing::small_platform(true, 64);
    TestSystem system(config);
    Memory& memory = system.memory();
    const auto pipeline = [&](std::uint32_t id) -> Owner& {
      return system.owner(memory.system(),
                          {.kind = OwnerKind::pipeline, .id = id, .name = "pipeline", .core = 1});
    };
    const auto take = [&](Owner& owner, std::size_t bytes) {
      return memory.allocate({&owner, bytes, 0, flag::kSilent, MODMEM_HERE});
    };
    set_host_core(1);
    Owner& lender = pipeline(1);
    Owner& borrower = pipeline(2);
    std::vector<void*> ended;
    for (int i = 0; i < 3; ++i) {
      ended.push_back(take(lender, 200));
    }
    void* of_heir = take(memory.system(), 100);
    ASSERT_NE(of_heir, nullptr);
    // No frame is left, so that who comes next is a guest of the lender.
    while (take(borrower, kPage) != nullptr) {
    }
    void* guest = take(borrower, 300);
    while (guest != nullptr && system.heap_of(guest).owner != &lender) {
      guest = take(borrower, 300);
    }
    ASSERT_NE(guest, nullptr) << "nobody lent anything";
    set_host_core(0);
    if (heir_has_some) {
      EXPECT_EQ(memory.free(of_heir), PointerStatus::live);
    }
    for (void* block : ended) {
      EXPECT_EQ(memory.free(block), PointerStatus::live);
    }
    EXPECT_EQ(memory.heap_report(lender).queued_bytes, 600U);
    memory.release_owner(lender);
    EXPECT_EQ(system.heap("system-1").queued_bytes, heir_has_some ? 700U : 600U);
    EXPECT_EQ(memory.status(guest), PointerStatus::live);
    EXPECT_TRUE(system.check());
    set_host_core(1);
    EXPECT_EQ(memory.drain(1), heir_has_some ? 3U : 2U) << "one at a time";
    EXPECT_TRUE(system.check());
    EXPECT_EQ(memory.drain(kAll), 0U);
    EXPECT_EQ(system.heap("system-1").queued_bytes, 0U);
    EXPECT_TRUE(system.check());
    EXPECT_EQ(memory.free(guest), PointerStatus::live);
    set_host_core(0);
  }
}

TEST_F(RemoteFree, ACoreThatThePlatformLacksHasNothingToTakeBack) {
  queue(pipeline_of(1), 5);
  EXPECT_EQ(drain(20), 0U);
  EXPECT_EQ(drain(1, 0), 5U);
  EXPECT_TRUE(system_.check());
}

TEST(RemoteFreeOneCore, ThereIsNoOtherCore) {
  TestSystem system(preset("mcu"));
  Memory& memory = system.memory();
  void* block = memory.allocate({&memory.system(), 100, 0, 0, MODMEM_HERE});
  set_host_core(1);
  EXPECT_EQ(memory.free(block), PointerStatus::live);
  set_host_core(0);
  EXPECT_EQ(system.heap("system").queued_bytes, 0U);
  EXPECT_EQ(system.heap("system").mapped_bytes, 0U);
}

// Against a model: what lives is as it was written, what ended is not live, and no call takes back
// more than it may.
TEST_F(RemoteFree, RandomUseOnAllCores) {
  struct Block {
    std::byte* start;
    std::size_t bytes;
    std::byte pattern;
  };
  for (std::uint32_t seed = 0; seed < 15; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t most) { return random() % most; };
    std::vector<Owner*> owners{&memory_.system()};
    for (std::uint8_t core = 0; core < kCores; ++core) {
      owners.push_back(&pipeline_of(core));
    }
    const auto all_queued = [&] {
      std::size_t bytes = 0;
      memory_.for_each_heap([&](const HeapReport& heap) { bytes += heap.queued_bytes; });
      return bytes;
    };
    std::vector<Block> live;
    constexpr std::size_t kMost = 3000;
    for (int step = 0; step < 400; ++step) {
      const auto core = static_cast<std::uint32_t>(below(kCores));
      const std::size_t before = all_queued();
      if (below(2) == 0 || live.empty()) {
        const std::size_t bytes = 1 + below(below(6) == 0 ? kMost : 200);
        constexpr Flags kFlags[] = {0, 0, flag::kKernel, flag::kShared, flag::kLargeBuffer};
        std::byte* block =
            take(core, *owners[below(owners.size())], bytes, kFlags[below(std::size(kFlags))]);
        ASSERT_NE(block, nullptr);
        live.push_back({block, bytes, std::byte(below(256))});
        std::memset(block, std::to_integer<int>(live.back().pattern), bytes);
        ASSERT_LE(all_queued(), before);
      } else {
        const std::size_t index = below(live.size());
        const Block block = live[index];
        for (std::size_t i = 0; i < block.bytes; ++i) {
          ASSERT_EQ(block.start[i], block.pattern) << "seed " << seed << " step " << step;
        }
        ASSERT_EQ(end(core, block.start), PointerStatus::live);
        ASSERT_EQ(memory_.status(block.start), PointerStatus::not_live);
        live[index] = live.back();
        live.pop_back();
      }
      ASSERT_LE(before, all_queued() + Memory::kDrainStep * kMost);
      ASSERT_EQ(step % 20 != 0 || system_.check(), true) << "seed " << seed << " step " << step;
    }
    for (const Block& block : live) {
      ASSERT_EQ(end(static_cast<std::uint32_t>(below(kCores)), block.start), PointerStatus::live);
    }
    ASSERT_EQ(memory_.system().tree, 0U);
    for (std::uint32_t core = 0; core < kCores; ++core) {
      ASSERT_EQ(drain(core), 0U);
    }
    ASSERT_EQ(all_queued(), 0U);
    set_host_core(0);
    for (std::size_t i = 1; i < owners.size(); ++i) {
      ASSERT_EQ(memory_.heap_report(*owners[i]).mapped_bytes, 0U);
      ASSERT_EQ(memory_.destroy_owner(*owners[i]), 0U);
    }
    ASSERT_EQ(system_.heap("system").mapped_bytes, 0U);
    ASSERT_TRUE(system_.check());
  }
}

}  // namespace
}  // namespace modmem
