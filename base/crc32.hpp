// CRC-32 as in IEEE 802.3, zlib and Zephyr's crc32_ieee(): reflected, polynomial 0x04c11db7.
//
// crc32("123456789") = 0xcbf43926. Half a byte at a time: a table of 64 B, two steps a byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace modmem {

namespace detail {

inline constexpr std::array<std::uint32_t, 16> kCrc32Steps = [] {
  constexpr std::uint32_t kReflectedPolynomial = 0xedb88320U;
  std::array<std::uint32_t, 16> steps{};
  for (std::uint32_t i = 0; i < 16; ++i) {
    std::uint32_t rest = i;
    for (int bit = 0; bit < 4; ++bit) {
      rest = (rest >> 1) ^ ((rest & 1U) != 0 ? kReflectedPolynomial : 0);
    }
    steps[i] = rest;
  }
  return steps;
}();

}  // namespace detail

// The sum over `bytes` bytes; 0 over none. O(bytes), from anywhere.
inline std::uint32_t crc32(const void* data, std::size_t bytes) {
  const auto* at = static_cast<const std::uint8_t*>(data);
  std::uint32_t rest = 0xffffffffU;
  for (std::size_t i = 0; i < bytes; ++i) {
    rest ^= at[i];
    rest = (rest >> 4) ^ detail::kCrc32Steps[rest & 15U];
    rest = (rest >> 4) ^ detail::kCrc32Steps[rest & 15U];
  }
  return ~rest;
}

}  // namespace modmem
