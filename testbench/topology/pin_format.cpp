#include "testbench/topology/pin_format.hpp"

#include <array>
#include <optional>
#include <string>

#include "testbench/topology/tokens.hpp"

namespace modmem::testbench {
namespace {

// The tokens of a format, as indices into RawFormat::values. The first field_consecutive of them
// are consecutive tokens.
enum Field : std::uint32_t {
  field_rate,
  field_bits,
  field_valid_bits,
  field_channels,
  field_channel_map,
  field_channel_config,
  field_interleaving,
  field_format_config,
  field_sample_type,
  field_pin,
  field_consecutive,
  field_buffer_bytes = field_consecutive,
  field_count
};

struct RawFormat {
  std::array<std::optional<std::uint32_t>, field_count> values;
};

std::optional<Field> field_of(std::uint32_t token, PinSide side) {
  const bool output = side == PinSide::output;
  if (token == (output ? token::kOutputBufferBytes : token::kInputBufferBytes)) {
    return field_buffer_bytes;
  }
  const std::uint32_t first = token::kFormatRate + (output ? token::kOutputFormatDelta : 0);
  if (token < first || token - first >= field_consecutive) {
    return std::nullopt;
  }
  return static_cast<Field>(token - first);
}

// Up to `limit` formats, in file order.
std::vector<RawFormat> collect(const Tuples& tuples, PinSide side, std::uint32_t limit) {
  std::vector<RawFormat> formats;
  std::uint32_t array = 0;
  for (const Tuple& tuple : tuples.list) {
    const std::optional<Field> field = field_of(tuple.token, side);
    const auto* value = std::get_if<std::uint32_t>(&tuple.value);
    if (!field || value == nullptr) {
      continue;
    }
    if (formats.empty() || tuple.array != array || formats.back().values[*field]) {
      if (formats.size() == limit) {
        break;
      }
      formats.emplace_back();
      array = tuple.array;
    }
    formats.back().values[*field] = *value;
  }
  return formats;
}

PinFormat decode(const RawFormat& raw, const ByteReader& reader, const std::string& what) {
  const auto required = [&](Field field, std::string_view name) {
    if (!raw.values[field]) {
      reader.fail(what + " lacks its " + std::string(name));
    }
    return *raw.values[field];
  };
  const auto optional = [&](Field field) { return raw.values[field].value_or(0); };

  PinFormat format;
  format.pin = optional(field_pin);
  format.rate = required(field_rate, "rate");
  format.bits = required(field_bits, "bit depth");
  format.channel_map = optional(field_channel_map);
  format.channel_config = optional(field_channel_config);
  format.interleaving = optional(field_interleaving);
  format.buffer_bytes = required(field_buffer_bytes, "buffer size");
  std::uint32_t sample_type = 0;
  if (raw.values[field_format_config]) {
    format.format_config = *raw.values[field_format_config];
    format.channels = format.format_config & 0xff;
    format.valid_bits = format.format_config >> 8 & 0xff;
    sample_type = format.format_config >> 16 & 0xff;
  } else {
    format.channels = required(field_channels, "channel count");
    format.valid_bits = required(field_valid_bits, "valid bit depth");
    sample_type = optional(field_sample_type);
  }

  const auto limit = [&](bool good, std::string_view name, std::uint32_t value) {
    if (!good) {
      reader.fail(what + " has an impossible " + std::string(name) + ": " + std::to_string(value));
    }
  };
  limit(format.pin < kMaxPins, "pin", format.pin);
  limit(format.rate > 0 && format.rate <= kMaxRate, "rate", format.rate);
  limit(format.bits == 8 || format.bits == 16 || format.bits == 24 || format.bits == 32 ||
            format.bits == 64,
        "bit depth", format.bits);
  limit(format.valid_bits > 0 && format.valid_bits <= format.bits, "valid bit depth",
        format.valid_bits);
  limit(format.channels > 0 && format.channels <= kMaxChannels, "channel count", format.channels);
  limit(sample_type <= static_cast<std::uint32_t>(SampleType::floating), "sample type",
        sample_type);
  format.sample_type = static_cast<SampleType>(sample_type);
  return format;
}

}  // namespace

std::vector<PinFormat> decode_pin_formats(const Tuples& tuples, PinSide side,
                                          const ByteReader& reader) {
  const bool output = side == PinSide::output;
  const std::string_view name = output ? "output format" : "input format";
  const std::uint32_t declared =
      tuples.number(output ? token::kOutputFormats : token::kInputFormats).value_or(0);
  const std::vector<RawFormat> raw = collect(tuples, side, declared);
  if (raw.size() < declared) {
    reader.fail("declares " + std::to_string(declared) + " " + std::string(name) +
                "s but carries " + std::to_string(raw.size()));
  }
  std::vector<PinFormat> formats;
  formats.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    formats.push_back(decode(raw[i], reader, std::string(name) + " " + std::to_string(i)));
  }
  return formats;
}

}  // namespace modmem::testbench
