// The conformance suite: what heap/heap.hpp says of blocks, pointers and sizes, for every heap.
// heap_conformance_limits_test.cpp has what it says of failures and of frames.

#include "heap/testing/heap_conformance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bits.hpp"
#include "heap/elastic_heap.hpp"
#include "heap/region.hpp"
#include "heap/slot_heap.hpp"
#include "modmem/config.hpp"

namespace modmem {

// --- the heaps ---

namespace {

constexpr std::uint32_t kFrames = 48;
constexpr std::uint32_t kArenaPages = 20;
constexpr std::uint32_t kRetainedPages = 3;
constexpr std::size_t kPage = config::kPageBytes;
constexpr std::size_t kGranule = config::kGranuleBytes;

// A heap of any kind, opened with `Options`.
template <typename Kind, typename Options>
class FixtureOf final : public HeapFixture {
 public:
  FixtureOf(bool has_mmu, PortKind port, const Options& options)
      : world_(small_platform(has_mmu, kFrames), port) {
    if (!heap_.open(world_.space(), world_.descriptors(), HeapId{1}, account_, options)) {
      std::abort();
    }
    if constexpr (std::is_same_v<Kind, Region>) {
      heap_.set_interim();  // from then on it is a heap
    }
  }
  Heap& heap() override { return heap_; }
  HeapWorld& world() override { return world_; }
  WorldState state() override { return {world_, heap_}; }
  void close() override { heap_.close(); }

