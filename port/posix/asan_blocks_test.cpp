#include "port/posix/asan_blocks.hpp"

#include <gtest/gtest.h>
#include <sanitizer/asan_interface.h>

#include <array>
#include <cstring>
#include <string>

#include "modmem/config.hpp"
#include "port/host/host_port.hpp"
#include "port/posix/plain_port.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;

PlatformConfig small() {
  PlatformConfig config{};
  config.name = "small";
  config.sram_bytes = 16 * kPage;
  config.bank_bytes = 16 * kPage;
  config.cores = 1;
  config.has_mmu = true;
  config.window_bytes = 32 * kPage;
  config.lp_sram_bytes = 4 * kPage;
  config.l3_bytes = 8 * kPage;
  return config;
}

void touch(const std::byte* at) { static_cast<void>(*static_cast<const volatile std::byte*>(at)); }

// Whether AddressSanitizer would report an access to the byte.
bool is_poisoned([[maybe_unused]] const std::byte* at) {
  if constexpr (kAddressSanitizer) {
    return __asan_address_is_poisoned(at) != 0;
  }
  return false;
}

// 'x' for each byte of [at, at + bytes) that is poisoned, '.' for the others.
std::string picture(const std::byte* at, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) {
    text += is_poisoned(at + i) ? 'x' : '.';
  }
  return text;
}

std::string dots(std::size_t count) { return std::string(count, '.'); }
std::string crosses(std::size_t count) { return std::string(count, 'x'); }

// Stand for the ports, which have no run-time type information to name them by.
struct OnHostPort {
  using PortType = HostPort;
  static constexpr const char* kName = "HostPort";
};
struct OnPlainPort {
  using PortType = PlainPort;
  static constexpr const char* kName = "PlainPort";
};

// On both ports alike: a window whose pages 2 and 3 are mapped, watched.
template <typename On>
class AsanBlocksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kAddressSanitizer) {
      GTEST_SKIP() << "needs AddressSanitizer";
    }
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    ASSERT_TRUE(port_.open(small()));
    blocks_ = port_.blocks();
    ASSERT_NE(blocks_, nullptr);
    // The last page is none of those that are watched.
    blocks_->start(port_.window(), port_.window_bytes() - kPage);
    ASSERT_TRUE(port_.set_bank_power(Bank{0}, true));
    ASSERT_TRUE(port_.map(Page{2}, Frame{5}));
    ASSERT_TRUE(port_.map(Page{3}, Frame{4}));
    at_ = port_.window() + 2 * kPage;
    alias_ = port_.alias_offset();
    ASSERT_NE(alias_, 0);
  }

  typename On::PortType port_;
  BlockView* blocks_ = nullptr;
  std::byte* at_ = nullptr;
  std::ptrdiff_t alias_ = 0;
};

using Ports = ::testing::Types<OnHostPort, OnPlainPort>;
struct PortNames {
  template <typename On>
  static std::string GetName(int /*index*/) {
    return On::kName;
  }
};
TYPED_TEST_SUITE(AsanBlocksTest, Ports, PortNames);

TYPED_TEST(AsanBlocksTest, NothingMayBeTouchedAtFirst) {
  for (std::byte* first : {this->at_, this->at_ + this->alias_}) {
    EXPECT_EQ(picture(first, 2 * kPage), crosses(2 * kPage));
    EXPECT_DEATH(touch(first), "use-after-poison");
    EXPECT_DEATH(std::memset(first + 100, 0, 1), "use-after-poison");
  }
  ASSERT_TRUE(this->port_.map(Page{31}, Frame{7}));
  EXPECT_EQ(picture(this->port_.window() + 31 * kPage, kPage), dots(kPage));
}

