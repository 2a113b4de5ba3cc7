// CtfConverter: the rows of an allocation trace as a trace of CTF.
//
// Each owner is a pipeline below the system, each caller a site, a block's place a number that no
// other has that lives. There is no platform to such a trace, so it is played as rows are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "port/posix/plain_port.hpp"
#include "record/recorder.hpp"
#include "trace/ctf_writer.hpp"
#include "trace/record_source.hpp"
#include "trace/sequence.hpp"

namespace modmem::trace {

class CtfConverter {
 public:
  // Rows of `source`, which must outlive it, into `directory`, as CtfWriter makes it.
  CtfConverter(RecordSource& source, const std::filesystem::path& directory);
  CtfConverter(const CtfConverter&) = delete;
  CtfConverter& operator=(const CtfConverter&) = delete;

  // Writes the next row. Returns false at the end, when all is written. Throws TraceError where a
  // row does not hold, or can't be written.
  bool next();

  // Ends the trace with the rows so far, where next() threw. Throws TraceError where it can't be
  // written.
  void finish();

 private:
  static constexpr std::uint16_t kSystem = 0;

  std::uint16_t owner(const Record& record, std::uint32_t place);
  std::uint16_t site(const std::string& caller);
  void end_owner(std::uint32_t place);

  RecordSource& source_;
  Sequence sequence_;
  PlainPort port_;  // for its time
  std::vector<EventSlot> slots_;
  Recorder recorder_;
  CtfWriter writer_;
  Record record_;
  std::uint64_t time_us_ = 0;
  std::vector<event::Block> blocks_;  // by place
  std::vector<bool> lives_;           // owners, by place
  std::unordered_map<std::string, std::uint16_t> sites_;
};

}  // namespace modmem::trace