 private:
  HeapWorld world_;
  PageAccount account_;
  Kind heap_;
};

using ElasticFixture = FixtureOf<ElasticHeap, ElasticHeapOptions>;
using SlotFixture = FixtureOf<SlotHeap, SlotHeapOptions>;
using RegionFixture = FixtureOf<Region, RegionOptions>;

template <bool kMmu, std::uint32_t kRetained, std::uint32_t kFixed>
std::unique_ptr<HeapFixture> make_elastic(PortKind kind) {
  return std::make_unique<ElasticFixture>(
      kMmu, kind,
      ElasticHeapOptions{.span_pages = 24, .retained_pages = kRetained, .fixed_pages = kFixed});
}

template <bool kMmu>
std::unique_ptr<HeapFixture> make_region(PortKind kind) {
  return std::make_unique<RegionFixture>(kMmu, kind, RegionOptions{.bytes = kArenaPages * kPage});
}

// One that may get more than the pool has.
std::unique_ptr<HeapFixture> make_growing_region(PortKind kind) {
  return std::make_unique<RegionFixture>(
      true, kind, RegionOptions{.bytes = 2 * kFrames * kPage, .grows = true});
}

// Regions larger than the pool, where addresses cost nothing, and as large as the pool elsewhere.
constexpr SlotBundle kSingleMmu[] = {{64, 128}, {256, 128}, {1024, 32}, {4096, 14}, {65536, 7}};
constexpr SlotBundle kSingleNoMmu[] = {{64, 64}, {256, 48}, {1024, 16}, {4096, 8}, {65536, 2}};
constexpr SlotBundle kContiguousMmu[] = {{64, 1024}, {256, 512}, {1024, 64}, {4096, 80}};
constexpr SlotBundle kContiguousNoMmu[] = {{64, 1024}, {4096, 32}};

template <bool kMmu, bool kContiguous>
std::unique_ptr<HeapFixture> make_slots(PortKind kind) {
  SlotHeapOptions options{.contiguous = kContiguous};
  if (kContiguous) {
    options.bundles = kMmu ? std::span<const SlotBundle>(kContiguousMmu) : kContiguousNoMmu;
  } else {
    options.bundles = kMmu ? std::span<const SlotBundle>(kSingleMmu) : kSingleNoMmu;
  }
  options.region_bytes = (kMmu ? 3 * kFrames : kFrames) * kPage;
  return std::make_unique<SlotFixture>(kMmu, kind, options);
}

}  // namespace

const std::vector<HeapCase>& heap_cases() {
  static constexpr HeapTraits kElastic;
  static constexpr HeapTraits kRetaining{.kept_pages = kRetainedPages};
  static constexpr HeapTraits kFixed{.elastic = false};
  static constexpr HeapTraits kWholeLines{.exact = false, .elastic = false};
  static constexpr HeapTraits kGrowingLines{.exact = false};
  static constexpr HeapTraits kSingle{.exact = false, .joins = false, .one_piece = false};
  static constexpr HeapTraits kContiguous{.exact = false};
  static constexpr HeapTraits kContiguousFew{.exact = false, .one_piece = false};
  static const std::vector<HeapCase> kCases = {
      {"ElasticMmu", kElastic, make_elastic<true, 0, 0>},
      {"ElasticNoMmu", kElastic, make_elastic<false, 0, 0>},
      {"RetainingMmu", kRetaining, make_elastic<true, kRetainedPages, 0>},
      {"RetainingNoMmu", kRetaining, make_elastic<false, kRetainedPages, 0>},
      {"FixedMmu", kFixed, make_elastic<true, 0, kArenaPages>},
      {"FixedNoMmu", kFixed, make_elastic<false, 0, kArenaPages>},
      {"RegionMmu", kWholeLines, make_region<true>},
      {"RegionNoMmu", kWholeLines, make_region<false>},
      {"RegionGrowing", kGrowingLines, make_growing_region},
      {"SingleSlotMmu", kSingle, make_slots<true, false>},
      {"SingleSlotNoMmu", kSingle, make_slots<false, false>},
      {"ContiguousSlotsMmu", kContiguous, make_slots<true, true>},
      {"ContiguousSlotsNoMmu", kContiguousFew, make_slots<false, true>},
  };
  return kCases;
}

namespace {

std::string case_name(const ::testing::TestParamInfo<HeapCase>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Heaps, HeapConformance, ::testing::ValuesIn(heap_cases()), case_name);

// --- blocks ---

TEST_P(HeapConformance, StartsEmpty) {
  EXPECT_EQ(heap().stats().live_blocks, 0U);
  EXPECT_EQ(heap().stats().occupied_bytes, 0U);
  EXPECT_EQ(heap().stats().mapped_bytes, traits().elastic ? 0 : kArenaPages * kPage);
  EXPECT_TRUE(sound());
}

TEST_P(HeapConformance, ServesEveryAlignmentWithoutWaste) {
  // Whether large slots have a large alignment is up to where their bundle begins.
  const std::size_t most = traits().joins ? 8 * kPage : kPage;
  for (std::size_t alignment = 1; alignment <= most; alignment *= 2) {
    for (const std::size_t bytes : {std::size_t{1}, kGranule - 1, kGranule, kGranule + 1,
                                    std::size_t{100}, kPage - 1, kPage, kPage + 1, 3 * kPage}) {
      // Something in the way, so that the first place is not the right one.
      ASSERT_TRUE(model.allocate(1 + alignment % 40, 1));
      const std::size_t before = heap().stats().occupied_bytes;
      ASSERT_TRUE(model.allocate(bytes, alignment)) << bytes << " at " << alignment;
      if (traits().exact) {
        EXPECT_EQ(heap().stats().occupied_bytes, before + align_up(bytes, kGranule));
      }
      ASSERT_TRUE(sound()) << bytes << " at " << alignment;
      model.free(model.size() - 1);
      if (bytes % 3 == 0) {
        model.free(0);
      }
    }
    model.free_all();
  }
}

TEST_P(HeapConformance, HolesBehindAnAlignedStartStayUsable) {
  if (!traits().exact) {
    return;  // what a block leaves of its slot is lost
  }
  // Aligned blocks leave gaps before them: small blocks fill these before a page is taken.
  const std::size_t count = kPage / 256;
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(model.allocate(kGranule, 256));
  }
  const std::size_t mapped = heap().stats().mapped_bytes;
  for (std::size_t i = 0; i < count * (256 / kGranule - 1); ++i) {
    ASSERT_TRUE(model.allocate(kGranule, 1));
  }
  EXPECT_EQ(heap().stats().mapped_bytes, mapped);
  EXPECT_EQ(heap().stats().occupied_bytes, kPage);
  EXPECT_TRUE(sound());
}

TEST_P(HeapConformance, BlocksAreDisjointAndKeepTheirContent) {
  for (std::size_t i = 0; model.allocate(1 + i * 37 % 5000, std::size_t{1} << i % 8); ++i) {
  }
  EXPECT_GT(model.size(), 20U);
  model.verify_all();
  EXPECT_TRUE(sound());
  free_every_second();
  for (std::size_t i = 0; model.allocate(1 + i * 11 % 900, 1); ++i) {
  }
  model.verify_all();
  EXPECT_TRUE(sound());
}

TEST_P(HeapConformance, UsableSizeIsAllUsable) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{17}, kPage - 8, 2 * kPage + 3}) {
    void* pointer = heap().allocate(bytes, 1);
    ASSERT_NE(pointer, nullptr);
    const std::size_t usable = heap().usable_size(pointer);
    EXPECT_GE(usable, bytes);
    if (traits().exact) {
      EXPECT_EQ(usable, align_up(bytes, kGranule));
    }
    std::memset(pointer, 0xff, usable);  // nothing of the allocator lies there
    EXPECT_TRUE(heap().check(CheckDepth::deep));
  }
  EXPECT_TRUE(world().check());
}

