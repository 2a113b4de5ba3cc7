// run(): a topology, an audio file and a platform in; audio and a report of all memory out.
//
// The session is set up, plays the audio through all chosen pipelines, and is torn down; what
// memory looked like is sampled every period and after the last one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "testbench/session.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

struct RunOptions {
  std::filesystem::path topology;
  std::filesystem::path input;
  std::optional<std::filesystem::path>
      output;                            // a file, or a directory (existing, or with a final /)
  std::optional<std::string> platform;   // by the topology's name where not given
  std::optional<std::string> policy;     // the platform's where not given
  std::vector<std::uint32_t> pipelines;  // empty: all
  std::optional<double> seconds;         // the input's length where not given
  std::uint64_t cycles = 1;              // set-ups and tear-downs; the last one plays
};

struct HeapNote {
  std::string name;
  std::string kind;
  std::string owner;
  HeapReport figures;
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
  std::uint32_t banks_on = 0;  // after the last period
  std::uint32_t banks_on_peak = 0;
  double banks_on_mean = 0;      // over periods
  double mapped_mean_bytes = 0;  // over periods
  std::size_t metadata_bytes = 0;
  std::size_t largest_request = 0;  // of the system, after the last period
  std::vector<HeapNote> heaps;
  std::vector<PipelineReport> pipelines;
  std::vector<ModuleReport> modules;
  std::vector<LeakNote> leaks;
  std::vector<FaultNote> faults;
  std::uint64_t frames_in = 0;   // taken from the file, all sources together
  std::uint64_t frames_out = 0;  // given by all sinks together
  std::uint64_t xruns = 0;
  std::uint64_t periods = 0;
  std::uint64_t cycles = 0;  // completed
  std::uint64_t audio_path_allocations = 0;
  std::optional<FailureNote> failure;
  std::string failed_step;                   // what failed for want of memory
  std::vector<std::filesystem::path> files;  // that were written

  // Memory ran out, something leaked, was freed wrongly or allocated on the audio path, or the pool
  // is not what it was.
  bool failed() const;
};

// Told about progress: periods done and to do, over all cycles.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Throws InputError for bad input. Everything else, running out of memory included, is in the
// report.
RunReport run(const RunOptions& options, const Progress& progress);

}  // namespace modmem::testbench
