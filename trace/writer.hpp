// Writer: allocation traces as CSV text, which Reader reads.
#pragma once

#include <string>

#include "trace/record.hpp"

namespace modmem::trace {

class Writer {
 public:
  // Appends to `text`, which the caller empties as it likes and which outlives this. Writes the
  // header; `owners`: with a column `owner`.
  Writer(std::string& text, bool owners);

  // One row. O(its length).
  void write(const Record& record);

 private:
  std::string& text_;
  bool owners_;
};

}  // namespace modmem::trace