TEST_P(HeapConformance, ABlockCanBeOverwrittenFromEndToEndAndBeyond) {
  // An overrun into the hole behind a block breaks other data at worst, never the heap.
  fill(64);
  free_every_second();
  for (std::size_t i = 0; i < model.size(); ++i) {
    const std::byte* after = model[i].pointer + model[i].usable;
    if (heap().status(after) == PointerStatus::not_live && world().space().page_of(after) &&
        world().space().is_mapped(*world().space().page_of(after))) {
      std::memset(model[i].pointer + model[i].usable, 0xee, kGranule);
    }
  }
  EXPECT_TRUE(sound());
  fill(64);
  EXPECT_TRUE(sound());
  model.free_all();
  EXPECT_TRUE(sound());
}

// --- pointers ---

TEST_P(HeapConformance, TellsEveryAddressExactly) {
  ASSERT_TRUE(model.allocate(40, 1));
  ASSERT_TRUE(model.allocate(1, 1));
  ASSERT_TRUE(model.allocate(3 * kPage, 1));
  ASSERT_TRUE(model.allocate(200, 512));
  ASSERT_TRUE(model.allocate(2 * kPage, kPage));
  ASSERT_TRUE(model.allocate(100, 1));
  model.free(0);
  model.free(3);
  const std::size_t bytes = std::size_t{world().window_pages()} * kPage;
  const WorldState before = fixture->state();
  for (std::ptrdiff_t alias : {std::ptrdiff_t{0}, world().port().alias_offset()}) {
    for (std::size_t offset = 0; offset < bytes; ++offset) {
      std::byte* cached = world().port().window() + offset;
      PointerStatus expected = PointerStatus::not_live;
      for (std::size_t i = 0; i < model.size(); ++i) {
        if (cached >= model[i].pointer && cached < model[i].pointer + model[i].usable) {
          expected = cached == model[i].pointer ? PointerStatus::live : PointerStatus::interior;
        }
      }
      std::byte* address = cached + alias;
      const PointerStatus status = heap().status(address);
      const bool right = status == expected ||
                         (expected == PointerStatus::not_live && status == PointerStatus::foreign);
      ASSERT_TRUE(right) << "offset " << offset << " alias " << alias;
      if (status != PointerStatus::live) {
        ASSERT_EQ(heap().free(address), status);
        ASSERT_EQ(heap().usable_size(address), 0U);
        ASSERT_FALSE(heap().resize(address, 8));
      }
    }
  }
  EXPECT_EQ(before.difference(fixture->state()), "");
  EXPECT_TRUE(sound());
}

