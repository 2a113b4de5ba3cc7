#include "testbench/modules/gain.hpp"

#include <algorithm>
#include <string>
#include <variant>

#include "testbench/audio/convert.hpp"
#include "testbench/audio/sample.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/control_values.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {
namespace {

constexpr std::uint64_t k100nsPerSecond = 10'000'000;

[[noreturn]] void fail(const Widget& widget, const std::string& reason) {
  throw InputError("widget '" + widget.name + "': " + reason);
}

GainCurve curve_of(const Widget& widget) {
  switch (widget.gain->curve_type) {
    case 0:
      return GainCurve::none;
    case 1:
      return GainCurve::windows_fade;
    case 2:
    case 4:  // at zero crossings
      return GainCurve::linear;
    case 3:
    case 5:  // at zero crossings
      fail(widget, "a logarithmic gain curve is not supported");
    default:
      fail(widget, "unknown gain curve type " + std::to_string(widget.gain->curve_type));
  }
}

template <typename In, typename Out>
void apply(const InputView& in, const OutputView& out, std::size_t frames,
           std::span<const GainRamp> ramps) {
  const std::size_t in_step = in.format.frame_bytes();
  const std::size_t out_step = out.format.frame_bytes();
  for (std::uint32_t channel = 0; channel < out.format.channels; ++channel) {
    const std::uint32_t source = source_channel(channel, in.format.channels);
    const GainRamp& ramp = ramps[channel];
    for (std::size_t i = 0; i < frames; ++i) {
      std::int64_t product = 0;
      if (source != kNoChannel) {
        product = In::load(in.data + i * in_step + source * In::kBytes) * ramp.at(i);
      }
      Out::template store<31>(out.data + i * out_step + channel * Out::kBytes, product);
    }
  }
}

}  // namespace

bool Gain::init(const Widget& widget, ModuleMemory& memory) {
  Gain31 initial = kUnityGain;
  if (widget.gain) {
    if (widget.gain->initial_value > kUnityQ31) {
      fail(widget, "an initial gain above 1: " + std::to_string(widget.gain->initial_value) +
                       ", at most " + std::to_string(kUnityQ31) + " is possible");
    }
    initial = gain_from_q31(widget.gain->initial_value);
    curve_ = curve_of(widget);
    duration_100ns_ = curve_ == GainCurve::none ? 0 : widget.gain->curve_duration;
  }
  targets_ = memory.make_array<Gain31>(kMaxChannels);
  std::fill(targets_.begin(), targets_.end(), initial);
  return static_cast<bool>(targets_);
}

bool Gain::prepare(std::span<const StreamFormat> /*inputs*/, std::span<const StreamFormat> outputs,
                   ModuleMemory& memory) {
  std::uint32_t channels = 0;
  std::uint32_t rate = 0;
  for (const StreamFormat& format : outputs) {
    channels = std::max(channels, format.channels);
    rate = std::max(rate, format.rate);
  }
  if (channels == 0) {
    return true;
  }
  ramps_ = memory.make_array<GainRamp>(channels);
  if (!ramps_) {
    return false;
  }
  const std::uint64_t frames = duration_100ns_ * rate / k100nsPerSecond;
  for (std::uint32_t channel = 0; channel < channels; ++channel) {
    ramps_[channel] = {
        .start = 0, .target = target(channel), .elapsed = 0, .duration = frames, .curve = curve_};
  }
  return true;
}

void Gain::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  const bool pass = passes_through();
  for (const OutputView& out : outputs) {
    if (pass) {
      transfer(in, out);
      continue;
    }
    const std::size_t frames = std::min(in.frames, out.frames);
    with_sample(in.format.sample, [&](auto in_sample) {
      with_sample(out.format.sample, [&](auto out_sample) {
        apply<decltype(in_sample), decltype(out_sample)>(in, out, frames,
                                                         {ramps_.data(), ramps_.size()});
      });
    });
    silence_frames(out.data + frames * out.format.frame_bytes(), out.format, out.frames - frames);
  }
  for (GainRamp& ramp : ramps_) {
    ramp.advance(in.frames);
  }
}

void Gain::reset(ModuleMemory& /*memory*/) { ramps_.reset(); }

bool Gain::set_gain(std::optional<std::uint32_t> channel, std::uint32_t q31) {
  if (channel && *channel >= targets_.size()) {
    return false;
  }
  const Gain31 gain = gain_from_q31(q31);
  const std::size_t first = channel.value_or(0);
  const std::size_t last = channel ? first + 1 : targets_.size();
  for (std::size_t i = first; i < last; ++i) {
    targets_[i] = gain;
    follow_target(i);
  }
  return true;
}

bool Gain::set_control(const Control& control, std::span<const std::int64_t> values,
                       ModuleMemory& /*memory*/) {
  const bool mutes = is_switch(control);
  if (!std::holds_alternative<MixerControl>(control.detail) || !fits(control, values) ||
      (!mutes && !volume_gain(control, values.front()))) {
    return false;
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const std::int64_t value = values[std::min(i, values.size() - 1)];
    if (mutes) {
      muted_[i] = value == 0;
    } else {
      targets_[i] = gain_from_q31(volume_gain(control, value).value_or(0));
    }
    follow_target(i);
  }
  return true;
}

void Gain::follow_target(std::size_t channel) {
  if (channel < ramps_.size() && ramps_[channel].target != target(channel)) {
    ramps_[channel].lead_to(target(channel));
  }
}

bool Gain::passes_through() const {
  return std::all_of(ramps_.begin(), ramps_.end(), [](const GainRamp& ramp) {
    return ramp.settled() && ramp.target == kUnityGain;
  });
}

}  // namespace modmem::testbench
