#include "port/posix/libc_blocks.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "port/posix/asan_blocks.hpp"

namespace modmem {
namespace {

constexpr std::size_t kWindowBytes = 65536;

class LibcBlocksTest : public ::testing::Test {
 protected:
  LibcBlocksTest() : window_(kWindowBytes) { blocks.start(window_.data(), window_.size()); }

  std::byte* at(std::size_t offset) { return window_.data() + offset; }

  LibcBlocks blocks;

 private:
  std::vector<std::byte> window_;
};

TEST_F(LibcBlocksTest, AStandInIsOutsideOfTheWindowAndAligned) {
  for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    std::byte* block = at(4096 + 8 * alignment);
    std::byte* user = blocks.hand_out(block, 100, alignment);
    ASSERT_NE(user, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(user) % alignment, 0U);
    EXPECT_GE(static_cast<std::size_t>(user - at(0)), kWindowBytes);
    std::memset(user, 1, 100);
  }
}

TEST_F(LibcBlocksTest, FindsABlockByEachAddressInItsStandIn) {
  std::byte* first = blocks.hand_out(at(64), 24, 8);
  std::byte* second = blocks.hand_out(at(1024), 1000, 8);
  EXPECT_EQ(blocks.user_of(at(64)), first);
  EXPECT_EQ(blocks.user_of(at(1024)), second);
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(blocks.block_of(first + i), at(64 + i));
  }
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(blocks.block_of(second + i), at(1024 + i));
  }
}

TEST_F(LibcBlocksTest, KnowsNothingOfOtherAddresses) {
  int local = 0;
  std::byte* user = blocks.hand_out(at(64), 24, 8);
  for (const void* other :
       {static_cast<const void*>(&local), static_cast<const void*>(at(64)),
        static_cast<const void*>(user + 24), static_cast<const void*>(user - 1),
        static_cast<const void*>(nullptr), reinterpret_cast<const void*>(UINTPTR_MAX)}) {
    EXPECT_EQ(blocks.block_of(other), other);
  }
}

TEST_F(LibcBlocksTest, WhatIsTakenBackIsNotFoundAnyMore) {
  std::byte* first = blocks.hand_out(at(64), 24, 8);
  std::byte* second = blocks.hand_out(at(128), 24, 8);
  blocks.take_back(at(64), 24);
  EXPECT_EQ(blocks.count(), 1U);
  EXPECT_EQ(blocks.block_of(first), first);
  EXPECT_EQ(blocks.block_of(second + 23), at(128 + 23));
}

TEST_F(LibcBlocksTest, ResizesInPlaceOnlyToTheSameSize) {
  std::byte* user = blocks.hand_out(at(64), 24, 8);
  EXPECT_FALSE(blocks.resize(at(64), 24, 25));
  EXPECT_FALSE(blocks.resize(at(64), 24, 23));
  EXPECT_TRUE(blocks.resize(at(64), 24, 24));
  EXPECT_EQ(blocks.user_of(at(64)), user);
  EXPECT_EQ(blocks.block_of(user + 23), at(64 + 23));
}

TEST_F(LibcBlocksTest, FailsWhereTheHostHasNoMemoryAndIsAsBefore) {
  if (kAddressSanitizer) {
    GTEST_SKIP() << "AddressSanitizer ends the program instead";
  }
  EXPECT_EQ(blocks.hand_out(at(64), SIZE_MAX / 2, 8), nullptr);
  EXPECT_EQ(blocks.count(), 0U);
  EXPECT_NE(blocks.hand_out(at(64), 24, 8), nullptr);
}

TEST_F(LibcBlocksTest, StopFreesTheStandInsOfThatMemoryOnly) {
  std::byte* low = blocks.hand_out(at(0), 24, 8);
  std::byte* last_low = blocks.hand_out(at(kWindowBytes / 2 - 8), 8, 8);
  std::byte* high = blocks.hand_out(at(kWindowBytes / 2), 24, 8);
  blocks.stop(at(0), kWindowBytes / 2);
  EXPECT_EQ(blocks.count(), 1U);
  EXPECT_EQ(blocks.block_of(low), low);
  EXPECT_EQ(blocks.block_of(last_low), last_low);
  EXPECT_EQ(blocks.block_of(high), at(kWindowBytes / 2));
}

TEST_F(LibcBlocksTest, ABlockThatOutlivedThePowerHasItsStandInAgain) {
  std::byte* user = blocks.hand_out(at(64), 24, 8);
  std::memset(user, 7, 24);
  blocks.start(at(0), kWindowBytes);
  EXPECT_EQ(blocks.hand_out(at(64), 24, 8), user);
  EXPECT_EQ(user[23], std::byte{7});
  EXPECT_EQ(blocks.count(), 1U);
  // Another block at its place has one of its own.
  blocks.start(at(0), kWindowBytes);
  std::byte* other = blocks.hand_out(at(64), 4000, 8);
  std::memset(other, 8, 4000);
  EXPECT_EQ(blocks.count(), 1U);
  EXPECT_EQ(blocks.block_of(other + 3999), at(64 + 3999));
}

TEST_F(LibcBlocksTest, AgreesWithAMap) {
  struct Expected {
    std::byte* block;
    std::size_t bytes;
  };
  std::map<std::byte*, Expected> by_user;
  std::map<std::byte*, std::byte*> by_block;
  std::mt19937 random(11);  // NOLINT(bugprone-random-generator-seed): the same run each time
  const auto below = [&random](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  for (int step = 0; step < 20000; ++step) {
    std::byte* block = at(64 * below(kWindowBytes / 64));
    const auto found = by_block.find(block);
    if (found == by_block.end()) {
      const std::size_t bytes = 1 + below(64);
      std::byte* user = blocks.hand_out(block, bytes, std::size_t{1} << below(8));
      ASSERT_NE(user, nullptr);
      by_user[user] = {block, bytes};
      by_block[block] = user;
    } else if (below(3) != 0) {
      blocks.take_back(block, by_user.at(found->second).bytes);
      by_user.erase(found->second);
      by_block.erase(found);
    } else {
      ASSERT_EQ(blocks.user_of(block), found->second);
    }
    ASSERT_EQ(blocks.count(), by_block.size());
    if (by_user.empty()) {
      continue;
    }
    // An address near some stand-in: the map says whether it lies in one.
    std::byte* near =
        std::next(by_user.begin(), static_cast<std::ptrdiff_t>(below(by_user.size())))->first +
        below(100);
    const auto after = by_user.upper_bound(near);
    const void* expected = near;
    if (after != by_user.begin()) {
      const auto& [user, what] = *std::prev(after);
      const auto offset = static_cast<std::size_t>(near - user);
      expected = offset < what.bytes ? what.block + offset : near;
    }
    ASSERT_EQ(blocks.block_of(near), expected);
  }
}

// --- what it is for ---

TEST_F(LibcBlocksTest, OneByteTooManyDiesUnderAddressSanitizer) {
  if (!kAddressSanitizer) {
    GTEST_SKIP() << "needs AddressSanitizer";
  }
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  std::byte* user = blocks.hand_out(at(64), 21, 8);
  const auto read = [](const std::byte* from) {
    static_cast<void>(*static_cast<const volatile std::byte*>(from));
  };
  std::memset(user, 1, 21);
  EXPECT_DEATH(read(user + 21), "heap-buffer-overflow");
  EXPECT_DEATH(read(user - 1), "heap-buffer-overflow");
  blocks.take_back(at(64), 21);
  EXPECT_DEATH(read(user), "heap-use-after-free");
}

}  // namespace
}  // namespace modmem
