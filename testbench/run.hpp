// run(): a topology, an audio file and a platform in; audio and a report of all memory out.
//
// The session is set up, plays the audio through all chosen pipelines, and is torn down. For
// streams that come and go see script_run.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "testbench/run_report.hpp"

namespace modmem::testbench {

class CoherenceCheck;
class Injector;
class TraceRecorder;

// Looks at a run while it plays.
class RunWatcher {
 public:
  // Of `total` periods `done` have passed. Called after each in which something ran, and after each
  // stretch of time in which nothing did; nothing is at work meanwhile.
  virtual void on_period(const System& system, const Session& session, std::uint64_t done,
                         std::uint64_t total) = 0;

 protected:
  ~RunWatcher() = default;
};

struct RunOptions {
  std::filesystem::path topology;
  std::filesystem::path input;
  std::optional<std::filesystem::path>
      output;                            // a file, or a directory (existing, or with a final /)
  std::optional<std::string> platform;   // by the topology's name where not given
  std::optional<std::string> policy;     // the platform's where not given
  std::vector<std::uint32_t> pipelines;  // empty: all
  std::vector<std::filesystem::path> modules;  // shared objects to load
  std::optional<double> seconds;               // the input's length where not given
  std::optional<std::uint32_t> compact;  // frames moved a period; default_compaction() if not given
  std::optional<std::string> hardening;  // a level (docs/hardening.md); standard if not given
  TraceRecorder* recorder = nullptr;     // writes down what is allocated, where it is given
  std::optional<std::filesystem::path> trace;  // directory of a trace (docs/tracing.md)
  RunWatcher* watcher = nullptr;
  Injector* injector = nullptr;         // has something fail, where it is given
  CoherenceCheck* coherence = nullptr;  // has caches that are not coherent, likewise
  std::uint64_t cycles = 1;             // set-ups and tear-downs; the last one plays
  bool isolate = false;                 // a domain for each module, and for each buffer
};

// How a run is hardened: as it says, else `standard`, but not where caches are simulated, whose
// check is of what modules do and not of guards.
HardeningSettings hardening_of(const RunOptions& options);

// Told about progress: periods done and to do, over all cycles.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Throws InputError for bad input. Everything else, running out of memory included, is in the
// report.
RunReport run(const RunOptions& options, const Progress& progress);

}  // namespace modmem::testbench
