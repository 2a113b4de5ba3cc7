// Borrowing: blocks in holes of another heap's pages, and pages whose heap ends before they do.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "heap/elastic_heap.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/heap_world.hpp"
#include "heap/testing/random.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;
constexpr std::size_t kGranule = config::kGranuleBytes;

class Borrowing : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr std::uint32_t kFrames = 64;

  Borrowing() : world(small_platform(GetParam(), kFrames), PortKind::host) {
    open(lender, 1, lenders);
    open(heir, 2, heirs);
  }
  ~Borrowing() {
    for (ElasticHeap* heap : {&lender, &heir}) {
      if (heap->is_open()) {
        heap->close();
      }
    }
    EXPECT_EQ(world.pool().taken(), 0U);
    EXPECT_EQ(world.space().largest_gap(), has_mmu() ? world.window_pages() : 0U);
    EXPECT_TRUE(world.check());
  }

  bool has_mmu() const { return GetParam(); }
  void open(ElasticHeap& heap, std::uint8_t id, PageAccount& account,
            const ElasticHeapOptions& options = {.span_pages = 16}) {
    ASSERT_TRUE(heap.open(world.space(), world.descriptors(), HeapId{id}, account, options));
  }
  bool sound() {
    return world.check() && (!lender.is_open() || lender.check(CheckDepth::deep)) &&
           heir.check(CheckDepth::deep);
  }
  std::uint32_t page_of(const void* pointer) { return *world.space().page_of(pointer); }
  std::byte* allocate(ElasticHeap& heap, std::size_t bytes, std::size_t alignment = 1) {
    return static_cast<std::byte*>(heap.allocate(bytes, alignment));
  }

  HeapWorld world;
  PageAccount lenders;
  PageAccount heirs;
  ElasticHeap lender;
  ElasticHeap heir;
};

INSTANTIATE_TEST_SUITE_P(Platforms, Borrowing, ::testing::Values(true, false),
                         [](const auto& test) { return test.param ? "Mmu" : "NoMmu"; });

TEST_P(Borrowing, HolesTakeNoFrame) {
  EXPECT_EQ(lender.largest_in_holes(1), 0U);
  EXPECT_EQ(lender.allocate_in_holes(1, 1), nullptr);
  ASSERT_NE(allocate(lender, 3 * kPage / 2), nullptr);
  const std::uint32_t taken = world.pool().taken();
  EXPECT_EQ(lender.largest_in_holes(1), kPage / 2);
  EXPECT_EQ(lender.allocate_in_holes(kPage / 2 + 1, 1), nullptr);
  EXPECT_EQ(lender.allocate_in_holes(SIZE_MAX, 1), nullptr);
  EXPECT_EQ(lender.allocate_in_holes(1, SIZE_MAX / 2 + 1), nullptr);
  EXPECT_EQ(lender.largest_in_holes(SIZE_MAX / 2 + 1), 0U);
  void* guest = lender.allocate_in_holes(kPage / 2 - kGranule, 1);
  ASSERT_NE(guest, nullptr);
  EXPECT_EQ(lender.largest_in_holes(1), kGranule);
  EXPECT_EQ(world.pool().taken(), taken);
  EXPECT_TRUE(sound());
  EXPECT_EQ(lender.free(guest), PointerStatus::live);
  EXPECT_EQ(lender.largest_in_holes(1), kPage / 2);
}

