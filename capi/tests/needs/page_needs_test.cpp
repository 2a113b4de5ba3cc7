// Past mistakes that only a platform's faults bring out, so that C programs cannot ask for them:
// pages at the edge, banks, mappings that fail half-way. Numbers as in docs/regressions.md.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "heap/slot_heap.hpp"
#include "heap/testing/heap_world.hpp"
#include "memory/testing/test_system.hpp"
#include "modmem/config.hpp"
#include "page/testing/page_world.hpp"
#include "page/testing/test_pool.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;
constexpr std::uint32_t kFrames = 32;
constexpr HeapId kOurs{1};
constexpr HeapId kTheirs{2};

// The last page of a region counted as outside of it, and could not be unmapped.
TEST(Needs, s06_last_page_of_a_region_can_be_mapped_and_unmapped) {
  for (const PortKind kind : {PortKind::host, PortKind::fake}) {
    PageWorld world(small_platform(true, kFrames), kind);
    AddressSpace& space = world.space();
    PageAccount account;
    const auto region = space.reserve_span(5, 5);
    ASSERT_TRUE(region);
    const auto rest = space.reserve_span(space.largest_gap(), 1);
    ASSERT_TRUE(rest);
    ASSERT_EQ(rest->end(), space.window_pages());  // the last page of all
    for (const Span& span : {*region, *rest}) {
      const std::uint32_t last = span.end() - 1;
      ASSERT_TRUE(space.map(last, 1, kOurs, account));
      std::byte* const end = space.address_of(last) + kPage;
      end[-1] = std::byte{0x5a};
      EXPECT_EQ(space.to_uncached(end)[-1], std::byte{0x5a});
      EXPECT_EQ(space.page_of(end - 1), last);
      space.unmap(last, 1, account);
      EXPECT_FALSE(space.is_mapped(last));
      EXPECT_EQ(account.held, 0U);
      EXPECT_EQ(world.pool().taken(), 0U);
      // As the last of several, too.
      ASSERT_TRUE(space.map(last - 3, 4, kOurs, account));
      space.unmap(last - 1, 2, account);
      space.unmap(last - 3, 2, account);
      EXPECT_EQ(world.pool().taken(), 0U);
      space.release_span(span);
    }
    EXPECT_TRUE(world.check());
  }
}

// What the firmware itself occupies was not counted: its bank went off under it, or none ever did.
TEST(Needs, s07_banks_count_what_is_mapped_at_boot) {
  for (std::uint32_t reserve = 0; reserve <= 2 * kBankFrames; ++reserve) {
    TestPool test(4 * kBankFrames - reserve % kBankFrames, reserve);
    const bool shares = reserve % kBankFrames != 0;  // a bank of reserve and pool
    EXPECT_EQ(test.pool.banks_on(), shares ? 1U : 0U) << reserve;
    PageAccount account;
    std::vector<Frame> taken;
    while (const auto next = test.pool.take(account)) {
      taken.push_back(*next);
      ASSERT_TRUE(test.sound());
    }
    EXPECT_EQ(taken.size(), test.pool.frames());
    EXPECT_EQ(test.pool.banks_on(), test.pool.banks());
    // In an order in which every bank is emptied last and first.
    for (std::size_t i = 0; i < taken.size(); ++i) {
      test.pool.give(account, taken[i * 5 % taken.size()], 1);
      ASSERT_TRUE(test.sound()) << reserve;
      if (taken.size() % 5 == 0) {
        break;
      }
    }
    if (taken.size() % 5 != 0) {
      EXPECT_EQ(test.power(), shares ? "1000" : "0000") << reserve;
    }
  }
}

// To map an address that was in use replaced what lay there, and said nothing.
TEST(Needs, s08_a_live_page_keeps_its_frame) {
  for (const PortKind kind : {PortKind::host, PortKind::fake}) {
    PageWorld world(small_platform(true, kFrames), kind);
    AddressSpace& space = world.space();
    PageAccount account;
    const auto span = space.reserve_span(6, 6);
    ASSERT_TRUE(span);
    const std::uint32_t live = span->first + 2;
    ASSERT_TRUE(space.map(live, 1, kOurs, account));
    const std::uint16_t frame = space.frame_of(live);
    space.address_of(live)[100] = std::byte{0x77};

#if MODMEM_CHECKS
    EXPECT_DEATH(space.map(live, 1, kTheirs, account), "broken invariant");
    EXPECT_DEATH(space.map(live, 1, kOurs, account), "broken invariant");
#endif

    // A page that the heap keeps empty, in the middle of a run that is mapped, stays as it is.
    space.keep_empty(live);
    ASSERT_TRUE(space.map(span->first, span->pages, kOurs, account));
    EXPECT_EQ(space.frame_of(live), frame);
    EXPECT_EQ(space.address_of(live)[100], std::byte{0x77});
    std::set<std::uint16_t> frames;
    for (std::uint32_t page = span->first; page < span->end(); ++page) {
      frames.insert(space.frame_of(page));
    }
    EXPECT_EQ(frames.size(), span->pages);
    EXPECT_EQ(account.held, span->pages);

    // By others: no span and no page of metadata overlaps it, up to the last address.
    std::vector<Span> others;
    while (const auto other = space.reserve_span(7, 1)) {
      EXPECT_TRUE(other->first >= span->end() || other->end() <= span->first);
      others.push_back(*other);
    }
    EXPECT_FALSE(space.reserve_page());
    EXPECT_FALSE(space.is_free_for(live, kTheirs));
    EXPECT_EQ(space.address_of(live)[100], std::byte{0x77});
    EXPECT_TRUE(world.check());
  }
}

