#include "page/address_space.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "modmem/config.hpp"
#include "page/testing/page_world.hpp"

namespace modmem {
namespace {

constexpr HeapId kHeap{1};
constexpr HeapId kOther{2};

// What is to be the same after a call that fails.
struct Picture {
  explicit Picture(PageWorld& world, const PageAccount& account) {
    const PagePool& pool = world.pool();
    text += std::to_string(pool.taken()) + " " + std::to_string(pool.reserved()) + " " +
            std::to_string(account.held) + " " + std::to_string(world.space().mapped_pages()) +
            "\n";
    for (std::uint32_t page = 0; page < world.window_pages(); ++page) {
      text += world.space().is_busy(page) ? 'b' : world.space().is_mapped(page) ? 'k' : '.';
    }
    for (std::uint32_t index = 0; index < pool.frames(); ++index) {
      const auto frame = static_cast<std::uint16_t>(index);
      const FrameInfo& info = world.space().frame_info(frame);
      text += pool.is_taken(Frame{frame}) ? 'x' : '.';
      text += std::to_string(info.page) + (info.empty ? "e" : "-") +
              // Whose a frame was is no state.
              (info.page == FrameInfo::kNone ? std::string() : std::to_string(number(info.heap)));
    }
    for (std::uint32_t bank = 0; bank < pool.banks(); ++bank) {
      text += pool.is_powered(Bank{static_cast<std::uint16_t>(bank)}) ? '1' : '0';
    }
  }
  bool operator==(const Picture& other) const { return text == other.text; }
  std::string text;
};

class SpaceFixture : public ::testing::Test {
 protected:
  explicit SpaceFixture(bool has_mmu) : world(small_platform(has_mmu, 24), PortKind::host) {}

  AddressSpace& space() { return world.space(); }
  bool alive(std::uint32_t page) {
    std::memset(space().address_of(page), 0x5a, config::kPageBytes);
    return space().to_uncached(space().address_of(page))[config::kPageBytes - 1] == std::byte{0x5a};
  }

