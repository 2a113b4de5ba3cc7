#include "port/posix/plain_port.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;

PlatformConfig small(bool has_mmu) {
  PlatformConfig config{};
  config.name = "small";
  config.bank_bytes = 8 * kPage;
  config.reserve_bytes = 6 * kPage;
  config.sram_bytes = config.reserve_bytes + 22 * kPage;
  config.cores = 2;
  config.has_mmu = has_mmu;
  config.window_bytes = has_mmu ? 40 * kPage : 0;
  config.lp_sram_bytes = 4 * kPage;
  config.l3_bytes = 30 * kPage;
  return config;
}

bool holds(const std::byte* first, std::size_t bytes, unsigned char value) {
  return std::all_of(first, first + bytes, [value](std::byte b) { return b == std::byte{value}; });
}

class PlainPortTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override { ASSERT_TRUE(port.open(small(GetParam()))); }
  PlainPort port;
};

std::string mmu_name(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Mmu" : "NoMmu";
}
INSTANTIATE_TEST_SUITE_P(Platforms, PlainPortTest, ::testing::Values(true, false), mmu_name);

TEST_P(PlainPortTest, TheWholeWindowIsMemoryThroughBothAliases) {
  const std::size_t bytes = (GetParam() ? 40 : 22) * kPage;
  EXPECT_EQ(port.window_bytes(), bytes);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(port.window()) % kPage, 0U);
  EXPECT_EQ(port.alias_offset() != 0, GetParam());
  EXPECT_TRUE(holds(port.window(), bytes, 0));
  std::byte* uncached = port.window() + port.alias_offset();
  std::memset(port.window(), 1, bytes);
  EXPECT_TRUE(holds(uncached, bytes, 1));
  std::memset(uncached, 2, bytes);
  EXPECT_TRUE(holds(port.window(), bytes, 2));
}

TEST_P(PlainPortTest, MappingOnlyKeepsBook) {
  EXPECT_EQ(port.mapped_pages(), 0U);
  EXPECT_TRUE(port.set_bank_power(Bank{2}, true));
  EXPECT_TRUE(port.map(Page{17}, Frame{17}));
  EXPECT_TRUE(port.is_mapped(Page{17}));
  EXPECT_FALSE(port.is_mapped(Page{16}));
  std::byte* page = port.window() + 17 * kPage;
  std::memset(page, 5, kPage);
  port.unmap(Page{17});
  EXPECT_TRUE(port.set_bank_power(Bank{2}, false));
  EXPECT_EQ(port.mapped_pages(), 0U);
  EXPECT_TRUE(holds(page, kPage, 5));
}

TEST_P(PlainPortTest, OnlyL3KeepsItsContentOverAPowerCycle) {
  std::vector<Port*> ports{&port, port.low_power(), port.l3()};
  for (Port* each : ports) {
    ASSERT_NE(each, nullptr);
    ASSERT_TRUE(each->map(Page{1}, Frame{1}));
    std::memset(each->window(), 5, 4 * kPage);
  }
  EXPECT_TRUE(port.power_cycle());
  EXPECT_EQ(port.mapped_pages(), 0U);
  constexpr auto kLost = std::to_integer<unsigned char>(PlainPort::kLostContent);
  EXPECT_TRUE(holds(port.window(), port.window_bytes(), kLost));
  EXPECT_TRUE(holds(port.low_power()->window(), 4 * kPage, kLost));
  EXPECT_TRUE(holds(port.l3()->window(), 4 * kPage, 5));
  for (Port* each : ports) {
    EXPECT_TRUE(each->map(Page{1}, Frame{1}));
  }
}

TEST_P(PlainPortTest, ClosesAndOpensAgain) {
  ASSERT_TRUE(port.map(Page{3}, Frame{3}));
  std::memset(port.window(), 1, kPage);
  port.close();
  EXPECT_EQ(port.low_power(), nullptr);
  EXPECT_EQ(port.l3(), nullptr);
  port.close();
  PlatformConfig config = small(!GetParam());
  config.l3_bytes = 0;
  ASSERT_TRUE(port.open(config));
  EXPECT_EQ(port.alias_offset() != 0, !GetParam());
  EXPECT_EQ(port.mapped_pages(), 0U);
  EXPECT_TRUE(holds(port.window(), port.window_bytes(), 0));
  EXPECT_NE(port.low_power(), nullptr);
  EXPECT_EQ(port.l3(), nullptr);
}

TEST(PlainPort, SaysWhatTheHostRefused) {
  PlatformConfig config = small(true);
  config.window_bytes = std::size_t{1} << 60;
  PlainPort port;
  errno = 0;
  EXPECT_FALSE(port.open(config));
  EXPECT_NE(errno, 0);
  EXPECT_EQ(std::string_view(port.failure()), "reserving address space for the window");
  config = small(true);
  config.l3_bytes = std::size_t{1} << 60;
  errno = 0;
  EXPECT_FALSE(port.open(config));
  EXPECT_NE(errno, 0);
  EXPECT_EQ(port.low_power(), nullptr);
  EXPECT_TRUE(port.open(small(true)));
  EXPECT_EQ(std::string_view(port.failure()), "");
}

TEST(PlainPort, AMappingTooManyOrTooFewIsFoundInBuildsWithChecks) {
  if (!kChecks) {
    GTEST_SKIP() << "needs invariant checks";
  }
  PlainPort port;
  ASSERT_TRUE(port.open(small(true)));
  EXPECT_DEATH(port.unmap(Page{1}), "is_mapped");
  ASSERT_TRUE(port.map(Page{1}, Frame{1}));
  EXPECT_DEATH(port.map(Page{1}, Frame{2}), "is_mapped");
}

TEST(PlainPortStandIns, TakeTheAliasesPlace) {
  PlainPort port;
  ASSERT_TRUE(port.open(small(true), PlainPort::Blocks::stand_ins));
  EXPECT_EQ(port.alias_offset(), 0);
  BlockView* blocks = port.blocks();
  ASSERT_NE(blocks, nullptr);
  blocks->start(port.window(), port.window_bytes());
  std::byte* user = blocks->hand_out(port.window() + 64, 21, 8);
  EXPECT_EQ(blocks->block_of(user + 20), port.window() + 84);
  EXPECT_EQ(port.stand_ins(), 1U);
  EXPECT_EQ(port.low_power()->blocks(), blocks);
  EXPECT_EQ(port.l3()->blocks(), blocks);
  port.close();
  EXPECT_EQ(port.stand_ins(), 0U);
}

TEST(PlainPortStandIns, OfL3OutliveAPowerCycleAndNoOthers) {
  PlainPort port;
  ASSERT_TRUE(port.open(small(true), PlainPort::Blocks::stand_ins));
  BlockView* blocks = port.blocks();
  std::byte* l3 = port.l3()->window();
  for (std::byte* window : {port.window(), port.low_power()->window(), l3}) {
    std::memset(blocks->hand_out(window, 21, 8), 5, 21);
  }
  std::byte* user = blocks->user_of(l3);
  EXPECT_TRUE(port.power_cycle());
  EXPECT_EQ(port.stand_ins(), 1U);
  blocks->start(l3, 30 * kPage);
  EXPECT_EQ(blocks->hand_out(l3, 21, 8), user);
  EXPECT_TRUE(holds(user, 21, 5));
}

}  // namespace
}  // namespace modmem
