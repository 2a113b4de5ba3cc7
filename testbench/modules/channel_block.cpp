#include "testbench/modules/channel_block.hpp"

#include <cmath>

#include "testbench/audio/convert.hpp"
#include "testbench/audio/sample.hpp"

namespace modmem::testbench {
namespace {

// Values are rounded in steps far below any format's, so that the rounding that counts is the
// format's own; the limit keeps them in what Sample::store() takes and is far beyond any range.
constexpr int kFraction = 16;
constexpr double kLimit = 0x1p60;

}  // namespace

void load_channel(const InputView& in, std::uint32_t channel, std::size_t first,
                  std::span<std::int32_t> samples) {
  with_sample(in.format.sample, [&](auto sample) {
    const std::size_t step = in.format.frame_bytes();
    const std::byte* at = in.data + first * step + channel * sample.kBytes;
    for (std::int32_t& value : samples) {
      value = sample.load(at);
      at += step;
    }
  });
}

void store_channel(const OutputView& out, std::uint32_t channel, std::uint32_t channels,
                   std::size_t first, std::span<const double> values) {
  const std::size_t frames = first < out.frames ? std::min(values.size(), out.frames - first) : 0;
  with_sample(out.format.sample, [&](auto sample) {
    const std::size_t step = out.format.frame_bytes();
    for (std::uint32_t to = 0; to < out.format.channels; ++to) {
      if (source_channel(to, channels) != channel) {
        continue;
      }
      for (std::size_t i = 0; i < frames; ++i) {
        const double scaled = std::clamp(std::ldexp(1.0, kFraction) * values[i], -kLimit, kLimit);
        sample.template store<kFraction>(out.data + (first + i) * step + to * sample.kBytes,
                                         std::llrint(scaled));
      }
    }
  });
}

void silence_unfed(const InputView& in, const OutputView& out) {
  const bool unheard = source_channel(out.format.channels - 1, in.format.channels) == kNoChannel;
  const std::size_t fed = unheard ? 0 : std::min(in.frames, out.frames);
  silence_frames(out.data + fed * out.format.frame_bytes(), out.format, out.frames - fed);
}

}  // namespace modmem::testbench
