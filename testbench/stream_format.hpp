// StreamFormat: how the samples of one stream lie in memory.
//
// Samples of all channels of a frame lie side by side. S24_4LE holds 24 bits in the low three bytes
// of a 32-bit word, sign-extended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace modmem::testbench {

enum class SampleFormat : std::uint8_t { s16, s24_4le, s32 };

constexpr std::size_t sample_bytes(SampleFormat format) {
  return format == SampleFormat::s16 ? 2 : 4;
}

struct StreamFormat {
  std::uint32_t rate = 48000;
  std::uint32_t channels = 2;
  SampleFormat sample = SampleFormat::s32;

  constexpr std::size_t frame_bytes() const { return channels * sample_bytes(sample); }
  bool operator==(const StreamFormat&) const = default;
};

// "48000:2:s24": rate in Hz, channels, and s16, s24 or s32.
std::string to_text(const StreamFormat& format);
// What such a text means; nothing where it is none, or beyond what a topology may have
// (pin_format.hpp).
std::optional<StreamFormat> parse_stream_format(std::string_view text);

}  // namespace modmem::testbench