TYPED_TEST(AsanBlocksTest, ABlockMayBeTouchedToItsLastByteThroughBothAliases) {
  for (std::size_t bytes = 1; bytes <= 24; ++bytes) {
    EXPECT_EQ(this->blocks_->hand_out(this->at_ + 64, bytes, 8), this->at_ + 64);
    for (std::byte* first : {this->at_, this->at_ + this->alias_}) {
      EXPECT_EQ(picture(first, 128), crosses(64) + dots(bytes) + crosses(64 - bytes)) << bytes;
    }
    this->blocks_->take_back(this->at_ + 64, bytes);
    EXPECT_EQ(picture(this->at_, 128), crosses(128));
    EXPECT_EQ(picture(this->at_ + this->alias_, 128), crosses(128));
  }
}

TYPED_TEST(AsanBlocksTest, OneByteTooManyDies) {
  std::byte* block = this->blocks_->hand_out(this->at_ + 64, 21, 8);
  std::memset(block, 1, 21);
  touch(block + this->alias_ + 20);
  EXPECT_DEATH(touch(block + 21), "use-after-poison");
  EXPECT_DEATH(touch(block + this->alias_ + 21), "use-after-poison");
  EXPECT_DEATH(touch(block - 1), "use-after-poison");
  this->blocks_->take_back(block, 21);
  EXPECT_DEATH(touch(block), "use-after-poison");
}

TYPED_TEST(AsanBlocksTest, BlocksFollowTheirSize) {
  this->blocks_->hand_out(this->at_, 21, 8);
  this->blocks_->hand_out(this->at_ + 64, 8, 8);
  std::size_t old_bytes = 21;
  for (const std::size_t bytes : std::array<std::size_t, 9>{22, 23, 19, 18, 40, 33, 24, 16, 3}) {
    EXPECT_TRUE(this->blocks_->resize(this->at_, old_bytes, bytes));
    EXPECT_EQ(picture(this->at_, 80), dots(bytes) + crosses(64 - bytes) + dots(8) + crosses(8));
    old_bytes = bytes;
  }
  EXPECT_EQ(this->blocks_->user_of(this->at_), this->at_);
  EXPECT_EQ(this->blocks_->block_of(this->at_ + 1), this->at_ + 1);
}

TYPED_TEST(AsanBlocksTest, BlocksGrowIntoPagesAndLeaveThem) {
  std::byte* block = this->at_ + 2 * kPage - 64;
  this->blocks_->hand_out(block, 64, 8);
  ASSERT_TRUE(this->port_.map(Page{4}, Frame{2}));
  EXPECT_TRUE(this->blocks_->resize(block, 64, 64 + 21));
  for (std::byte* first : {block, block + this->alias_}) {
    EXPECT_EQ(picture(first, 64 + kPage), dots(64 + 21) + crosses(kPage - 21));
  }
  EXPECT_TRUE(this->blocks_->resize(block, 64 + 21, 60));
  this->port_.unmap(Page{4});
  ASSERT_TRUE(this->port_.map(Page{4}, Frame{3}));
  EXPECT_EQ(picture(block, 64 + kPage), dots(60) + crosses(4 + kPage));
}

TYPED_TEST(AsanBlocksTest, NoNeighbourIsPoisonedInTheMiddleOfEightBytes) {
  this->blocks_->expose(this->at_, 12);
  this->blocks_->expose(this->at_ + 12, 12);
  EXPECT_EQ(picture(this->at_, 32), dots(24) + crosses(8));
  this->blocks_->cover(this->at_, 12);
  EXPECT_EQ(picture(this->at_, 32), crosses(8) + dots(16) + crosses(8));
}

TYPED_TEST(AsanBlocksTest, WhatTheLibraryUsesIsExposed) {
  this->blocks_->expose(this->at_, kPage);
  EXPECT_EQ(picture(this->at_, 2 * kPage), dots(kPage) + crosses(kPage));
  this->blocks_->cover(this->at_, kPage);
  EXPECT_EQ(picture(this->at_, 2 * kPage), crosses(2 * kPage));
}

