// Builds compiled topologies for tests, byte by byte from the format's description: sizes and
// offsets are written out here and not taken from the loader's structures, so a slip in one of them
// does not hide in the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

namespace modmem::testbench {

class Bytes {
 public:
  Bytes& u16(std::uint32_t value) { return number(value, 2); }
  Bytes& u32(std::uint32_t value) { return number(value, 4); }
  Bytes& u64(std::uint64_t value) { return number(value, 8); }
  Bytes& zeros(std::size_t count) {
    data_.resize(data_.size() + count);
    return *this;
  }
  // A text in a field of `size` bytes, by default 44; NUL-terminated where it is shorter.
  Bytes& text(std::string_view value, std::size_t size = 44) {
    for (std::size_t i = 0; i < size; ++i) {
      data_.push_back(i < value.size() ? static_cast<std::byte>(value[i]) : std::byte{0});
    }
    return *this;
  }
  Bytes& bytes(std::initializer_list<unsigned> values) {
    for (const unsigned value : values) {
      data_.push_back(static_cast<std::byte>(value));
    }
    return *this;
  }
  Bytes& append(const Bytes& other) {
    data_.insert(data_.end(), other.data_.begin(), other.data_.end());
    return *this;
  }
  // Overwrites the word at `offset`.
  Bytes& set_u32(std::size_t offset, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
      data_.at(offset + i) = static_cast<std::byte>(value >> (8 * i) & 0xff);
    }
    return *this;
  }

  std::size_t size() const { return data_.size(); }
  std::uint32_t size32() const { return static_cast<std::uint32_t>(data_.size()); }
  const std::vector<std::byte>& data() const { return data_; }

 private:
  Bytes& number(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      data_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
    }
    return *this;
  }

  std::vector<std::byte> data_;
};

// Vendor tuple arrays.
inline Bytes number_tuples(std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> tuples,
                           std::uint32_t type = 4) {
  const auto count = static_cast<std::uint32_t>(tuples.size());
  Bytes array;
  array.u32(12 + 8 * count).u32(type).u32(count);
  for (const auto& [token, value] : tuples) {
    array.u32(token).u32(value);
  }
  return array;
}

inline Bytes string_tuple(std::uint32_t token, std::string_view value) {
  return Bytes().u32(12 + 48).u32(1).u32(1).u32(token).text(value);
}

inline Bytes uuid_tuple(std::uint32_t token, std::initializer_list<unsigned> bytes) {
  return Bytes().u32(12 + 20).u32(0).u32(1).u32(token).bytes(bytes);
}

// An input format as compilers write it: everything but the pin, which is 0.
inline Bytes input_format(std::uint32_t rate, std::uint32_t bits, std::uint32_t valid_bits,
                          std::uint32_t channels) {
  return number_tuples({{1970, rate / 1000 * channels * bits / 8},
                        {1908, 1},
                        {1907, 1u << 16 | valid_bits << 8 | channels},
                        {1906, 0},
                        {1905, 1},
                        {1904, 0xffffff10},
                        {1903, channels},
                        {1900, rate},
                        {1901, bits},
                        {1902, valid_bits}});
}

inline Bytes output_format(std::uint32_t rate, std::uint32_t bits, std::uint32_t valid_bits,
                           std::uint32_t channels) {
  return number_tuples({{1938, 1},
                        {1971, rate / 1000 * channels * bits / 8},
                        {1937, 1u << 16 | valid_bits << 8 | channels},
                        {1936, 0},
                        {1935, 1},
                        {1934, 0xffffff10},
                        {1933, channels},
                        {1930, rate},
                        {1931, bits},
                        {1932, valid_bits}});
}

// The 204 bytes that every control begins with.
inline Bytes control_header(std::uint32_t type, std::string_view name, std::uint32_t get,
                            std::uint32_t info, const Bytes& tlv = Bytes().zeros(136)) {
  Bytes header;
  header.u32(204).u32(type).text(name).u32(3).u32(get).u32(get).u32(info).append(tlv);
  return header;
}

// A dB scale from `min` in steps of `step`, in 0.01 dB, with mute.
inline Bytes db_scale(std::int32_t min, std::uint32_t step) {
  return Bytes()
      .u32(136)
      .u32(1)
      .u32(static_cast<std::uint32_t>(min))
      .u32(step)
      .u32(1)
      .zeros(std::size_t{29} * 4);
}

inline Bytes mixer_control(std::string_view name, std::uint32_t max,
                           const Bytes& tlv = Bytes().zeros(136)) {
  Bytes control = control_header(1, name, 256, 1, tlv);
  control.u32(360).u32(0).u32(max).u32(0).u32(0).u32(2);
  control.u32(16).u32(1).u32(0).u32(3).u32(16).u32(1).u32(1).u32(4).zeros(std::size_t{6} * 16);
  return control.u32(0);
}

