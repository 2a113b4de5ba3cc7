#include "testbench/topology/uuid.hpp"

namespace modmem::testbench {

Uuid uuid_from_file(std::span<const std::byte, 16> bytes) {
  static constexpr std::array<std::size_t, 16> kFileOrder = {3, 2, 1,  0,  5,  4,  7,  6,
                                                             8, 9, 10, 11, 12, 13, 14, 15};
  Uuid uuid;
  for (std::size_t i = 0; i < kFileOrder.size(); ++i) {
    uuid.bytes[i] = std::to_integer<std::uint8_t>(bytes[kFileOrder[i]]);
  }
  return uuid;
}

std::string to_string(const Uuid& uuid) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text += '-';
    }
    text += kDigits[uuid.bytes[i] >> 4];
    text += kDigits[uuid.bytes[i] & 0xf];
  }
  return text;
}

}  // namespace modmem::testbench
