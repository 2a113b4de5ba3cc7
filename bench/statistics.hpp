// What is computed from samples.
//
// percentile() is of the nearest rank: the smallest sample that at least that share of all samples
// do not exceed, so it is always a sample, never between two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace modmem::bench {

// The arithmetic mean. Requires a sample. O(samples).
double mean(std::span<const double> samples);

// The sample at `share` (above 0, at most 1) of all of them in order; they are in another order
// afterwards. Requires a sample. O(samples).
std::uint32_t percentile(std::span<std::uint32_t> samples, double share);

// numerator / denominator. Throws std::domain_error where the denominator is not above 0, which
// would make a figure of nothing.
double ratio(double numerator, double denominator);

// A mean that grows by one sample after another.
class RunningMean {
 public:
  void add(double sample) {
    sum_ += sample;
    ++count_;
  }
  std::size_t count() const { return count_; }
  // Requires a sample.
  double value() const { return ratio(sum_, static_cast<double>(count_)); }

 private:
  double sum_ = 0;
  std::size_t count_ = 0;
};

}  // namespace modmem::bench
