#include "page/page_pool.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "page/testing/test_pool.hpp"

namespace modmem {
namespace {

// --- boot ---

TEST(PagePool, StartsFreeAndOff) {
  TestPool setup(24);
  EXPECT_EQ(setup.pool.frames(), 24U);
  EXPECT_EQ(setup.pool.free(), 24U);
  EXPECT_EQ(setup.pool.taken(), 0U);
  EXPECT_EQ(setup.pool.reserved(), 0U);
  EXPECT_EQ(setup.pool.banks(), 3U);
  EXPECT_EQ(setup.pool.banks_on(), 0U);
  EXPECT_EQ(setup.port.power_calls(), 0U);
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, AReserveThatEndsInsideABankKeepsItPowered) {
  TestPool setup(16, 8 + 3);
  EXPECT_EQ(setup.pool.frames(), 16U);
  EXPECT_EQ(setup.pool.banks(), 3U);  // 5 frames, 8 frames, 3 frames
  EXPECT_EQ(setup.power(), "100");
  EXPECT_EQ(setup.pool.banks_on(), 1U);
  EXPECT_EQ(number(setup.pool.bank_of(frame(0))), 0);
  EXPECT_EQ(number(setup.pool.bank_of(frame(4))), 0);
  EXPECT_EQ(number(setup.pool.bank_of(frame(5))), 1);
  EXPECT_EQ(number(setup.pool.bank_of(frame(12))), 1);
  EXPECT_EQ(number(setup.pool.bank_of(frame(13))), 2);
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, NeedsTheWholeOfItsTables) {
  const PlatformConfig config = platform(100, 3);
  FakePort port(config);
  MetadataArena measure;
  PagePool pool;
  EXPECT_FALSE(pool.boot(config, port, measure));
  std::vector<std::byte> memory(measure.used());
  for (std::size_t bytes = 0; bytes <= memory.size(); ++bytes) {
    MetadataArena arena(std::span<std::byte>(memory).first(bytes));
    PagePool fresh;
    EXPECT_EQ(fresh.boot(config, port, arena), bytes == memory.size()) << bytes;
  }
}

// --- taking frames ---

TEST(PagePool, PowersOneBankAfterTheOther) {
  TestPool setup(24, 4);
  PageAccount account;
  for (std::uint32_t taken = 1; taken <= 24; ++taken) {
    ASSERT_TRUE(setup.pool.take(account));
    EXPECT_EQ(setup.pool.banks_on(), (4 + taken + kBankFrames - 1) / kBankFrames);
    EXPECT_TRUE(setup.sound());
  }
  EXPECT_FALSE(setup.pool.take(account));
  EXPECT_EQ(setup.pool.taken(), 24U);
  EXPECT_EQ(account.held, 24U);
  EXPECT_EQ(setup.taken(), std::string(24, 'x'));
}

TEST(PagePool, TakesFromTheFullestPoweredBankThatHasRoom) {
  TestPool setup(32);
  PageAccount account;
  setup.take(account, "xx...... xxxxxxxx xxx..... ........");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(number(setup.pool.bank_of(*setup.pool.take(account))), 2);
  }
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(number(setup.pool.bank_of(*setup.pool.take(account))), 0);
  }
  EXPECT_EQ(setup.power(), "1110");
  EXPECT_EQ(number(setup.pool.bank_of(*setup.pool.take(account))), 3);
}

TEST(PagePool, FillsTheBankOfTheReserveFirst) {
  // It stays on anyway: every frame that lies there is one less that keeps another bank on.
  TestPool setup(20, 4);
  PageAccount account;
  setup.take(account, ".... xxx..... ........");
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(number(*setup.pool.take(account)), i);
  }
  EXPECT_EQ(number(setup.pool.bank_of(*setup.pool.take(account))), 1);
}

TEST(PagePool, GivesEachFrameOnce) {
  TestPool setup(24);
  PageAccount account;
  std::vector<bool> seen(24, false);
  for (int i = 0; i < 24; ++i) {
    const std::optional<Frame> taken = setup.pool.take(account);
    ASSERT_TRUE(taken);
    EXPECT_FALSE(seen.at(number(*taken)));
    seen.at(number(*taken)) = true;
  }
}

