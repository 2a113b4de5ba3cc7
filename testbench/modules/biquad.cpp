#include "testbench/modules/biquad.hpp"

#include <cmath>

namespace modmem::testbench {
namespace {

constexpr int kCoefficientBits = 30;
constexpr int kGainBits = 14;
// Firmware shifts a Q2.14 product by 14 and this, with rounding: at least one bit, at most a word.
constexpr int kLowestShift = -13;
constexpr int kHighestShift = 31;
// Full scale is 2^31.
constexpr double kInaudible = 0x1p-100;

double settle(double value) { return std::abs(value) < kInaudible ? 0 : value; }

}  // namespace

Biquad take_biquad(ConfigurationBlob& blob) {
  const std::int64_t a2 = blob.take<std::int32_t>("coefficient a2");
  const std::int64_t a1 = blob.take<std::int32_t>("coefficient a1");
  const std::int64_t b2 = blob.take<std::int32_t>("coefficient b2");
  const std::int64_t b1 = blob.take<std::int32_t>("coefficient b1");
  const std::int64_t b0 = blob.take<std::int32_t>("coefficient b0");
  const auto shift = blob.take<std::int32_t>("the output shift");
  const auto gain = blob.take<std::int32_t>("the output gain");
  blob.require_range(shift, kLowestShift, kHighestShift, "an output shift");
  const std::int64_t one = std::int64_t{1} << kCoefficientBits;
  if (std::abs(a2) > one || std::abs(a1) > one - a2) {
    blob.fail("unstable: a1 = " + std::to_string(std::ldexp(a1, -kCoefficientBits)) +
              ", a2 = " + std::to_string(std::ldexp(a2, -kCoefficientBits)));
  }
  const auto scaled = [gain, shift](std::int64_t b) {
    return std::ldexp(static_cast<double>(b * gain), -kCoefficientBits - kGainBits - shift);
  };
  return {.b0 = scaled(b0),
          .b1 = scaled(b1),
          .b2 = scaled(b2),
          .a1 = std::ldexp(a1, -kCoefficientBits),
          .a2 = std::ldexp(a2, -kCoefficientBits)};
}

void run(const Biquad& biquad, BiquadState& state, std::span<double> values) {
  double s1 = state.s1;
  double s2 = state.s2;
  for (double& value : values) {
    const double x = value;
    const double y = biquad.b0 * x + s1;
    s1 = biquad.b1 * x + biquad.a1 * y + s2;
    s2 = biquad.b2 * x + biquad.a2 * y;
    value = y;
  }
  state.s1 = settle(s1);
  state.s2 = settle(s2);
}

}  // namespace modmem::testbench
