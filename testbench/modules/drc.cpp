#include "testbench/modules/drc.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "testbench/modules/channel_block.hpp"
#include "testbench/modules/control_values.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kDivision = DrcEnvelope::kDivision;

}  // namespace

bool Drc::init(const Widget& widget, ModuleMemory& /*memory*/) {
  parameters_ = read_drc_parameters(widget);
  return true;
}

bool Drc::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> /*outputs*/,
                  ModuleMemory& memory) {
  channels_ = inputs.empty() ? 0 : inputs.front().channels;
  rate_ = inputs.empty() ? 0 : inputs.front().rate;
  return change_to(parameters_, memory);
}

std::size_t Drc::delay_for(const DrcParameters& parameters) const {
  if (!parameters.enabled || channels_ == 0) {
    return 0;
  }
  // To the nearest frame first: the blob's seconds are a little off what they stand for.
  const auto frames = static_cast<std::size_t>(std::llround(parameters.look_ahead * rate_));
  return std::max(kDivision, frames / kDivision * kDivision);
}

// False, with everything as it was, exactly when memory ran out.
bool Drc::change_to(const DrcParameters& parameters, ModuleMemory& memory) {
  const std::size_t frames = delay_for(parameters);
  if (frames != delay_frames_) {
    ModuleArray<std::int32_t> delay = memory.make_array<std::int32_t>(
        frames * channels_, flag::kUser | flag::kLargeBuffer, MODMEM_HERE);
    if (frames != 0 && !delay) {
      return false;
    }
    if (delay_frames_ == 0) {
      at_ = 0;
      envelope_ = {};
      envelope_.begin(parameters, gains_);
    }
    // The latest frames end where they did in their division.
    const std::size_t end = at_ % kDivision;
    for (std::uint32_t channel = 0; channel < channels_; ++channel) {
      for (std::size_t i = 1; i <= std::min(frames, delay_frames_); ++i) {
        delay[channel * frames + (end + frames - i) % frames] =
            delay_[channel * delay_frames_ + (at_ + delay_frames_ - i) % delay_frames_];
      }
    }
    at_ = end;
    delay_ = std::move(delay);
    delay_frames_ = frames;
  }
  parameters_ = parameters;
  return true;
}

bool Drc::set_blob(std::span<const std::byte> payload, ModuleMemory& memory) {
  ConfigurationBlob blob(payload);
  return change_to(take_drc_parameters(blob), memory);
}

bool Drc::set_control(const Control& control, std::span<const std::int64_t> values,
                      ModuleMemory& /*memory*/) {
  if (!is_switch(control) || !fits(control, values)) {
    return false;
  }
  set_switch(values.front() != 0);
  return true;
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
    const std::size_t left = kDivision - at_ % kDivision;
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
  const std::size_t place = at_ % kDivision;
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

void Drc::reset(ModuleMemory& /*memory*/) {
  delay_.reset();
  delay_frames_ = 0;
  channels_ = 0;
}

}  // namespace modmem::testbench