TEST(PagePool, PowersAnEmptiedBankDown) {
  TestPool setup(24, 4);
  PageAccount account;
  setup.take(account, "x... xx...... x.......");
  EXPECT_EQ(setup.power(), "1110");
  setup.pool.give(account, frame(4), 1);
  EXPECT_EQ(setup.power(), "1110");
  setup.pool.give(account, frame(5), 1);
  EXPECT_EQ(setup.power(), "1010");
  setup.pool.give(account, frame(12), 1);
  setup.pool.give(account, frame(0), 1);
  EXPECT_EQ(setup.power(), "1000");  // the reserve's
  EXPECT_EQ(setup.pool.taken(), 0U);
  EXPECT_EQ(account.held, 0U);
  EXPECT_EQ(setup.pool.banks_on_peak(), 3U);
  EXPECT_EQ(setup.pool.peak_taken(), 4U);
  EXPECT_EQ(account.peak, 4U);
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, GivesARunBackAcrossBanks) {
  TestPool setup(24);
  PageAccount account;
  ASSERT_TRUE(setup.pool.take_at(account, frame(5), 14));
  EXPECT_EQ(setup.power(), "111");
  setup.pool.give(account, frame(6), 12);
  EXPECT_EQ(setup.taken(), ".....x............x.....");
  EXPECT_EQ(setup.power(), "101");
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, PassesOverABankThatDoesNotComeUp) {
  TestPool setup(24);
  PageAccount account;
  setup.port.break_bank(bank(0), true);
  setup.port.break_bank(bank(1), true);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(number(setup.pool.bank_of(*setup.pool.take(account))), 2);
  }
  const std::string taken = setup.taken();
  EXPECT_FALSE(setup.pool.take(account));
  EXPECT_EQ(setup.taken(), taken);
  EXPECT_EQ(account.held, 8U);
  EXPECT_EQ(setup.power(), "001");
  EXPECT_TRUE(setup.sound());
  setup.port.break_bank(bank(1), false);
  EXPECT_EQ(number(setup.pool.bank_of(*setup.pool.take(account))), 1);
}

// --- exact frames and runs ---

TEST(PagePool, TakesExactFrames) {
  TestPool setup(24);
  PageAccount account;
  EXPECT_TRUE(setup.pool.take_at(account, frame(6), 12));
  EXPECT_EQ(setup.taken(), "......xxxxxxxxxxxx......");
  EXPECT_EQ(setup.power(), "111");
  EXPECT_EQ(account.held, 12U);
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, RefusesExactFramesWhole) {
  TestPool setup(24);
  PageAccount account;
  PageAccount other;
  setup.take(other, "......x.................");
  account.limit = 3;
  const std::uint64_t calls = setup.port.power_calls();
  EXPECT_FALSE(setup.pool.take_at(account, frame(4), 3));   // one is taken
  EXPECT_FALSE(setup.pool.take_at(account, frame(8), 4));   // limit
  EXPECT_FALSE(setup.pool.take_at(account, frame(22), 3));  // beyond the end
  EXPECT_FALSE(setup.pool.take_at(account, frame(24), 1));
  EXPECT_FALSE(setup.pool.take_at(account, frame(8), 0));
  EXPECT_FALSE(setup.pool.take_at(account, frame(8), UINT32_MAX));
  ASSERT_TRUE(setup.pool.set_guarantee(other, 22));
  EXPECT_FALSE(setup.pool.take_at(account, frame(8), 3));  // guaranteed to another
  EXPECT_TRUE(setup.pool.take_at(account, frame(8), 2));
  setup.pool.give(account, frame(8), 2);
  EXPECT_EQ(setup.taken(), "......x.................");
  EXPECT_EQ(setup.power(), "100");
  EXPECT_EQ(setup.port.power_calls(), calls + 2);
  EXPECT_EQ(account.held, 0U);
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, ABrokenBankRollsARunBack) {
  for (std::uint32_t broken = 0; broken < 4; ++broken) {
    TestPool setup(28, 4);
    PageAccount account;
    setup.take(account, ".... ........ x....... ........");
    EXPECT_EQ(setup.power(), "1010");
    setup.port.break_bank(bank(broken), true);
    const bool stays_on = broken == 0 || broken == 2;
    EXPECT_EQ(setup.pool.take_at(account, frame(0), 12), broken != 1);
    if (broken == 1) {
      EXPECT_EQ(setup.power(), "1010");
      EXPECT_EQ(account.held, 1U);
    }
    EXPECT_EQ(setup.pool.take_at(account, frame(14), 10), stays_on || broken == 1) << broken;
    EXPECT_TRUE(setup.sound());
  }
}

