#include "tools/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "testbench/input_error.hpp"

namespace modmem::tools {

namespace {

constexpr double kLeastSeconds = 1e-6;
constexpr double kMostSeconds = 24.0 * 3600;

[[noreturn]] void fail(std::string_view option, const std::string& value,
                       const std::string& reason) {
  throw testbench::InputError(std::string(option) + " " + value + ": " + reason);
}

// `text` as a number, nothing where it is none or too large for a T.
template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::uint64_t parse_count(std::string_view option, const std::string& value, std::uint64_t least,
                          std::uint64_t most) {
  const auto count = number<std::uint64_t>(value);
  if (!count || *count < least || *count > most) {
    fail(option, value,
         "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *count;
}

double parse_seconds(std::string_view option, const std::string& value) {
  const auto seconds = number<double>(value);
  // What is not a number compares with nothing.
  if (!seconds || !(*seconds >= kLeastSeconds && *seconds <= kMostSeconds)) {
    fail(option, value, "must be a number of seconds from 0.000001 to 86400, a day");
  }
  return *seconds;
}

testbench::StreamFormat parse_format(std::string_view option, const std::string& value) {
  const auto format = testbench::parse_stream_format(value);
  if (!format) {
    fail(option, value,
         "must be a rate from 1000 to 1536000, 1 to 32 channels, and s16, s24 or s32, such as "
         "48000:2:s32");
  }
  return *format;
}

std::vector<std::uint32_t> parse_pipelines(std::string_view option, const std::string& value) {
  std::vector<std::uint32_t> ids;
  if (value == "all") {
    return ids;
  }
  const std::string_view list = value;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    const std::string_view item = list.substr(at, comma - at);
    const auto id = number<std::uint32_t>(item);
    if (!id) {
      fail(option, value, "\"" + std::string(item) + "\" is no pipeline id");
    }
    ids.push_back(*id);
    at = comma + 1;
  }
  return ids;
}

const std::string& parse_path(std::string_view option, const std::string& value) {
  if (value.empty()) {
    fail(option, "\"\"", "a name must be given");
  }
  return value;
}

}  // namespace modmem::tools