TEST_P(HeapConformance, ForeignPointersChangeNothing) {
  ASSERT_TRUE(model.allocate(100, 1));
  int local = 0;
  const auto on_host = std::make_unique<char[]>(100);
  std::byte* window = world().port().window();
  const std::size_t bytes = std::size_t{world().window_pages()} * kPage;
  const std::ptrdiff_t alias = world().port().alias_offset();
  PageAccount account;
  ElasticHeap other;
  ASSERT_TRUE(
      other.open(world().space(), world().descriptors(), HeapId{2}, account, {.span_pages = 8}));
  void* of_other = other.allocate(100, 1);
  ASSERT_NE(of_other, nullptr);
  void* of_store = &world().descriptors()[0];
  const WorldState before = fixture->state();
  for (void* pointer :
       {static_cast<void*>(nullptr), static_cast<void*>(&local), static_cast<void*>(on_host.get()),
        static_cast<void*>(window - 1), static_cast<void*>(window + bytes),
        static_cast<void*>(window + alias - 1), static_cast<void*>(window + alias + bytes),
        of_other, of_store, reinterpret_cast<void*>(UINTPTR_MAX), reinterpret_cast<void*>(16)}) {
    EXPECT_EQ(heap().status(pointer), PointerStatus::foreign);
    EXPECT_EQ(heap().free(pointer), PointerStatus::foreign);
    EXPECT_EQ(heap().usable_size(pointer), 0U);
    EXPECT_FALSE(heap().resize(pointer, 1));
  }
  EXPECT_EQ(before.difference(fixture->state()), "");
  EXPECT_EQ(other.free(of_other), PointerStatus::live);
  other.close();
}

TEST_P(HeapConformance, DetectsEveryDoubleFree) {
  for (const std::size_t bytes : {std::size_t{24}, kPage, 3 * kPage + 5}) {
    fill(bytes);
    while (model.size() > 0) {
      model.free_twice(model.size() / 2);
      model.check_cheap();
    }
    EXPECT_TRUE(sound());
  }
}

TEST_P(HeapConformance, FreesThroughTheUncachedAlias) {
  auto* pointer = static_cast<std::byte*>(heap().allocate(100, 1));
  ASSERT_NE(pointer, nullptr);
  std::byte* uncached = pointer + world().port().alias_offset();
  EXPECT_EQ(heap().status(uncached), PointerStatus::live);
  EXPECT_GE(heap().usable_size(uncached), 100U);
  EXPECT_TRUE(heap().resize(uncached, 60));
  EXPECT_EQ(heap().free(uncached), PointerStatus::live);
  EXPECT_NE(heap().free(pointer), PointerStatus::live);
}

// --- resize ---

TEST_P(HeapConformance, GrowsInPlaceAsFarAsNothingIsInTheWay) {
  if (!traits().joins) {
    return;
  }
  ASSERT_TRUE(model.allocate(100, 1));
  ASSERT_TRUE(model.allocate(100, 1));
  const std::byte* first = model[0].pointer;
  const std::byte* second = model[1].pointer;
  const std::size_t lower = first < second ? 0 : 1;
  const std::size_t upper = 1 - lower;
  const WorldState before = fixture->state();
  EXPECT_FALSE(model.resize(
      lower, static_cast<std::size_t>(second > first ? second - first : first - second) + 1));
  EXPECT_EQ(before.difference(fixture->state()), "");
  EXPECT_TRUE(sound());
  for (const std::size_t bytes :
       {std::size_t{101}, std::size_t{700}, kPage - 300, kPage + 1, 3 * kPage, 5 * kPage - 77}) {
    EXPECT_TRUE(model.resize(upper, bytes)) << bytes;
    EXPECT_TRUE(sound()) << bytes;
  }
  model.free(upper);
  EXPECT_TRUE(model.resize(0, 4 * kPage));
  EXPECT_TRUE(sound());
}

