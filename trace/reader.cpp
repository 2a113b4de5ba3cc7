#include "trace/reader.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace modmem::trace {

namespace {

constexpr std::array<std::string_view, 8> kNames{"time_us",   "op",    "id",     "bytes",
                                                 "alignment", "flags", "caller", "owner"};
constexpr std::size_t kMostQuoted = 60;  // characters of a field that an error shows

std::string shown(std::string_view text) {
  const std::string start(text.substr(0, kMostQuoted));
  return "\"" + start + (text.size() > kMostQuoted ? "...\"" : "\"");
}

}  // namespace

void Reader::read_header() {
  if (!rows_.next(fields_)) {
    rows_.fail("the file is empty: its first row must name the columns");
  }
  column_.fill(kAbsent);
  width_ = fields_.size();
  for (std::size_t i = 0; i < width_; ++i) {
    const auto* const known = std::find(kNames.begin(), kNames.end(), fields_[i]);
    if (known == kNames.end()) {
      continue;
    }
    std::size_t& column = column_[static_cast<std::size_t>(known - kNames.begin())];
    if (column != kAbsent) {
      rows_.fail("column " + std::string(*known) + " is there twice");
    }
    column = i;
  }
  for (const Column needed : {Column::op, Column::id, Column::bytes}) {
    if (place_of(needed) == kAbsent) {
      rows_.fail("column " + std::string(kNames[static_cast<std::size_t>(needed)]) +
                 " is missing: a trace has time_us, op, id, bytes, alignment, flags, caller");
    }
  }
}

void Reader::rewind() {
  rows_.rewind();
  read_header();
}

std::string_view Reader::field(Column column) const {
  return place_of(column) == kAbsent ? std::string_view() : fields_[place_of(column)];
}

std::uint64_t Reader::number(Column column, std::uint64_t least, std::uint64_t most) const {
  const std::string_view text = field(column);
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = hexadecimal ? text.substr(2) : text;
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, hexadecimal ? 16 : 10);
  const std::string name(kNames[static_cast<std::size_t>(column)]);
  if (text.empty()) {
    rows_.fail(name + " is missing");
  }
  if (error == std::errc::invalid_argument || stop != end) {
    rows_.fail(name + " " + shown(text) + " is not a whole number");
  }
  if (error != std::errc() || value < least || value > most) {
    rows_.fail(name + " " + shown(text) + " is not from " + std::to_string(least) + " to " +
               std::to_string(most));
  }
  return value;
}

std::uint64_t Reader::number_or(Column column, std::uint64_t absent, std::uint64_t most) const {
  return field(column).empty() ? absent : number(column, 0, most);
}

bool Reader::next(Record& record) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
  if (!rows_.next(fields_)) {
    return false;
  }
  if (fields_.size() != width_) {
    rows_.fail("the row has " + std::to_string(fields_.size()) + " fields, the header " +
               std::to_string(width_));
  }
  record.line = rows_.line();
  record.time_us = number_or(Column::time_us, 0, kMost);
  record.op = field(Column::op);
  record.caller = field(Column::caller);
  record.owner = field(Column::owner);
  record.id = 0;
  record.bytes = 0;
  record.alignment = 0;
  record.flags = 0;
  if (record.op.empty()) {
    rows_.fail("op is missing");
  }
  const OpKind kind = op_of(record.op).kind;
  if (kind == OpKind::release) {
    return true;
  }
  record.id = number(Column::id, 0, kMost);
  if (kind != OpKind::free) {
    record.bytes = static_cast<std::uint32_t>(number(Column::bytes, 1, kMost32));
    record.alignment = static_cast<std::uint32_t>(number_or(Column::alignment, 0, kMost32));
    record.flags = static_cast<Flags>(number_or(Column::flags, 0, kMost32));
    if ((record.alignment & (record.alignment - 1)) != 0) {
      rows_.fail("alignment " + std::to_string(record.alignment) + " is no power of two");
    }
  }
  return true;
}

}  // namespace modmem::trace
