// Latencies: how long calls took, in bounded memory.
//
// Every duration counts in a bin whose width is at most 1/64 of it (below 128 ns: 1 ns), so
// percentiles are exact to 1.6 %; the longest is exact.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace modmem::trace {

class Latencies {
 public:
  // O(1).
  void add(std::uint64_t ns) {
    ++bins_[bin_of(ns)];
    ++count_;
    sum_ += ns;
    longest_ = std::max(longest_, ns);
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }
  std::uint64_t longest() const { return longest_; }

  // The duration that `percent` of all do not exceed; 0 where there is none.
  // O(bins).
  std::uint64_t percentile(double percent) const {
    const double wanted = static_cast<double>(count_) * percent / 100;
    std::uint64_t seen = 0;
    for (std::size_t bin = 0; bin < bins_.size(); ++bin) {
      seen += bins_[bin];
      if (seen != 0 && static_cast<double>(seen) >= wanted) {
        return std::min(last_of(bin), longest_);
      }
    }
    return longest_;
  }

 private:
  static constexpr std::uint32_t kPartBits = 6;
  static constexpr std::uint64_t kParts = 1U << kPartBits;  // bins in which a size doubles

  static constexpr std::size_t bin_of(std::uint64_t ns) {
    if (ns < kParts) {
      return ns;
    }
    const auto shift = static_cast<std::uint32_t>(std::bit_width(ns)) - 1 - kPartBits;
    return (std::size_t{shift} << kPartBits) + (ns >> shift);
  }

  // The longest duration of a bin.
  static constexpr std::uint64_t last_of(std::size_t bin) {
    if (bin < 2 * kParts) {
      return bin;
    }
    const std::size_t shift = (bin >> kPartBits) - 1;
    return (((bin - (shift << kPartBits)) + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kPartBits + 1) * kParts> bins_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t longest_ = 0;
};

}  // namespace modmem::trace
