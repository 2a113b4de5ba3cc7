#include "trace/ctf_environment.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "trace/platform_numbers.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

namespace {

// No metadata of ours is longer; what is behind is not looked at.
constexpr std::size_t kMostBytes = std::size_t{1} << 16;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || !file.is_open()) {
    throw TraceError(path.string() + ": " + std::generic_category().message(errno));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// What stands behind "NAME = " in a line of its own, up to its semicolon.
std::optional<std::string_view> value_of(std::string_view text, std::string_view name) {
  const std::string key = "\n  " + std::string(name) + " = ";
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view rest = text.substr(at + key.size());
  const std::size_t end = rest.find(";\n");
  return end == std::string_view::npos ? std::nullopt : std::optional(rest.substr(0, end));
}

// The text of a value in quotes.
std::optional<std::string> unquoted(std::optional<std::string_view> value) {
  if (!value || value->size() < 2 || value->front() != '"' || value->back() != '"') {
    return std::nullopt;
  }
  std::string text;
  for (std::size_t i = 1; i + 1 < value->size(); ++i) {
    i += (*value)[i] == '\\' && i + 2 < value->size() ? 1U : 0U;
    text += (*value)[i];
  }
  return text;
}

std::optional<std::uint64_t> number_of(std::optional<std::string_view> value) {
  std::uint64_t number = 0;
  if (!value) {
    return std::nullopt;
  }
  const char* const end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

// "01234567-89ab-..." as bytes.
std::optional<CtfUuid> uuid_of(std::optional<std::string> text) {
  if (!text) {
    return std::nullopt;
  }
  std::erase(*text, '-');
  CtfUuid uuid{};
  if (text->size() != 2 * uuid.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    const char* const digits = text->data() + 2 * i;
    if (std::from_chars(digits, digits + 2, uuid[i], 16).ptr != digits + 2) {
      return std::nullopt;
    }
  }
  return uuid;
}

}  // namespace

CtfEnvironment::CtfEnvironment(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "metadata";
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw TraceError(directory.string() + ": is no trace: it has no file metadata");
  }
  const std::string text = read_file(path);
  if (text.find("tracer_name = \"modmem\"") == std::string::npos) {
    throw TraceError(path.string() + ": is not that of a modmem trace, or cut off");
  }
  const auto require = [&](auto value, std::string_view name) {
    if (!value) {
      throw TraceError(path.string() + ": " + std::string(name) + " is missing, or damaged");
    }
    return *value;
  };
  uuid_ = require(uuid_of(unquoted(value_of(text, "uuid"))), "uuid");
  platform_ = require(unquoted(value_of(text, "platform")), "platform");
  policy_ = require(unquoted(value_of(text, "policy")), "policy");
  converted_ = value_of(text, "converted_from").has_value();
  for (const PlatformNumber& number : kPlatformNumbers) {
    number.set(numbers_, require(number_of(value_of(text, number.name)), number.name));
  }
  const std::string whole = metadata();
  if (text != whole) {
    const auto differs = std::mismatch(text.begin(), text.end(), whole.begin(), whole.end());
    damaged_at_ = static_cast<std::size_t>(differs.first - text.begin());
  }
}

PlatformConfig CtfEnvironment::platform() const {
  PlatformConfig platform = numbers_;
  platform.name = platform_.c_str();
  platform.policy = policy_.c_str();
  return platform;
}

std::string CtfEnvironment::metadata() const {
  return ctf_metadata(uuid_, platform(), policy_, converted_);
}

}  // namespace modmem::trace
