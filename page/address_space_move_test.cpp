// Moving pages to other frames: which bank goes, what stays, and what a failure leaves.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "modmem/config.hpp"
#include "page/address_space.hpp"
#include "page/testing/page_world.hpp"
#include "port/forwarding_port.hpp"

namespace modmem {
namespace {

constexpr HeapId kHeap{1};
constexpr HeapId kFixed{2};
constexpr std::uint32_t kFrames = 36;  // banks of 4 (the reserve has the rest), 8, 8, 8 and 8
constexpr std::uint32_t kAll = UINT32_MAX;

// Lets everything move but the pages of kFixed.
class Mover final : public PageMover {
 public:
  explicit Mover(AddressSpace& space) : space_(space) {}
  bool may_move(std::uint32_t page) override { return space_.heap_of(page) != kFixed; }

 private:
  AddressSpace& space_;
};

class CompactTest : public ::testing::Test {
 protected:
  CompactTest() : world(small_platform(true, kFrames), PortKind::host), mover(world.space()) {}

  AddressSpace& space() { return world.space(); }
  std::byte pattern(std::uint32_t page) { return static_cast<std::byte>(page * 7 + 1); }
  // Maps the pages [0, count), which then lie on the frames of the same numbers.
  void fill(std::uint32_t count, HeapId heap = kHeap) {
    ASSERT_TRUE(space().map(mapped, count, heap, account));
    for (std::uint32_t page = mapped; page < mapped + count; ++page) {
      std::memset(space().address_of(page), std::to_integer<int>(pattern(page)),
                  config::kPageBytes);
    }
    mapped += count;
  }
  void drop(std::uint32_t first, std::uint32_t count) { space().unmap(first, count, account); }
  // Leaves the first pages of each bank only: so many.
  void leave(const std::vector<std::uint32_t>& counts) {
    fill(kFrames - mapped);
    for (std::uint32_t bank = 0; bank < counts.size(); ++bank) {
      const Bank at{static_cast<std::uint16_t>(bank)};
      const std::uint32_t end = number(world.pool().first_frame(at)) + world.pool().frames_in(at);
      const std::uint32_t surplus = world.pool().frames_in(at) - counts[bank];
      if (surplus != 0) {
        drop(end - surplus, surplus);
      }
    }
  }
  // Frames taken in each bank.
  std::string banks() {
    std::string text;
    for (std::uint16_t bank = 0; bank < world.pool().banks(); ++bank) {
      text += (text.empty() ? "" : " ") + std::to_string(world.pool().taken_in(Bank{bank}));
    }
    return text;
  }
  void expect_intact() {
    EXPECT_TRUE(world.check());
    for (std::uint32_t page = 0; page < mapped; ++page) {
      if (!space().is_busy(page)) {
        continue;
      }
      std::byte* const cached = space().address_of(page);
      for (const std::byte* byte : {cached, space().to_uncached(cached)}) {
        EXPECT_EQ(byte[0], pattern(page)) << page;
        EXPECT_EQ(byte[config::kPageBytes - 1], pattern(page)) << page;
      }
    }
  }