TYPED_TEST(AsanBlocksTest, NothingIsPoisonedAfterStop) {
  this->blocks_->hand_out(this->at_, 21, 8);
  this->blocks_->stop(this->port_.window(), this->port_.window_bytes());
  for (std::byte* window : {this->port_.window(), this->port_.window() + this->alias_}) {
    EXPECT_EQ(picture(window, 32 * kPage), dots(32 * kPage));
  }
  ASSERT_TRUE(this->port_.map(Page{7}, Frame{7}));
  touch(this->port_.window() + 7 * kPage);
  this->blocks_->cover(this->at_, 21);
  touch(this->at_);
}

TYPED_TEST(AsanBlocksTest, NothingIsPoisonedWhereAPortWas) {
  const std::byte* window = this->port_.window();
  this->port_.close();
  // Without an allocation, which might be where the port was.
  std::size_t poisoned = 0;
  for (std::size_t i = 0; i < 32 * kPage; ++i) {
    poisoned += is_poisoned(window + i) || is_poisoned(window + this->alias_ + i) ? 1 : 0;
  }
  EXPECT_EQ(poisoned, 0U);
}

TYPED_TEST(AsanBlocksTest, NothingIsPoisonedAfterAPowerCycleUntilTheNextStart) {
  this->blocks_->hand_out(this->at_, 21, 8);
  this->port_.power_cycle();
  EXPECT_EQ(picture(this->at_, 2 * kPage), dots(2 * kPage));
  this->blocks_->start(this->port_.window(), this->port_.window_bytes());
  ASSERT_TRUE(this->port_.set_bank_power(Bank{0}, true));
  ASSERT_TRUE(this->port_.map(Page{2}, Frame{1}));
  EXPECT_EQ(picture(this->at_, kPage), crosses(kPage));
}

TYPED_TEST(AsanBlocksTest, TheMemoriesBesideTheSramAreWatchedAsWell) {
  for (Port* side : {this->port_.low_power(), this->port_.l3()}) {
    ASSERT_TRUE(side->set_bank_power(Bank{0}, true));
    ASSERT_TRUE(side->map(Page{0}, Frame{0}));
    EXPECT_EQ(picture(side->window(), kPage), dots(kPage));
    EXPECT_EQ(side->blocks(), this->blocks_);
    this->blocks_->start(side->window(), kPage);
    side->unmap(Page{0});
    ASSERT_TRUE(side->map(Page{0}, Frame{0}));
    this->blocks_->hand_out(side->window(), 5, 8);
    EXPECT_EQ(picture(side->window(), 16), dots(5) + crosses(11));
    this->blocks_->stop(side->window(), kPage);
    EXPECT_EQ(picture(side->window(), kPage), dots(kPage));
  }
  EXPECT_EQ(picture(this->at_, 2 * kPage), crosses(2 * kPage));
}

TEST(AsanBlocksOfHostPort, PagesThatAreNotMappedFaultAndAreNotPoisoned) {
  if (!kAddressSanitizer) {
    GTEST_SKIP() << "needs AddressSanitizer";
  }
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  HostPort port(small());
  BlockView* blocks = port.blocks();
  blocks->start(port.window(), port.window_bytes());
  EXPECT_DEATH(touch(port.window()), "SEGV");
  ASSERT_TRUE(port.set_bank_power(Bank{0}, true));
  ASSERT_TRUE(port.map(Page{0}, Frame{0}));
  EXPECT_DEATH(touch(port.window()), "use-after-poison");
  port.unmap(Page{0});
  EXPECT_EQ(picture(port.window(), kPage), dots(kPage));
  EXPECT_EQ(picture(port.window() + port.alias_offset(), kPage), dots(kPage));
  EXPECT_DEATH(touch(port.window() + port.alias_offset()), "SEGV");
}

TEST(AsanBlocksWithout, PortsHaveNoViewWithoutAddressSanitizer) {
  if (kAddressSanitizer) {
    GTEST_SKIP() << "for builds without AddressSanitizer";
  }
  HostPort host(small());
  PlainPort plain;
  ASSERT_TRUE(plain.open(small()));
  EXPECT_EQ(host.blocks(), nullptr);
  EXPECT_EQ(plain.blocks(), nullptr);
}

}  // namespace
}  // namespace modmem
