// What SlotHeap promises of frames, pointers and failures.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/bits.hpp"
#include "heap/elastic_heap.hpp"
#include "heap/slot_heap.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/slot_heap_fixture.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;

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

// A pool that has more than one page of descriptors.
class LargePool : public SlotHeapTest {
 protected:
  LargePool() : SlotHeapTest(true, 400) {}
};

TEST_F(LargePool, TheLastDescriptorsAreEnoughOrAreLeftAlone) {
  // A page of slots below the granule needs two: one is left, and more are to be had.
  open({{8, 1024}}, true);
  leave_descriptors(1);
  std::byte* block = allocate(8);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(heap.usable_size(block), 8U);
  ASSERT_EQ(heap.free(block), PointerStatus::live);
  // One is left, and no more are to be had: a block cannot give back a part of its only page.
  block = allocate(kPage);
  world.metadata().limit = world.metadata().held;
  leave_descriptors(1);
  const WorldState before = state();
  EXPECT_TRUE(heap.resize(block, 8));
  EXPECT_EQ(heap.usable_size(block), kPage);
  EXPECT_EQ(before.difference(state()), "");
  heap.close();
}

TEST_F(SlotHeapTest, AWholePageBeforeAMappedOneNeedsNoDescriptor) {
  open({{64, 192}}, true);
  std::byte* first = allocate(191 * 64);
  ASSERT_NE(allocate(64), nullptr);
  heap.free(first);
  // Left: one frame, no descriptor, and the last page but for its last slot.
  world.metadata().limit = world.metadata().held;
  leave_descriptors(0);
  account.limit = account.held + 1;
  EXPECT_EQ(heap.largest_request(1), kPage + 63 * 64);
  std::byte* block = allocate(100 * 64);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block, first + kPage);
  EXPECT_EQ(heap.usable_size(block), 100 * 64);
  EXPECT_TRUE(sound());
  heap.free(block);
  ASSERT_NE(allocate(kPage + 63 * 64), nullptr);
  EXPECT_TRUE(sound());
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
