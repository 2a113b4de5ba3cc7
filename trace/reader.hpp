// Reader: an allocation trace in CSV, row by row.
//
// The first row names the columns, in any order: op, id and bytes must be there; time_us,
// alignment, flags, caller and owner may be, and others are passed over. Numbers are decimal, or
// hexadecimal with 0x. What a row means is op_of()'s; whether its ids hold together is
// Sequence's. Cost: O(bytes of the row), no allocation once its strings have grown.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "trace/csv_rows.hpp"
#include "trace/record.hpp"
#include "trace/record_source.hpp"

namespace modmem::trace {

class Reader final : public RecordSource {
 public:
  // Opens a file ("-": standard input) and reads its header. Throws TraceError where it can't be
  // read or lacks a column.
  explicit Reader(const std::string& path) : rows_(path) { read_header(); }
  // The same of `file`, which it closes and calls `name` in errors.
  Reader(std::FILE* file, const std::string& name) : rows_(file, name) { read_header(); }

  // The next row. Returns false at the end. Throws TraceError, which names file, line and reason,
  // where a row does not hold.
  bool next(Record& record) override;

  // Starts again. Throws TraceError where the file can't be read twice.
  void rewind() override;

  bool has_owners() const override { return place_of(Column::owner) != kAbsent; }
  const std::string& name() const override { return rows_.name(); }
  std::uint64_t bytes_read() const override { return rows_.bytes_read(); }
  std::uint64_t size() const override { return rows_.size(); }
  [[noreturn]] void fail(const std::string& reason) const override { rows_.fail(reason); }

 private:
  enum class Column : std::uint8_t { time_us, op, id, bytes, alignment, flags, caller, owner };
  static constexpr std::size_t kColumns = 8;
  static constexpr std::size_t kAbsent = SIZE_MAX;

  std::size_t place_of(Column column) const { return column_[static_cast<std::size_t>(column)]; }
  void read_header();
  std::string_view field(Column column) const;
  std::uint64_t number(Column column, std::uint64_t least, std::uint64_t most) const;
  std::uint64_t number_or(Column column, std::uint64_t absent, std::uint64_t most) const;

  CsvRows rows_;
  std::array<std::size_t, kColumns> column_{};  // where each stands in a row
  std::size_t width_ = 0;                       // fields in the header
  std::vector<std::string_view> fields_;
};

}  // namespace modmem::trace