// Exactly what largest_in_holes() says is served, a granule more is not.
TEST_P(Borrowing, TheLargestHoleIsExact) {
  Random random(7);
  HeapModel model(lender);
  for (int i = 0; i < 300; ++i) {
    model.allocate(random.size(700), std::size_t{1} << random.below(10));
    if (model.size() > 0 && random.one_in(2)) {
      model.free(random.below(model.size()));
    }
    const std::size_t alignment = std::size_t{1} << random.below(14);
    const std::size_t largest = lender.largest_in_holes(alignment);
    const std::uint32_t taken = world.pool().taken();
    EXPECT_EQ(lender.allocate_in_holes(largest + 1, alignment), nullptr);
    if (largest > 0) {
      void* guest = lender.allocate_in_holes(largest, alignment);
      ASSERT_NE(guest, nullptr) << i;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(guest) % alignment, 0U);
      EXPECT_EQ(world.pool().taken(), taken);
      EXPECT_EQ(lender.free(guest), PointerStatus::live);
    }
    ASSERT_TRUE(sound());
  }
}

TEST_P(Borrowing, AGuestOutlivesItsLender) {
  std::byte* own = allocate(lender, 100);
  std::byte* large = allocate(lender, 10 * kPage);
  auto* guest = static_cast<std::byte*>(lender.allocate_in_holes(200, 1));
  ASSERT_NE(guest, nullptr);
  std::memset(guest, 0x5a, 200);
  EXPECT_EQ(lender.free(own), PointerStatus::live);
  EXPECT_EQ(lender.free(large), PointerStatus::live);
  lender.close_into(heir);
  EXPECT_FALSE(lender.is_open());
  EXPECT_EQ(lenders.held, 0U);
  EXPECT_EQ(heirs.held, 1U);
  EXPECT_TRUE(sound());
  EXPECT_TRUE(heir.owns_page(page_of(guest)));
  EXPECT_EQ(heir.status(guest), PointerStatus::live);
  EXPECT_EQ(heir.status(guest + 16), PointerStatus::interior);
  EXPECT_EQ(heir.status(guest + 224), PointerStatus::not_live);
  EXPECT_EQ(heir.usable_size(guest), 208U);
  EXPECT_EQ(heir.stats().live_blocks, 1U);
  EXPECT_EQ(heir.stats().occupied_bytes, 208U);
  // What is left of the page serves the heir.
  const std::uint32_t taken = world.pool().taken();
  std::byte* neighbour = allocate(heir, 300);
  ASSERT_NE(neighbour, nullptr);
  EXPECT_EQ(page_of(neighbour), page_of(guest));
  EXPECT_EQ(world.pool().taken(), taken);
  for (std::size_t i = 0; i < 200; ++i) {
    ASSERT_EQ(guest[i], std::byte{0x5a});
  }
  EXPECT_TRUE(sound());
  const std::uint32_t page = page_of(guest);
  EXPECT_EQ(heir.free(neighbour), PointerStatus::live);
  EXPECT_EQ(heir.free(guest), PointerStatus::live);
  EXPECT_FALSE(heir.owns_page(page));
  EXPECT_EQ(heir.status(guest), PointerStatus::foreign);
  EXPECT_EQ(heirs.held, 0U);
  EXPECT_TRUE(sound());
}

// Guests that live on the pages between: the addresses around them are free at once.
TEST_P(Borrowing, StraysStandAlone) {
  std::vector<std::byte*> own;
  for (int i = 0; i < 8; ++i) {
    own.push_back(allocate(lender, kPage / 2, kPage));
  }
  std::vector<std::byte*> guests;
  for (int i = 0; i < 8; ++i) {
    guests.push_back(static_cast<std::byte*>(lender.allocate_in_holes(kPage / 2 - kGranule, 1)));
    ASSERT_NE(guests.back(), nullptr);
  }
  for (int i = 0; i < 8; ++i) {
    lender.free(own[static_cast<std::size_t>(i)]);
    if (i % 3 != 0) {
      lender.free(guests[static_cast<std::size_t>(i)]);
    }
  }
  lender.close_into(heir);
  EXPECT_EQ(heirs.held, 3U);
  EXPECT_TRUE(sound());
  // Another heap takes the id and the addresses, and meets no stray.
  open(lender, 1, lenders);
  std::byte* large = allocate(lender, 20 * kPage);
  ASSERT_NE(large, nullptr);
  std::memset(large, 1, 20 * kPage);
  EXPECT_TRUE(sound());
  if (has_mmu()) {
    EXPECT_FALSE(heir.resize(guests[0], 3 * kPage));  // never beyond its page
  }
  EXPECT_TRUE(heir.resize(guests[0], kPage / 2));
  EXPECT_TRUE(heir.resize(guests[0], 16));
  EXPECT_TRUE(sound());
  EXPECT_EQ(heir.free(guests[3]), PointerStatus::live);
  EXPECT_TRUE(sound());
  heir.release_all();
  EXPECT_EQ(heirs.held, 0U);
  EXPECT_TRUE(sound());
  lender.release_all();
}

