// What SlotHeap promises beyond the contract of all heaps: the table and its order, the two modes,
// and statistics. slot_heap_frames_test.cpp has frames, pointers and failures. A comment names the
// fault of the past in this kind of heap that a test is for.

#include "heap/slot_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bits.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/slot_heap_fixture.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;

// --- the table ---

TEST_F(SlotHeapTest, OpeningCostsNoFrame) {
  open({{64, 64}, {4096, 3}});
  EXPECT_TRUE(heap.is_open());
  EXPECT_EQ(world.pool().taken(), 0U);
  EXPECT_EQ(heap.bundle_count(), 2U);
  EXPECT_EQ(heap.bundle(1).slot_bytes, 4096U);
  EXPECT_EQ(heap.bundle(1).slots, 3U);
  heap.close();
  EXPECT_FALSE(heap.is_open());
  EXPECT_EQ(world.space().largest_gap(), 4 * kFrames);
}

TEST_F(SlotHeapTest, RefusesTablesThatBreakTheRules) {
  const Table eleven(11, {4096, 1});
  const struct {
    Table table;
    std::size_t region;
  } kBad[] = {
      {{{96, 128}}, 16 * kPage},             // no power of two
      {{{0, 128}}, 16 * kPage},              // nor is this
      {{{4, 1024}}, 16 * kPage},             // no room for anything
      {{{4096, 0}}, 16 * kPage},             // no slot
      {{{64, 63}}, 16 * kPage},              // no whole pages
      {{{64, 32}, {128, 16}}, 16 * kPage},   // nor before the second bundle
      {{{4096, 16}, {64, 64}}, 16 * kPage},  // beyond the region
      {{{4096, 17}}, 16 * kPage},
      {{{std::size_t{1} << 63, 2}}, 16 * kPage},  // a sum that overflows
      {{{8192, UINT32_MAX}}, 16 * kPage},
      {{{4096, 4}}, 16 * kPage + 1},  // no whole pages
      {{{4096, 4}}, 4 * kPage - 1},
      {{{4096, 4}}, (4 * kFrames + 1) * kPage},  // more than the window has
      {{}, 4 * kPage},                           // no page for each of the five bundles
      {eleven, 16 * kPage},
  };
  for (const auto& bad : kBad) {
    EXPECT_FALSE(try_open(bad.table, false, bad.region)) << &bad - kBad;
    EXPECT_FALSE(heap.is_open());
    EXPECT_EQ(world.space().largest_gap(), 4 * kFrames);
    EXPECT_EQ(heap.bundle_count(), 0U);
  }
  EXPECT_FALSE(heap.open(world.space(), world.descriptors(), HeapId{1}, account, {}));
  open(Table(10, {4096, 1}));
}

TEST_F(SlotHeapTest, RefusesARegionThatIsNotToBeHad) {
  const Span other = *world.space().reserve_span(4 * kFrames - 10, 1);
  EXPECT_FALSE(try_open({{4096, 11}}));
  EXPECT_FALSE(heap.is_open());
  open({{4096, 10}});
  heap.close();
  world.space().release_span(other);
}

TEST_F(SlotHeapTest, WithoutATableThereAreFiveEqualBundles) {
  open({}, false, 101 * kPage);
  ASSERT_EQ(heap.bundle_count(), 5U);
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(heap.bundle(i).slot_bytes, std::size_t{64} << i);
    EXPECT_EQ(heap.bundle(i).slots * heap.bundle(i).slot_bytes, 20 * kPage);
    EXPECT_EQ(bundle_of(allocate(std::size_t{64} << i)), i);
  }
  EXPECT_EQ(allocate(1025), nullptr);
  EXPECT_TRUE(sound());
}

class ProductionTable : public SlotHeapTest {
 protected:
  ProductionTable() : SlotHeapTest(true, 400) {}
};

