// Power: what stays on for how long, and what it is counted as.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "modmem/config.hpp"
#include "page/page_pool.hpp"
#include "page/testing/test_pool.hpp"

namespace modmem {
namespace {

constexpr std::uint32_t kHoldUs = 1000;

// Banks of 8 frames, without a reserve, that stay on for a while.
struct HoldingPool {
  explicit HoldingPool(std::uint32_t hold_us, std::uint32_t frames = 32)
      : port(platform(frames, 0)), memory(4096) {
    PlatformConfig config = platform(frames, 0);
    config.bank_hold_us = hold_us;
    MetadataArena arena(memory);
    if (!pool.boot(config, port, arena)) {
      std::abort();
    }
  }
  bool sound() const { return pool.check() && port.violations() == 0; }

  FakePort port;
  std::vector<std::byte> memory;
  PagePool pool;
  PageAccount account;
};

TEST(PagePoolHold, AnEmptyBankStaysOnForItsTime) {
  HoldingPool held(kHoldUs);
  const Frame one = *held.pool.take(held.account);
  held.port.set_time_us(5000);
  held.pool.give(held.account, one, 1);
  EXPECT_EQ(held.pool.banks_on(), 1U);
  EXPECT_TRUE(held.sound());
  held.port.set_time_us(5000 + kHoldUs - 1);
  held.pool.trim();
  EXPECT_EQ(held.pool.banks_on(), 1U);
  held.port.set_time_us(5000 + kHoldUs);
  held.pool.trim();
  EXPECT_EQ(held.pool.banks_on(), 0U);
  EXPECT_FALSE(held.port.is_on(bank(0)));
  EXPECT_TRUE(held.sound());
}

TEST(PagePoolHold, StartingAndStoppingSwitchesNothing) {
  HoldingPool held(kHoldUs);
  for (int i = 0; i < 10; ++i) {
    held.pool.give(held.account, *held.pool.take(held.account), 1);
    held.pool.trim();
    EXPECT_TRUE(held.sound());
  }
  EXPECT_EQ(held.port.power_calls(), 1U);
}

TEST(PagePoolHold, ABankThatIsUsedAgainIsHeldAnew) {
  HoldingPool held(kHoldUs);
  held.pool.give(held.account, *held.pool.take(held.account), 1);
  const Frame again = *held.pool.take(held.account);
  held.port.set_time_us(10 * kHoldUs);
  held.pool.trim();
  EXPECT_EQ(held.pool.banks_on(), 1U);
  held.pool.give(held.account, again, 1);
  held.pool.trim();
  EXPECT_EQ(held.pool.banks_on(), 1U);
  held.port.set_time_us(11 * kHoldUs);
  held.pool.trim();
  EXPECT_EQ(held.pool.banks_on(), 0U);
  EXPECT_TRUE(held.sound());
}

TEST(PagePoolHold, AHeldBankIsNoPlaceToMoveTo) {
  HoldingPool held(kHoldUs);
  ASSERT_TRUE(held.pool.take_at(held.account, frame(0), 1));
  ASSERT_TRUE(held.pool.take_at(held.account, frame(8), 1));
  held.pool.give(held.account, frame(0), 1);
  EXPECT_EQ(held.pool.room_beside(bank(1)), 0U);
  EXPECT_FALSE(held.pool.frame_to_move_to(bank(1)));
}

TEST(PagePoolHold, AFailureLeavesHeldBanksAndNoOthers) {
  HoldingPool held(kHoldUs);
  ASSERT_TRUE(held.pool.take_at(held.account, frame(0), 1));
  held.pool.give(held.account, frame(0), 1);
  held.port.break_bank(bank(2), true);
  EXPECT_FALSE(held.pool.take_at(held.account, frame(0), 24));
  EXPECT_TRUE(held.pool.is_powered(bank(0)));
  EXPECT_FALSE(held.pool.is_powered(bank(1)));
  EXPECT_TRUE(held.sound());
}

TEST(PagePoolEnergy, AnAccountPaysForItsFramesAndNobodyForTheRest) {
  HoldingPool pool(0);
  PageAccount other;
  EXPECT_EQ(pool.pool.powered_frame_us(), 0U);
  pool.pool.start_energy();
  ASSERT_TRUE(pool.pool.take_at(pool.account, frame(0), 2));
  pool.port.set_time_us(100);
  ASSERT_TRUE(pool.pool.take_at(other, frame(2), 4));
  pool.port.set_time_us(150);
  EXPECT_EQ(pool.pool.frame_us(pool.account), 2U * 150);
  EXPECT_EQ(pool.pool.frame_us(other), 4U * 50);
  EXPECT_EQ(pool.pool.powered_frame_us(), 8U * 150);
  pool.pool.give(pool.account, frame(0), 1);
  ASSERT_TRUE(pool.pool.take_at(other, frame(8), 1));
  pool.port.set_time_us(160);
  EXPECT_EQ(pool.pool.frame_us(pool.account), 2U * 150 + 10);
  EXPECT_EQ(pool.pool.frame_us(other), 4U * 50 + 5U * 10);
  EXPECT_EQ(pool.pool.powered_frame_us(), 8U * 150 + 16U * 10);
  pool.pool.give(pool.account, frame(1), 1);
  pool.pool.give(other, frame(2), 4);
  pool.pool.give(other, frame(8), 1);
  pool.port.set_time_us(1000);
  EXPECT_EQ(pool.pool.frame_us(other), 4U * 50 + 5U * 10);
  EXPECT_EQ(pool.pool.powered_frame_us(), 8U * 150 + 16U * 10);
}

TEST(PagePoolEnergy, WhoGetsFramesPaysFromThenOn) {
  HoldingPool pool(0);
  PageAccount heir;
  pool.pool.start_energy();
  ASSERT_TRUE(pool.pool.take_at(pool.account, frame(0), 3));
  pool.port.set_time_us(10);
  pool.pool.hand_over(pool.account, heir, 3);
  pool.port.set_time_us(30);
  EXPECT_EQ(pool.pool.frame_us(pool.account), 30U);
  EXPECT_EQ(pool.pool.frame_us(heir), 60U);
}

TEST(PagePoolEnergy, MovingChangesWhatIsOnAndNotWhoPays) {
  HoldingPool pool(0);
  pool.pool.start_energy();
  ASSERT_TRUE(pool.pool.take_at(pool.account, frame(0), 1));
  ASSERT_TRUE(pool.pool.take_at(pool.account, frame(8), 1));
  pool.port.set_time_us(10);
  pool.pool.move(frame(0), frame(9));
  pool.port.set_time_us(20);
  EXPECT_EQ(pool.pool.frame_us(pool.account), 2U * 20);
  EXPECT_EQ(pool.pool.powered_frame_us(), 16U * 10 + 8U * 10);
  EXPECT_TRUE(pool.sound());
}

TEST(PagePoolEnergy, NothingIsCountedBeforeItIsStarted) {
  HoldingPool pool(0);
  ASSERT_TRUE(pool.pool.take_at(pool.account, frame(0), 1));
  pool.port.set_time_us(10);
  EXPECT_EQ(pool.pool.frame_us(pool.account), 0U);
  EXPECT_EQ(pool.pool.powered_frame_us(), 0U);
}

}  // namespace
}  // namespace modmem
