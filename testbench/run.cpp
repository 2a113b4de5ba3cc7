#include "testbench/run.hpp"

#include <cmath>

#include "testbench/audio_path_guard.hpp"
#include "testbench/c_functions.hpp"
#include "testbench/coherence/coherence_check.hpp"
#include "testbench/ended_run.hpp"
#include "testbench/file_ends.hpp"
#include "testbench/housekeeping.hpp"
#include "testbench/injector.hpp"
#include "testbench/input_error.hpp"
#include "testbench/out_of_memory.hpp"
#include "testbench/recorded_topology.hpp"

namespace modmem::testbench {

namespace {

// Plays `periods` periods and sums what the means are made of.
void play(System& system, Session& session, FileEnds& files, Housekeeping& keeping,
          std::uint64_t periods, const std::function<void(std::uint64_t)>& progress,
          RunWatcher* watcher, RunReport& report) {
  PeriodMeans means;
  for (std::uint64_t period = 0; period < periods; ++period) {
    files.fill(period);
    session.run_period(period);
    files.drain();
    keeping.pass_period();
    means.add(system, 1);
    progress(period + 1);
    if (watcher != nullptr) {
      watcher->on_period(system, session, period + 1, periods);
    }
  }
  means.note(report);
}

}  // namespace

HardeningSettings hardening_of(const RunOptions& options) {
  if (options.coherence != nullptr && !options.hardening) {
    return kHardeningNone;
  }
  return find_hardening_named(options.hardening, options.trace.has_value());
}

RunReport run(const RunOptions& options, const Progress& progress) {
  const Topology topology = load_topology(options.topology);
  const AudioReader probe(options.input);
  const StreamGraph graph = build_graph(topology, options.pipelines, probe.format());
  const PlatformConfig& platform = options.platform
                                       ? find_platform(*options.platform)
                                       : platform_of_topology(options.topology.filename().string());
  const Policy& policy = find_policy_named(options.policy.value_or(platform.policy));
  const double length_ms = options.seconds
                               ? *options.seconds * 1000
                               : static_cast<double>(probe.frames()) * 1000 / probe.rate();
  const auto periods = static_cast<std::uint64_t>(std::ceil(length_ms - 1e-6));

  LoadedModules loaded;  // first, as nothing of a module may be left when its file goes
  System system(platform, policy, options.recorder, options.trace, options.injector,
                options.coherence, hardening_of(options));
  if (options.trace) {
    save_topology(*options.trace, {options.topology, probe.format(), options.pipelines});
  }
  if (options.isolate) {
    if (options.coherence != nullptr) {
      throw InputError("--isolate: not with --coherence-check");
    }
    system.isolate();
  }
  CFunctions c_functions(system);
  forget_audio_path_notes();
  const AudioPathWatch watch;
  std::optional<CrashCatcher> catcher;
  // Where failures are injected runs are processes of their own; simulated caches need the faults.
  if (options.injector == nullptr && options.coherence == nullptr && !options.isolate) {
    catcher.emplace(System::describe_access, &system);
  }
  loaded.load(options.modules, topology);
  RunReport report = begin_report(system, options.topology);
  Housekeeping keeping(system, options.compact.value_or(default_compaction(policy)));

  if (options.cycles > 1) {
    // Whether the files can be written is to be known before all those cycles.
    Session session(system, topology, graph, loaded);
    FileEnds(topology, graph, session, options.input, options.output, length_ms);
  }

  const std::uint64_t host_allocations = host_allocations_on_audio_path();
  const std::uint64_t total = options.cycles - 1 + periods;
  if (options.injector != nullptr) {
    options.injector->begin(system);
  }
  play_or_end(system, c_functions, [&] {
    for (std::uint64_t cycle = 0; cycle < options.cycles; ++cycle) {
      const bool last = cycle + 1 == options.cycles;
      Session session(system, topology, graph, loaded);
      // Only the last cycle is to be heard; the others play one period, as that is part of a life.
      FileEnds files(topology, graph, session, options.input, last ? options.output : std::nullopt,
                     last ? length_ms : 1);
      try {
        session.set_up();
        keeping.settle();
        play(
            system, session, files, keeping, last ? periods : 1,
            [&](std::uint64_t done) { progress(last ? cycle + done : cycle, total); },
            last ? options.watcher : nullptr, report);
        sample(system, session, report);
        report.frames_moved = keeping.frames_moved();
        report.frames_in = files.frames_in();
        report.frames_out = files.frames_out();
        report.files = files.finish();
      } catch (const OutOfMemory& error) {
        sample(system, session, report);
        report.failed_step = error.what();
        report.failure = system.first_failure();
      }
      session.tear_down();
      close_report(system, report);
      ++report.cycles;
      report.audio_path_allocations =
          system.memory().audio_path_calls() + host_allocations_on_audio_path() - host_allocations;
      if (report.failed()) {
        break;
      }
    }
  });
  c_functions.close();
  report.leaks = system.leaks();
  if (options.coherence != nullptr) {
    report.coherence = options.coherence->report();
  }
  note_findings(report);
  note_trace(system, report);
  return report;
}

}  // namespace modmem::testbench
