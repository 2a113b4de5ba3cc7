// Multiplication and division, which the compiler calls, and which its run-time library for the
// lx106 leaves to that chip's ROM. Division is by shift and subtraction: O(bits of the quotient).
#include <bit>
#include <cstdint>

namespace {

template <typename Number>
struct Divided {
  Number quotient;
  Number rest;
};

template <typename Number>
constexpr Divided<Number> divide(Number number, Number by) {
  if (by == 0 || number < by) {
    return {0, number};
  }
  auto shift = static_cast<int>(std::countl_zero(by) - std::countl_zero(number));
  by <<= shift;
  Number quotient = 0;
  for (; shift >= 0; --shift, by >>= 1) {
    quotient <<= 1;
    if (number >= by) {
      number -= by;
      quotient |= 1;
    }
  }
  return {quotient, number};
}

// Rounded towards zero.
template <typename Number, typename Signed>
constexpr Signed divide_signed(Signed number, Signed by) {
  const auto magnitude = [](Signed value) {
    return value < 0 ? Number{0} - static_cast<Number>(value) : static_cast<Number>(value);
  };
  const Number quotient = divide(magnitude(number), magnitude(by)).quotient;
  return static_cast<Signed>((number < 0) != (by < 0) ? Number{0} - quotient : quotient);
}

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): as the compiler calls
// them
extern "C" {

std::uint32_t __udivsi3(std::uint32_t number, std::uint32_t by) {
  return divide(number, by).quotient;
}
std::uint32_t __umodsi3(std::uint32_t number, std::uint32_t by) { return divide(number, by).rest; }
std::uint64_t __udivdi3(std::uint64_t number, std::uint64_t by) {
  return divide(number, by).quotient;
}
std::uint64_t __umoddi3(std::uint64_t number, std::uint64_t by) { return divide(number, by).rest; }

// The product of two words from four of their halves.
std::uint64_t __muldi3(std::uint64_t a, std::uint64_t b) {
  const auto low_a = static_cast<std::uint32_t>(a);
  const auto low_b = static_cast<std::uint32_t>(b);
  const std::uint32_t a0 = low_a & 0xffff;
  const std::uint32_t a1 = low_a >> 16;
  const std::uint32_t b0 = low_b & 0xffff;
  const std::uint32_t b1 = low_b >> 16;
  const std::uint32_t middle = a1 * b0 + (a0 * b0 >> 16);
  const std::uint32_t other = a0 * b1 + (middle & 0xffff);
  std::uint32_t high = a1 * b1 + (middle >> 16) + (other >> 16);
  high += static_cast<std::uint32_t>(a >> 32) * low_b + low_a * static_cast<std::uint32_t>(b >> 32);
  return static_cast<std::uint64_t>(high) << 32 | low_a * low_b;
}

std::int32_t __divsi3(std::int32_t number, std::int32_t by) {
  return divide_signed<std::uint32_t>(number, by);
}
std::int64_t __divdi3(std::int64_t number, std::int64_t by) {
  return divide_signed<std::uint64_t>(number, by);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
