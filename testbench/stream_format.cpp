#include "testbench/stream_format.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "testbench/topology/pin_format.hpp"

namespace modmem::testbench {

namespace {

constexpr std::array<std::string_view, 3> kSamples = {"s16", "s24", "s32"};  // of SampleFormat
constexpr std::uint32_t kLeastRate = 1000;

// The number that `text` is, 0 where it is none.
std::uint32_t number(std::string_view text) {
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? value : 0;
}

}  // namespace

std::string to_text(const StreamFormat& format) {
  return std::to_string(format.rate) + ":" + std::to_string(format.channels) + ":" +
         std::string(kSamples[static_cast<std::size_t>(format.sample)]);
}

std::optional<StreamFormat> parse_stream_format(std::string_view text) {
  const std::size_t first = text.find(':');
  const std::size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
  if (second == std::string_view::npos) {
    return std::nullopt;
  }
  const auto* const sample = std::find(kSamples.begin(), kSamples.end(), text.substr(second + 1));
  const std::uint32_t rate = number(text.substr(0, first));
  const std::uint32_t channels = number(text.substr(first + 1, second - first - 1));
  if (rate < kLeastRate || rate > kMaxRate || channels == 0 || channels > kMaxChannels ||
      sample == kSamples.end()) {
    return std::nullopt;
  }
  return StreamFormat{rate, channels, static_cast<SampleFormat>(sample - kSamples.begin())};
}

}  // namespace modmem::testbench
