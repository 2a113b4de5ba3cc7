// SrcFilter: the low-pass of a rate converter, cut into one row of weights for each phase.
//
// From rate_in to rate_out, with up / down = rate_out / rate_in in lowest terms, outputs fall on
// `up` different positions (phases) between two input samples. An output is the sum of `taps`
// neighbouring input samples, weighted with the row of its phase: samples of a windowed sinc that
// stands at that position. Its cut-off is half the lower rate; it passes what lies below 0.45 of
// the lower rate and takes 100 dB off what lies above 0.55 of it (Kaiser's formulas), so that in
// between, and only there, the two halves fold into each other. Every row sums up to one.
//
// Weights are integers with kFraction bits behind the point: sums are exact in 64 bits, equal on
// every machine, and 28 bits keep the noise of rounded weights 150 dB below the signal.
//
// Memory: 4 * taps * (up + 1) / 2 bytes, since row p is row up - 1 - p backwards; taps is 64, times
// rate_in / rate_out where that is above one. 44.1 to 48 kHz takes 20 KiB, 48 to 16 kHz 768 bytes.
// Cost: prepare() some 40 operations for each weight; apply() is O(taps).
#pragma once

#include <cstddef>
#include <cstdint>

#include "module/module_memory.hpp"

namespace modmem::testbench {

class SrcFilter {
 public:
  static constexpr int kFraction = 28;

  // Takes and computes the table for converting `rate_in` to `rate_out`, both above 0. False
  // exactly when memory ran out; the filter is then as it was without prepare().
  bool prepare(std::uint32_t rate_in, std::uint32_t rate_out, ModuleMemory& memory);

  // Output i stands i * down() / up() input samples after output 0.
  std::uint32_t up() const { return up_; }
  std::uint32_t down() const { return down_; }
  std::size_t taps() const { return taps_; }

  // The output of phase `phase` (below up()) over the taps() samples at `samples`, full-scale
  // values, with kFraction more bits behind the point. The output stands between the two samples in
  // the middle, or nearest to the one that is. The audio path: O(taps), takes nothing.
  std::int64_t apply(std::uint32_t phase, const std::int32_t* samples) const;

 private:
  void fill_row(std::uint32_t phase);

  std::uint32_t up_ = 1;
  std::uint32_t down_ = 1;
  std::size_t taps_ = 0;
  ModuleArray<std::int32_t> rows_;  // of the phases below (up + 1) / 2
};

}  // namespace modmem::testbench
