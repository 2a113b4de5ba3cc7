#include "testbench/run.hpp"

#include <cmath>

#include "testbench/audio_path_guard.hpp"
#include "testbench/file_ends.hpp"
#include "testbench/input_error.hpp"
#include "testbench/out_of_memory.hpp"

namespace modmem::testbench {

namespace {

const Policy& policy_named(const std::string& name) {
  if (const Policy* policy = find_policy(name.c_str())) {
    return *policy;
  }
  std::string names;
  for (const Policy* policy : kPolicies) {
    names += names.empty() ? "" : ", ";
    names += policy->name;
  }
  throw InputError("policy " + name + ": unknown; there are " + names);
}

// What is sampled while the streams play, before anything is torn down.
void sample(System& system, const Session& session, RunReport& report) {
  const Memory& memory = system.memory();
  const PagePool& pool = memory.pool();
  report.live_mapped_bytes = system.mapped_bytes();
  report.peak_mapped_bytes = std::size_t{pool.peak_taken()} * config::kPageBytes;
  report.banks_on = pool.banks_on();
  report.banks_on_peak = pool.banks_on_peak();
  report.metadata_bytes = memory.metadata_bytes();
  report.largest_request = memory.largest_request({});
  report.heaps.clear();
  memory.for_each_heap([&](const HeapReport& heap) {
    report.heaps.push_back({heap.name, heap.kind, heap.owner->spec.name, heap});
    report.heaps.back().figures.name = nullptr;  // the copies above outlive the owner
    report.heaps.back().figures.owner = nullptr;
  });
  report.pipelines = session.pipelines();
  report.modules = session.modules();
  report.xruns = session.xruns();
}

// Plays `periods` periods and sums what the means are made of.
void play(System& system, Session& session, FileEnds& files, std::uint64_t periods,
          const std::function<void(std::uint64_t)>& progress, RunReport& report) {
  double banks = 0;
  double mapped = 0;
  for (std::uint64_t period = 0; period < periods; ++period) {
    files.fill(period);
    session.run_period(period);
    files.drain();
    banks += system.memory().pool().banks_on();
    mapped += static_cast<double>(system.mapped_bytes());
    progress(period + 1);
  }
  report.periods = periods;
  report.banks_on_mean = periods != 0 ? banks / static_cast<double>(periods) : 0;
  report.mapped_mean_bytes = periods != 0 ? mapped / static_cast<double>(periods) : 0;
}

}  // namespace

bool RunReport::failed() const {
  return failure.has_value() || !failed_step.empty() || !leaks.empty() || !faults.empty() ||
         audio_path_allocations != 0 || mapped_bytes != boot_mapped_bytes;
}

RunReport run(const RunOptions& options, const Progress& progress) {
  const Topology topology = load_topology(options.topology);
  const AudioReader probe(options.input);
  const StreamGraph graph = build_graph(topology, options.pipelines, probe.format());
  const PlatformConfig& platform = options.platform
                                       ? find_platform(*options.platform)
                                       : platform_of_topology(options.topology.filename().string());
  const Policy& policy = policy_named(options.policy.value_or(platform.policy));
  const double length_ms = options.seconds
                               ? *options.seconds * 1000
                               : static_cast<double>(probe.frames()) * 1000 / probe.rate();
  const auto periods = static_cast<std::uint64_t>(std::ceil(length_ms - 1e-6));

  RunReport report;
  report.topology = options.topology.string();
  report.platform = platform.name;
  report.policy = policy.name;
  System system(platform, policy);
  report.frames = system.memory().pool().frames();
  report.banks = system.memory().pool().banks();
  report.boot_mapped_bytes = system.boot_mapped_bytes();

  if (options.cycles > 1) {
    // Whether the files can be written is to be known before all those cycles.
    Session session(system, topology, graph);
    FileEnds(topology, graph, session, options.input, options.output, length_ms);
  }

  const std::uint64_t host_allocations = host_allocations_on_audio_path();
  const std::uint64_t total = options.cycles - 1 + periods;
  for (std::uint64_t cycle = 0; cycle < options.cycles; ++cycle) {
    const bool last = cycle + 1 == options.cycles;
    Session session(system, topology, graph);
    // Only the last cycle is to be heard; the others play one period, as that is part of a life.
    FileEnds files(topology, graph, session, options.input, last ? options.output : std::nullopt,
                   last ? length_ms : 1);
    try {
      session.set_up();
      play(
          system, session, files, last ? periods : 1,
          [&](std::uint64_t done) { progress(last ? cycle + done : cycle, total); }, report);
      sample(system, session, report);
      report.frames_in = files.frames_in();
      report.frames_out = files.frames_out();
      report.files = files.finish();
    } catch (const OutOfMemory& error) {
      sample(system, session, report);
      report.failed_step = error.what();
      report.failure = system.first_failure();
    }
    session.tear_down();
    report.mapped_bytes = system.mapped_bytes();
    ++report.cycles;
    report.leaks = system.leaks();
    report.faults = system.faults();
    report.audio_path_allocations =
        system.memory().audio_path_calls() + host_allocations_on_audio_path() - host_allocations;
    if (report.failed()) {
      break;
    }
  }
  return report;
}

}  // namespace modmem::testbench
