// SrcConverter: one input at one rate becomes one output at another.
//
// Filters with SrcFilter. Keeps the input that outputs to come will need, and the place between two
// input samples where the next output stands; the latter is exact, so that in the long run every
// rate_in frames give rate_out frames, however calls divide them. It begins with a filter's length
// of silence: enough that the frames of every period of 1 ms are there when they are due, whichever
// period is the first, also where a rate's periods differ in length (44.1 kHz has 44 or 45 frames).
//
// The delay is (taps + 1) / 2 + (up - 1) / (2 * up) input frames: 0.75 ms from 44.1 to 48 kHz.
//
// Invariants: held <= capacity; the next output needs the taps frames from history frame 0 on;
// between calls, held <= taps + kept. Where a caller brings fewer frames than outputs need, the
// missing ones are silent; where it brings more, all but `kept` of those that wait are forgotten:
// both keep the delay what it is.
//
// Memory: the filter's table, and 4 bytes for each channel and each of taps + kept + one period's
// frames. Cost: O(taps) for each output frame and channel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "module/module_memory.hpp"
#include "testbench/modules/module.hpp"
#include "testbench/modules/src_filter.hpp"

namespace modmem::testbench {

class SrcConverter {
 public:
  // Takes what it needs. Requires rates above 0. False exactly when memory ran out.
  bool prepare(const StreamFormat& in, const StreamFormat& out, ModuleMemory& memory);

  // Fills `out` from what came and `in`, of the formats prepared for; an `in` without frames may
  // have any format. The audio path: no allocation, no lock, no exception.
  void process(const InputView& in, const OutputView& out);

 private:
  std::int32_t* history(std::uint32_t channel) const {
    return history_.data() + channel * capacity_;
  }
  std::size_t ready() const;
  std::size_t produce(const OutputView& out, std::size_t first);
  std::size_t append(const InputView& in, std::size_t first);
  void append_silence(std::size_t frames);
  void drop(std::size_t frames);

  SrcFilter filter_;
  ModuleArray<std::int32_t> history_;  // capacity_ frames of each channel, channel after channel
  std::uint32_t channels_ = 0;
  std::size_t capacity_ = 0;  // frames
  std::size_t kept_ = 0;      // frames that may wait from one call to the next
  std::size_t held_ = 0;      // frames in the history
  std::uint32_t phase_ = 0;   // of the next output
};

}  // namespace modmem::testbench
