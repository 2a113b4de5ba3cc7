// Memory::premap(): what an owner needs while audio runs is there before, and takes no call that
// maps, unmaps, or switches a bank.

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "memory/testing/cores_fixture.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class Premap : public ::testing::TestWithParam<bool> {
 protected:
  Premap() { boot_ = system_.pool_state(); }

  void* allocate(Owner& owner, std::size_t bytes, Flags flags = 0) {
    return memory_.allocate({&owner, bytes, 0, flags, MODMEM_HERE});
  }
  std::uint64_t calls() { return system_.port().page_calls(); }
  std::size_t ready(const Owner& owner) { return memory_.heap_report(owner).ready_bytes / kPage; }
  // Asks for what can't be had, and finds everything as before.
  Failure refused(Owner& owner, std::uint32_t pages, std::uint32_t blocks = 4) {
    const testing::Figures before = figures(system_);
    const std::size_t ready_before = ready(owner);
    EXPECT_FALSE(memory_.premap(owner, pages, blocks));
    EXPECT_EQ(figures(system_), before);
    EXPECT_EQ(ready(owner), ready_before);
    EXPECT_TRUE(system_.check());
    EXPECT_EQ(system_.seen().failures.back().owner_id, owner.spec.id);
    EXPECT_EQ(system_.seen().failures.back().bytes, pages * kPage);
    return system_.seen().failures.back();
  }

  TestSystem system_{small_platform(GetParam(), 64)};
  Memory& memory_ = system_.memory();
  testing::PoolState boot_;
};

INSTANTIATE_TEST_SUITE_P(Platforms, Premap, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "mmu" : "mcu"; });

TEST_P(Premap, ServesWhatWasAskedForWithoutThePort) {
  Owner& mine = system_.pipeline();
  Owner& module = system_.module(mine);
  ASSERT_TRUE(memory_.premap(mine, 8));
  EXPECT_EQ(ready(mine), 8U);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 8 * kPage);
  EXPECT_TRUE(system_.check());
  const std::uint64_t before = calls();
  for (int round = 0; round < 3; ++round) {
    const std::vector<void*> blocks{
        allocate(mine, 100), allocate(module, kPage, flag::kUser),
        allocate(module, 3 * kPage - 200, flag::kUser | flag::kCoherent),
        allocate(mine, 2 * kPage, flag::kLargeBuffer)};
    for (void* block : blocks) {
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(system_.heap_of(block).owner, &mine);
    }
    for (void* block : blocks) {
      EXPECT_EQ(memory_.free(block), PointerStatus::live);
    }
    EXPECT_EQ(ready(mine), 8U);
  }
  void* all = allocate(mine, 8 * kPage);
  EXPECT_NE(all, nullptr);
  memory_.free(all);
  EXPECT_EQ(calls(), before);
  EXPECT_TRUE(system_.check());
  memory_.destroy_owner(mine);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(Premap, HasTheRecordsOfAsManyBlocksAsItSays) {
  Owner& mine = system_.pipeline();
  ASSERT_TRUE(memory_.premap(mine, 2, 2 * kPage / config::kGranuleBytes));
  const std::uint64_t before = calls();
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < 2 * kPage / config::kGranuleBytes; ++i) {
    blocks.push_back(allocate(mine, config::kGranuleBytes));
    ASSERT_NE(blocks.back(), nullptr);
  }
  EXPECT_EQ(calls(), before);
  EXPECT_TRUE(system_.check());
  for (void* block : blocks) {
    memory_.free(block);
  }
  EXPECT_EQ(calls(), before);
  EXPECT_EQ(ready(mine), 2U);
  ASSERT_TRUE(memory_.premap(mine, 0, 0));
  memory_.destroy_owner(mine);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(Premap, HoldsWhateverOthersTake) {
  Owner& mine = system_.pipeline(1);
  Owner& other = system_.pipeline(2);
  ASSERT_TRUE(memory_.premap(mine, 6, 40));
  while (allocate(other, 1000, flag::kSilent) != nullptr) {
  }
  while (allocate(other, 16, flag::kSilent) != nullptr) {
  }
  EXPECT_EQ(ready(mine), 6U);
  // The first page's rest is for its own blocks, not for others that look for a hole.
  const std::uint64_t before = calls();
  void* small = allocate(mine, 16);
  EXPECT_NE(small, nullptr);
  EXPECT_EQ(allocate(other, 200, flag::kSilent), nullptr);
  std::vector<void*> blocks;
  for (int i = 0; i < 39; ++i) {
    blocks.push_back(allocate(mine, 600));
    ASSERT_NE(blocks.back(), nullptr) << i;
    EXPECT_EQ(system_.heap_of(blocks.back()).owner, &mine);
  }
  EXPECT_EQ(calls(), before);
  EXPECT_TRUE(system_.check());
}

