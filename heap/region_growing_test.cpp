// Regions that grow: frames only under what they hold. Otherwise they are as region_test.cpp and
// the conformance suite have them.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bits.hpp"
#include "heap/region.hpp"
#include "heap/testing/heap_world.hpp"
#include "heap/testing/random.hpp"
#include "heap/testing/region_fixture.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::uint32_t kFrames = 96;

class GrowingRegionTest : public ::testing::Test, protected RegionWorld {
 protected:
  GrowingRegionTest() : RegionWorld(true, kFrames, true) {}
  ~GrowingRegionTest() {
    while (!taken.empty()) {
      give_back();
    }
  }

  // Leaves `frames` of the pool to the region; others take the rest.
  void leave(std::uint32_t frames) {
    while (world.pool().free() > frames) {
      taken.push_back(*world.pool().take(other));
    }
    while (world.pool().free() < frames) {
      give_back();
    }
  }
  void give_back() {
    world.pool().give(other, taken.back(), 1);
    taken.pop_back();
  }
  // An alignment before whose next multiple at least `gap` bytes of the region are left out.
  std::size_t alignment_that_leaves(std::size_t gap) const {
    const auto top = reinterpret_cast<std::uintptr_t>(region.base()) + region.info().lifetime_bytes;
    std::size_t alignment = kPage;
    while (align_up(top, alignment) - top < gap) {
      alignment *= 2;
    }
    return alignment;
  }
  std::size_t lifetime_pages() { return divide_up(region.info().lifetime_bytes, kPage); }

  PageAccount other;
  std::vector<Frame> taken;
};

TEST_F(GrowingRegionTest, StartsWithAddressesAlone) {
  ASSERT_TRUE(open(100 * kPage + 1)) << "more than the pool has";
  EXPECT_EQ(region.bytes(), 101 * kPage);
  EXPECT_TRUE(region.grows());
  EXPECT_EQ(account.held, 0U);
  EXPECT_EQ(world.pool().taken(), 0U);
  const RegionInfo info = region.info();
  EXPECT_TRUE(info.grows);
  EXPECT_EQ(info.bytes, 101 * kPage);
  EXPECT_EQ(info.mapped_bytes, 0U);
  EXPECT_TRUE(sound());
}

TEST_F(GrowingRegionTest, NeedsAnMmuAndItsAddresses) {
  HeapWorld without(small_platform(false, kFrames), PortKind::host);
  EXPECT_FALSE(region.open(without.space(), without.descriptors(), HeapId{1}, account,
                           {.bytes = kPage, .grows = true}));
  EXPECT_TRUE(
      region.open(without.space(), without.descriptors(), HeapId{1}, account, {.bytes = kPage}));
  EXPECT_FALSE(region.info().grows);
  EXPECT_EQ(region.info().mapped_bytes, kPage);
  region.close();
  EXPECT_FALSE(open(0));
  EXPECT_FALSE(open(SIZE_MAX));
  const std::uint32_t gap = world.space().largest_gap();
  EXPECT_FALSE(open((gap + std::size_t{1}) * kPage));
  EXPECT_TRUE(open(gap * kPage));
  EXPECT_EQ(world.space().largest_gap(), 0U);
  region.close();
  EXPECT_EQ(world.space().largest_gap(), gap);
}

TEST_F(GrowingRegionTest, MapsAPageWhenABlockNeedsIt) {
  ASSERT_TRUE(open(16 * kPage));
  std::byte* expected = region.base();
  for (const std::size_t bytes :
       {std::size_t{1}, kLine, kPage - 2 * kLine, kLine, 3 * kPage, kPage + 1, kPage - 2 * kLine}) {
    std::byte* block = take(bytes);
    ASSERT_EQ(block, expected);
    expected += align_up(bytes, kLine);
    EXPECT_EQ(account.held, lifetime_pages());
    EXPECT_EQ(region.info().mapped_bytes, account.held * kPage);
    std::memset(block, 0x5a, bytes);
    EXPECT_TRUE(sound());
  }
  EXPECT_EQ(region.bytes(), 16 * kPage) << "the most that it can get is no matter of what it has";
}