TEST_P(HeapConformance, ShrinkingAlwaysSucceedsAndGivesBack) {
  ASSERT_TRUE(model.allocate(7 * kPage + 100, 1));
  std::size_t mapped = heap().stats().mapped_bytes;
  for (const std::size_t bytes : {7 * kPage + 99, 7 * kPage, 7 * kPage - 1, 5 * kPage + 3,
                                  4 * kPage, kPage, kPage - 1, std::size_t{17}, std::size_t{1}}) {
    EXPECT_TRUE(model.resize(0, bytes));
    EXPECT_LE(heap().stats().mapped_bytes, mapped);
    mapped = heap().stats().mapped_bytes;
    if (traits().exact) {
      EXPECT_EQ(heap().stats().occupied_bytes, align_up(bytes, kGranule));
    }
    EXPECT_TRUE(sound());
  }
  if (traits().elastic) {
    EXPECT_LE(mapped, (1 + traits().kept_pages) * kPage);
  }
}

TEST_P(HeapConformance, ResizesABlockBesideTheLastOneOfItsPage) {
  // The last block of a page is the one whose length its neighbours must not touch.
  ASSERT_TRUE(model.allocate(64, 1));
  ASSERT_TRUE(model.allocate(64, 1));
  ASSERT_TRUE(model.allocate(3 * kPage, 1));
  free_at(std::max(model[0].pointer, model[1].pointer));
  for (const std::size_t bytes : {std::size_t{128}, std::size_t{16}, std::size_t{96}}) {
    EXPECT_TRUE(model.resize(0, bytes) || bytes > 64);
    EXPECT_TRUE(sound());
    model.verify_all();
  }
}

TEST_P(HeapConformance, ResizeMovesTheEndAnywhere) {
  if (!traits().joins) {
    return;
  }
  ASSERT_TRUE(model.allocate(1, kPage));
  std::size_t bytes = 1;
  for (int i = 0; i < 400; ++i) {
    bytes = 1 + (bytes * 7919 + 12345) % (9 * kPage);
    ASSERT_TRUE(model.resize(0, bytes)) << bytes;
    ASSERT_TRUE(sound()) << bytes;
  }
}

// --- everything at once ---

TEST_P(HeapConformance, ReleasesAllAtOnce) {
  const WorldState before = fixture->state();
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; model.allocate(1 + i * 37 % 9000, std::size_t{1} << i % 10); ++i) {
    }
    free_every_second();
    std::vector<std::byte*> pointers;
    for (std::size_t i = 0; i < model.size(); ++i) {
      pointers.push_back(model[i].pointer);
    }
    model.release_all();
    EXPECT_TRUE(sound());
    EXPECT_EQ(before.difference(fixture->state()), "");
    for (std::byte* pointer : pointers) {
      EXPECT_NE(heap().free(pointer), PointerStatus::live);
    }
  }
}

TEST_P(HeapConformance, IsFlatAfterEverythingIsFreed) {
  const WorldState before = fixture->state();
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; model.allocate(1 + i * 101 % 7000, std::size_t{1} << i % 9); ++i) {
    }
    model.free_all();
    EXPECT_TRUE(sound());
    if (traits().kept_pages == 0) {
      EXPECT_EQ(before.difference(fixture->state()), "");
    }
    EXPECT_EQ(world().descriptors().pages(), 0U);
  }
  model.release_all();
  EXPECT_EQ(before.difference(fixture->state()), "");
  fixture->close();
  EXPECT_EQ(world().pool().taken(), 0U);
  EXPECT_EQ(world().pool().reserved(), 0U);
  EXPECT_EQ(world().space().mapped_pages(), 0U);
  EXPECT_EQ(world().space().largest_gap(), world().space().has_mmu() ? 4 * kFrames : 0U);
  EXPECT_TRUE(world().check());
}

TEST_P(HeapConformance, ClosesWithLiveBlocks) {
  fill(1000);
  fixture->close();
  EXPECT_EQ(world().pool().taken(), 0U);
  EXPECT_EQ(world().descriptors().pages(), 0U);
  EXPECT_EQ(world().space().mapped_pages(), 0U);
  EXPECT_TRUE(world().check());
}

}  // namespace
}  // namespace modmem
