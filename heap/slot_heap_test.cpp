// What SlotHeap promises beyond the contract of all heaps: the table and its order, the two modes,
// frames under used slots only, and statistics. A test that is named after a fault of the past in
// this kind of heap says so.

#include "heap/slot_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

#include "base/bits.hpp"
#include "heap/elastic_heap.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/heap_world.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;
using Table = std::vector<SlotBundle>;

class SlotHeapTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kFrames = 64;

  explicit SlotHeapTest(bool has_mmu = true, std::uint32_t frames = kFrames)
      : world(small_platform(has_mmu, frames), PortKind::host) {}

  bool try_open(const Table& table, bool contiguous = false, std::size_t region = 0) {
    std::size_t total = 0;
    for (const SlotBundle& bundle : table) {
      total += bundle.slot_bytes * bundle.slots;
    }
    return heap.open(
        world.space(), world.descriptors(), HeapId{1}, account,
        {.region_bytes = region != 0 ? region : total, .bundles = table, .contiguous = contiguous});
  }
  void open(const Table& table, bool contiguous = false, std::size_t region = 0) {
    ASSERT_TRUE(try_open(table, contiguous, region));
  }
  std::byte* allocate(std::size_t bytes, std::size_t alignment = 1) {
    return static_cast<std::byte*>(heap.allocate(bytes, alignment));
  }
  // Which bundle of the table the block lies in, and its slot there.
  std::size_t offset(const std::byte* block) {
    return static_cast<std::size_t>(block - world.space().address_of(heap.region().first));
  }
  std::size_t bundle_of(const std::byte* block) {
    std::size_t end = 0;
    for (std::uint32_t i = 0; i < heap.bundle_count(); ++i) {
      end += heap.bundle(i).slot_bytes * heap.bundle(i).slots;
      if (offset(block) < end) {
        return i;
      }
    }
    ADD_FAILURE() << "outside of the bundles";
    return SIZE_MAX;
  }
  WorldState state() { return {world, heap}; }
  bool sound() const { return heap.check(CheckDepth::deep) && world.check(); }

  HeapWorld world;
  PageAccount account;
  SlotHeap heap;
};

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

// --- frames ---

TEST_F(SlotHeapTest, APageIsMappedWithItsFirstSlotAndUnmappedWithItsLast) {
  open({{1024, 16}});
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 6; ++i) {
    blocks.push_back(allocate(1));
    EXPECT_EQ(heap.stats().mapped_bytes, (i < 4 ? 1U : 2U) * kPage);
  }
  for (std::size_t i = 0; i < 6; ++i) {
    heap.free(blocks[i]);
    EXPECT_EQ(heap.stats().mapped_bytes, (i < 3 ? 2U : i < 5 ? 1U : 0U) * kPage);
  }
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_F(SlotHeapTest, ALargeSlotHasFramesUnderWhatIsAskedForOnly) {
  // #9114: blocks larger than a page were not mapped as a whole.
  open({{32768, 3}});
  std::byte* block = allocate(5000);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(heap.usable_size(block), 2 * kPage);
  EXPECT_EQ(heap.stats().mapped_bytes, 2 * kPage);
  std::memset(block, 0xff, 2 * kPage);
  EXPECT_DEATH(block[2 * kPage] = std::byte{1}, "");
  std::byte* whole = allocate(32768);
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(whole, block + 32768);
  std::memset(whole, 0xff, 32768);
  EXPECT_EQ(heap.stats().mapped_bytes, 10 * kPage);
  // #9539: more pages were unmapped than were mapped.
  EXPECT_EQ(heap.free(block), PointerStatus::live);
  EXPECT_EQ(heap.stats().mapped_bytes, 8 * kPage);
  std::memset(whole, 0, 32768);
  EXPECT_DEATH(block[0] = std::byte{1}, "");
  EXPECT_TRUE(sound());
}

TEST_F(SlotHeapTest, TheLastPageOfTheWindowCanBeMapped) {
  // Z#98916.
  open({{4096, 4 * kFrames}}, true);
  HeapModel model(heap);
  account.limit = 3;
  ASSERT_TRUE(model.allocate(kPage, 1));
  const Span region = heap.region();
  EXPECT_EQ(region.end(), world.window_pages());
  // Everything but the last page, which costs nothing until it is used, is out of reach.
  heap.release_all();
  heap.close();
  const Span rest = *world.space().reserve_span(4 * kFrames - 1, 1);
  open({{4096, 1}});
  std::byte* last = allocate(kPage);
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(world.space().page_of(last + kPage - 1), world.window_pages() - 1);
  std::memset(last, 0xff, kPage);
  heap.close();
  world.space().release_span(rest);
}

