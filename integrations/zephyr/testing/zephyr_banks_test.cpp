// Banks under the port to Zephyr: switched by the product's hook, or by the driver itself.

#include <gtest/gtest.h>
#include <modmem/modmem.h>
#include <rtos/alloc.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "capi/system.hpp"
#include "integrations/zephyr/testing/fake_kernel.hpp"
#include "integrations/zephyr/testing/fake_sram.hpp"

namespace {

using modmem::fake_kernel;
using modmem::fake_sram;
using modmem::FakeSram;

constexpr std::size_t kPage = FakeSram::kPageBytes;

class ZephyrBanks : public testing::TestWithParam<bool> {
 protected:
  ZephyrBanks() {
    fake_kernel() = {};
    fake_sram().reset();
    fake_sram().driver_switches_banks = GetParam();
    EXPECT_EQ(modmem_boot(nullptr), 0);
  }
  ~ZephyrBanks() override {
    EXPECT_EQ(modmem_shutdown(), 0);
    EXPECT_EQ(fake_kernel().violation, "");
  }
};

INSTANTIATE_TEST_SUITE_P(SwitchedBy, ZephyrBanks, testing::Bool(),
                         [](const auto& test) { return test.param ? "driver" : "hook"; });

TEST_P(ZephyrBanks, OnWhileAPageIsTakenAndTheReserveAlways) {
  // The bank that the reserve ends in has room for 4 pages.
  EXPECT_EQ(fake_sram().banks_on(), 2U);
  void* small = rballoc(0, kPage);
  EXPECT_EQ(fake_sram().banks_on(), 2U);
  void* large = rballoc(0, 4 * kPage);
  EXPECT_EQ(fake_sram().banks_on(), 3U);
  struct modmem_info info {};
  ASSERT_EQ(modmem_info(&info), 0);
  EXPECT_EQ(info.banks_on + 1,
            fake_sram().banks_on());  // the reserve's whole bank is not the pool's
  rfree(large);
  rfree(small);
  EXPECT_EQ(fake_sram().banks_on(), 2U);
}

TEST_P(ZephyrBanks, CompactionKeepsTheContentAndSwitchesABankOff) {
  modmem::Memory& memory = modmem::current_system()->memory;
  std::vector<unsigned char*> blocks;
  for (unsigned int i = 0; i < 24; ++i) {
    blocks.push_back(static_cast<unsigned char*>(rballoc(0, kPage)));
    ASSERT_NE(blocks.back(), nullptr);
    std::memset(blocks.back(), static_cast<int>(i + 1), kPage);
  }
  // Two in three go, in every bank.
  std::vector<unsigned char*> left;
  for (unsigned int i = 0; i < 24; ++i) {
    if (i % 3 == 0) {
      left.push_back(blocks[i]);
    } else {
      rfree(blocks[i]);
    }
  }
  const std::size_t before = fake_sram().banks_on();
  while (memory.compact(1).more) {
  }
  EXPECT_LT(fake_sram().banks_on(), before);
  for (unsigned int i = 0; i < left.size(); ++i) {
    for (std::size_t at = 0; at < kPage; ++at) {
      ASSERT_EQ(left[i][at], 3 * i + 1) << "block " << i << ", byte " << at;
    }
    rfree(left[i]);
  }
  EXPECT_TRUE(modmem_check(true));
}

TEST(ZephyrBankPower, ABankThatStaysOffFailsTheRequestAndNothingElse) {
  fake_kernel() = {};
  fake_sram().reset();
  ASSERT_EQ(modmem_boot(nullptr), 0);
  void* first = rballoc(0, 4 * kPage);  // all of the bank that is on
  ASSERT_NE(first, nullptr);
  for (std::size_t bank = 2; bank < FakeSram::kBanks; ++bank) {
    ASSERT_FALSE(fake_sram().is_on(bank));
  }
  // Banks count from the start of the SRAM, whose first one has only the reserve.
  fake_sram().broken_bank = 2;
  void* second = rballoc(0, kPage);
  EXPECT_FALSE(fake_sram().is_on(2));
  EXPECT_TRUE(modmem_check(true));
  fake_sram().broken_bank = FakeSram::kNever;
  void* third = rballoc(0, kPage);
  EXPECT_NE(third, nullptr);
  rfree(first);
  rfree(second);
  rfree(third);
  EXPECT_EQ(modmem_shutdown(), 0);
  EXPECT_EQ(fake_kernel().violation, "");
}

}  // namespace
