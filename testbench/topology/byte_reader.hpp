// A cursor over the bytes of a file that cannot leave them.
//
// Invariant: offset() = origin + bytes consumed, and consumed + remaining() = bytes given. Whatever
// asks for more than remains throws InputError with the file's name, the offset, the context (which
// widget or block is being read) and the reason, in one line.
// Cost: two pointers and a string; every operation O(1) but for the bytes it copies.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "testbench/topology/asoc.hpp"

namespace modmem::testbench {

// "0x1a4", for messages.
std::string hex(std::uint64_t value);

class ByteReader {
 public:
  // Reads `bytes`, which lie `origin` bytes into the file called `name`. Both outlive the reader.
  ByteReader(std::span<const std::byte> bytes, std::string_view name, std::size_t origin = 0)
      : bytes_(bytes), name_(name), origin_(origin) {}

  std::size_t offset() const { return origin_ + consumed_; }
  std::size_t remaining() const { return bytes_.size() - consumed_; }
  bool at_end() const { return remaining() == 0; }

  // Says in messages what is being read, e.g. "widget 'gain.1.1'".
  void set_context(std::string context) { context_ = std::move(context); }

  // The next `size` bytes, called `what` in the message if they are not there.
  std::span<const std::byte> take(std::size_t size, std::string_view what);

  // A reader of the next `size` bytes, with the same name and context.
  ByteReader take_reader(std::size_t size, std::string_view what);

  // The next record, without its private data (see asoc::kRecordSize).
  template <typename Record>
  Record take_record(std::string_view what) {
    static_assert(std::is_trivially_copyable_v<Record>);
    static_assert(sizeof(Record) >= asoc::kRecordSize<Record>);
    Record record{};
    std::memcpy(&record, take(asoc::kRecordSize<Record>, what).data(), asoc::kRecordSize<Record>);
    return record;
  }

  // The text of a fixed-size field that was read from `field_offset`: printable ASCII that ends
  // with a NUL inside the field. Anything else throws: a name with a line break in it would break
  // every report that quotes it.
  template <std::size_t kSize>
  std::string text(const char (&field)[kSize], std::size_t field_offset,
                   std::string_view what) const {
    return text(std::span<const char>(field, kSize), field_offset, what);
  }
  std::string text(std::span<const char> field, std::size_t field_offset,
                   std::string_view what) const;

  // Throws unless `actual`, the size that the structure `what` at `record_offset` declares for
  // itself, is `expected`.
  void require_size(std::uint32_t actual, std::size_t expected, std::size_t record_offset,
                    std::string_view what) const;

  // Throws unless everything was consumed.
  void require_end(std::string_view what) const;

  [[noreturn]] void fail(std::string_view reason) const { fail_at(offset(), reason); }
  [[noreturn]] void fail_at(std::size_t offset, std::string_view reason) const;

 private:
  std::span<const std::byte> bytes_;
  std::string_view name_;
  std::size_t origin_;
  std::size_t consumed_ = 0;
  std::string context_;
};

}  // namespace modmem::testbench
