// For tests of the compressor: a plain reference in double, written from the blob's layout and the
// algorithm's block diagram alone, over whole signals.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "testbench/modules/filter_testing.hpp"

namespace modmem::testbench {

// The words of a compressor's blob, in numbers; 0 is its size.
inline double drc_number(std::span<const std::byte> payload, std::size_t word) {
  constexpr int kFraction[] = {0,  0,  0,  0,  0,  0,  24, 24, 24, 30, 30, 30, 20, 24,
                               24, 24, 30, 24, 30, 30, 30, 0,  12, 12, 12, 12, 12};
  std::int32_t value = 0;
  std::memcpy(&value, payload.data() + 4 * word, 4);
  return std::ldexp(value, -kFraction[word]);
}

inline double drc_curve(std::span<const std::byte> payload, double level) {
  const auto number = [payload](std::size_t word) { return drc_number(payload, word); };
  const double threshold = number(10);
  const double knee_end = number(15);
  if (level < threshold) {
    return 1;
  }
  if (level < knee_end) {
    return (number(13) + number(14) * std::exp(-number(12) * level)) / level;
  }
  return std::exp(std::log(number(16)) + (number(11) - 1) * std::log(level));
}

inline std::size_t drc_latency(std::span<const std::byte> payload, std::uint32_t rate) {
  const auto frames = static_cast<std::size_t>(std::lround(drc_number(payload, 9) * rate));
  return std::max<std::size_t>(32, frames - frames % 32);
}

// The gains that a compressor configured with `payload` has for frames that go out, given the
// peaks of the frames that come in at the same time.
inline Values reference_drc_gains(std::span<const std::byte> payload, const Values& peaks) {
  const auto number = [payload](std::size_t word) { return drc_number(payload, word); };
  const auto decibels = [](double value) { return 20 * std::log10(value); };
  const auto linear = [](double db) { return std::pow(10.0, db / 20); };
  Values gains(peaks.size());
  double average = 0;
  double compressor = 1;
  double worst_attack = -1e9;
  for (std::size_t n = 0; n < peaks.size(); n += 32) {
    // What came in up to here decides over the next 32 frames that go out.
    for (std::size_t i = n < 32 ? n : n - 32; i < n; ++i) {
      const double gain = drc_curve(payload, peaks[i]);
      if (gain <= average) {
        average = gain;
      } else if (gain > linear(-2)) {
        average += (gain - average) * number(20);
      } else {
        average += (gain - average) * (linear(decibels(gain) * number(19)) - 1);
      }
      average = std::min(average, 1.0);
    }
    const double desired = std::asin(average) / M_PI_2;
    const bool release = desired > compressor;
    double difference = release ? -1 : 1;
    if (desired != 0 && compressor != 0) {
      difference = decibels(compressor) - decibels(desired);
    }
    double rate = 0;
    if (release) {
      worst_attack = -1e9;
      const double x = 0.25 * (std::min(0.0, std::max(-12.0, difference)) + 12);
      const double frames = number(22) + number(23) * x + number(24) * x * x +
                            number(25) * x * x * x + number(26) * x * x * x * x;
      rate = linear(number(21) / frames);
    } else {
      worst_attack = std::max(worst_attack, difference);
      rate = 1 - std::pow(0.25 / std::max(0.5, worst_attack), number(18));
    }
    const double start = compressor;
    for (std::size_t i = n; i < std::min(n + 32, peaks.size()); ++i) {
      const auto steps = static_cast<double>(i - n + 1);
      compressor = release ? std::min(1.0, start * std::pow(rate, steps))
                           : desired + (start - desired) * std::pow(1 - rate, steps);
      gains[i] = number(17) * std::sin(M_PI_2 * compressor);
    }
  }
  return gains;
}

// What comes of every channel of `in`.
inline std::vector<Values> reference_drc(std::span<const std::byte> payload, const Signal& in) {
  std::vector<Values> channels;
  Values peaks(in.frames(), 0.0);
  for (std::uint32_t channel = 0; channel < in.format.channels; ++channel) {
    channels.push_back(channel_values(in, channel));
    for (std::size_t i = 0; i < peaks.size(); ++i) {
      peaks[i] = std::max(peaks[i], std::abs(channels.back()[i]) / 0x1p31);
    }
  }
  const Values gains = reference_drc_gains(payload, peaks);
  const std::size_t latency = drc_latency(payload, in.format.rate);
  for (Values& channel : channels) {
    for (std::size_t i = channel.size(); i-- > 0;) {
      channel[i] = i < latency ? 0 : channel[i - latency] * gains[i];
    }
  }
  return channels;
}

// Bursts of tones and noise, from silence to full scale, each long enough for attack and release.
inline Signal bursts(const StreamFormat& format, std::size_t frames, unsigned seed = 1) {
  Signal signal = random_signal(format, frames, seed);
  constexpr double kLevels[] = {0, 0.01, 1, 0.1, 0, 0.5, 0.03, 0.9};
  for (std::size_t i = 0; i < signal.samples(); ++i) {
    const std::size_t frame = i / format.channels;
    const double level = kLevels[frame / 1700 % std::size(kLevels)];
    const bool tone = frame / 850 % 2 == 0;
    const double top = std::ldexp(1.0, bits_of(format.sample) - 1) - 1;
    const double value = tone ? top * std::sin(0.07 * static_cast<double>(frame)) : signal.at(i);
    signal.set(i, static_cast<std::int32_t>(std::lround(level * value)));
  }
  return signal;
}

}  // namespace modmem::testbench
