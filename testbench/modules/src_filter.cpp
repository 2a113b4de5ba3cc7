#include "testbench/modules/src_filter.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>

namespace modmem::testbench {
namespace {

constexpr double kAttenuation = 100;                     // dB
constexpr double kBeta = 0.1102 * (kAttenuation - 8.7);  // Kaiser's window for it
constexpr std::uint64_t kTapsAtLowerRate = 64;           // for 0.1 of the rate from pass to stop
constexpr std::int32_t kOne = 1 << SrcFilter::kFraction;

// The modified Bessel function of order zero: terms shrink from the first one that is below one on.
double bessel_i0(double x) {
  const double quarter = x * x / 4;
  double sum = 1;
  double term = 1;
  for (double k = 1; term > sum * 1e-17; ++k) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}

double sinc(double x) {
  const double angle = std::numbers::pi * x;
  return x == 0 ? 1 : std::sin(angle) / angle;
}

}  // namespace

bool SrcFilter::prepare(std::uint32_t rate_in, std::uint32_t rate_out, ModuleMemory& memory) {
  const std::uint32_t common = std::gcd(rate_in, rate_out);
  up_ = rate_out / common;
  down_ = rate_in / common;
  // Where the rate goes down, the same filter is as long in seconds, and so has more samples.
  taps_ = down_ <= up_ ? kTapsAtLowerRate : (kTapsAtLowerRate * down_ + up_ - 1) / up_;
  const std::uint32_t stored = (up_ + 1) / 2;
  rows_ = memory.make_array<std::int32_t>(taps_ * stored, flag::kUser | flag::kLargeBuffer,
                                          MODMEM_HERE);
  if (!rows_) {
    return false;
  }
  for (std::uint32_t phase = 0; phase < stored; ++phase) {
    fill_row(phase);
  }
  return true;
}

// Twice: the sum of the weights, which the row is to be divided by, is known only after the first.
void SrcFilter::fill_row(std::uint32_t phase) {
  const double cutoff = down_ <= up_ ? 1 : static_cast<double>(up_) / down_;  // of half rate_in
  const double half = static_cast<double>(taps_) / 2;
  // The output stands `at` samples after the first, at most half a sample off the middle: phases
  // are symmetric about it.
  const double at = half - 0.5 + (phase - (up_ - 1) / 2.0) / up_;
  const auto weight = [&](std::size_t tap) {
    const double distance = static_cast<double>(tap) - at;
    const double way = distance / half;
    return sinc(cutoff * distance) * bessel_i0(kBeta * std::sqrt(std::max(0.0, 1 - way * way)));
  };
  double sum = 0;
  for (std::size_t tap = 0; tap < taps_; ++tap) {
    sum += weight(tap);
  }
  const std::span<std::int32_t> row(rows_.data() + phase * taps_, taps_);
  for (std::size_t tap = 0; tap < taps_; ++tap) {
    row[tap] = static_cast<std::int32_t>(std::lround(weight(tap) / sum * kOne));
  }
}

std::int64_t SrcFilter::apply(std::uint32_t phase, const std::int32_t* samples) const {
  std::int64_t sum = 0;
  if (phase < (up_ + 1) / 2) {
    const std::int32_t* weight = rows_.data() + phase * taps_;
    for (std::size_t tap = 0; tap < taps_; ++tap) {
      sum += std::int64_t{samples[tap]} * weight[tap];
    }
  } else {
    const std::int32_t* weight = rows_.data() + (up_ - phase) * taps_ - 1;
    for (std::size_t tap = 0; tap < taps_; ++tap) {
      sum += std::int64_t{samples[tap]} * *(weight - tap);
    }
  }
  return sum;
}

}  // namespace modmem::testbench
