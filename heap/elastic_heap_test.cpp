// What ElasticHeap promises beyond the contract of all heaps: spans, retained pages, limits and
// guarantees, pinned frames, and several heaps over one pool.

#include "heap/elastic_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

#include "heap/testing/heap_model.hpp"
#include "heap/testing/heap_world.hpp"
#include "heap/testing/random.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;
constexpr HeapId kPins{0xfc};

class ElasticHeapTest : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr std::uint32_t kFrames = 64;

  ElasticHeapTest() : world(small_platform(GetParam(), kFrames), PortKind::host) {}

  bool has_mmu() const { return GetParam(); }
  void open(ElasticHeap& heap, std::uint8_t id, PageAccount& charged,
            const ElasticHeapOptions& options = {.span_pages = 32}) {
    ASSERT_TRUE(heap.open(world.space(), world.descriptors(), HeapId{id}, charged, options));
  }
  // Takes a frame out of everybody's reach.
  void pin(std::uint16_t frame) {
    if (has_mmu()) {
      ASSERT_TRUE(world.pool().take_at(pins, Frame{frame}, 1));
    } else {
      ASSERT_TRUE(world.space().map(frame, 1, kPins, pins));
    }
  }
  void pin_every_second() {
    for (std::uint16_t frame = 1; frame < kFrames; frame = static_cast<std::uint16_t>(frame + 2)) {
      pin(frame);
    }
  }
  bool sound(const ElasticHeap& heap) const {
    return heap.check(CheckDepth::deep) && world.check();
  }

  HeapWorld world;
  PageAccount pins;
  PageAccount account;
};

std::string mmu_name(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Mmu" : "NoMmu";
}
INSTANTIATE_TEST_SUITE_P(Platforms, ElasticHeapTest, ::testing::Values(true, false), mmu_name);

// --- opening ---

TEST_P(ElasticHeapTest, OpeningCostsNoFrame) {
  ElasticHeap heap;
  open(heap, 1, account);
  EXPECT_TRUE(heap.is_open());
  EXPECT_FALSE(heap.is_fixed());
  EXPECT_EQ(world.pool().taken(), 0U);
  heap.close();
  EXPECT_FALSE(heap.is_open());
  EXPECT_EQ(world.space().largest_gap(), has_mmu() ? 4 * kFrames : 0U);
}