TEST_F(SlotHeapTest, BanksFollowTheSlotsThatAreUsed) {
  // Z#58891: counters of banks assumed a state at boot.
  open({{8192, 20}});
  std::vector<std::byte*> blocks;
  for (std::uint32_t i = 1; i <= 20; ++i) {
    blocks.push_back(allocate(8192));
    EXPECT_EQ(world.pool().banks_on(), (2 * i + 4 + 7) / 8);  // 4 frames are the reserve's
  }
  for (std::byte* block : blocks) {
    heap.free(block);
  }
  EXPECT_EQ(world.pool().banks_on(), 1U);
}

TEST_F(SlotHeapTest, RegionsAreNobodyElses) {
  // Z#119860, #10144: live pages were mapped again; heaps of five cores met in one window.
  std::vector<std::unique_ptr<SlotHeap>> heaps;
  std::vector<PageAccount> accounts(5);
  for (std::uint8_t i = 0; i < 5; ++i) {
    heaps.push_back(std::make_unique<SlotHeap>());
    const SlotBundle table[] = {{64, 64}, {4096, 7}};
    ASSERT_TRUE(heaps[i]->open(world.space(), world.descriptors(), HeapId{i}, accounts[i],
                               {.region_bytes = 8 * kPage, .bundles = table}));
  }
  ElasticHeap elastic;
  ASSERT_TRUE(
      elastic.open(world.space(), world.descriptors(), HeapId{9}, account, {.span_pages = 16}));
  std::vector<void*> blocks;
  for (int i = 0; i < 6; ++i) {
    for (auto& each : heaps) {
      blocks.push_back(each->allocate(50 + static_cast<std::size_t>(i) * 800, 1));
    }
    blocks.push_back(elastic.allocate(6000, 1));
  }
  for (void* block : blocks) {
    ASSERT_NE(block, nullptr);
    int owners = elastic.status(block) == PointerStatus::live ? 1 : 0;
    for (auto& each : heaps) {
      owners += each->status(block) == PointerStatus::live ? 1 : 0;
    }
    EXPECT_EQ(owners, 1);
  }
  EXPECT_TRUE(world.check());
  for (auto& each : heaps) {
    each->close();
  }
  elastic.close();
}

// --- pointers ---

