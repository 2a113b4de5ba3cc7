// RunReport: what a run has to say: where every byte of memory went, and what became of the audio.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "testbench/coherence/coherence_report.hpp"
#include "testbench/findings.hpp"
#include "testbench/session.hpp"
#include "testbench/system.hpp"
#include "trace/memory_figures.hpp"

namespace modmem::testbench {

using trace::HeapNote;

// What became of a script's commands.
struct ScriptFigures {
  std::string script;  // its file
  std::uint64_t commands = 0;
  std::uint64_t streams_started = 0;
  std::uint64_t streams_failed = 0;  // starts that memory did not suffice for
  std::uint64_t failures = 0;        // commands of any kind
  double speed = 0;                  // simulated time by time that passed
};

// What became of a run's trace.
struct TraceFigures {
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
};

struct RunReport {
  std::string topology;
  std::string platform;
  std::string policy;
  std::uint32_t frames = 0;
  std::uint32_t banks = 0;
  std::size_t boot_mapped_bytes = 0;
  std::size_t mapped_bytes = 0;       // after tear-down
  std::size_t live_mapped_bytes = 0;  // after the last period
  std::size_t peak_mapped_bytes = 0;
  std::size_t peak_live_bytes = 0;
  std::uint32_t banks_on = 0;  // after the last period
  std::uint32_t banks_on_peak = 0;
  double banks_on_mean = 0;        // over periods
  double mapped_mean_bytes = 0;    // over periods
  Energy energy;                   // up to the last period, of the time that audio took
  std::uint64_t frames_moved = 0;  // by compaction
  std::size_t metadata_bytes = 0;
  std::size_t largest_request = 0;  // of the system, after the last period
  std::vector<HeapNote> heaps;
  std::vector<PipelineReport> pipelines;
  std::vector<ModuleReport> modules;
  std::vector<LeakNote> leaks;
  std::vector<FaultNote> faults;
  bool isolated = false;          // modules ran in domains
  std::vector<StrayNote> strays;  // what they reached for, and were removed
  std::vector<Finding> findings;  // all that modules did that they must not
  std::uint64_t frames_in = 0;    // taken from the file, all sources together
  std::uint64_t frames_out = 0;   // given by all sinks together
  std::uint64_t xruns = 0;
  std::uint64_t periods = 0;
  std::uint64_t cycles = 0;  // completed
  std::uint64_t audio_path_allocations = 0;
  AdmissionFigures admissions;
  std::optional<FailureNote> failure;
  std::string failed_step;                   // what failed for want of memory
  std::vector<std::filesystem::path> files;  // that were written
  std::optional<ScriptFigures> script;       // of a run that followed one
  std::optional<TraceFigures> trace;         // of a run that was traced
  std::optional<CoherenceReport> coherence;  // of a run with simulated caches

  // Memory ran out, something leaked, was freed wrongly or allocated on the audio path, a loaded
  // module failed to process, caches that are not coherent showed, or the pool is not what it was.
  bool failed() const;
};

// A report of what is known before anything runs.
RunReport begin_report(const System& system, const std::filesystem::path& topology);

// Notes what can be seen while the streams play, before anything is torn down.
void sample(System& system, const Session& session, RunReport& report);

// Notes what can be seen when all is torn down.
void close_report(System& system, RunReport& report);

// Notes what modules did that they must not, once all leaks are known and before their files go.
void note_findings(RunReport& report);

// Completes the system's trace, if there is one, and notes it. Throws TraceError where it can't be
// written.
void note_trace(System& system, RunReport& report);

// Means over periods.
class PeriodMeans {
 public:
  // Memory was as it is now for `periods` periods. O(1).
  void add(const System& system, std::uint64_t periods);
  // Notes them, and the number of periods.
  void note(RunReport& report) const;

 private:
  std::uint64_t periods_ = 0;
  double banks_ = 0;  // sums
  double mapped_ = 0;
};

}  // namespace modmem::testbench