TEST_P(Premap, ZeroGivesBackWhatIsUnused) {
  Owner& mine = system_.pipeline();
  ASSERT_TRUE(memory_.premap(mine, 5));
  void* block = allocate(mine, 2 * kPage);
  ASSERT_TRUE(memory_.premap(mine, 0));
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 2 * kPage);
  EXPECT_EQ(ready(mine), 0U);
  memory_.free(block);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 0U);
  EXPECT_TRUE(system_.check());
  memory_.destroy_owner(mine);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(Premap, IsRefusedWithTheArithmetic) {
  Owner& mine = system_.pipeline(1);
  ASSERT_TRUE(memory_.premap(mine, 2));
  Failure failure = refused(mine, 100, 0);
  EXPECT_EQ(failure.reason, FailureReason::pool);
  EXPECT_GE(failure.guarantee.asked, 98U);
  EXPECT_EQ(failure.guarantee.total, 64U);
  EXPECT_EQ(failure.guarantee.held, memory_.pool().taken());

  system_.owner(memory_.system(), {.kind = OwnerKind::pipeline, .guarantee = in_frames(40)});
  failure = refused(mine, 30);
  EXPECT_EQ(failure.reason, FailureReason::guarantee);
  EXPECT_EQ(failure.guarantee.guaranteed, memory_.pool().reserved());
  // Pages there are enough, but not for what is noted of so many blocks.
  const std::uint32_t spare = memory_.pool().free() - memory_.pool().reserved();
  failure = refused(mine, 2 + spare, 2000);
  EXPECT_EQ(failure.reason, FailureReason::guarantee);
  EXPECT_GT(failure.guarantee.metadata, 0U);

  ASSERT_TRUE(memory_.set_frame_limit(mine, 4));
  EXPECT_EQ(refused(mine, 5).reason, FailureReason::limit);
  EXPECT_TRUE(memory_.premap(mine, 4));
  EXPECT_EQ(refused(mine, UINT32_MAX / kPage, UINT32_MAX).bytes, UINT32_MAX / kPage * kPage);
  EXPECT_EQ(ready(mine), 4U);
}

TEST_P(Premap, LeavesNothingBehindWhereThePortFails) {
  Owner& mine = system_.pipeline();
  Owner& empty = system_.pipeline(2);
  ASSERT_NE(allocate(mine, 100), nullptr);
  for (Owner* owner : {&mine, &empty}) {
    ASSERT_TRUE(memory_.premap(*owner, owner == &mine ? 1 : 0));
    std::uint64_t maps = 0;
    for (bool done = false; !done; ++maps) {
      ASSERT_LT(maps, 40U);
      const testing::Figures before = figures(system_);
      system_.port().host().fail_maps_after(maps);
      done = memory_.premap(*owner, 10, 4000);
      system_.port().host().fail_maps_after(HostPort::kNever);
      EXPECT_TRUE(done || figures(system_) == before) << maps;
      EXPECT_TRUE(system_.check());
    }
    EXPECT_GE(maps, 10U + 4U);  // payload, and pages of records
    EXPECT_EQ(ready(*owner), 10U);
    ASSERT_TRUE(memory_.premap(*owner, 0, 0));
  }
}