TEST(PagePool, PowersBanksOfARunDownAgainWhereALaterOneIsBroken) {
  TestPool setup(32);
  PageAccount account;
  setup.port.break_bank(bank(3), true);
  EXPECT_FALSE(setup.pool.take_at(account, frame(2), 30));
  EXPECT_EQ(setup.power(), "0000");
  EXPECT_EQ(setup.port.power_calls(), 7U);  // three on, one refused, three off
  EXPECT_EQ(setup.pool.banks_on(), 0U);
  EXPECT_EQ(setup.taken(), std::string(32, '.'));
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, FindsTheRunThatPowersTheFewestBanks) {
  TestPool setup(32);
  PageAccount account;
  setup.take(account, "........ ....xxxx xxx..... ........");
  EXPECT_EQ(setup.pool.find_run(4, 1), frame(8));   // powers none, smaller gap than the other
  EXPECT_EQ(setup.pool.find_run(5, 1), frame(19));  // powers none
  EXPECT_EQ(setup.pool.find_run(13, 1), frame(19));
  EXPECT_EQ(setup.pool.find_run(14, 1), std::nullopt);
}

// --- guarantees and limits ---

TEST(PagePool, KeepsAGuaranteeFromOthers) {
  TestPool setup(16);
  PageAccount mine;
  PageAccount other;
  ASSERT_TRUE(setup.pool.set_guarantee(mine, 6));
  EXPECT_EQ(setup.pool.reserved(), 6U);
  EXPECT_EQ(setup.pool.available(other), 10U);
  EXPECT_EQ(setup.pool.available(mine), 16U);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(setup.pool.take(other));
  }
  EXPECT_FALSE(setup.pool.take(other));
  EXPECT_EQ(setup.pool.available(mine), 6U);
  for (std::uint32_t i = 0; i < 6; ++i) {
    EXPECT_EQ(setup.pool.reserved(), 6 - i);
    EXPECT_TRUE(setup.pool.take(mine));
  }
  EXPECT_FALSE(setup.pool.take(mine));
  setup.pool.give(mine, frame(15), 1);
  EXPECT_EQ(setup.pool.reserved(), 1U);
  EXPECT_EQ(setup.pool.available(other), 0U);
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, GuaranteesNeverExceedWhatIsFree) {
  TestPool setup(16);
  PageAccount first;
  PageAccount second;
  ASSERT_TRUE(setup.pool.take_at(second, frame(0), 4));
  EXPECT_FALSE(setup.pool.set_guarantee(first, 13));
  EXPECT_TRUE(setup.pool.set_guarantee(first, 10));
  EXPECT_FALSE(setup.pool.set_guarantee(second, 7));  // holds 4, and 2 are left
  EXPECT_EQ(second.guarantee, 0U);
  EXPECT_TRUE(setup.pool.set_guarantee(second, 6));
  EXPECT_EQ(setup.pool.reserved(), 12U);
  EXPECT_TRUE(setup.pool.set_guarantee(first, 3));
  EXPECT_TRUE(setup.pool.set_guarantee(second, 2));  // less than it holds
  EXPECT_EQ(setup.pool.reserved(), 3U);
  EXPECT_TRUE(setup.pool.set_guarantee(first, 0));
  EXPECT_EQ(setup.pool.reserved(), 0U);
  EXPECT_TRUE(setup.sound());
}

TEST(PagePool, KeepsALimit) {
  TestPool setup(16);
  PageAccount account;
  account.limit = 3;
  EXPECT_FALSE(setup.pool.set_guarantee(account, 4));
  EXPECT_TRUE(setup.pool.set_guarantee(account, 3));
  EXPECT_EQ(setup.pool.available(account), 3U);
  EXPECT_FALSE(setup.pool.take_run(account, 4, 1));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(setup.pool.take(account));
  }
  EXPECT_FALSE(setup.pool.take(account));
  account.limit = 1;  // below what it holds: nothing more
  EXPECT_EQ(setup.pool.available(account), 0U);
  setup.pool.give(account, frame(0), 3);
  EXPECT_EQ(setup.pool.available(account), 1U);
}

}  // namespace
}  // namespace modmem
