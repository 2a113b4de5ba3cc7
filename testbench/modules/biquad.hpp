// Biquad: a filter of second order, the building block of equalisers and crossovers.
//
//   y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] + a1 y[n-1] + a2 y[n-2]
//
// with the feedback added, as SOF has its coefficients. In a blob, a section is seven words: a2,
// a1, b2, b1, b0 in Q2.30, the number of bits by which its output is shifted right, and its gain in
// Q2.14. Arithmetic is in double, in the transposed direct form II, with gain and shift folded into
// the b's: two values of state, an error around -300 dB, and no overflow inside, whatever the
// gains of a chain of sections are. (Firmware has 32-bit state and saturates between sections.)
// Cost: 40 bytes a section, 16 bytes of state; five multiplications a sample.
#pragma once

#include <cstdint>
#include <span>

#include "testbench/modules/configuration_blob.hpp"

namespace modmem::testbench {

struct Biquad {
  double b0 = 1;
  double b1 = 0;
  double b2 = 0;
  double a1 = 0;
  double a2 = 0;
};

struct BiquadState {
  double s1 = 0;
  double s2 = 0;
};

// The bytes of a section in a blob.
inline constexpr std::size_t kBiquadBytes = 7 * sizeof(std::int32_t);

// The next section of `blob`. Throws InputError where it is cut short, its shift is not one that
// firmware can do, or one of its poles lies outside the unit circle, where its output would grow
// without end.
Biquad take_biquad(ConfigurationBlob& blob);

// Filters `values` in place. What is left of the state once it is far below any audible level is
// dropped, since processors are slow on numbers near zero. O(values). The audio path.
void run(const Biquad& biquad, BiquadState& state, std::span<double> values);

}  // namespace modmem::testbench
