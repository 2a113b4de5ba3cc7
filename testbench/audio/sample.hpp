// Sample: one sample of each format in memory, and channel i of one format seen from another.
//
// Arithmetic happens on full-scale values: 32-bit integers with the sample in the high bits, so
// that a value means the same level in every format. Loading is exact; storing rounds to the
// nearest value of the format (halves upwards) and saturates, so that loading and storing again
// changes nothing. Everything is O(1), inline, and touches no memory but the sample's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "testbench/stream_format.hpp"

namespace modmem::testbench {

template <SampleFormat kFormat>
struct Sample {
  static constexpr int kBits = kFormat == SampleFormat::s16       ? 16
                               : kFormat == SampleFormat::s24_4le ? 24
                                                                  : 32;
  static constexpr std::size_t kBytes = sample_bytes(kFormat);

  // The full-scale value of the sample at `at`, which need not be aligned. The high byte of an
  // S24_4LE word is not looked at.
  static std::int32_t load(const std::byte* at) {
    if constexpr (kFormat == SampleFormat::s16) {
      std::int16_t word = 0;
      std::memcpy(&word, at, sizeof(word));
      return std::int32_t{word} << 16;
    } else {
      std::int32_t word = 0;
      std::memcpy(&word, at, sizeof(word));
      return word << (32 - kBits);
    }
  }

  // Stores the sample nearest to `value`, a full-scale value with kFraction more bits behind the
  // point. Requires |value| <= 2^62. The error is at most half a step of the format, or what is
  // beyond its range.
  template <int kFraction = 0>
  static void store(std::byte* at, std::int64_t value) {
    constexpr int kShift = kFraction + 32 - kBits;
    constexpr std::int64_t kMax = (std::int64_t{1} << (kBits - 1)) - 1;
    if constexpr (kShift > 0) {
      value = (value + (std::int64_t{1} << (kShift - 1))) >> kShift;
    }
    value = std::clamp(value, -kMax - 1, kMax);
    if constexpr (kFormat == SampleFormat::s16) {
      const auto word = static_cast<std::int16_t>(value);
      std::memcpy(at, &word, sizeof(word));
    } else {
      const auto word = static_cast<std::int32_t>(value);
      std::memcpy(at, &word, sizeof(word));
    }
  }
};

// Calls visit(Sample<format>{}).
template <typename Visit>
void with_sample(SampleFormat format, Visit&& visit) {
  switch (format) {
    case SampleFormat::s16:
      return visit(Sample<SampleFormat::s16>{});
    case SampleFormat::s24_4le:
      return visit(Sample<SampleFormat::s24_4le>{});
    case SampleFormat::s32:
      return visit(Sample<SampleFormat::s32>{});
  }
}

inline constexpr std::uint32_t kNoChannel = UINT32_MAX;

// Which of `channels` channels feeds channel `wanted` of another format: a mono signal feeds every
// channel; else each feeds its namesake, and one without gets kNoChannel, silence.
constexpr std::uint32_t source_channel(std::uint32_t wanted, std::uint32_t channels) {
  if (channels == 1) {
    return 0;
  }
  return wanted < channels ? wanted : kNoChannel;
}

}  // namespace modmem::testbench
