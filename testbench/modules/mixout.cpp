#include "testbench/modules/mixout.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "testbench/audio/sample.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kBlockSamples = 256;
static_assert(kBlockSamples >= kMaxChannels);

using Sums = std::array<std::int64_t, kBlockSamples>;

// Adds the frames [first, first + frames) of `in`, as far as it has them, to sums of `channels`
// channels.
void add(const InputView& in, std::size_t first, std::size_t frames, std::uint32_t channels,
         Sums& sums) {
  if (first >= in.frames) {
    return;
  }
  const std::size_t count = std::min(frames, in.frames - first);
  const std::size_t step = in.format.frame_bytes();
  with_sample(in.format.sample, [&](auto sample) {
    using In = decltype(sample);
    for (std::uint32_t channel = 0; channel < channels; ++channel) {
      const std::uint32_t source = source_channel(channel, in.format.channels);
      if (source == kNoChannel) {
        continue;
      }
      const std::byte* from = in.data + first * step + source * In::kBytes;
      for (std::size_t i = 0; i < count; ++i, from += step) {
        sums[i * channels + channel] += In::load(from);
      }
    }
  });
}

void mix(std::span<const InputView> inputs, const OutputView& out) {
  const std::uint32_t channels = out.format.channels;
  const std::size_t block = kBlockSamples / channels;
  for (std::size_t first = 0; first < out.frames; first += block) {
    const std::size_t frames = std::min(block, out.frames - first);
    Sums sums{};
    for (const InputView& in : inputs) {
      add(in, first, frames, channels, sums);
    }
    with_sample(out.format.sample, [&](auto sample) {
      using Out = decltype(sample);
      std::byte* to = out.data + first * out.format.frame_bytes();
      for (std::size_t i = 0; i < frames * channels; ++i, to += Out::kBytes) {
        Out::store(to, sums[i]);
      }
    });
  }
}

}  // namespace

bool Mixout::init(const Widget& /*widget*/, ModuleMemory& /*memory*/) { return true; }

bool Mixout::prepare(std::span<const StreamFormat> /*inputs*/,
                     std::span<const StreamFormat> /*outputs*/, ModuleMemory& /*memory*/) {
  return true;
}

void Mixout::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  for (const OutputView& out : outputs) {
    mix(inputs, out);
  }
}

void Mixout::reset(ModuleMemory& /*memory*/) {}

}  // namespace modmem::testbench
