// CsvRows: the rows of a CSV file, one at a time, however long the file is.
//
// Fields are separated by commas; one in quotes may hold commas, ends of lines and, doubled,
// quotes. Lines end with LF or CRLF, the last one also with the file. Empty lines are left out, and
// so is a byte order mark. Memory: one row, which may be kMostRowBytes long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace modmem::trace {

class CsvRows {
 public:
  static constexpr std::size_t kMostRowBytes = std::size_t{1} << 20;

  // Opens `path`; "-" is standard input. Throws TraceError where it can't be read.
  explicit CsvRows(const std::string& path);
  // Reads `file`, which it closes; `name` stands in errors.
  CsvRows(std::FILE* file, std::string name);

  // The next row's fields, which hold until the next call. Returns false at the end. Throws
  // TraceError where a row is too long, a quote has no end or the file can't be read.
  bool next(std::vector<std::string_view>& fields);

  // Starts again. Throws TraceError where the file is none that can be read twice.
  void rewind();

  const std::string& name() const { return name_; }
  std::uint64_t line() const { return row_line_; }  // where the last row began
  std::uint64_t bytes_read() const { return consumed_; }
  std::uint64_t size() const { return size_; }  // of the file; 0 where that is not known

  // "NAME:LINE: `reason`", of the last row.
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  struct Closer {
    void operator()(std::FILE* file) const {
      if (file != stdin) {
        std::fclose(file);
      }
    }
  };

  void find_size();
  bool fill();
  std::size_t find_end();
  void split(std::string_view row, std::vector<std::string_view>& fields);
  std::string_view unquote(std::string_view quoted);

  std::unique_ptr<std::FILE, Closer> file_;
  std::string name_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what is not consumed
  std::size_t end_ = 0;    // of what was read
  bool at_end_ = false;
  std::uint64_t line_ = 1;      // of begin_
  std::uint64_t row_line_ = 0;  // of the last row
  std::uint64_t consumed_ = 0;
  std::uint64_t size_ = 0;
  std::deque<std::string> unquoted_;  // fields of this row that had quotes in them
};

}  // namespace modmem::trace