TEST_F(GrowingRegionTest, KeepsTheFramesOfFreedLifetimeBlocks) {
  ASSERT_TRUE(open(16 * kPage));
  std::byte* first = take(3 * kPage);
  std::byte* second = take(100);
  for (const bool sealed : {false, true}) {
    EXPECT_EQ(region.status(first), sealed ? PointerStatus::not_live : PointerStatus::live);
    EXPECT_EQ(region.free(first), sealed ? PointerStatus::not_live : PointerStatus::live);
    EXPECT_EQ(account.held, 4U);
    region.set_interim();
  }
  EXPECT_EQ(region.free(second), PointerStatus::live);
  EXPECT_EQ(account.held, 4U);
  EXPECT_TRUE(sound());
}

TEST_F(GrowingRegionTest, GrowsAndShrinksAsAHeapOnceSealed) {
  ASSERT_TRUE(open(16 * kPage));
  std::byte* lifetime = take(100);
  region.set_interim();
  EXPECT_EQ(account.held, 1U);
  std::byte* small = take(1000);
  EXPECT_EQ(account.held, 1U) << "there is room behind the lifetime part";
  std::byte* large = take(5 * kPage);
  EXPECT_EQ(account.held, 6U);
  EXPECT_GE(large, lifetime + 128);
  EXPECT_TRUE(region.resize(large, 7 * kPage));
  EXPECT_EQ(account.held, 8U);
  EXPECT_EQ(region.free(large), PointerStatus::live);
  EXPECT_EQ(account.held, 1U);
  EXPECT_EQ(region.free(small), PointerStatus::live);
  EXPECT_EQ(region.free(lifetime), PointerStatus::live);
  EXPECT_EQ(account.held, 1U);
  EXPECT_EQ(take(16 * kPage - 64), nullptr);
  EXPECT_NE(take(16 * kPage - 128), nullptr);
  EXPECT_EQ(account.held, 16U);
  EXPECT_TRUE(sound());
}

TEST_F(GrowingRegionTest, NeverGetsMoreThanItsMost) {
  ASSERT_TRUE(open(3 * kPage));
  ASSERT_NE(take(kPage), nullptr);
  for (int sealed = 0; sealed < 2; ++sealed) {
    EXPECT_EQ(region.largest_request(1), 2 * kPage);
    EXPECT_EQ(take(2 * kPage + 1), nullptr);
    EXPECT_EQ(region.explain(2 * kPage + 1, 1), FailureReason::limit);
    EXPECT_EQ(region.explain(100 * kPage, 1), FailureReason::pool);
    region.set_interim();
  }
  ASSERT_NE(take(2 * kPage), nullptr);
  EXPECT_EQ(take(1), nullptr);
  EXPECT_EQ(region.explain(1, 1), FailureReason::limit);
}

TEST_F(GrowingRegionTest, AnAccountMayLimitItsPages) {
  ASSERT_TRUE(open(16 * kPage));
  account.limit = 2;
  EXPECT_EQ(region.largest_request(1), 2 * kPage);
  EXPECT_EQ(take(2 * kPage + 1), nullptr);
  EXPECT_EQ(region.explain(2 * kPage + 1, 1), FailureReason::limit);
  EXPECT_NE(take(2 * kPage), nullptr);
  EXPECT_EQ(account.held, 2U);
}

TEST_F(GrowingRegionTest, AFailureLeavesNoTrace) {
  ASSERT_TRUE(open(64 * kPage));
  ASSERT_NE(take(100), nullptr);
  for (int sealed = 0; sealed < 2; ++sealed) {
    leave(4);
    const WorldState before(world, region);
    EXPECT_EQ(take(5 * kPage), nullptr);
    EXPECT_EQ(region.explain(5 * kPage, 1), FailureReason::pool);
    if (sealed == 0) {
      EXPECT_EQ(take(1, alignment_that_leaves(5 * kPage)), nullptr) << "no frames for the gap";
    }
    EXPECT_EQ(before.difference(WorldState(world, region)), "");
    // The platform refuses a mapping half-way.
    world.fail_maps_after(2);
    EXPECT_EQ(take(3 * kPage + 100), nullptr);
    EXPECT_EQ(before.difference(WorldState(world, region)), "");
    world.fail_maps_after(UINT32_MAX);
    EXPECT_TRUE(sound());
    region.set_interim();
  }
}