TEST_P(Premap, TakesWhatIsGuaranteedAndReserved) {
  Owner& mine = system_.pipeline(1, in_frames(10));
  Owner& admitted = system_.pipeline(2);
  const Need need{.bytes = 10 * kPage, .blocks = 2};
  PlanEntry entry;
  entry.owner = &admitted;
  entry.needs = {&need, 1};
  ASSERT_TRUE(memory_.admit({&entry, 1}));
  const std::uint32_t reserved = memory_.reserved_frames(admitted);
  Owner& greedy = system_.pipeline(3);
  while (allocate(greedy, kPage, flag::kSilent) != nullptr) {
  }
  EXPECT_FALSE(memory_.premap(greedy, 3));
  ASSERT_TRUE(memory_.premap(mine, 10));
  ASSERT_TRUE(memory_.premap(admitted, 6, 2));
  EXPECT_EQ(memory_.reserved_frames(admitted), reserved - 6);
  EXPECT_NE(allocate(admitted, 6 * kPage), nullptr);
  ASSERT_TRUE(memory_.premap(mine, 0, 0));
  EXPECT_FALSE(memory_.premap(greedy, 10));
  EXPECT_TRUE(memory_.premap(mine, 10));
  EXPECT_TRUE(system_.check());
}

TEST_P(Premap, IsForHeapsThatGrowAlone) {
  Owner& mine = system_.pipeline();
  Owner& module = system_.module(mine);
  EXPECT_EQ(refused(module, 2).reason, FailureReason::unsupported);  // its pipeline's serves it
  Owner* region =
      memory_.create_owner(memory_.system(), {.kind = OwnerKind::region, .name = "region"},
                           {.kind = HeapKind::region, .bytes = 4 * kPage});
  ASSERT_NE(region, nullptr);
  EXPECT_EQ(refused(*region, 2).reason, FailureReason::unsupported);
  constexpr std::array kBundles{SlotBundle{64, 64}};
  Owner* slots =
      memory_.create_owner(memory_.system(), {.kind = OwnerKind::slots, .name = "slots"},
                           {.kind = HeapKind::slots, .bytes = kPage, .bundles = kBundles});
  ASSERT_NE(slots, nullptr);
  EXPECT_EQ(refused(*slots, 2).reason, FailureReason::unsupported);
  Owner& own = system_.owner(memory_.system(), {.kind = OwnerKind::heap, .name = "own"});
  EXPECT_TRUE(memory_.premap(own, 2));

  TestSystem fixed(small_platform(GetParam(), 64), kSinglePolicy);
  EXPECT_FALSE(fixed.memory().premap(fixed.memory().system(), 2));
  EXPECT_EQ(fixed.seen().failures.back().reason, FailureReason::unsupported);
}

TEST_P(Premap, PagesMoveAndStay) {
  Owner& mine = system_.pipeline(1);
  Owner& other = system_.pipeline(2);
  std::vector<void*> blocks;
  for (int i = 0; i < 10; ++i) {
    blocks.push_back(allocate(other, kPage));
  }
  ASSERT_TRUE(memory_.premap(mine, 7));
  for (void* block : blocks) {
    memory_.free(block);
  }
  memory_.trim();
  EXPECT_EQ(ready(mine), 7U);
  while (memory_.compact(2).more) {
    EXPECT_TRUE(system_.check());
  }
  EXPECT_EQ(ready(mine), 7U);
  EXPECT_TRUE(system_.check());
  const std::uint64_t before = calls();
  auto* block = static_cast<unsigned char*>(allocate(mine, 7 * kPage));
  ASSERT_NE(block, nullptr);
  std::fill_n(block, 7 * kPage, static_cast<unsigned char>(1));
  EXPECT_EQ(calls(), before);
  memory_.release_owner(mine);
  memory_.release_owner(other);
  EXPECT_EQ(system_.pool_state(), boot_);
}

// Guests live in the heap's pages when it ends: those become the system's, what is ready goes.
TEST_P(Premap, EndsWithItsHeapThoughOthersLiveThere) {
  Owner& mine = system_.pipeline(1);
  Owner& other = system_.pipeline(2);
  ASSERT_NE(allocate(mine, 100), nullptr);
  while (allocate(other, kPage, flag::kSilent) != nullptr) {
  }
  while (system_.heap_of(allocate(other, 64)).owner == &other) {
  }
  memory_.release_all(other);
  ASSERT_NE(allocate(other, 100), nullptr);
  ASSERT_TRUE(memory_.premap(mine, 4, 30));
  memory_.release_owner(mine);
  EXPECT_TRUE(system_.check());
  memory_.release_owner(other);
  EXPECT_EQ(system_.pool_state(), boot_);
}