TEST_P(Borrowing, BlocksOfManyPagesAreHandedOver) {
  std::byte* large = allocate(lender, 5 * kPage + 100);
  ASSERT_NE(large, nullptr);
  lender.close_into(heir);
  EXPECT_EQ(heirs.held, 6U);
  EXPECT_EQ(heir.usable_size(large), 5 * kPage + 112);
  EXPECT_TRUE(sound());
  EXPECT_TRUE(heir.resize(large, 2 * kPage + 16));
  EXPECT_EQ(heirs.held, 3U);
  EXPECT_TRUE(sound());
  EXPECT_EQ(heir.free(large), PointerStatus::live);
  EXPECT_EQ(heirs.held, 0U);
}

TEST_P(Borrowing, StraysAreHandedOnAndKeptPagesAreNot) {
  HeapWorld other(small_platform(has_mmu(), kFrames), PortKind::fake);
  PageAccount accounts[3];
  ElasticHeap heaps[3];
  for (std::uint8_t i = 0; i < 3; ++i) {
    const ElasticHeapOptions options = {.span_pages = 8, .retained_pages = 2};
    ASSERT_TRUE(heaps[i].open(other.space(), other.descriptors(), HeapId{i}, accounts[i], options));
  }
  ASSERT_TRUE(other.pool().set_guarantee(accounts[0], 20));
  void* first = heaps[0].allocate(100, 1);
  void* kept = heaps[0].allocate(kPage, kPage);
  heaps[0].free(kept);
  EXPECT_EQ(accounts[0].held, 2U);
  void* second = heaps[1].allocate(100, 1);
  heaps[0].close_into(heaps[1]);
  EXPECT_EQ(accounts[1].held, 2U);
  EXPECT_EQ(other.pool().reserved(), 0U);
  heaps[1].close_into(heaps[2]);
  EXPECT_EQ(accounts[2].held, 2U);
  EXPECT_TRUE(heaps[2].check(CheckDepth::deep) && other.check());
  EXPECT_EQ(heaps[2].free(first), PointerStatus::live);
  EXPECT_EQ(heaps[2].free(second), PointerStatus::live);
  EXPECT_TRUE(heaps[2].check(CheckDepth::deep) && other.check());
  heaps[2].close();
  EXPECT_EQ(other.pool().taken(), 0U);
  EXPECT_EQ(other.space().largest_gap(), has_mmu() ? other.window_pages() : 0U);
}

TEST_P(Borrowing, AFixedArenaLendsAndInherits) {
  lender.close();
  heir.close();
  open(lender, 1, lenders, {.fixed_pages = 10});
  open(heir, 2, heirs, {.fixed_pages = 10});
  std::byte* own = allocate(lender, 100);
  auto* guest = static_cast<std::byte*>(lender.allocate_in_holes(100, 1));
  ASSERT_NE(guest, nullptr);
  lender.free(own);
  lender.close_into(heir);
  EXPECT_EQ(heirs.held, 11U);
  EXPECT_TRUE(sound());
  EXPECT_EQ(heir.free(guest), PointerStatus::live);
  EXPECT_TRUE(sound());
}

}  // namespace
}  // namespace modmem