TEST_F(ProductionTable, CanBeUsedToTheLastSlot) {
  std::size_t total = 0;
  for (const SlotBundle& bundle : kProductionBundles) {
    total += bundle.slot_bytes * bundle.slots;
  }
  EXPECT_EQ(total, 0x140000U);
  open(Table(kProductionBundles.begin(), kProductionBundles.end()));
  HeapModel model(heap);
  for (const SlotBundle& bundle : kProductionBundles) {
    for (std::uint32_t i = 0; i < bundle.slots; ++i) {
      ASSERT_TRUE(model.allocate(bundle.slot_bytes, 1));
    }
  }
  for (std::uint32_t i = 0; i < heap.bundle_count(); ++i) {
    EXPECT_EQ(heap.bundle(i).used, kProductionBundles[i].slots);
  }
  EXPECT_EQ(heap.stats().mapped_bytes, total);
  EXPECT_EQ(heap.stats().occupied_bytes, total);
  EXPECT_EQ(allocate(1), nullptr);
  model.verify_all();
  EXPECT_TRUE(sound());
  model.free_all();
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_F(ProductionTable, AKeyPhraseBufferOfFourChannelsDoesNotFitASlot) {
  open(Table(kProductionBundles.begin(), kProductionBundles.end()));
  EXPECT_EQ(heap.largest_request(1), 524288U);
  EXPECT_NE(allocate(268800), nullptr);
  EXPECT_EQ(heap.stats().mapped_bytes, align_up(268800, kPage));
  EXPECT_EQ(heap.explain(537600, 1), FailureReason::slots);
  EXPECT_EQ(heap.explain(131073, 1), FailureReason::slots);  // the one slot of that size is used
}

// --- single slots ---

TEST_F(SlotHeapTest, TakesTheFirstBundleOfTheTableThatHasASlot) {
  open({{1024, 4}, {64, 64}, {4096, 2}, {256, 16}});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(bundle_of(allocate(60)), 0U);
  }
  std::byte* next = allocate(60);
  EXPECT_EQ(bundle_of(next), 1U);
  EXPECT_EQ(bundle_of(allocate(65)), 2U);
  EXPECT_EQ(bundle_of(allocate(65)), 2U);
  EXPECT_EQ(bundle_of(allocate(65)), 3U);
  EXPECT_EQ(allocate(1024), nullptr);
  EXPECT_EQ(heap.usable_size(next), 64U);
  EXPECT_TRUE(sound());
}

TEST_F(SlotHeapTest, ARequestThatIsExactlyASlotIsAccepted) {
  // f23827a203, f8d5ffb843: an exact size was refused.
  for (const bool contiguous : {false, true}) {
    const Table table = {{64, 64}, {1024, 4}, {4096, 2}, {16384, 2}};
    open(table, contiguous);
    for (std::uint32_t i = 0; i < 4; ++i) {
      std::byte* block =
          allocate(contiguous ? table[i].slot_bytes * table[i].slots : table[i].slot_bytes);
      ASSERT_NE(block, nullptr) << i;
      EXPECT_EQ(bundle_of(block), i);
      EXPECT_EQ(heap.usable_size(block) % table[i].slot_bytes, 0U);
    }
    EXPECT_TRUE(sound());
    heap.release_all();
    EXPECT_EQ(allocate(16384 * (contiguous ? 2 : 1) + 1), nullptr);
    heap.close();
  }
}

TEST_F(SlotHeapTest, AFullBundleServesAgainWhereASlotIsFreed) {
  // #2238, #1714: the first-free hint was wrong after a full heap.
  open({{512, 16}});
  std::vector<std::byte*> blocks;
  while (std::byte* block = allocate(500)) {
    blocks.push_back(block);
  }
  ASSERT_EQ(blocks.size(), 16U);
  for (const std::size_t index : {7U, 0U, 15U, 3U}) {
    EXPECT_EQ(heap.free(blocks[index]), PointerStatus::live);
    EXPECT_EQ(allocate(1), blocks[index]);
    EXPECT_EQ(allocate(1), nullptr);
  }
}

TEST_F(SlotHeapTest, TakesASlotOfAMappedPageFirst) {
  open({{1024, 8}});
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 5; ++i) {
    blocks.push_back(allocate(1024));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    heap.free(blocks[i]);
  }
  EXPECT_EQ(heap.stats().mapped_bytes, kPage);
  EXPECT_EQ(allocate(1024), blocks[4] + 1024);
  EXPECT_EQ(heap.stats().mapped_bytes, kPage);
}

