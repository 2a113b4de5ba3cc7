#include "testbench/topology/byte_reader.hpp"

#include <algorithm>
#include <charconv>

#include "testbench/input_error.hpp"

namespace modmem::testbench {

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto result =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, /*base=*/16);
  return "0x" + std::string(digits.data(), result.ptr);
}

std::span<const std::byte> ByteReader::take(std::size_t size, std::string_view what) {
  if (size > remaining()) {
    fail(std::string(what) + " needs " + std::to_string(size) + " bytes, " +
         std::to_string(remaining()) + " are left");
  }
  const std::span<const std::byte> taken = bytes_.subspan(consumed_, size);
  consumed_ += size;
  return taken;
}

ByteReader ByteReader::take_reader(std::size_t size, std::string_view what) {
  const std::size_t start = offset();
  ByteReader reader(take(size, what), name_, start);
  reader.context_ = context_;
  return reader;
}

std::string ByteReader::text(std::span<const char> field, std::size_t field_offset,
                             std::string_view what) const {
  const auto end = std::find(field.begin(), field.end(), '\0');
  if (end == field.end()) {
    fail_at(field_offset, std::string(what) + " does not end within its " +
                              std::to_string(field.size()) + " bytes");
  }
  const auto odd = std::find_if(field.begin(), end, [](char c) { return c < ' ' || c > '~'; });
  if (odd != end) {
    fail_at(field_offset, std::string(what) + " holds the unprintable character " +
                              hex(static_cast<unsigned char>(*odd)));
  }
  return {field.begin(), end};
}

void ByteReader::require_size(std::uint32_t actual, std::size_t expected, std::size_t record_offset,
                              std::string_view what) const {
  if (actual != expected) {
    fail_at(record_offset, std::string(what) + " declares a size of " + std::to_string(actual) +
                               " bytes, expected " + std::to_string(expected));
  }
}

void ByteReader::require_end(std::string_view what) const {
  if (!at_end()) {
    fail(std::to_string(remaining()) + " bytes are left over after " + std::string(what));
  }
}

void ByteReader::fail_at(std::size_t offset, std::string_view reason) const {
  std::string message(name_);
  message += ": offset " + hex(offset) + ": ";
  if (!context_.empty()) {
    message += context_ + ": ";
  }
  message += reason;
  throw InputError(message);
}

}  // namespace modmem::testbench
