// Arithmetic on sizes and bits that every layer needs. All functions are O(1) and callable
// anywhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace modmem {

// True where `value` is a power of two; zero is none.
constexpr bool is_power_of_two(std::size_t value) { return std::has_single_bit(value); }

// `value` rounded up to a multiple of `alignment`, a power of two. Requires that the sum does not
// overflow.
constexpr std::size_t align_up(std::size_t value, std::size_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

constexpr std::size_t align_down(std::size_t value, std::size_t alignment) {
  return value & ~(alignment - 1);
}

// Quotient rounded up. Does not overflow.
constexpr std::size_t divide_up(std::size_t value, std::size_t divisor) {
  return value / divisor + (value % divisor != 0 ? 1 : 0);
}

// True where a + b is not representable.
constexpr bool add_overflows(std::size_t a, std::size_t b) { return a > SIZE_MAX - b; }

}  // namespace modmem