TEST_F(SlotHeapTest, FreesOnlyStartsOfLiveBlocks) {
  // #9776: an invalid pointer crashed.
  open({{64, 64}, {16384, 2}}, false, 20 * kPage);
  std::byte* small = allocate(10);
  std::byte* gone = allocate(10);
  std::byte* large = allocate(5000);
  ASSERT_EQ(heap.free(gone), PointerStatus::live);
  const WorldState before = state();
  int local = 0;
  EXPECT_EQ(heap.free(nullptr), PointerStatus::foreign);
  EXPECT_EQ(heap.free(&local), PointerStatus::foreign);
  EXPECT_EQ(heap.free(gone), PointerStatus::not_live);
  EXPECT_EQ(heap.free(small + 8), PointerStatus::interior);
  EXPECT_EQ(heap.free(small + 63), PointerStatus::interior);
  EXPECT_EQ(heap.free(gone + 8), PointerStatus::not_live);  // into a free slot
  EXPECT_EQ(heap.free(large + 1), PointerStatus::interior);
  EXPECT_EQ(heap.free(large + kPage), PointerStatus::interior);       // its second page
  EXPECT_EQ(heap.free(large + 2 * kPage), PointerStatus::not_live);   // the rest of its slot
  EXPECT_EQ(heap.free(large + 16384), PointerStatus::not_live);       // the next slot
  EXPECT_EQ(heap.free(small + 10 * kPage), PointerStatus::not_live);  // behind the bundles
  EXPECT_EQ(before.difference(state()), "");
  EXPECT_EQ(heap.free(small), PointerStatus::live);
  EXPECT_EQ(heap.free(large), PointerStatus::live);
  EXPECT_EQ(heap.free(large), PointerStatus::not_live);
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_F(SlotHeapTest, OnlyTheFirstOfConsecutiveSlotsIsAStart) {
  open({{64, 64}, {4096, 4}}, true);
  for (const std::size_t bytes : {std::size_t{300}, 3 * kPage}) {
    std::byte* block = allocate(bytes);
    for (std::size_t at = 64; at < bytes; at += 64) {
      ASSERT_EQ(heap.free(block + at), PointerStatus::interior);
    }
    EXPECT_EQ(heap.free(block), PointerStatus::live);
  }
}

// --- failures ---

TEST_F(SlotHeapTest, AMapThatFailsHalfWayLeavesNoTrace) {
  // Contiguous blocks whose map failed used to leave their sizes behind.
  for (const bool contiguous : {false, true}) {
    open({{16384, 3}, {64, 1024}}, contiguous);
    ASSERT_NE(allocate(100), nullptr);
    for (const std::size_t bytes : {std::size_t{10000}, std::size_t{16384}, std::size_t{40000}}) {
      if (!contiguous && bytes > 16384) {
        continue;
      }
      for (std::uint64_t maps = 0; maps < divide_up(bytes, kPage); ++maps) {
        const WorldState before = state();
        const std::uint32_t used = heap.bundle(0).used + heap.bundle(1).used;
        world.fail_maps_after(maps);
        EXPECT_EQ(allocate(bytes), nullptr);
        world.fail_maps_after(HostPort::kNever);
        EXPECT_EQ(before.difference(state()), "") << bytes << " after " << maps;
        EXPECT_EQ(heap.bundle(0).used + heap.bundle(1).used, used);
        EXPECT_TRUE(sound());
      }
      std::byte* block = allocate(bytes);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(heap.free(block), PointerStatus::live);
    }
    heap.close();
  }
}

TEST_F(SlotHeapTest, SaysWhatIsMissing) {
  open({{1024, 4}, {65536, 2}});
  EXPECT_EQ(heap.explain(65536, 1), FailureReason::none);
  EXPECT_EQ(heap.explain(65537, 1), FailureReason::slots);
  EXPECT_EQ(heap.explain((kFrames + 1) * kPage, 1), FailureReason::pool);
  account.limit = 10;
  EXPECT_EQ(heap.largest_request(1), 10 * kPage);
  EXPECT_EQ(heap.explain(10 * kPage + 1, 1), FailureReason::limit);
  account.limit = PageAccount::kNoLimit;
  PageAccount other;
  ASSERT_TRUE(world.pool().set_guarantee(other, kFrames - 5));
  EXPECT_EQ(heap.largest_request(1), 5 * kPage);
  EXPECT_EQ(heap.explain(5 * kPage + 1, 1), FailureReason::guarantee);
  ASSERT_TRUE(world.pool().set_guarantee(other, 0));
  ASSERT_NE(allocate(65536), nullptr);
  ASSERT_NE(allocate(2000), nullptr);
  EXPECT_EQ(heap.explain(1024, 1), FailureReason::none);
  EXPECT_EQ(heap.explain(1025, 1), FailureReason::slots);
  EXPECT_EQ(heap.free_bytes(), kPage);  // of the second large slot no request can have the rest
}

TEST_F(SlotHeapTest, WithoutDescriptorsWholePagesAreTakenOrOtherBundles) {
  world.metadata().limit = 0;
  open({{64, 128}, {4096, 2}});
  EXPECT_EQ(bundle_of(allocate(10)), 1U);
  EXPECT_EQ(heap.bundle(0).run_out, 0U);
  EXPECT_EQ(bundle_of(allocate(10)), 1U);
  EXPECT_EQ(heap.explain(10, 1), FailureReason::pool);
  EXPECT_EQ(allocate(10), nullptr);
  heap.close();

  open({{64, 128}, {4096, 2}}, true);
  std::byte* block = allocate(10);
  EXPECT_EQ(bundle_of(block), 0U);
  EXPECT_EQ(heap.usable_size(block), kPage);
  EXPECT_EQ(heap.bundle(0).used, 64U);
  EXPECT_TRUE(heap.resize(block, 5000));
  EXPECT_EQ(heap.usable_size(block), 2 * kPage);
  EXPECT_TRUE(heap.resize(block, 10));
  EXPECT_EQ(heap.usable_size(block), kPage);
  EXPECT_TRUE(sound());
}

TEST_F(SlotHeapTest, KeptFramesAreNotTakenByABundleThatComesFirst) {
  open({{4096, 4}, {512, 16}});
  std::byte* pages[4];
  for (std::byte*& page : pages) {
    page = allocate(1);
  }
  ASSERT_EQ(bundle_of(allocate(1)), 1U);
  for (std::byte* page : pages) {
    heap.free(page);
  }
  // A slot of a mapped page is free, but requests go to the pages first.
  const std::uint32_t all = world.pool().free();
  EXPECT_EQ(heap.largest_request(1, all), 0U);
  EXPECT_EQ(heap.largest_request(1, all - 1), kPage);
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

// --- without an MMU ---

class SlotHeapWithoutMmu : public SlotHeapTest {
 protected:
  SlotHeapWithoutMmu() : SlotHeapTest(false) {}
};

TEST_F(SlotHeapWithoutMmu, TakesARunOfFreeFramesAsItsRegion) {
  PageAccount pins;
  ASSERT_TRUE(world.space().map(20, 1, HeapId{9}, pins));
  EXPECT_FALSE(try_open({{4096, 44}}));
  EXPECT_FALSE(heap.is_open());
  open({{4096, 43}});
  EXPECT_EQ(heap.region().first, 21U);
  EXPECT_EQ(world.pool().taken(), 1U);
  // What another heap takes of it, slots have not.
  ASSERT_TRUE(world.space().map(21, 42, HeapId{9}, pins));
  EXPECT_EQ(heap.largest_request(1), kPage);
  EXPECT_EQ(heap.free_bytes(), kPage);
  std::byte* block = allocate(1);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(world.space().page_of(block), 63U);
  EXPECT_EQ(allocate(1), nullptr);
  EXPECT_EQ(heap.status(world.space().address_of(30)), PointerStatus::foreign);
  EXPECT_TRUE(sound());
}

}  // namespace
}  // namespace modmem
