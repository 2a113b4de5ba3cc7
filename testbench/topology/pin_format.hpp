// The audio formats that a module's pins support.
//
// A module lists input and output formats. Formats of one pin are alternatives, of which the driver
// picks one when a stream opens; a list may name several pins. buffer_bytes is what the module
// consumes (ibs) or produces (obs) each time it runs.
//
// In a file a format is an array of tuples, one per token, and the n-th such array is the n-th
// format; an array in which a token repeats holds as many formats. Compilers leave surplus arrays
// behind the declared number of formats; drivers ignore them and so does this.
#pragma once

#include <cstdint>
#include <vector>

#include "testbench/topology/byte_reader.hpp"
#include "testbench/topology/tuples.hpp"

namespace modmem::testbench {

// How a sample lies in its container. Where the container is wider than the sample, msb_integer
// samples stand in the high bits (a DAI's S24 in 32 bits), lsb_integer samples in the low bits
// (ALSA's S24_LE).
enum class SampleType : std::uint8_t {
  msb_integer = 0,
  lsb_integer = 1,
  signed_integer = 2,
  unsigned_integer = 3,
  floating = 4,
};

// Limits that a format must keep to be loaded.
inline constexpr std::uint32_t kMaxRate = 1'536'000;
inline constexpr std::uint32_t kMaxChannels = 32;
inline constexpr std::uint32_t kMaxPins = 8;

// Invariant of loaded formats: pin < kMaxPins, 0 < rate <= kMaxRate, bits is 8, 16, 24, 32 or 64,
// 0 < valid_bits <= bits, 0 < channels <= kMaxChannels. buffer_bytes is what the file says.
struct PinFormat {
  std::uint32_t pin = 0;
  std::uint32_t rate = 0;        // Hz
  std::uint32_t bits = 0;        // of a sample's container
  std::uint32_t valid_bits = 0;  // of the sample
  std::uint32_t channels = 0;
  std::uint32_t channel_map = 0;     // a nibble per slot: the channel in it, 0xf for none
  std::uint32_t channel_config = 0;  // 0 mono, 1 stereo, 4 quad, ...
  std::uint32_t interleaving = 0;    // 0 interleaved, 1 not
  std::uint32_t format_config = 0;   // channels | valid bits << 8 | sample type << 16
  SampleType sample_type = SampleType::msb_integer;
  std::uint32_t buffer_bytes = 0;

  std::uint32_t frame_bytes() const { return channels * (bits / 8); }

  bool operator==(const PinFormat&) const = default;
};

enum class PinSide : std::uint8_t { input, output };

// The formats of one side that `tuples` declares (none where it declares no number of formats).
// Channels, valid bits and sample type come from the format config where there is one, since that
// is what a driver hands to firmware, else from their own tokens. Throws InputError through
// `reader` where fewer formats are there than declared, or one is incomplete or beyond the limits.
std::vector<PinFormat> decode_pin_formats(const Tuples& tuples, PinSide side,
                                          const ByteReader& reader);

}  // namespace modmem::testbench