  PageWorld world;
  PageAccount account;
  Mover mover;
  std::uint32_t mapped = 0;
};

TEST_F(CompactTest, EmptiesTheBankWithTheFewestPages) {
  leave({4, 4, 6, 5, 0});
  ASSERT_EQ(banks(), "4 4 6 5 0");
  ASSERT_EQ(world.pool().banks_on(), 4U);
  const Compaction result = space().compact(kAll, mover);
  EXPECT_EQ(result.moved, 4U);
  EXPECT_FALSE(result.more);
  EXPECT_EQ(banks(), "4 0 8 7 0");
  EXPECT_EQ(world.pool().banks_on(), 3U);
  EXPECT_EQ(account.held, 19U);
  expect_intact();
}

TEST_F(CompactTest, MovesNoMoreThanItsBudgetAtATime) {
  leave({4, 4, 6, 5, 0});
  for (const std::uint32_t left : {3U, 2U, 1U}) {
    const Compaction step = space().compact(1, mover);
    EXPECT_EQ(step.moved, 1U);
    EXPECT_TRUE(step.more);
    EXPECT_EQ(world.pool().taken_in(Bank{1}), left);
    expect_intact();
  }
  EXPECT_FALSE(space().compact(1, mover).more);
  EXPECT_EQ(world.pool().banks_on(), 3U);
  const Compaction nothing = space().compact(kAll, mover);
  EXPECT_EQ(nothing.moved, 0U);
  EXPECT_FALSE(nothing.more);
  EXPECT_EQ(space().compact(0, mover).moved, 0U);
  expect_intact();
}

TEST_F(CompactTest, EmptiesSeveralBanks) {
  leave({4, 1, 1, 1, 8});
  EXPECT_EQ(space().compact(kAll, mover).moved, 2U);
  EXPECT_EQ(world.pool().banks_on(), 3U);
  expect_intact();
}

TEST_F(CompactTest, DoesNotStartWhereABankCannotBeEmptied) {
  leave({4, 1, 8, 8, 8});
  EXPECT_EQ(space().compact(kAll, mover).moved, 0U);  // there is no room beside it
  drop(35, 1);
  EXPECT_EQ(space().compact(kAll, mover).moved, 1U);
  EXPECT_EQ(banks(), "4 0 8 8 8");
  expect_intact();
}

TEST_F(CompactTest, LeavesBanksWithPinnedPagesAndFillsThem) {
  leave({4, 2, 7, 5, 0});
  space().set_pinned(5, true);
  EXPECT_EQ(space().compact(kAll, mover).moved, 5U);
  EXPECT_EQ(banks(), "4 7 7 0 0");
  EXPECT_EQ(space().frame_of(5), 5U);
  fill(1);
  EXPECT_EQ(banks(), "4 8 7 0 0");
  space().set_pinned(5, false);
  expect_intact();
}

TEST_F(CompactTest, APageThatGoesIsNoLongerPinned) {
  fill(12);
  space().set_pinned(10, true);
  space().set_pinned(10, true);
  EXPECT_TRUE(world.pool().is_held_on(Bank{1}));
  drop(10, 1);
  EXPECT_FALSE(world.pool().is_held_on(Bank{1}));
  EXPECT_TRUE(world.check());
}

TEST_F(CompactTest, LeavesPagesThatMustNotMove) {
  fill(4);
  fill(1, kFixed);
  leave({4, 1, 6, 5, 0});
  EXPECT_EQ(space().compact(kAll, mover).moved, 5U);
  EXPECT_EQ(banks(), "4 4 8 0 0");
  EXPECT_EQ(space().frame_of(4), 4U);
  expect_intact();
}

TEST_F(CompactTest, LeavesFramesThatNobodyMapped) {
  PageAccount other;
  ASSERT_TRUE(world.pool().take_at(other, Frame{4}, 1));
  fill(12);
  drop(6, 6);
  ASSERT_EQ(banks(), "4 3 0 0 0");
  ASSERT_TRUE(world.pool().take_at(other, Frame{12}, 1));
  EXPECT_EQ(space().compact(kAll, mover).moved, 0U);
  expect_intact();
}

TEST_F(CompactTest, MovesKeptPagesAsKept) {
  leave({4, 1, 5, 0, 0});
  space().keep_empty(4);
  EXPECT_EQ(space().compact(kAll, mover).moved, 1U);
  EXPECT_TRUE(space().is_mapped(4));
  EXPECT_FALSE(space().is_busy(4));
  EXPECT_EQ(banks(), "4 0 6 0 0");
  expect_intact();
}

TEST_F(CompactTest, AFailureLeavesEverythingAsItWas) {
  leave({4, 4, 6, 5, 0});
  const std::uint32_t gap = space().largest_gap();
  std::uint32_t left = 4;
  // Of each move, the first mapping is for the copy and the second the move itself.
  for (const std::uint64_t maps : {0U, 1U, 3U, 5U}) {
    world.fail_maps_after(maps);
    const Compaction result = space().compact(kAll, mover);
    world.fail_maps_after(HostPort::kNever);
    EXPECT_EQ(result.moved, maps / 2);
    EXPECT_FALSE(result.more);
    left -= result.moved;
    EXPECT_EQ(world.pool().taken_in(Bank{1}), left);
    EXPECT_EQ(space().largest_gap(), gap);
    EXPECT_EQ(account.held, 19U);
    expect_intact();
  }
}

TEST_F(CompactTest, NeedsAPageOfTheWindow) {
  leave({4, 1, 5, 0, 0});
  while (space().reserve_span(1, 1)) {
  }
  EXPECT_EQ(space().compact(kAll, mover).moved, 0U);
  expect_intact();
}

TEST(CompactNoMmu, MovesNothing) {
  PageWorld world(small_platform(false, kFrames), PortKind::host);
  PageAccount account;
  Mover mover(world.space());
  ASSERT_TRUE(world.space().map(4, 1, kHeap, account));
  ASSERT_TRUE(world.space().map(12, 2, kHeap, account));
  EXPECT_EQ(world.space().compact(kAll, mover).moved, 0U);
  EXPECT_TRUE(world.space().is_mapped(4));
  EXPECT_TRUE(world.check());
}

// Without an uncached alias, which knows which pages were written back since they were mapped.
class WithoutAlias final : public ForwardingPort {
 public:
  explicit WithoutAlias(HostPort& host) : ForwardingPort(&host) {}
  ~WithoutAlias() = default;

