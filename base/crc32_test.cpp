// CRC-32 is the one that others compute, and tells flipped bits.
#include "base/crc32.hpp"

#include <gtest/gtest.h>

#include <array>

namespace modmem {
namespace {

TEST(Crc32, IsThatOfZlib) {
  EXPECT_EQ(crc32("123456789", 9), 0xcbf43926U);
  EXPECT_EQ(crc32("", 0), 0U);
  EXPECT_EQ(crc32("\0\0\0\0", 4), 0x2144df1cU);
  EXPECT_EQ(crc32("\xff\xff\xff\xff", 4), 0xffffffffU);
  EXPECT_EQ(crc32("The quick brown fox jumps over the lazy dog", 43), 0x414fa339U);
}

TEST(Crc32, TellsAnyOneOrTwoFlippedBits) {
  std::array<unsigned char, 40> data{};
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<unsigned char>(i * 37);
  }
  const std::uint32_t good = crc32(data.data(), data.size());
  const auto flip = [&](std::size_t bit) {
    data[bit / 8] = static_cast<unsigned char>(data[bit / 8] ^ (1U << bit % 8));
  };
  for (std::size_t first = 0; first < data.size() * 8; ++first) {
    flip(first);
    ASSERT_NE(crc32(data.data(), data.size()), good) << first;
    for (std::size_t second = first + 1; second < data.size() * 8; ++second) {
      flip(second);
      ASSERT_NE(crc32(data.data(), data.size()), good) << first << " " << second;
      flip(second);
    }
    flip(first);
  }
}

}  // namespace
}  // namespace modmem
