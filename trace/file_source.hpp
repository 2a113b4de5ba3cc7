// FileSource: the events of a trace file.
//
// A stream's *start* is complete with the last allocation of its first run of rows (rows of one
// owner, one behind the other, up to kLookAhead), its *stop* with its release. A trace without a
// column `owner` is one stream, which is released at its end. Memory: kLookAhead events and
// Sequence's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trace/event.hpp"
#include "trace/reader.hpp"
#include "trace/sequence.hpp"

namespace modmem::trace {

class FileSource final : public EventSource {
 public:
  static constexpr std::size_t kLookAhead = 65536;

  // Opens the trace, as open_records() does. Throws TraceError where that can't be.
  explicit FileSource(const std::string& path) : FileSource(open_records(path)) {}
  // Reads `rows`, which is not null.
  explicit FileSource(std::unique_ptr<RecordSource> rows)
      : reader_(std::move(rows)), sequence_(*reader_) {}
  // Reads `file`, which it closes and calls `name` in errors.
  FileSource(std::FILE* file, const std::string& name)
      : reader_(std::make_unique<Reader>(file, name)), sequence_(*reader_) {}

  std::size_t read(std::span<Event> events) override;
  void rewind() override;
  std::uint64_t done() const override { return reader_->bytes_read(); }
  // What could not be read, up to here. A row that can't be ends the trace, and is one; where there
  // is none before it, read() throws.
  std::vector<std::string> problems() const;
  // Events that the trace lacks, up to here.
  std::uint64_t lost() const { return reader_->lost(); }
  std::uint64_t total() const override { return reader_->size(); }

 private:
  static constexpr std::size_t kNothing = SIZE_MAX;

  void fill();
  bool next();
  void append(const Event& event);
  void end_run();

  std::unique_ptr<RecordSource> reader_;
  Sequence sequence_;
  Record record_;
  std::vector<Event> events_;  // read, and not yet given on
  std::size_t given_ = 0;      // of events_
  bool at_end_ = false;
  bool has_read_ = false;  // a row
  std::string problem_;    // that ended it; "": none

  // The run of rows of one owner that events_ ends with.
  std::uint32_t run_owner_ = Event::kSystem;
  std::size_t run_begin_ = 0;
  std::size_t last_allocation_ = kNothing;  // of the run
  std::vector<bool> started_;               // by place of owner
};

}  // namespace modmem::trace