  PageWorld world;
  PageAccount account;
};

class AddressSpaceWithMmu : public SpaceFixture {
 protected:
  AddressSpaceWithMmu() : SpaceFixture(true) {}
};
class AddressSpaceWithoutMmu : public SpaceFixture {
 protected:
  AddressSpaceWithoutMmu() : SpaceFixture(false) {}
};
class AddressSpaceTest : public SpaceFixture, public ::testing::WithParamInterface<bool> {
 protected:
  AddressSpaceTest() : SpaceFixture(GetParam()) {}
  bool has_mmu() const { return GetParam(); }
};

std::string mmu_name(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Mmu" : "NoMmu";
}
INSTANTIATE_TEST_SUITE_P(Platforms, AddressSpaceTest, ::testing::Values(true, false), mmu_name);

TEST_P(AddressSpaceTest, NeedsTheWholeOfItsTables) {
  PageWorld fresh(small_platform(has_mmu(), 24), PortKind::fake);
  MetadataArena measure;
  AddressSpace nothing;
  EXPECT_FALSE(nothing.boot(fresh.config(), fresh.port(), fresh.pool(), measure));
  std::vector<std::byte> memory(measure.used());
  for (std::size_t bytes = 0; bytes <= memory.size(); ++bytes) {
    MetadataArena arena(std::span<std::byte>(memory).first(bytes));
    AddressSpace each;
    EXPECT_EQ(each.boot(fresh.config(), fresh.port(), fresh.pool(), arena), bytes == memory.size());
  }
}

TEST_P(AddressSpaceTest, StartsWithNothingMapped) {
  EXPECT_EQ(space().has_mmu(), has_mmu());
  EXPECT_EQ(space().window_pages(), has_mmu() ? 96U : 24U);
  EXPECT_EQ(space().mapped_pages(), 0U);
  EXPECT_EQ(space().next_mapped(0, space().window_pages()), space().window_pages());
  EXPECT_EQ(space().address_of(0), world.port().window());
  EXPECT_TRUE(world.check());
}

// --- spans ---

TEST_F(AddressSpaceWithMmu, ReservesTheLowestGapThatIsLargeEnough) {
  std::vector<Span> spans;
  for (int i = 0; i < 4; ++i) {
    spans.push_back(*space().reserve_span(20, 20));
    EXPECT_EQ(spans.back().first, 20U * spans.size() - 20U);
    EXPECT_EQ(spans.back().pages, 20U);
  }
  EXPECT_EQ(space().largest_gap(), 16U);
  EXPECT_FALSE(space().reserve_span(20, 17));
  space().release_span(spans[2]);
  space().release_span(spans[0]);
  EXPECT_EQ(space().reserve_span(5, 5)->first, 0U);
  EXPECT_EQ(space().reserve_span(16, 16)->first, 40U);
  EXPECT_EQ(space().reserve_span(16, 16)->first, 80U);
  EXPECT_EQ(space().largest_gap(), 15U);
}

TEST_F(AddressSpaceWithMmu, ReservesLessWhereThatIsEnough) {
  ASSERT_TRUE(space().reserve_span(90, 90));
  const std::optional<Span> rest = space().reserve_span(20, 6);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->first, 90U);
  EXPECT_EQ(rest->pages, 6U);
  EXPECT_FALSE(space().reserve_span(1, 1));
  EXPECT_FALSE(space().reserve_span(1, 0));
  EXPECT_EQ(space().reserve_page(), std::nullopt);
  EXPECT_EQ(space().largest_gap(), 0U);
}

TEST_F(AddressSpaceWithMmu, ReservesSinglePagesAtTheFarEnd) {
  EXPECT_EQ(space().reserve_page(), 95U);
  EXPECT_EQ(space().reserve_page(), 94U);
  space().release_span({95, 1});
  EXPECT_EQ(space().reserve_page(), 95U);
  EXPECT_EQ(space().largest_gap(), 94U);
}

TEST_F(AddressSpaceWithoutMmu, EverySpanIsTheWindow) {
  for (int i = 0; i < 2; ++i) {
    const std::optional<Span> span = space().reserve_span(5, 5);
    ASSERT_TRUE(span);
    EXPECT_EQ(span->first, 0U);
    EXPECT_EQ(span->pages, 24U);
  }
  EXPECT_EQ(space().largest_gap(), 0U);
  ASSERT_TRUE(space().map(0, 2, kHeap, account));
  EXPECT_EQ(space().reserve_page(), 2U);
  ASSERT_TRUE(space().map(2, 22, kHeap, account));
  EXPECT_EQ(space().reserve_page(), std::nullopt);
}

// --- mapping ---

TEST_P(AddressSpaceTest, MapsRunsOfPages) {
  ASSERT_TRUE(space().map(3, 5, kHeap, account));
  EXPECT_EQ(space().mapped_pages(), 5U);
  EXPECT_EQ(world.pool().taken(), 5U);
  EXPECT_EQ(account.held, 5U);
  for (std::uint32_t page = 0; page < space().window_pages(); ++page) {
    const bool mapped = page >= 3 && page < 8;
    EXPECT_EQ(space().is_mapped(page), mapped);
    EXPECT_EQ(space().is_busy(page), mapped);
    EXPECT_EQ(space().heap_of(page), mapped ? kHeap : kNoHeap);
    if (mapped) {
      EXPECT_EQ(space().info(page).page, page);
      EXPECT_FALSE(space().info(page).empty);
      EXPECT_TRUE(world.pool().is_taken(Frame{space().frame_of(page)}));
      EXPECT_TRUE(has_mmu() || space().frame_of(page) == page);
      EXPECT_TRUE(alive(page));
    }
  }
  EXPECT_TRUE(world.check());
  space().unmap(4, 3, account);
  EXPECT_EQ(space().mapped_pages(), 2U);
  EXPECT_EQ(account.held, 2U);
  EXPECT_FALSE(space().is_mapped(5));
  EXPECT_TRUE(alive(3));
  EXPECT_TRUE(alive(7));
  EXPECT_DEATH(alive(5), "");
  EXPECT_TRUE(world.check());
}

TEST_P(AddressSpaceTest, EachPageHasAFrameOfItsOwn) {
  ASSERT_TRUE(space().map(0, 24, kHeap, account));
  for (std::uint32_t page = 0; page < 24; ++page) {
    std::memset(space().address_of(page), static_cast<int>(page), config::kPageBytes);
  }
  for (std::uint32_t page = 0; page < 24; ++page) {
    EXPECT_EQ(space().address_of(page)[17], std::byte(page));
    EXPECT_EQ(space().to_uncached(space().address_of(page))[4095], std::byte(page));
  }
}

TEST_P(AddressSpaceTest, NotesAreFreshWithEveryMapping) {
  ASSERT_TRUE(space().map(3, 1, kHeap, account));
  const std::uint16_t frame = space().frame_of(3);
  space().info(3).records = 5;
  space().info(3).descriptor = 6;
  space().info(3).largest_hole = 7;
  space().unmap(3, 1, account);
  EXPECT_EQ(space().heap_of(3), kNoHeap);
  EXPECT_EQ(space().frame_info(frame).page, FrameInfo::kNone);
  EXPECT_EQ(space().frame_info(frame).records, FrameInfo::kNone);
  ASSERT_TRUE(space().map(3, 1, kOther, account));
  EXPECT_EQ(space().info(3).heap, kOther);
  EXPECT_EQ(space().info(3).records, FrameInfo::kNone);
  EXPECT_EQ(space().info(3).descriptor, FrameInfo::kNone);
  EXPECT_EQ(space().info(3).largest_hole, 0U);
}

TEST_P(AddressSpaceTest, WithoutAnMmuAPageKnowsWhoseItWas) {
  EXPECT_EQ(space().last_heap_of(3), kNoHeap);
  ASSERT_TRUE(space().map(3, 2, kHeap, account));
  EXPECT_EQ(space().last_heap_of(3), kNoHeap);
  space().unmap(3, 2, account);
  ASSERT_TRUE(space().map(4, 1, kOther, account));
  space().unmap(4, 1, account);
  const bool known = !space().has_mmu();
  EXPECT_EQ(space().last_heap_of(3), known ? kHeap : kNoHeap);
  EXPECT_EQ(space().last_heap_of(4), known ? kOther : kNoHeap);
  space().forget_heap(kHeap);
  EXPECT_EQ(space().last_heap_of(3), kNoHeap);
  EXPECT_EQ(space().last_heap_of(4), known ? kOther : kNoHeap);
}

TEST_P(AddressSpaceTest, HasPagesAsTheirAccountSays) {
  PageWorld fake(small_platform(has_mmu(), 24), PortKind::fake);
  FakePort& port = fake.fake();
  AddressSpace& pages = fake.space();
  PageAccount mine;
  PageAccount other;
  ASSERT_TRUE(pages.map(3, 2, kHeap, mine));
  ASSERT_TRUE(pages.map(5, 1, kOther, other));
  mine.access = Access::closed;
  pages.close(3, 2, mine);
  EXPECT_TRUE(port.is_closed(3));
  EXPECT_TRUE(port.is_closed(4));
  EXPECT_FALSE(port.is_closed(5));
  pages.open(3, 2);
  EXPECT_FALSE(port.is_closed(3) || port.is_closed(4));
  pages.unmap(4, 1, mine);
  pages.close(3, 2, mine);
  EXPECT_TRUE(port.is_closed(3));
  EXPECT_FALSE(port.is_closed(4));
  // What is mapped from now on is closed as well.
  ASSERT_TRUE(pages.map(4, 1, kHeap, mine));
  EXPECT_TRUE(port.is_closed(4));
  mine.access = Access::read_only;
  pages.close(3, 2, mine);
  EXPECT_EQ(port.access(3), Access::read_only);
  pages.open(3, 1);
  EXPECT_EQ(port.access(3), Access::open);
  EXPECT_EQ(port.access(4), Access::read_only);
  pages.close(3, 2, mine);
  EXPECT_EQ(port.access(3), Access::read_only);
  mine.access = Access::open;
  pages.close(3, 2, mine);
  EXPECT_EQ(port.access(3), Access::open);
  EXPECT_EQ(port.access(4), Access::open);
  EXPECT_TRUE(fake.check()) << port.violation();
}

TEST_P(AddressSpaceTest, KeepsEmptyPagesMapped) {
  ASSERT_TRUE(space().map(4, 4, kHeap, account));
  space().keep_empty(5);
  space().keep_empty(6);
  EXPECT_TRUE(space().is_mapped(5));
  EXPECT_FALSE(space().is_busy(5));
  EXPECT_TRUE(space().info(5).empty);
  EXPECT_EQ(space().mapped_pages(), 4U);
  EXPECT_EQ(account.held, 4U);
  EXPECT_EQ(space().next_kept(0, space().window_pages()), 5U);
  EXPECT_EQ(space().kept_run_end(5, space().window_pages()), 7U);
  EXPECT_EQ(space().next_kept(7, space().window_pages()), space().window_pages());
  EXPECT_TRUE(world.check());

  // They are used again before frames are taken.
  space().unmap(7, 1, account);
  const std::uint16_t frame = space().frame_of(5);
  ASSERT_TRUE(space().map(5, 3, kHeap, account));
  EXPECT_EQ(space().frame_of(5), frame);
  EXPECT_EQ(account.held, 4U);
  EXPECT_TRUE(space().is_busy(5));
  EXPECT_FALSE(space().info(5).empty);
  EXPECT_TRUE(world.check());
}

TEST_P(AddressSpaceTest, KnowsWhichPagesAreFreeForAHeap) {
  ASSERT_TRUE(space().map(2, 2, kHeap, account));
  ASSERT_TRUE(space().map(6, 2, kHeap, account));
  space().keep_empty(6);
  space().keep_empty(7);
  EXPECT_TRUE(space().is_free_for(0, kHeap));
  EXPECT_FALSE(space().is_free_for(2, kHeap));
  EXPECT_TRUE(space().is_free_for(6, kHeap));
  EXPECT_FALSE(space().is_free_for(6, kOther));
  EXPECT_EQ(space().free_run_end(0, 20, kHeap), 2U);
  EXPECT_EQ(space().free_run_end(0, 1, kHeap), 1U);
  EXPECT_EQ(space().free_run_end(2, 20, kHeap), 2U);
  EXPECT_EQ(space().free_run_end(4, 20, kHeap), 20U);
  EXPECT_EQ(space().next_not_busy(2, 20), 4U);
  EXPECT_EQ(space().next_mapped(4, 20), 6U);
  EXPECT_EQ(space().unmapped_in(0, 8), 4U);
  if (!has_mmu()) {
    EXPECT_EQ(space().free_run_end(4, 20, kOther), 6U);
  }
}

TEST_P(AddressSpaceTest, MapsAllOrNothingWhereThePoolHasTooLittle) {
  ASSERT_TRUE(space().map(0, 20, kHeap, account));
  PageAccount other;
  other.limit = 3;
  const Picture before(world, other);
  EXPECT_FALSE(space().map(20, 4, kOther, other));
  other.limit = PageAccount::kNoLimit;
  if (has_mmu()) {
    EXPECT_FALSE(space().map(20, 5, kOther, other));
  }
  ASSERT_TRUE(world.pool().set_guarantee(account, 21));
  EXPECT_FALSE(space().map(20, 4, kOther, other));
  ASSERT_TRUE(world.pool().set_guarantee(account, 0));
  EXPECT_EQ(before.text, Picture(world, other).text);
  EXPECT_TRUE(space().map(20, 4, kOther, other));
  EXPECT_TRUE(world.check());
}

TEST_F(AddressSpaceWithoutMmu, ATakenFrameRefusesItsPage) {
  PageAccount pin;
  ASSERT_TRUE(world.pool().take_at(pin, Frame{7}, 1));
  const Picture before(world, account);
  EXPECT_FALSE(space().map(4, 6, kHeap, account));
  EXPECT_EQ(before.text, Picture(world, account).text);
  EXPECT_TRUE(space().map(4, 3, kHeap, account));
}

TEST_P(AddressSpaceTest, AMappingThatFailsHalfWayLeavesNoTrace) {
  // Pages 2 and 3 are busy, 6 and 9 are kept empty: they stay what they are.
  ASSERT_TRUE(space().map(2, 2, kHeap, account));
  ASSERT_TRUE(space().map(6, 1, kHeap, account));
  ASSERT_TRUE(space().map(9, 1, kHeap, account));
  space().keep_empty(6);
  space().keep_empty(9);
  std::memset(space().address_of(6), 0x11, config::kPageBytes);
  const Picture before(world, account);
  for (std::uint64_t maps = 0; maps < 14; ++maps) {
    world.fail_maps_after(maps);
    ASSERT_FALSE(space().map(4, 16, kHeap, account)) << maps;
    EXPECT_EQ(before.text, Picture(world, account).text) << maps;
    EXPECT_EQ(space().address_of(6)[9], std::byte{0x11});
    EXPECT_TRUE(world.check());
  }
  world.fail_maps_after(14);
  ASSERT_TRUE(space().map(4, 16, kHeap, account));
  EXPECT_EQ(account.held, 18U);
  EXPECT_EQ(space().address_of(6)[9], std::byte{0x11});
  EXPECT_TRUE(world.check());
}

TEST_P(AddressSpaceTest, ABankThatDoesNotComeUpLeavesNoTrace) {
  PageWorld fake(small_platform(has_mmu(), 24), PortKind::fake);
  PageAccount owner;
  fake.break_bank(Bank{2}, true);
  const Picture before(fake, owner);
  EXPECT_FALSE(fake.space().map(0, 20, kHeap, owner));
  EXPECT_EQ(before.text, Picture(fake, owner).text);
  EXPECT_TRUE(fake.check()) << fake.fake().violation();
  EXPECT_TRUE(fake.space().map(0, 12, kHeap, owner));
}

// --- addresses ---

TEST_P(AddressSpaceTest, FindsPagesThroughBothAliases) {
  const std::byte* window = world.port().window();
  const std::ptrdiff_t alias = world.port().alias_offset();
  const std::size_t bytes = std::size_t{space().window_pages()} * config::kPageBytes;
  for (const std::size_t offset :
       {std::size_t{0}, std::size_t{4095}, std::size_t{4096}, bytes - 1}) {
    const auto page = static_cast<std::uint32_t>(offset / config::kPageBytes);
    EXPECT_EQ(space().page_of(window + offset), page);
    EXPECT_EQ(space().page_of(window + offset + alias), page);
    EXPECT_EQ(space().to_cached(window + offset), window + offset);
    EXPECT_EQ(space().to_cached(window + offset + alias), window + offset);
    EXPECT_EQ(space().is_uncached(window + offset), false);
    EXPECT_EQ(space().is_uncached(window + offset + alias), has_mmu());
  }
  for (const std::byte* outside :
       {window - 1, window + bytes, window + alias - 1, window + alias + bytes}) {
    EXPECT_EQ(space().page_of(outside), std::nullopt);
    EXPECT_EQ(space().to_cached(outside), outside);
    EXPECT_FALSE(space().is_uncached(outside));
  }
  EXPECT_EQ(space().page_of(nullptr), std::nullopt);
  EXPECT_EQ(space().page_of(this), std::nullopt);
  EXPECT_EQ(space().address_of(5), window + 5 * config::kPageBytes);
  EXPECT_EQ(space().to_uncached(space().address_of(5)), window + 5 * config::kPageBytes + alias);
}

}  // namespace
}  // namespace modmem