// A mapping that failed half-way left the slots noted as used, and what a later free read there was
// too much.
TEST(Needs, l6_a_failed_map_leaves_no_slot_of_a_contiguous_heap_used) {
  HeapWorld world(small_platform(true, 2 * kFrames), PortKind::host);
  PageAccount account;
  SlotHeap heap;
  const std::vector<SlotBundle> table = {{1024, 64}, {8192, 8}};
  ASSERT_TRUE(
      heap.open(world.space(), world.descriptors(), kOurs, account,
                {.region_bytes = 64 * 1024 + 8 * 8192, .bundles = table, .contiguous = true}));
  // Neighbours of one and of several slots on both sides of where it fails.
  void* const before = heap.allocate(3 * 1024, 1);
  void* const gone = heap.allocate(20 * 1024, 1);
  void* const behind = heap.allocate(2 * 1024, 1);
  ASSERT_NE(behind, nullptr);
  ASSERT_EQ(heap.free(gone), PointerStatus::live);
  for (std::uint32_t bytes = 9 * 1024; bytes <= 20 * 1024; bytes += 1024) {
    std::uint64_t maps = 0;
    for (void* block = nullptr; block == nullptr; ++maps) {
      ASSERT_LT(maps, 8U);
      const WorldState state(world, heap);
      const std::uint32_t used = heap.bundle(0).used + heap.bundle(1).used;
      world.fail_maps_after(maps);
      block = heap.allocate(bytes, 1);
      world.fail_maps_after(HostPort::kNever);
      if (block == nullptr) {
        EXPECT_EQ(state.difference(WorldState(world, heap)), "") << bytes << " after " << maps;
        EXPECT_EQ(heap.bundle(0).used + heap.bundle(1).used, used);
      } else {
        EXPECT_EQ(heap.usable_size(block), bytes);
        EXPECT_EQ(heap.free(block), PointerStatus::live);
        EXPECT_EQ(heap.bundle(0).used + heap.bundle(1).used, used);
      }
      ASSERT_TRUE(heap.check(CheckDepth::deep) && world.check());
    }
    EXPECT_GE(maps, 2U) << "no mapping failed";
  }
  EXPECT_EQ(heap.usable_size(before), 3U * 1024);
  EXPECT_EQ(heap.usable_size(behind), 2U * 1024);
  EXPECT_EQ(heap.free(before), PointerStatus::live);
  EXPECT_EQ(heap.free(behind), PointerStatus::live);
  EXPECT_EQ(account.held, 0U);
  heap.close();
}

// A run of pages of which one could not be mapped kept those before it.
TEST(Needs, l7_a_partly_failed_map_is_undone) {
  const Policy* const policies[] = {&kElasticPolicy, &kSinglePolicy, &kSlotsPolicy};
  for (const Policy* policy : policies) {
    testing::TestSystem system(testing::preset("mtl"), *policy);
    Memory& memory = system.memory();
    Owner* pages = memory.create_owner(memory.system(), {OwnerKind::heap, 7, "pages"},
                                       {.kind = HeapKind::elastic});
    ASSERT_NE(pages, nullptr);
    const Request request{pages, 6 * kPage, kPage, 0, {}};
    void* const kept = memory.allocate({pages, 2 * kPage, kPage, 0, {}});
    ASSERT_NE(kept, nullptr);
    for (std::uint64_t maps = 0; maps < 6; ++maps) {
      const testing::Figures before = testing::figures(system);
      system.port().host().fail_maps_after(maps);
      EXPECT_EQ(memory.allocate(request), nullptr);
      system.port().host().fail_maps_after(HostPort::kNever);
      EXPECT_TRUE(before == testing::figures(system)) << policy->name << " after " << maps;
      ASSERT_TRUE(system.check());
      void* const block = memory.allocate(request);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(memory.free(block), PointerStatus::live);
    }
    // A region takes all of its pages as it is made: nothing of one that was not.
    for (std::uint64_t maps = 0; maps < 4; ++maps) {
      const testing::Figures before = testing::figures(system);
      system.port().host().fail_maps_after(maps);
      EXPECT_EQ(memory.create_owner(memory.system(), {OwnerKind::region, 8, "region"},
                                    {.kind = HeapKind::region, .bytes = 4 * kPage}),
                nullptr);
      system.port().host().fail_maps_after(HostPort::kNever);
      EXPECT_TRUE(before == testing::figures(system)) << policy->name << " after " << maps;
      ASSERT_TRUE(system.check());
    }
    EXPECT_EQ(memory.free(kept), PointerStatus::live);
    EXPECT_EQ(memory.destroy_owner(*pages), 0U);
  }
}

}  // namespace
}  // namespace modmem