  std::ptrdiff_t alias_offset() const override { return 0; }
  bool map(Page page, Frame frame) override {
    written_.erase(number(page));
    return ForwardingPort::map(page, frame);
  }
  void unmap(Page page) override {
    lost_ += written_.count(number(page)) == 0 ? 1U : 0U;
    ForwardingPort::unmap(page);
  }
  void cache_writeback(std::byte* address, std::size_t bytes) override {
    if (bytes == config::kPageBytes) {
      written_.insert(
          static_cast<std::uint16_t>(static_cast<std::size_t>(address - window()) / bytes));
    }
    ForwardingPort::cache_writeback(address, bytes);
  }
  // Pages that were unmapped with what the cache had of them.
  std::uint32_t lost() const { return lost_; }
  void forget() { lost_ = 0; }

 private:
  std::set<std::uint16_t> written_;
  std::uint32_t lost_ = 0;
};

TEST(CompactWithoutAlias, WritesTheCopyBack) {
  const PlatformConfig config = small_platform(true, kFrames);
  HostPort host(config);
  WithoutAlias port(host);
  std::vector<std::byte> memory(std::size_t{1} << 17);
  MetadataArena arena(memory);
  PagePool pool;
  AddressSpace space;
  ASSERT_TRUE(pool.boot(config, port, arena) && space.boot(config, port, pool, arena));
  PageAccount account;
  Mover mover(space);
  ASSERT_TRUE(space.map(0, 20, kHeap, account));
  for (std::uint32_t page = 0; page < 20; ++page) {
    std::memset(space.address_of(page), static_cast<int>(page + 1), config::kPageBytes);
  }
  space.unmap(4, 6, account);
  space.unmap(12, 3, account);
  port.forget();
  EXPECT_EQ(space.compact(kAll, mover).moved, 2U);
  EXPECT_EQ(port.lost(), 0U);
  EXPECT_EQ(pool.taken_in(Bank{1}), 0U);
  for (const std::uint32_t page : {10U, 11U}) {
    EXPECT_EQ(std::to_integer<std::uint32_t>(space.address_of(page)[0]), page + 1);
    EXPECT_EQ(std::to_integer<std::uint32_t>(space.address_of(page)[config::kPageBytes - 1]),
              page + 1);
  }
  EXPECT_TRUE(pool.check() && space.check());
}

}  // namespace
}  // namespace modmem