inline Bytes enum_control(std::string_view name, std::initializer_list<std::string_view> texts) {
  Bytes control = control_header(3, name, 257, 4);
  control.u32(1764).u32(1).u32(16).u32(1).u32(0).u32(7).zeros(std::size_t{7} * 16);
  control.u32(static_cast<std::uint32_t>(texts.size())).u32(7).u32(0);
  for (const std::string_view text : texts) {
    control.text(text);
  }
  control.zeros((16 - texts.size()) * 44 + std::size_t{176} * 4);
  return control.u32(0);
}

inline Bytes bytes_control(std::string_view name, std::uint32_t max, const Bytes& blob) {
  Bytes control = control_header(2, name, 0, 5);
  control.u32(240).u32(max).u32(0).u32(0).u32(0).u32(258).u32(258).u32(0);
  return control.u32(blob.size32()).append(blob);
}

inline Bytes widget(std::uint32_t type, std::string_view name, std::string_view stream_name,
                    const Bytes& tuples, const std::vector<Bytes>& controls = {}) {
  Bytes bytes;
  bytes.u32(132).u32(type).text(name).text(stream_name);
  bytes.u32(0xffffffff).u32(0).u32(0).u32(0).u32(0).u32(0).u16(0).u16(0);
  bytes.u32(static_cast<std::uint32_t>(controls.size())).u32(tuples.size32()).append(tuples);
  for (const Bytes& control : controls) {
    bytes.append(control);
  }
  return bytes;
}

inline Bytes route(std::string_view source, std::string_view control, std::string_view sink) {
  return Bytes().text(sink).text(control).text(source);
}

// Stream capabilities for S16_LE and S32_LE at 48 kHz.
inline Bytes stream_caps(std::string_view name, std::uint32_t channels_min,
                         std::uint32_t channels_max) {
  Bytes caps;
  caps.u32(104).text(name).u64(1u << 2 | 1u << 10).u32(1u << 7).u32(48000).u32(48000);
  caps.u32(channels_min).u32(channels_max).u32(2).u32(256).u32(192).u32(2097152);
  return caps.u32(384).u32(4194304).u32(0);
}

// A PCM; a direction whose caps are empty is one that it does not have.
inline Bytes pcm(std::uint32_t id, std::string_view name, const Bytes& playback,
                 const Bytes& capture) {
  Bytes bytes;
  bytes.u32(912).text(name).text(name).u32(id).u32(id);
  bytes.u32(playback.size() > 0 ? 1 : 0).u32(capture.size() > 0 ? 1 : 0).u32(0);
  bytes.zeros(std::size_t{8} * 72).u32(0);
  bytes.append(playback).zeros(104 - playback.size());
  bytes.append(capture).zeros(104 - capture.size());
  return bytes.u32(0).u32(0).u32(0);
}

// A backend link with one hardware configuration: two slots of 32 bits at 48 kHz.
inline Bytes link(std::uint32_t id, std::string_view name) {
  Bytes bytes;
  bytes.u32(1656).u32(id).text(name).text("").zeros(std::size_t{8} * 72).u32(0);
  bytes.u32(120).u32(7).u32(1).bytes({0, 0, 0, 0, 0, 0}).u16(0).u32(24576000).u32(3072000);
  bytes.u32(48000).u32(2).u32(32).u32(3).u32(3).u32(0).zeros(32).u32(0).zeros(32);
  bytes.zeros(std::size_t{7} * 120).u32(1).u32(7).u32(0).u32(0);
  return bytes.u32(0);
}

inline Bytes manifest(std::uint32_t controls, std::uint32_t widgets, std::uint32_t routes,
                      std::uint32_t pcms, std::uint32_t links, std::uint32_t dais = 0) {
  Bytes bytes;
  bytes.u32(112).u32(controls).u32(widgets).u32(routes).u32(pcms).u32(links).u32(dais);
  return bytes.zeros(80).u32(0);
}

inline Bytes block(std::uint32_t type, std::uint32_t index, std::initializer_list<Bytes> elements) {
  Bytes payload;
  for (const Bytes& element : elements) {
    payload.append(element);
  }
  Bytes bytes;
  bytes.u32(0x41536f43).u32(5).u32(0).u32(type).u32(36).u32(0).u32(payload.size32()).u32(index);
  return bytes.u32(static_cast<std::uint32_t>(elements.size())).append(payload);
}

// Block types.
inline constexpr std::uint32_t kMixerBlock = 1;
inline constexpr std::uint32_t kBytesBlock = 2;
inline constexpr std::uint32_t kEnumBlock = 3;
inline constexpr std::uint32_t kGraphBlock = 4;
inline constexpr std::uint32_t kWidgetBlock = 5;
inline constexpr std::uint32_t kPcmBlock = 7;
inline constexpr std::uint32_t kManifestBlock = 8;
inline constexpr std::uint32_t kBackendLinkBlock = 10;
inline constexpr std::uint32_t kDaiBlock = 12;

}  // namespace modmem::testbench