TEST_F(SlotHeapTest, SlotsOfEightBytes) {
  for (const bool contiguous : {false, true}) {
    open({{8, 1024}, {16, 512}}, contiguous);
    const WorldState before = state();
    HeapModel model(heap);
    for (int i = 0; i < 1024; ++i) {
      ASSERT_TRUE(model.allocate(8, 8)) << i;
      ASSERT_EQ(bundle_of(model[model.size() - 1].pointer), 0U);
    }
    EXPECT_EQ(heap.bundle(0).used, 1024U);
    EXPECT_EQ(heap.stats().mapped_bytes, 2 * kPage);
    ASSERT_TRUE(model.allocate(8, 8));
    EXPECT_EQ(bundle_of(model[1024].pointer), 1U);
    EXPECT_TRUE(sound());
    for (std::size_t i = 0; model.size() > 1; i += 389) {
      model.free_twice(i % model.size());
    }
    EXPECT_TRUE(sound());
    model.free_all();
    EXPECT_EQ(before.difference(state()), "");
    heap.close();
  }
}

TEST_F(SlotHeapTest, EightByteSlotsMeetLargerAlignments) {
  open({{8, 1024}});
  HeapModel model(heap);
  ASSERT_TRUE(model.allocate(8, 8));
  for (std::size_t alignment = 1; alignment < kPage; alignment *= 2) {
    ASSERT_TRUE(model.allocate(8, alignment)) << alignment;
  }
  EXPECT_FALSE(model.allocate(8, kPage));
  EXPECT_EQ(heap.explain(8, kPage), FailureReason::alignment);
  EXPECT_EQ(heap.largest_request(1), 8U);
  EXPECT_EQ(heap.largest_request(kPage), 0U);
}

// --- consecutive slots ---

TEST_F(SlotHeapTest, TakesConsecutiveSlotsOfTheFirstBundleThatHasThem) {
  open({{64, 64}, {512, 8}, {4096, 4}}, true);
  std::byte* first = allocate(640);
  EXPECT_EQ(bundle_of(first), 0U);
  EXPECT_EQ(heap.bundle(0).used, 10U);
  EXPECT_EQ(heap.usable_size(first), 640U);
  EXPECT_EQ(bundle_of(allocate(64 * 55)), 1U);  // 54 slots are left
  EXPECT_EQ(heap.bundle(1).used, 7U);
  EXPECT_EQ(bundle_of(allocate(64 * 54)), 0U);
  EXPECT_EQ(bundle_of(allocate(513)), 2U);
  EXPECT_EQ(bundle_of(allocate(512)), 1U);
  EXPECT_EQ(allocate(4 * kPage), nullptr);
  EXPECT_TRUE(sound());
}

TEST_F(SlotHeapTest, SizesOfNeighboursAreKeptApart) {
  // 4189f09b69, 520ef18f6c: the sizes of consecutive blocks were mixed up.
  for (const std::size_t slot : {std::size_t{8}, std::size_t{64}, kPage, 2 * kPage}) {
    const auto slots = static_cast<std::uint32_t>(std::max<std::size_t>(8 * kPage / slot, 16));
    open({{slot, slots}}, true);
    const std::size_t unit = slot * (slots / 16);
    HeapModel model(heap);
    for (const std::size_t size : {3U, 1U, 5U, 2U, 4U, 1U}) {
      ASSERT_TRUE(model.allocate(size * unit, 1));
      ASSERT_EQ(model[model.size() - 1].usable, size * unit);
    }
    model.free(2);
    model.verify_all();
    model.free(0);
    model.verify_all();
    EXPECT_TRUE(sound());
    EXPECT_EQ(heap.largest_request(1), 5 * unit);
    ASSERT_TRUE(model.allocate(5 * unit, 1));
    ASSERT_TRUE(model.allocate(2 * unit, 1));
    ASSERT_TRUE(model.allocate(unit, 1));
    EXPECT_FALSE(model.allocate(1, 1));
    model.verify_all();
    EXPECT_TRUE(sound());
    model.free_all();
    EXPECT_EQ(heap.bundle(0).used, 0U);
    EXPECT_EQ(world.pool().taken(), 0U);
    heap.close();
  }
}