TEST_F(GrowingRegionTest, GapsHaveFrames) {
  ASSERT_TRUE(open(16 * kPage));
  ASSERT_NE(take(100), nullptr);
  std::byte* aligned = take(100, 4 * kPage);
  ASSERT_NE(aligned, nullptr);
  EXPECT_EQ(account.held, lifetime_pages());
  region.set_interim();
  EXPECT_GT(take(kLine), aligned);
  EXPECT_TRUE(sound());
}

TEST_F(GrowingRegionTest, TheLastReferenceGivesEverythingBack) {
  ASSERT_TRUE(open(16 * kPage));
  region.get();
  take(5 * kPage + 1);
  region.set_interim();
  take(2 * kPage);
  EXPECT_FALSE(region.put());
  EXPECT_EQ(account.held, 8U);
  EXPECT_TRUE(region.put());
  EXPECT_EQ(account.held, 0U);
  EXPECT_EQ(world.pool().taken(), 0U);
  ASSERT_TRUE(open(16 * kPage));
  take(5 * kPage);
  region.release_all();
  EXPECT_EQ(account.held, 0U) << "an empty region has no frames";
  EXPECT_EQ(take(100), region.base());
  EXPECT_TRUE(sound());
}

// What it says would fit fits, and a granule more does not, however few frames the pool has left.
TEST_F(GrowingRegionTest, SaysExactlyWhatFitsInWhatThePoolHas) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    leave(kFrames);
    ASSERT_TRUE(open(random.between(4, 40) * kPage));
    // Descriptors that others have: the page of them that there is runs out soon.
    std::vector<std::uint16_t> used;
    const std::size_t page_of_them = kPage / sizeof(PageDescriptor);
    const std::size_t count = random.one_in(8) ? 0 : page_of_them - random.below(6);
    while (used.size() < count) {
      used.push_back(world.descriptors().create());
      ASSERT_NE(used.back(), FrameInfo::kNone);
    }
    for (int step = 0; step < 30; ++step) {
      leave(static_cast<std::uint32_t>(random.below(6)));
      if (random.one_in(20)) {
        region.set_interim();
      }
      const std::size_t alignment = std::size_t{1} << random.below(15);
      const std::uint32_t keep = random.one_in(4) ? 2 : 0;
      ASSERT_LE(region.largest_request(alignment, keep), region.largest_request(alignment));
      const std::size_t largest = region.largest_request(alignment);
      ASSERT_LE(largest, region.free_bytes());
      const WorldState before(world, region);
      ASSERT_EQ(take(largest + 1, alignment), nullptr) << "seed " << seed << " step " << step;
      ASSERT_NE(region.explain(largest + 1, alignment), FailureReason::none);
      ASSERT_EQ(before.difference(WorldState(world, region)), "");
      if (largest > 0) {
        std::byte* block = take(random.one_in(4) ? largest : random.size(largest), alignment);
        ASSERT_NE(block, nullptr) << "seed " << seed << " step " << step;
        std::memset(block, 0xff, region.usable_size(block));
        if (random.one_in(3)) {
          ASSERT_EQ(region.free(block), PointerStatus::live);
        }
      }
      ASSERT_TRUE(sound()) << "seed " << seed << " step " << step;
    }
    region.close();
    for (const std::uint16_t handle : used) {
      world.descriptors().destroy(handle);
    }
    world.descriptors().drop_spare();
  }
}

// A page is mapped exactly where a block lies, or the lifetime part.
TEST_F(GrowingRegionTest, RandomUseAgainstAModel) {
  use_at_random(40, [this](const Blocks& live) {
    std::vector<bool> needed(region.bytes() / kPage);
    for (std::size_t page = 0; page < lifetime_pages(); ++page) {
      needed[page] = true;
    }
    for (const Block& block : live) {
      const auto offset = static_cast<std::size_t>(block.pointer - region.base());
      for (std::size_t page = offset / kPage; page * kPage < offset + block.bytes; ++page) {
        needed[page] = true;
      }
    }
    std::size_t mapped = 0;
    for (std::size_t page = 0; page < needed.size(); ++page) {
      const bool is_mapped =
          world.space().is_mapped(*world.space().page_of(region.base() + page * kPage));
      ASSERT_EQ(is_mapped, needed[page]) << "page " << page;
      mapped += is_mapped ? 1 : 0;
    }
    ASSERT_EQ(account.held, mapped);
    ASSERT_EQ(region.info().mapped_bytes, mapped * kPage);
  });
}

}  // namespace
}  // namespace modmem
