// Channel blocks: how filters see their audio, one channel and a few samples at a time.
//
// A filter's samples are full-scale values (see sample.hpp) of one channel: integers on the way in,
// which is exact, doubles on the way out, rounded once to the format of each output, so that a
// value that a filter leaves alone arrives bit for bit. A channel of the input goes to the channels
// of an output as source_channel() says. Blocks lie on the caller's stack: 64 frames of both kinds
// are 768 bytes. Everything here is for the audio path: no allocation, no lock, no exception.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "testbench/modules/module.hpp"

namespace modmem::testbench {

inline constexpr std::size_t kBlockFrames = 64;

using BlockOfSamples = std::array<std::int32_t, kBlockFrames>;
using BlockOfValues = std::array<double, kBlockFrames>;

// Reads samples.size() samples of `channel` from frame `first` on. Requires that `in` has them.
void load_channel(const InputView& in, std::uint32_t channel, std::size_t first,
                  std::span<std::int32_t> samples);

// Writes `values`, what became of channel `channel` out of `channels`, to every channel of `out`
// that hears it, from frame `first` on; frames beyond those of `out` are left out. Values are
// saturated to the format's range. Requires that none is NaN.
void store_channel(const OutputView& out, std::uint32_t channel, std::uint32_t channels,
                   std::size_t first, std::span<const double> values);

// Makes silent what store_channel() for all channels of `in` will not write: frames that `in` lacks
// and channels that hear none of its own.
void silence_unfed(const InputView& in, const OutputView& out);

// Calls visit(channel, first, samples) for all frames of `in`, all blocks of a channel in order
// before those of the next.
template <typename Visit>
void for_each_channel_block(const InputView& in, Visit&& visit) {
  BlockOfSamples block;
  for (std::uint32_t channel = 0; channel < in.format.channels; ++channel) {
    for (std::size_t first = 0; first < in.frames; first += kBlockFrames) {
      const std::span<std::int32_t> samples(block.data(),
                                            std::min(kBlockFrames, in.frames - first));
      load_channel(in, channel, first, samples);
      visit(channel, first, std::span<const std::int32_t>(samples));
    }
  }
}

// Runs every channel of `in` through filter(channel, samples, result), which fills `result` from as
// many `samples`, block by block, for all outputs.
template <typename Filter>
void filter_channels(const InputView& in, std::span<const OutputView> outputs, Filter&& filter) {
  for (const OutputView& out : outputs) {
    silence_unfed(in, out);
  }
  for_each_channel_block(
      in, [&](std::uint32_t channel, std::size_t first, std::span<const std::int32_t> samples) {
        BlockOfValues block;
        const std::span<double> result(block.data(), samples.size());
        filter(channel, samples, result);
        for (const OutputView& out : outputs) {
          store_channel(out, channel, in.format.channels, first, result);
        }
      });
}

}  // namespace modmem::testbench
