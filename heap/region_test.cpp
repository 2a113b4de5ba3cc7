// Region: lifetime mode, sealing, references. Its heap is in the conformance suite.

#include "heap/region.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bits.hpp"
#include "heap/testing/heap_world.hpp"
#include "heap/testing/random.hpp"
#include "heap/testing/region_fixture.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kGranule = config::kGranuleBytes;

class RegionTest : public ::testing::TestWithParam<bool>, protected RegionWorld {
 protected:
  RegionTest() : RegionWorld(GetParam(), 32, false) {}
};

INSTANTIATE_TEST_SUITE_P(Platforms, RegionTest, ::testing::Values(true, false),
                         [](const auto& test) { return test.param ? "Mmu" : "NoMmu"; });

TEST_P(RegionTest, TakesWholePagesAndGivesThemBack) {
  ASSERT_TRUE(open(2 * kPage + 1));
  EXPECT_EQ(region.bytes(), 3 * kPage);
  EXPECT_EQ(account.held, 3U);
  EXPECT_EQ(region.stats().mapped_bytes, 3 * kPage);
  EXPECT_TRUE(sound());
  region.close();
  EXPECT_FALSE(region.is_open());
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_P(RegionTest, RefusesWhatCannotBeARegion) {
  EXPECT_FALSE(open(0));
  EXPECT_FALSE(open(SIZE_MAX));
  EXPECT_FALSE(open(33 * kPage)) << "more than the pool has";
  for (const std::size_t alignment : {std::size_t{0}, kGranule, std::size_t{96}, 2 * kPage}) {
    EXPECT_FALSE(open(kPage, alignment)) << alignment;
  }
  world.fail_maps_after(2);
  EXPECT_FALSE(open(3 * kPage));
  EXPECT_EQ(world.pool().taken(), 0U);
  EXPECT_EQ(account.held, 0U);
  EXPECT_TRUE(region.check(CheckDepth::deep));
}

// The most that leaves frames to others: of the lifetime part first, then of the heap behind it.
TEST_P(RegionTest, ServesRangesInBothModes) {
  ASSERT_TRUE(open(4 * kPage));
  Range range = region.allocate_range(100, 2 * kPage, 1, 1, 1);
  EXPECT_NE(range.pointer, nullptr);
  EXPECT_EQ(range.bytes, 2 * kPage);
  EXPECT_EQ(region.status(range.pointer), PointerStatus::live);
  EXPECT_EQ(region.allocate_range(3 * kPage, 5 * kPage, 1, 1, 1).pointer, nullptr);
  region.set_interim();
  EXPECT_EQ(region.allocate_range(5 * kPage, 6 * kPage, 1, 1, 1).pointer, nullptr);
  range = region.allocate_range(100, 5 * kPage, 1, 1, 1);
  EXPECT_NE(range.pointer, nullptr);
  EXPECT_LE(range.bytes, 2 * kPage);
  EXPECT_GT(range.bytes, kPage);
  EXPECT_TRUE(sound());
}

TEST_P(RegionTest, ServesLifetimeThenAHeapInWhatIsLeft) {
  ASSERT_TRUE(open(3 * kPage));
  ASSERT_NE(take(6000), nullptr);
  ASSERT_NE(take(5000), nullptr);
  EXPECT_EQ(take(6000), nullptr);
  region.set_interim();
  EXPECT_NE(take(20), nullptr);
  std::byte* block = take(1000);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(take(2000), nullptr);
  EXPECT_EQ(take(1000), nullptr);
  EXPECT_EQ(region.free(block), PointerStatus::live);
  EXPECT_EQ(take(1000), block);
  EXPECT_TRUE(sound());
}

TEST_P(RegionTest, LaysLifetimeBlocksOneBehindTheOther) {
  ASSERT_TRUE(open(4 * kPage));
  std::byte* expected = region.base();
  for (const std::size_t bytes : {std::size_t{1}, kLine, kLine + 1, 2 * kPage, kPage - kLine}) {
    EXPECT_EQ(take(bytes), expected);
    EXPECT_EQ(region.usable_size(expected), align_up(bytes, kLine));
    expected += align_up(bytes, kLine);
    EXPECT_TRUE(sound());
  }
  EXPECT_EQ(region.info().lifetime_blocks, 5U);
}

TEST_P(RegionTest, LifetimeFreesAreOnlyCounted) {
  ASSERT_TRUE(open(2 * kPage));
  std::byte* first = take(kPage + 100);
  std::byte* second = take(1000);
  const std::size_t left = region.largest_request(1);
  EXPECT_EQ(region.free(first), PointerStatus::live);
  EXPECT_EQ(region.info().freed_blocks, 1U);
  EXPECT_EQ(region.info().freed_bytes, align_up(kPage + 100, kLine));
  EXPECT_EQ(region.largest_request(1), left) << "a freed lifetime block came back";
  EXPECT_EQ(take(left + 1), nullptr);
  region.set_interim();
  EXPECT_EQ(region.largest_request(1), left) << "a freed lifetime block came back";
  EXPECT_EQ(region.free_bytes(), left);
  EXPECT_EQ(region.free(second), PointerStatus::live);  // after sealing too
  EXPECT_EQ(region.info().freed_blocks, 2U);
  EXPECT_EQ(region.largest_request(1), left);
  EXPECT_EQ(region.free_bytes(), left);
  EXPECT_EQ(region.stats().live_blocks, 0U);
  EXPECT_EQ(region.stats().occupied_bytes, 0U);
  while (std::byte* block = take(1)) {
    EXPECT_GE(block, second + 1024);
  }
  EXPECT_TRUE(sound());
}

TEST_P(RegionTest, TellsApartWhatLifetimePointersAre) {
  ASSERT_TRUE(open(4 * kPage));
  std::byte* first = take(100);
  std::byte* large = take(2 * kPage);
  std::byte* third = take(100);
  EXPECT_EQ(region.free(large), PointerStatus::live);
  for (const bool sealed : {false, true}) {
    EXPECT_EQ(region.status(first), PointerStatus::live);
    EXPECT_EQ(region.status(first + 1), PointerStatus::interior);
    EXPECT_EQ(region.status(first + kLine), PointerStatus::interior);
    EXPECT_EQ(region.free(first + kLine), PointerStatus::interior);
    for (std::size_t offset = 0; offset < 2 * kPage; offset += 8) {
      ASSERT_EQ(region.free(large + offset), PointerStatus::not_live) << offset;
      ASSERT_EQ(region.usable_size(large + offset), 0U) << offset;
      ASSERT_FALSE(region.resize(large + offset, 1)) << offset;
    }
    EXPECT_EQ(region.status(third), PointerStatus::live);
    EXPECT_EQ(region.free(third + 128), PointerStatus::not_live);
    EXPECT_EQ(region.free(region.base() + region.bytes()), PointerStatus::foreign);
    int local = 0;
    EXPECT_EQ(region.free(&local), PointerStatus::foreign);
    EXPECT_EQ(region.free(nullptr), PointerStatus::foreign);
    EXPECT_EQ(region.info().freed_blocks, 1U) << sealed;
    region.set_interim();
  }
  EXPECT_TRUE(sound());
}

TEST_P(RegionTest, GapsBeforeAlignedLifetimeBlocksStayGaps) {
  ASSERT_TRUE(open(4 * kPage));
  take(100);
  std::byte* aligned = take(100, kPage);
  EXPECT_EQ(aligned, region.base() + kPage);
  EXPECT_EQ(region.status(region.base() + 128), PointerStatus::not_live);
  EXPECT_EQ(region.info().lifetime_bytes, kPage + 128);
  EXPECT_EQ(region.info().freed_blocks, 0U);
  EXPECT_TRUE(sound());
  region.set_interim();
  while (std::byte* block = take(kLine)) {
    ASSERT_GT(block, aligned);
  }
  EXPECT_TRUE(sound());
  EXPECT_EQ(region.free(aligned), PointerStatus::live);
}

TEST_P(RegionTest, AnySmallRestBecomesAHeap) {
  // A rest of less than 1024 bytes once was refused, or asserted.
  for (std::size_t rest = 0; rest <= 1024; rest += kLine) {
    ASSERT_TRUE(open(2 * kPage));
    if (rest < 2 * kPage) {
      ASSERT_NE(take(2 * kPage - rest), nullptr);
    }
    region.set_interim();
    EXPECT_EQ(region.largest_request(1), rest);
    EXPECT_EQ(take(rest + 1), nullptr);
    if (rest > 0) {
      std::byte* block = take(rest);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(region.free(block), PointerStatus::live);
    }
    EXPECT_TRUE(sound());
    region.close();
  }
}

TEST_P(RegionTest, TheLastReferenceFreesAll) {
  // The count is no part of what goes: it is read after the pages are gone.
  ASSERT_TRUE(open(3 * kPage));
  std::byte* block = take(2 * kPage);
  std::memset(region.base(), 0xff, region.bytes());  // a user writes all that it can
  region.get();
  region.get();
  EXPECT_EQ(region.references(), 3U);
  EXPECT_FALSE(region.put());
  EXPECT_FALSE(region.put());
  EXPECT_EQ(region.status(block), PointerStatus::live);
  EXPECT_EQ(account.held, 3U);
  EXPECT_TRUE(region.put());
  EXPECT_FALSE(region.is_open());
  EXPECT_EQ(region.references(), 0U);
  EXPECT_EQ(account.held, 0U);
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_P(RegionTest, NothingThatAUserWritesBreaksIt) {
  ASSERT_TRUE(open(3 * kPage));
  std::byte* first = take(1000);
  std::byte* second = take(5000, 512);
  region.free(first);
  region.set_interim();
  std::byte* third = take(500);
  std::memset(region.base(), 0xff, region.bytes());
  EXPECT_TRUE(sound());
  EXPECT_EQ(region.free(first), PointerStatus::not_live);
  EXPECT_EQ(region.free(second), PointerStatus::live);
  EXPECT_EQ(region.free(third), PointerStatus::live);
  EXPECT_TRUE(sound());
}

TEST_P(RegionTest, CoherentBlocksAreWholeLinesByTheOtherAlias) {
  ASSERT_TRUE(open(2 * kPage));
  for (int mode = 0; mode < 2; ++mode) {
    const std::uint64_t before = world.host().invalidated_bytes();
    auto* block = static_cast<std::byte*>(region.allocate_coherent(100, 256));
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(world.host().invalidated_bytes() - before, 128U);
    std::byte* cached = world.space().to_cached(block);
    EXPECT_EQ(world.space().to_uncached(cached), block);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(cached) % 256, 0U);
    EXPECT_EQ(region.usable_size(block), 128U);
    EXPECT_EQ(region.usable_size(cached), 128U);
    EXPECT_EQ(region.status(block + 64), PointerStatus::interior);
    EXPECT_EQ(region.free(block), PointerStatus::live);
    EXPECT_EQ(region.free(cached), PointerStatus::not_live);
    EXPECT_EQ(region.allocate_coherent(2 * kPage, 1), nullptr);
    EXPECT_TRUE(sound());
    region.set_interim();
  }
}

TEST_P(RegionTest, ResizesHeapBlocksButNotLifetimeOnes) {
  ASSERT_TRUE(open(3 * kPage));
  std::byte* lifetime = take(100);
  EXPECT_TRUE(region.resize(lifetime, 128));
  EXPECT_TRUE(region.resize(lifetime, 1));
  EXPECT_FALSE(region.resize(lifetime, 129));
  EXPECT_EQ(region.usable_size(lifetime), 128U);
  region.set_interim();
  EXPECT_FALSE(region.resize(lifetime, 129));
  std::byte* block = take(100);
  EXPECT_TRUE(region.resize(block, 2 * kPage));
  EXPECT_EQ(region.usable_size(block), 2 * kPage);
  EXPECT_FALSE(region.resize(block, 3 * kPage));
  EXPECT_FALSE(region.resize(block, SIZE_MAX));
  EXPECT_TRUE(region.resize(block, 65));
  EXPECT_EQ(region.usable_size(block), 128U);
  EXPECT_TRUE(sound());
}

TEST_P(RegionTest, LifetimeSaysExactlyWhatIsLeft) {
  ASSERT_TRUE(open(4 * kPage));
  Random random(5);
  while (region.largest_request(1) > 0) {
    for (std::size_t alignment = 1; alignment <= 64 * kPage; alignment *= 2) {
      const std::size_t largest = region.largest_request(alignment);
      EXPECT_EQ(region.explain(largest + 1, alignment), largest < region.largest_request(1)
                                                            ? FailureReason::alignment
                                                            : FailureReason::pool);
      ASSERT_EQ(region.allocate(largest + 1, alignment), nullptr) << alignment;
    }
    const std::size_t alignment = std::size_t{1} << random.below(11);
    const std::size_t largest = region.largest_request(alignment);
    if (largest > 0) {
      EXPECT_EQ(region.explain(largest, alignment), FailureReason::none);
      std::byte* block = take(random.one_in(8) ? largest : random.size(largest), alignment);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
    }
    ASSERT_TRUE(sound());
  }
  EXPECT_EQ(region.allocate(SIZE_MAX, 1), nullptr);
  EXPECT_EQ(region.allocate(1, std::size_t{1} << 63U), nullptr);
}

TEST_P(RegionTest, WithoutADescriptorThereIsNoBlockAndNoTrace) {
  ASSERT_TRUE(open(31 * kPage));
  // Another takes the last frame, so that no page of descriptors can be had.
  PageAccount other;
  const auto frame = world.pool().take(other);
  ASSERT_TRUE(frame.has_value());
  const WorldState before(world, region);
  EXPECT_EQ(region.largest_request(1), 0U);
  EXPECT_EQ(take(1), nullptr);
  EXPECT_EQ(region.allocate(1, 4 * kPage), nullptr);
  EXPECT_EQ(region.explain(1, 1), FailureReason::fragmentation);
  EXPECT_EQ(before.difference(WorldState(world, region)), "");
  EXPECT_TRUE(sound());
  world.pool().give(other, *frame, 1);
  EXPECT_NE(take(1), nullptr);
}

TEST_P(RegionTest, ScarceDescriptorsCostTheRestOfAPageOrLeaveNoTrace) {
  ASSERT_TRUE(open(16 * kPage));
  MetadataStore<PageDescriptor>& descriptors = world.descriptors();
  std::vector<std::uint16_t> taken{descriptors.create()};
  PageAccount other;
  std::vector<Frame> frames;
  while (const auto frame = world.pool().take(other)) {
    frames.push_back(*frame);
  }
  while (descriptors.free() > 2) {
    taken.push_back(descriptors.create());
  }
  // One for the start, and none for the end: it takes all of its last page.
  const std::uint16_t last_but_one = descriptors.create();
  std::byte* block = take(kPage + 1);
  ASSERT_EQ(block, region.base());
  EXPECT_EQ(region.usable_size(block), 2 * kPage);
  EXPECT_TRUE(sound());
  EXPECT_EQ(region.largest_request(1), 0U);
  EXPECT_EQ(take(1), nullptr);
  descriptors.destroy(last_but_one);
  // One left, and a gap that needs one as well as the block behind it.
  std::size_t alignment = 2 * kPage;
  while (reinterpret_cast<std::uintptr_t>(block + 2 * kPage) % alignment == 0) {
    alignment *= 2;
  }
  if (alignment <= 8 * kPage) {
    const WorldState before(world, region);
    EXPECT_EQ(region.largest_request(alignment), 0U);
    EXPECT_EQ(take(1, alignment), nullptr);
    EXPECT_EQ(before.difference(WorldState(world, region)), "");
    EXPECT_TRUE(sound());
  }
  EXPECT_EQ(region.largest_request(1), 14 * kPage);
  EXPECT_NE(take(14 * kPage), nullptr);
  EXPECT_TRUE(sound());
  for (const std::uint16_t handle : taken) {
    descriptors.destroy(handle);
  }
  for (const Frame frame : frames) {
    world.pool().give(other, frame, 1);
  }
}

TEST_P(RegionTest, RandomUseAgainstAModel) {
  use_at_random(8, [this](const Blocks&) { ASSERT_EQ(account.held, region.bytes() / kPage); });
}

}  // namespace
}  // namespace modmem