TEST_F(SlotHeapTest, ConsecutiveSlotsMayCrossPages) {
  open({{512, 64}}, true);
  HeapModel model(heap);
  ASSERT_TRUE(model.allocate(3 * 512, 1));
  ASSERT_TRUE(model.allocate(20 * 512, 1));
  ASSERT_TRUE(model.allocate(2 * 512, 1));
  EXPECT_EQ(model[1].pointer, model[0].pointer + 3 * 512);
  EXPECT_EQ(heap.stats().mapped_bytes, 4 * kPage);
  // Only the pages that the block shares have descriptors.
  EXPECT_EQ(world.descriptors().live(), 3U);
  model.free(0);
  model.free(0);
  EXPECT_EQ(heap.stats().mapped_bytes, 3 * kPage);
  EXPECT_TRUE(sound());
}

TEST_F(SlotHeapTest, BlocksGrowIntoTheirSlotAndOverFreeOnes) {
  open({{16384, 4}});
  HeapModel model(heap);
  ASSERT_TRUE(model.allocate(100, 1));
  EXPECT_EQ(model[0].usable, kPage);
  EXPECT_TRUE(model.resize(0, 3 * kPage + 1));
  EXPECT_EQ(heap.stats().mapped_bytes, 4 * kPage);
  EXPECT_FALSE(model.resize(0, 4 * kPage + 1));
  EXPECT_TRUE(model.resize(0, kPage + 1));
  EXPECT_EQ(heap.stats().mapped_bytes, 2 * kPage);
  EXPECT_EQ(heap.bundle(0).used, 1U);
  model.free_all();
  heap.close();

  open({{16384, 4}}, true);
  ASSERT_TRUE(model.allocate(100, 1));
  ASSERT_TRUE(model.allocate(100, 1));
  EXPECT_FALSE(model.resize(0, 16385));
  EXPECT_TRUE(model.resize(1, 16384 + kPage + 1));
  EXPECT_EQ(heap.bundle(0).used, 3U);
  EXPECT_EQ(heap.stats().mapped_bytes, (1 + 6) * kPage);
  EXPECT_TRUE(sound());
  EXPECT_TRUE(model.resize(1, 16384));
  EXPECT_EQ(heap.bundle(0).used, 2U);
  EXPECT_TRUE(sound());
}

// --- statistics ---

TEST_F(SlotHeapTest, CountsSlotsPeaksAndWhatRanOut) {
  open({{512, 8}, {4096, 2}});
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 9; ++i) {
    blocks.push_back(allocate(100));
  }
  EXPECT_EQ(heap.bundle(0).used, 8U);
  EXPECT_EQ(heap.bundle(0).run_out, 1U);
  EXPECT_EQ(heap.bundle(1).used, 1U);
  EXPECT_EQ(heap.bundle(1).run_out, 0U);
  EXPECT_EQ(heap.explain(1, 1), FailureReason::none);  // questions do not count
  for (std::byte* block : blocks) {
    heap.free(block);
  }
  EXPECT_EQ(heap.bundle(0).used, 0U);
  EXPECT_EQ(heap.bundle(0).most_used, 8U);
  EXPECT_EQ(heap.bundle(1).most_used, 1U);
  EXPECT_EQ(allocate(4097), nullptr);  // too large for any slot: none ran out
  EXPECT_EQ(heap.bundle(1).run_out, 0U);
  ASSERT_NE(allocate(4096), nullptr);
  ASSERT_NE(allocate(4096), nullptr);
  EXPECT_EQ(allocate(4096), nullptr);
  EXPECT_EQ(heap.bundle(0).run_out, 1U);
  EXPECT_EQ(heap.bundle(1).run_out, 1U);
  account.limit = account.held;
  EXPECT_EQ(allocate(100), nullptr);  // there are slots, but no frames
  EXPECT_EQ(heap.bundle(0).run_out, 1U);
  EXPECT_EQ(heap.bundle(1).run_out, 2U);
}

}  // namespace
}  // namespace modmem
