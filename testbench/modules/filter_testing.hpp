// For tests of filters: plain references in double, written from the blobs' layouts alone, and the
// distance of what a module puts out from them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "port/host/host_port.hpp"
#include "testbench/audio_path_guard.hpp"
#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {

using Values = std::vector<double>;

inline constexpr std::int32_t kQ30One = 1 << 30;
inline constexpr std::int32_t kQ14One = 1 << 14;

// A section of a blob: a2, a1, b2, b1, b0, shift, gain.
using Section = std::vector<std::int32_t>;

inline const Section kFlatSection = {0, 0, 0, 0, kQ30One, 0, kQ14One};

// A Butterworth section of second order at `frequency`, of `gain`, in SOF's numbers.
inline Section butterworth(bool high_pass, double frequency, double rate, double gain = 1.0) {
  const double k = std::tan(M_PI * frequency / rate);
  const double norm = 1 / (1 + std::sqrt(2.0) * k + k * k);
  const double b = high_pass ? norm : k * k * norm;
  const auto q30 = [](double value) {
    return static_cast<std::int32_t>(std::llround(value * kQ30One));
  };
  return {q30(-(1 - std::sqrt(2.0) * k + k * k) * norm),
          q30(-2 * (k * k - 1) * norm),
          q30(b),
          q30(high_pass ? -2 * b : 2 * b),
          q30(b),
          0,
          static_cast<std::int32_t>(std::llround(gain * kQ14One))};
}

// A channel's samples on the scale where full scale is 2^31.
inline Values channel_values(const Signal& signal, std::uint32_t channel) {
  Values values;
  for (std::size_t i = channel; i < signal.samples(); i += signal.format.channels) {
    values.push_back(std::ldexp(signal.at(i), 32 - bits_of(signal.format.sample)));
  }
  return values;
}

// Direct form I, gain and shift behind the recursion, as the block diagrams have it.
inline Values reference_section(const std::int32_t* section, const Values& x) {
  const auto q30 = [section](std::size_t i) { return section[i] / 0x1p30; };
  const double gain = section[6] / 0x1p14 * std::pow(2.0, -section[5]);
  Values y(x.size());
  Values out(x.size());
  for (std::size_t n = 0; n < x.size(); ++n) {
    const double x1 = n < 1 ? 0 : x[n - 1];
    const double x2 = n < 2 ? 0 : x[n - 2];
    const double y1 = n < 1 ? 0 : y[n - 1];
    const double y2 = n < 2 ? 0 : y[n - 2];
    y[n] = q30(4) * x[n] + q30(3) * x1 + q30(2) * x2 + q30(1) * y1 + q30(0) * y2;
    out[n] = gain * y[n];
  }
  return out;
}

// What an IIR equaliser configured with `payload` makes of channel `channel`.
inline Values reference_iir(std::span<const std::byte> payload, std::size_t channel,
                            const Values& x) {
  std::vector<std::int32_t> words(payload.size() / 4);
  std::memcpy(words.data(), payload.data(), words.size() * 4);
  const auto channels = static_cast<std::size_t>(words[1]);
  const std::int32_t response = words[7 + std::min(channel, channels - 1)];
  if (response < 0) {
    return x;
  }
  const std::int32_t* at = &words[7 + channels];
  for (std::int32_t i = 0; i < response; ++i) {
    at += 6 + 7 * at[0];
  }
  Values sum(x.size(), 0.0);
  for (std::int32_t first = 0; first < at[0]; first += at[1]) {
    Values chain = x;
    for (std::int32_t i = first; i < first + at[1]; ++i) {
      chain = reference_section(at + 6 + 7 * i, chain);
    }
    for (std::size_t n = 0; n < x.size(); ++n) {
      sum[n] += chain[n];
    }
  }
  return sum;
}

// What a FIR equaliser configured with `payload` makes of channel `channel`.
inline Values reference_fir(std::span<const std::byte> payload, std::size_t channel,
                            const Values& x) {
  std::vector<std::int16_t> words(payload.size() / 2);
  std::memcpy(words.data(), payload.data(), words.size() * 2);
  const auto channels = static_cast<std::size_t>(words[2]);
  const std::int16_t response = words[12 + std::min(channel, channels - 1)];
  if (response < 0) {
    return x;
  }
  const std::int16_t* at = &words[12 + channels];
  for (std::int16_t i = 0; i < response; ++i) {
    at += 10 + at[0];
  }
  Values y(x.size(), 0.0);
  for (std::size_t n = 0; n < x.size(); ++n) {
    for (std::size_t k = 0; k < static_cast<std::size_t>(at[0]) && k <= n; ++k) {
      y[n] += at[10 + k] / 0x1p15 * x[n - k];
    }
    y[n] *= std::pow(2.0, -at[1]);
  }
  return y;
}

// The error of `signal`'s channel against `expected`, which it saturates, in dB of full scale: the
// root mean square of the difference.
inline double error_db(const Signal& signal, std::uint32_t channel, const Values& expected) {
  const Values actual = channel_values(signal, channel);
  EXPECT_EQ(actual.size(), expected.size());
  const int bits = bits_of(signal.format.sample);
  const double top = 0x1p31 - std::ldexp(1.0, 32 - bits);
  double sum = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double error = actual[i] - std::clamp(expected[i], -0x1p31, top);
    sum += error * error;
  }
  const double mean = std::sqrt(sum / static_cast<double>(actual.size())) / 0x1p31;
  return mean == 0 ? -std::numeric_limits<double>::infinity() : 20 * std::log10(mean);
}

// The most that rounding to `format` alone amounts to: half a step, everywhere.
inline double rounding_db(SampleFormat format) {
  return 20 * std::log10(std::ldexp(0.5001, 1 - bits_of(format)));
}

// What `module` makes of `in`, in periods of 48 frames on the audio path; `out` has the format.
inline void play(Module& module, const Signal& in, std::span<Signal> outs,
                 std::size_t period = 48) {
  std::vector<OutputView> views(outs.size());
  for (std::size_t first = 0; first < in.frames(); first += period) {
    const std::size_t frames = std::min(period, in.frames() - first);
    for (std::size_t i = 0; i < outs.size(); ++i) {
      views[i] = outs[i].output(first, frames);
    }
    const InputView view = in.input(first, frames);
    const AudioPathScope scope;
    module.process({&view, 1}, views);
  }
}
inline Signal play(Module& module, const Signal& in, std::size_t period = 48) {
  Signal out(in.format, in.frames(), std::byte{0xa5});
  play(module, in, {&out, 1}, period);
  return out;
}

// Expects that what ran within has allocated nothing on the audio path.
class AudioPathCheck {
 public:
  explicit AudioPathCheck(const Memory& memory)
      : memory_(memory), host_(host_allocations_on_audio_path()) {}
  ~AudioPathCheck() {
    EXPECT_EQ(host_allocations_on_audio_path(), host_);
    EXPECT_EQ(memory_.audio_path_calls(), 0U);
  }
  AudioPathCheck(const AudioPathCheck&) = delete;
  AudioPathCheck& operator=(const AudioPathCheck&) = delete;

 private:
  const Memory& memory_;
  std::uint64_t host_;
};

// Noise a quarter of full scale high, so that no reference leaves the range unmeant.
inline Signal quiet_noise(const StreamFormat& format, std::size_t frames, unsigned seed = 1) {
  Signal signal = random_signal(format, frames, seed);
  for (std::size_t i = 0; i < signal.samples(); ++i) {
    signal.set(i, signal.at(i) / 4);
  }
  return signal;
}

}  // namespace modmem::testbench
