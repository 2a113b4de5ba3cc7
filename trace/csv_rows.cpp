#include "trace/csv_rows.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "trace/trace_error.hpp"

namespace modmem::trace {

namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::FILE* open_or_throw(const std::string& path) {
  if (path == "-") {
    return stdin;
  }
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) {
    throw TraceError(path + ": can't be read: " + std::generic_category().message(errno));
  }
  return file;
}

}  // namespace

CsvRows::CsvRows(const std::string& path)
    : CsvRows(open_or_throw(path), path == "-" ? "standard input" : path) {}

CsvRows::CsvRows(std::FILE* file, std::string name) : file_(file), name_(std::move(name)) {
  find_size();
}

void CsvRows::find_size() {
  struct stat status {};
  const int number = ::fileno(file_.get());
  if (number >= 0 && ::fstat(number, &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      throw TraceError(name_ + ": can't be read: it is a directory");
    }
    size_ = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  }
}

void CsvRows::rewind() {
  if (std::fseek(file_.get(), 0, SEEK_SET) != 0) {
    throw TraceError(name_ + ": can't be read twice, as this needs: it is no regular file");
  }
  begin_ = end_ = 0;
  at_end_ = false;
  line_ = 1;
  row_line_ = 0;
  consumed_ = 0;
}

void CsvRows::fail(const std::string& reason) const {
  throw TraceError(name_ + ":" + std::to_string(row_line_) + ": " + reason);
}

// Reads on behind what there is. Returns false at the file's end.
bool CsvRows::fill() {
  if (at_end_) {
    return false;
  }
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  buffer_.resize(std::max(buffer_.size(), end_ + kBlockBytes));
  const std::size_t count =
      std::fread(buffer_.data() + end_, 1, buffer_.size() - end_, file_.get());
  if (count == 0 && std::ferror(file_.get()) != 0) {
    throw TraceError(name_ + ": can't be read: " + std::generic_category().message(errno));
  }
  at_end_ = count == 0;
  end_ += count;
  return count != 0;
}

// Bytes from begin_ to the row's end of line, or to the end of the file.
std::size_t CsvRows::find_end() {
  bool quoted = false;
  std::size_t at = 0;
  for (;;) {
    const char* const start = buffer_.data() + begin_;
    const std::size_t there = end_ - begin_;
    while (at < there) {
      const auto* found = static_cast<const char*>(std::memchr(start + at, '\n', there - at));
      const std::size_t stop = found == nullptr ? there : static_cast<std::size_t>(found - start);
      const auto quotes = std::count(start + at, start + stop, '"');
      quoted = quoted != (quotes % 2 != 0);
      at = stop;
      if (found != nullptr && !quoted) {
        return at;
      }
      at += found != nullptr ? 1 : 0;
    }
    if (at > kMostRowBytes) {
      fail("the row has more than " + std::to_string(kMostRowBytes) + " bytes");
    }
    if (!fill()) {
      if (quoted) {
        fail("a quote that begins in this row has no end");
      }
      return at;
    }
  }
}

bool CsvRows::next(std::vector<std::string_view>& fields) {
  for (;;) {
    row_line_ = line_;
    if (begin_ == end_ && !fill()) {
      return false;
    }
    const std::size_t bytes = find_end();
    std::string_view row(buffer_.data() + begin_, bytes);
    const bool ended = begin_ + bytes < end_;  // by an end of line
    begin_ += bytes + (ended ? 1 : 0);
    line_ += static_cast<std::uint64_t>(std::count(row.begin(), row.end(), '\n')) + 1;
    if (consumed_ == 0 && row.starts_with(kByteOrderMark)) {
      row.remove_prefix(kByteOrderMark.size());
    }
    consumed_ += bytes + (ended ? 1 : 0);
    if (row.ends_with('\r')) {
      row.remove_suffix(1);
    }
    if (row.size() > kMostRowBytes) {
      fail("the row has more than " + std::to_string(kMostRowBytes) + " bytes");
    }
    if (!row.empty()) {
      split(row, fields);
      return true;
    }
  }
}

void CsvRows::split(std::string_view row, std::vector<std::string_view>& fields) {
  fields.clear();
  unquoted_.clear();
  const bool has_quotes = row.find('"') != std::string_view::npos;
  for (std::size_t at = 0; at <= row.size();) {
    std::size_t stop = at;
    if (has_quotes) {
      for (bool quoted = false; stop < row.size() && (quoted || row[stop] != ','); ++stop) {
        quoted = quoted != (row[stop] == '"');
      }
    } else {
      stop = std::min(row.find(',', at), row.size());
    }
    const std::string_view field = row.substr(at, stop - at);
    fields.push_back(has_quotes && field.find('"') != std::string_view::npos ? unquote(field)
                                                                             : field);
    at = stop + 1;
  }
}

std::string_view CsvRows::unquote(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') {
    fail("a quote stands inside of a field that is not in quotes");
  }
  quoted = quoted.substr(1, quoted.size() - 2);
  std::string& text = unquoted_.emplace_back();
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    text += quoted[i];
    if (quoted[i] == '"') {
      ++i;
      if (i == quoted.size() || quoted[i] != '"') {
        fail("a quote inside of a field in quotes is not doubled");
      }
    }
  }
  return text;
}

}  // namespace modmem::trace
