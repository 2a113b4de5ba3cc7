#include "testbench/modules/drc.hpp"

#include <algorithm>
#include <cmath>

#include "testbench/modules/channel_block.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {

bool Drc::init(const Widget& widget, ModuleMemory& /*memory*/) {
  parameters_ = read_drc_parameters(widget);
  return true;
}

bool Drc::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> /*outputs*/,
                  ModuleMemory& memory) {
  if (!parameters_.enabled || inputs.empty()) {
    return true;
  }
  // To the nearest frame first: the blob's seconds are a little off what they stand for.
  const auto frames =
      static_cast<std::size_t>(std::llround(parameters_.look_ahead * inputs.front().rate));
  constexpr std::size_t kDivision = DrcEnvelope::kDivision;
  delay_frames_ = std::max(kDivision, frames / kDivision * kDivision);
  delay_ = memory.make_array<std::int32_t>(delay_frames_ * inputs.front().channels,
                                           flag::kUser | flag::kLargeBuffer, MODMEM_HERE);
  at_ = 0;
  envelope_ = {};
  envelope_.begin(parameters_, gains_);
  return static_cast<bool>(delay_);
}

void Drc::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  if (!delay_) {
    for (const OutputView& out : outputs) {
      transfer(in, out);
    }
    return;
  }
  for (const OutputView& out : outputs) {
    silence_unfed(in, out);
  }
  for (std::size_t first = 0; first < in.frames;) {
    // To the end of the division, which is no further than the end of the delay.
    const std::size_t left = DrcEnvelope::kDivision - at_ % DrcEnvelope::kDivision;
    const std::size_t frames = std::min(left, in.frames - first);
    process_block(in, first, frames, outputs);
    first += frames;
    at_ = (at_ + frames) % delay_frames_;
    if (frames == left && switched_on_) {
      envelope_.advance(parameters_, peaks_, gains_);
    }
  }
}

// `frames` frames from `first` on, which lie in one division.
void Drc::process_block(const InputView& in, std::size_t first, std::size_t frames,
                        std::span<const OutputView> outputs) {
  const std::size_t place = at_ % DrcEnvelope::kDivision;
  std::fill_n(peaks_.begin() + static_cast<std::ptrdiff_t>(place), frames, 0.0);
  for (std::uint32_t channel = 0; channel < in.format.channels; ++channel) {
    std::int32_t* delay = delay_.data() + channel * delay_frames_ + at_;
    BlockOfSamples samples;
    BlockOfValues values;
    load_channel(in, channel, first, {samples.data(), frames});
    for (std::size_t i = 0; i < frames; ++i) {
      double& peak = peaks_[place + i];
      peak = std::max(peak, std::abs(std::ldexp(samples[i], -31)));
      values[i] = switched_on_ ? delay[i] * gains_[place + i] : delay[i];
      delay[i] = samples[i];
    }
    for (const OutputView& out : outputs) {
      store_channel(out, channel, in.format.channels, first, {values.data(), frames});
    }
  }
}

void Drc::reset(ModuleMemory& /*memory*/) { delay_.reset(); }

}  // namespace modmem::testbench
