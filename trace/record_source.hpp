// RecordSource: the rows of an allocation trace, whatever file they come from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "trace/record.hpp"

namespace modmem::trace {

class RecordSource {
 public:
  RecordSource() = default;
  RecordSource(const RecordSource&) = delete;
  RecordSource& operator=(const RecordSource&) = delete;
  virtual ~RecordSource() = default;

  // The next row. Returns false at the end. Throws TraceError, which names file, place and reason,
  // where a row does not hold.
  virtual bool next(Record& record) = 0;

  // Starts again. Throws TraceError where the file can't be read twice.
  virtual void rewind() = 0;

  // Whether rows name owners; else all of them are one stream.
  virtual bool has_owners() const = 0;
  virtual const std::string& name() const = 0;
  virtual std::uint64_t bytes_read() const = 0;
  virtual std::uint64_t size() const = 0;  // 0 where it is not known
  // What could not be read, up to here, with its place.
  virtual std::vector<std::string> problems() const { return {}; }
  // Events that were never recorded, or are gone without a trace, up to here.
  virtual std::uint64_t lost() const { return 0; }
  // Throws TraceError about the last row.
  [[noreturn]] virtual void fail(const std::string& reason) const = 0;
};

// The rows of a trace: of a directory, a recorded one, else of a file of CSV ("-": standard input).
// Throws TraceError where it can't be read.
std::unique_ptr<RecordSource> open_records(const std::string& path);

}  // namespace modmem::trace