using PremapOnCores = testing::CoresFixture;

// Blocks that other cores end wait, as taking them back might unmap, until their pages or records
// are needed.
TEST_F(PremapOnCores, TakesBackWhatOthersEndedInPlaceOfMapping) {
  Owner& mine = pipeline_of(1);
  Owner& other = pipeline_of(1);
  set_host_core(1);
  ASSERT_TRUE(memory_.premap(mine, 4, 8));
  std::byte* others = take(1, other, 3 * kPage);
  EXPECT_EQ(end(2, others), PointerStatus::live);  // waits for core 1
  const std::uint64_t before = system_.port().page_calls();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(end(1, take(1, mine, 4 * kPage)), PointerStatus::live);
  }
  EXPECT_EQ(system_.port().page_calls(), before) << "there was room";
  for (int round = 0; round < 50; ++round) {
    std::byte* block = take(1, mine, round % 2 == 0 ? kPage : 3 * kPage);
    std::byte* small = take(1, mine, 10);
    ASSERT_TRUE(block != nullptr && small != nullptr);
    EXPECT_EQ(end(2, block), PointerStatus::live);
    EXPECT_EQ(end(1, small), PointerStatus::live);
  }
  // The first call that had to take something back took back what the other heap had, too.
  EXPECT_LE(system_.port().page_calls() - before, 3U + 1U);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 4 * kPage);
  EXPECT_TRUE(system_.check());
}

TEST_F(PremapOnCores, TheSystemHasAHeapForEach) {
  set_host_core(2);
  EXPECT_FALSE(memory_.premap(memory_.system(), 60000));
  EXPECT_EQ(system_.heap("system-2").name, nullptr);
  EXPECT_TRUE(system_.check());
  ASSERT_TRUE(memory_.premap(memory_.system(), 3));
  EXPECT_EQ(system_.heap("system-2").ready_bytes, 3 * kPage);
  EXPECT_EQ(system_.heap("system").ready_bytes, 0U);
  const std::uint64_t before = system_.port().page_calls();
  EXPECT_NE(take(2, memory_.system(), 3 * kPage), nullptr);
  EXPECT_EQ(system_.port().page_calls(), before);
}

// Whatever blocks of an owner come and go: as long as they fit what was premapped, in bytes on
// pages of their own, no call of the port is made, though others fill and empty the pool meanwhile.
TEST_P(Premap, NeverCallsThePortForWhatFits) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t end) { return random() % end; };
    Owner& mine = system_.pipeline(1);
    Owner& other = system_.pipeline(2);
    ASSERT_TRUE(memory_.premap(mine, 12, 12));
    std::vector<void*> own;
    std::vector<void*> others;
    for (int step = 0; step < 400; ++step) {
      if (below(2) == 0) {
        void* block = below(3) != 0 ? allocate(other, 1 + below(9000), flag::kSilent) : nullptr;
        if (block != nullptr) {
          others.push_back(block);
        } else if (!others.empty()) {
          std::swap(others[below(others.size())], others.back());
          memory_.free(others.back());
          others.pop_back();
        }
      }
      const std::uint64_t before = calls();
      if (own.size() < 12 && below(2) == 0) {
        own.push_back(allocate(mine, 1 + below(kPage)));
        ASSERT_NE(own.back(), nullptr);
      } else if (!own.empty()) {
        std::swap(own[below(own.size())], own.back());
        ASSERT_EQ(memory_.free(own.back()), PointerStatus::live);
        own.pop_back();
      }
      ASSERT_EQ(calls(), before) << "seed " << seed << ", step " << step;
      ASSERT_EQ(memory_.heap_report(mine).mapped_bytes, 12 * kPage);
    }
    EXPECT_TRUE(system_.check());
    memory_.release_owner(mine);
    memory_.release_owner(other);
    ASSERT_EQ(system_.pool_state(), boot_);
  }
}

}  // namespace
}  // namespace modmem
