// A module's UUID, by which firmware finds the module's code.
//
// Invariant: `bytes` are in the order in which the canonical form prints them. Files hold the first
// three fields little-endian: a8 a9 bc 61 d0 18 18 4a 8e 7b 26 39 21 98 04 b7 there is
// 61bca9a8-18d0-4a18-8e7b-2639219804b7 here.
// Cost: 16 bytes, no allocation but for to_string.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace modmem::testbench {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  constexpr bool operator==(const Uuid&) const = default;
  constexpr std::strong_ordering operator<=>(const Uuid& other) const {
    return bytes <=> other.bytes;
  }
};

// The UUID whose 16 bytes a file holds as `bytes`.
Uuid uuid_from_file(std::span<const std::byte, 16> bytes);

// The canonical form: 36 characters, lower case.
std::string to_string(const Uuid& uuid);

// The UUID that `text` is the canonical form of (either case), or nothing.
constexpr std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) {
    return std::nullopt;
  }
  Uuid uuid;
  std::size_t digit = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') {
        return std::nullopt;
      }
      continue;
    }
    int value = 0;
    if (c >= '0' && c <= '9') {
      value = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      value = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      value = c - 'A' + 10;
    } else {
      return std::nullopt;
    }
    std::uint8_t& byte = uuid.bytes[digit / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
    ++digit;
  }
  return uuid;
}

// The modules that the testbench implements; every other UUID is a placeholder's. All copiers
// (host, DAI and module copiers) are one module: what they do follows from their widget's type.
inline constexpr Uuid kCopierUuid = *parse_uuid("9ba00c83-ca12-4a83-943c-1fa2e82f9dda");
inline constexpr Uuid kGainUuid = *parse_uuid("61bca9a8-18d0-4a18-8e7b-2639219804b7");
inline constexpr Uuid kMixinUuid = *parse_uuid("39656eb2-3b71-4049-8d3f-f92cd5c43c09");
inline constexpr Uuid kMixoutUuid = *parse_uuid("3c56505a-24d7-418f-bddc-c1f5a3ac2ae0");

}  // namespace modmem::testbench