TEST_P(ElasticHeapTest, AFixedArenaHoldsItsPagesFromTheStart) {
  ElasticHeap heap;
  open(heap, 1, account, {.fixed_pages = 20});
  EXPECT_TRUE(heap.is_fixed());
  EXPECT_EQ(account.held, 20U);
  EXPECT_EQ(world.pool().taken(), 20U);
  EXPECT_EQ(heap.largest_request(1), 20 * kPage);
  EXPECT_TRUE(sound(heap));
  heap.close();
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_P(ElasticHeapTest, AnArenaThatDoesNotFitTakesNothing) {
  ElasticHeap heap;
  pin(20);
  pin(41);
  const std::uint32_t taken = world.pool().taken();
  const std::uint32_t gap = world.space().largest_gap();
  EXPECT_FALSE(heap.open(world.space(), world.descriptors(), HeapId{1}, account,
                         {.fixed_pages = has_mmu() ? kFrames - 1 : 23}));
  world.fail_maps_after(5);
  EXPECT_FALSE(
      heap.open(world.space(), world.descriptors(), HeapId{1}, account, {.fixed_pages = 20}));
  world.fail_maps_after(HostPort::kNever);
  account.limit = 19;
  EXPECT_FALSE(
      heap.open(world.space(), world.descriptors(), HeapId{1}, account, {.fixed_pages = 20}));
  EXPECT_FALSE(heap.is_open());
  EXPECT_EQ(world.pool().taken(), taken);
  EXPECT_EQ(world.space().largest_gap(), gap);
  EXPECT_EQ(account.held, 0U);
  EXPECT_TRUE(world.check());
  account.limit = 20;
  open(heap, 1, account, {.fixed_pages = 20});
  heap.close();
}

TEST_P(ElasticHeapTest, ASpanIsOnlyAStart) {
  ElasticHeap heap;
  open(heap, 1, account, {.span_pages = 2});
  void* large = heap.allocate(20 * kPage, 1);
  ASSERT_NE(large, nullptr);
  void* aligned = heap.allocate(10 * kPage, 8 * kPage);
  ASSERT_NE(aligned, nullptr);
  EXPECT_TRUE(sound(heap));
  const std::uint32_t gap = world.space().largest_gap();
  EXPECT_EQ(heap.free(large), PointerStatus::live);
  EXPECT_EQ(heap.free(aligned), PointerStatus::live);
  EXPECT_GE(world.space().largest_gap(), gap);
  heap.close();
  EXPECT_EQ(world.space().largest_gap(), has_mmu() ? 4 * kFrames : 0U);
}

// --- retained pages ---

TEST_P(ElasticHeapTest, RetainedPagesSaveMapping) {
  HeapWorld fake(small_platform(has_mmu(), kFrames), PortKind::fake);
  ElasticHeap heap;
  ASSERT_TRUE(heap.open(fake.space(), fake.descriptors(), HeapId{1}, account,
                        {.span_pages = 32, .retained_pages = 2}));
  // Three blocks with a page each; what is freed last is not at the border of anything.
  void* blocks[3];
  for (void*& block : blocks) {
    block = heap.allocate(kPage, 1);
  }
  void* anchor = heap.allocate(kPage, 1);
  ASSERT_NE(anchor, nullptr);
  for (void* block : blocks) {
    EXPECT_EQ(heap.free(block), PointerStatus::live);
  }
  EXPECT_EQ(account.held, 3U);  // the anchor's, and two that are kept
  const std::uint64_t maps = fake.fake().maps();
  for (int i = 0; i < 10; ++i) {
    void* first = heap.allocate(100, 1);
    void* second = heap.allocate(kPage, 1);
    ASSERT_NE(first, nullptr);
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(heap.free(first), PointerStatus::live);
    EXPECT_EQ(heap.free(second), PointerStatus::live);
  }
  EXPECT_EQ(fake.fake().maps(), maps);
  EXPECT_TRUE(heap.check(CheckDepth::deep) && fake.check());
  heap.close();
  EXPECT_EQ(fake.pool().taken(), 0U);
}

TEST_P(ElasticHeapTest, RetainedPagesServeWhereThePoolIsExhausted) {
  ElasticHeap heap;
  open(heap, 1, account, {.span_pages = 32, .retained_pages = 3});
  void* before = heap.allocate(4 * kPage, 1);
  void* kept = heap.allocate(3 * kPage, 1);
  void* behind = heap.allocate(4 * kPage, 1);
  void* hole = heap.allocate(100, 1);
  ASSERT_NE(behind, nullptr);
  ASSERT_NE(hole, nullptr);
  heap.free(kept);  // its pages are kept
  heap.free(before);
  heap.free(behind);
  for (std::uint16_t frame = 0; frame < kFrames; ++frame) {
    if (!world.pool().is_taken(Frame{frame})) {
      pin(frame);
    }
  }
  ASSERT_EQ(world.pool().free(), 0U);
  EXPECT_EQ(heap.largest_request(1), 3 * kPage);
  void* block = heap.allocate(3 * kPage, 1);
  EXPECT_NE(block, nullptr);
  EXPECT_TRUE(sound(heap));
  heap.close();
}

// --- limits and guarantees ---

TEST_P(ElasticHeapTest, ALimitIsKeptAndNamed) {
  ElasticHeap heap;
  open(heap, 1, account);
  account.limit = 10;
  EXPECT_EQ(heap.largest_request(1), 10 * kPage);
  EXPECT_EQ(heap.allocate(10 * kPage + 1, 1), nullptr);
  EXPECT_EQ(heap.explain(10 * kPage + 1, 1), FailureReason::limit);
  EXPECT_EQ(heap.explain(kFrames * kPage + 1, 1), FailureReason::pool);
  EXPECT_EQ(heap.explain(10 * kPage, 1), FailureReason::none);
  void* block = heap.allocate(10 * kPage, 1);
  ASSERT_NE(block, nullptr);
  EXPECT_FALSE(heap.resize(block, 10 * kPage + 1));
  EXPECT_EQ(heap.explain(1, 1), FailureReason::limit);
  heap.close();
}

TEST_P(ElasticHeapTest, AGuaranteeIsKeptAndNamed) {
  ElasticHeap mine;
  ElasticHeap greedy;
  PageAccount other;
  open(mine, 1, account);
  open(greedy, 2, other);
  ASSERT_TRUE(world.pool().set_guarantee(account, 20));
  HeapModel all(greedy);
  while (all.allocate(kPage, 1)) {
  }
  EXPECT_EQ(greedy.explain(kPage, 1), FailureReason::guarantee);
  EXPECT_EQ(greedy.explain(20 * kPage, 1), FailureReason::guarantee);
  EXPECT_EQ(greedy.explain(21 * kPage, 1), FailureReason::pool);
  EXPECT_EQ(greedy.largest_request(1), 0U);
  EXPECT_EQ(world.pool().free(), 20U);
  // One of them may be needed to note the block.
  EXPECT_GE(mine.largest_request(1), 19 * kPage);
  EXPECT_NE(mine.allocate(19 * kPage, 1), nullptr);
  EXPECT_TRUE(sound(mine));
  EXPECT_TRUE(sound(greedy));
  mine.close();
  EXPECT_EQ(greedy.largest_request(1), 0U);  // the guarantee stands until it is taken back
  ASSERT_TRUE(world.pool().set_guarantee(account, 0));
  EXPECT_GE(greedy.largest_request(1), 18 * kPage);
  greedy.close();
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_P(ElasticHeapTest, RangesDoNotEatGuarantees) {
  ElasticHeap mine;
  ElasticHeap greedy;
  PageAccount other;
  open(mine, 1, account);
  open(greedy, 2, other);
  ASSERT_TRUE(world.pool().set_guarantee(account, 16));
  const std::uint32_t headroom = kFrames / 8;
  const Range range = greedy.allocate_range(1, SIZE_MAX / 2, 1, 1, headroom);
  ASSERT_NE(range.pointer, nullptr);
  EXPECT_GE(world.pool().free(), 16 + headroom);
  EXPECT_LE(world.pool().free(), 16 + headroom + 1);
  // What is guaranteed is not held back by the headroom.
  EXPECT_GE(mine.largest_request(1, headroom), 15 * kPage);
  mine.close();
  greedy.close();
}

// --- pinned frames ---

TEST_P(ElasticHeapTest, EveryPinnedFrameOfTwoLeavesTheOthersToUse) {
  pin_every_second();
  const std::uint32_t free = world.pool().free();
  ASSERT_EQ(free, kFrames / 2);
  ElasticHeap heap;
  open(heap, 1, account);
  HeapModel model(heap);
  if (has_mmu()) {
    // In one piece: half the pool, but for a page of descriptors.
    EXPECT_EQ(heap.largest_request(1), (free - 1) * kPage);
    ASSERT_TRUE(model.allocate((free - 1) * kPage, 1));
    EXPECT_TRUE(sound(heap));
    model.free_all();
    EXPECT_TRUE(model.allocate(7 * kPage + 5, 4 * kPage));
    EXPECT_TRUE(model.allocate(11 * kPage, 1));
  } else {
    // Page = frame: whatever fits a page is served from each of them.
    EXPECT_EQ(heap.largest_request(1), kPage);
    EXPECT_EQ(heap.explain(kPage + 1, 1), FailureReason::fragmentation);
    for (std::uint32_t i = 0; i < free - 1; ++i) {
      ASSERT_TRUE(model.allocate(kPage, kPage)) << i;
    }
    EXPECT_FALSE(model.allocate(1, 1));
  }
  EXPECT_TRUE(sound(heap));
  model.verify_all();
  model.free_all();
  EXPECT_EQ(world.pool().free(), free);
  // Small blocks, too, until nothing is left.
  std::size_t bytes = 0;
  while (model.allocate(96, 1)) {
    bytes += 96;
  }
  EXPECT_GE(bytes, (free - 1) * (kPage / 96) * 96);
  heap.close();
  EXPECT_EQ(world.pool().free(), free);
}

TEST_P(ElasticHeapTest, AMappingThatFailsAmongPinnedFramesLeavesNoTrace) {
  pin_every_second();
  ElasticHeap heap;
  open(heap, 1, account);
  const std::size_t bytes = has_mmu() ? 20 * kPage : kPage;
  const WorldState before(world, heap);
  std::uint64_t maps = 0;
  void* block = nullptr;
  for (; block == nullptr; ++maps) {
    ASSERT_LE(maps, kFrames);
    world.fail_maps_after(maps);
    block = heap.allocate(bytes, 1);
    world.fail_maps_after(HostPort::kNever);
    if (block == nullptr) {
      EXPECT_EQ(before.difference(WorldState(world, heap)), "") << maps;
      EXPECT_TRUE(sound(heap));
      // The next request, not limited, succeeds.
      void* next = heap.allocate(bytes, 1);
      EXPECT_NE(next, nullptr) << maps;
      heap.free(next);
      EXPECT_EQ(before.difference(WorldState(world, heap)), "") << maps;
    }
  }
  EXPECT_EQ(maps, bytes / kPage + 2);  // each page and one of descriptors, then none failed
  heap.close();
}

TEST_P(ElasticHeapTest, ABankThatDoesNotComeUpLeavesNoTrace) {
  ElasticHeap heap;
  open(heap, 1, account);
  void* first = heap.allocate(100, 1);
  ASSERT_NE(first, nullptr);
  world.break_bank(Bank{2}, true);
  const WorldState before(world, heap);
  const std::size_t bytes = 50 * kPage;
  void* block = heap.allocate(bytes, 1);
  if (has_mmu()) {
    EXPECT_NE(block, nullptr);  // from the other banks
    heap.free(block);
  } else {
    EXPECT_EQ(block, nullptr);
  }
  EXPECT_EQ(heap.allocate(60 * kPage, 1), nullptr);
  EXPECT_EQ(before.difference(WorldState(world, heap)), "");
  EXPECT_TRUE(sound(heap));
  world.break_bank(Bank{2}, false);
  EXPECT_NE(heap.allocate(bytes, 1), nullptr);
  heap.close();
}

// --- several heaps ---

TEST_P(ElasticHeapTest, HeapsShareThePoolAndNoPage) {
  std::deque<ElasticHeap> heaps(5);
  std::deque<PageAccount> accounts(5);
  std::vector<HeapModel> models;
  for (std::uint8_t i = 0; i < 5; ++i) {
    open(heaps[i], i, accounts[i], {.span_pages = 16});
    models.emplace_back(heaps[i]);
  }
  for (std::size_t i = 0; models[i % 5].allocate(1 + i * 61 % 3000, 1); ++i) {
  }
  for (std::size_t heap = 0; heap < 5; ++heap) {
    for (std::size_t i = 0; i < models[heap].size(); ++i) {
      std::byte* pointer = models[heap][i].pointer;
      EXPECT_EQ(world.space().heap_of(*world.space().page_of(pointer)), HeapId(heap));
      for (std::size_t other = 0; other < 5; ++other) {
        EXPECT_EQ(heaps[other].status(pointer),
                  other == heap ? PointerStatus::live : PointerStatus::foreign);
      }
    }
  }
  std::uint32_t held = world.metadata().held;
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(sound(heaps[i]));
    models[i].verify_all();
    held += accounts[i].held;
  }
  EXPECT_EQ(held, world.pool().taken());
  for (ElasticHeap& heap : heaps) {
    heap.close();
  }
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_P(ElasticHeapTest, ClosingInAnyOrderLeavesThePoolAsBefore) {
  std::vector<std::size_t> order(4);
  std::iota(order.begin(), order.end(), 0);
  do {
    std::deque<ElasticHeap> heaps(4);
    std::deque<PageAccount> accounts(4);
    std::vector<HeapModel> models;
    for (std::uint8_t i = 0; i < 4; ++i) {
      open(heaps[i], i, accounts[i], {.span_pages = 8, .retained_pages = i % 2U});
      models.emplace_back(heaps[i]);
      for (std::size_t block = 0; block < 12; ++block) {
        ASSERT_TRUE(models[i].allocate(1 + (block * 977 + std::size_t{i} * 131) % 5000, 1));
      }
    }
    for (const std::size_t closing : order) {
      for (std::size_t i = 0; i < 4; ++i) {
        if (heaps[i].is_open()) {
          ASSERT_TRUE(sound(heaps[i]));
          models[i].verify_all();
        }
      }
      heaps[closing].close();
      ASSERT_EQ(accounts[closing].held, 0U);
    }
    ASSERT_EQ(world.pool().taken(), 0U);
    ASSERT_EQ(world.descriptors().pages(), 0U);
    ASSERT_EQ(world.space().largest_gap(), has_mmu() ? 4 * kFrames : 0U);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_P(ElasticHeapTest, AHeapThatComesAndGoesLeavesThePoolAsItWas) {
  ElasticHeap resident;
  open(resident, 1, account);
  HeapModel model(resident);
  // So many pages with small blocks that the first page of descriptors is nearly full.
  const auto descriptors = static_cast<std::uint32_t>(kPage / sizeof(PageDescriptor));
  for (std::uint32_t i = 0; i < std::min(descriptors, kFrames) - 12; ++i) {
    ASSERT_TRUE(model.allocate(kPage / 2, kPage));
  }
  const std::uint32_t taken = world.pool().taken();
  for (int round = 0; round < 3; ++round) {
    PageAccount other;
    ElasticHeap guest;
    open(guest, 2, other);
    HeapModel blocks(guest);
    while (blocks.allocate(kPage / 2, kPage)) {
    }
    EXPECT_GT(blocks.size(), 5U);
    guest.close();
    EXPECT_EQ(world.pool().taken(), taken);
    EXPECT_TRUE(sound(resident));
  }
  resident.close();
}

TEST_P(ElasticHeapTest, GuaranteesAreHonouredUnderPressure) {
  // Two heaps with a guarantee come and go while a third takes whatever it can get.
  std::deque<ElasticHeap> heaps(3);
  std::deque<PageAccount> accounts(3);
  std::vector<HeapModel> models;
  for (std::uint8_t i = 0; i < 3; ++i) {
    open(heaps[i], i, accounts[i], {.span_pages = 16});
    models.emplace_back(heaps[i]);
  }
  ASSERT_TRUE(world.pool().set_guarantee(accounts[0], 12));
  ASSERT_TRUE(world.pool().set_guarantee(accounts[1], 8));
  ASSERT_TRUE(world.pool().set_guarantee(world.metadata(), 3));  // what notes their blocks
  Random random(3);
  for (int step = 0; step < 3000; ++step) {
    models[2].allocate(random.size(6 * kPage), 1);
    const std::size_t who = random.below(2);
    HeapModel& model = models[who];
    if (random.one_in(3)) {
      model.free_all();
    } else if (has_mmu()) {
      // Anything within what is guaranteed and not used can be had at any time.
      const std::size_t rest = accounts[who].unused_guarantee() * kPage;
      if (rest > 0) {
        ASSERT_TRUE(model.allocate(1 + random.below(rest), 1)) << step;
      }
    } else if (accounts[who].unused_guarantee() > 0) {
      ASSERT_TRUE(model.allocate(random.size(kPage), 1)) << step;
    }
    if (models[2].size() > 0 && random.one_in(2)) {
      models[2].free(random.below(models[2].size()));
    }
    if (step % 100 == 0) {
      for (const ElasticHeap& heap : heaps) {
        ASSERT_TRUE(sound(heap));
      }
    }
  }
  for (ElasticHeap& heap : heaps) {
    heap.close();
  }
}

}  // namespace
}  // namespace modmem
