// RunTrace: writes down all that a run does to memory, as a trace of CTF (docs/tracing.md).
//
// Nothing is lost: a ring that is full is emptied by whoever fills it. Between set-up and
// tear-down, a period leaves one event.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "port/port.hpp"
#include "record/recorded_port.hpp"
#include "record/recorder.hpp"
#include "trace/ctf_writer.hpp"

namespace modmem::testbench {

class RunTrace {
 public:
  // Makes `directory`, which must not exist or be empty. `port` must outlive it. Throws TraceError
  // where it can't be written.
  RunTrace(const std::filesystem::path& directory, const PlatformConfig& config,
           const std::string& policy, Port& port);
  RunTrace(const RunTrace&) = delete;
  RunTrace& operator=(const RunTrace&) = delete;

  // What a Memory that is to be recorded boots with, and is given.
  Port& port() { return port_; }
  Recorder& recorder() { return recorder_; }

  // From any thread.
  void note_period(std::uint64_t number);
  void note_pipeline(std::uint32_t id, std::uint32_t state);
  // The report is of this moment.
  void note_sample();

  // Writes the rest, once the Memory is shut down. Throws TraceError where anything could not be
  // written.
  void finish() { writer_.finish(); }
  std::uint64_t events() const { return writer_.events(); }
  std::uint64_t lost() const { return recorder_.lost(); }

 private:
  static constexpr std::size_t kSlots = std::size_t{1} << 13;  // of each core

  std::vector<EventSlot> slots_;
  Recorder recorder_;
  trace::CtfWriter writer_;
  RecordedPort port_;
};

}  // namespace modmem::testbench
