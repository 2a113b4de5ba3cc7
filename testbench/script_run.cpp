#include "testbench/script_run.hpp"

#include <chrono>

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
#include "testbench/script_steps.hpp"

namespace modmem::testbench {

namespace {

using Kind = ScriptCommand::Kind;

// One script at work.
class Performance {
 public:
  Performance(System& system, Session& session, const Script& script, const RunOptions& options,
              const Progress& progress, RunReport& report)
      : system_(system),
        session_(session),
        script_(script),
        input_(options.input),
        files_(session, options.output),
        keeping_(system, options.compact.value_or(default_compaction(system.memory().policy()))),
        progress_(progress),
        watcher_(options.watcher),
        report_(report) {
    for (const ScriptCommand& command : script.commands) {
      total_ += command.ms;
    }
  }

  void give(const ScriptStep& step) {
    ++figures().commands;
    try {
      perform(step);
    } catch (const OutOfMemory& error) {
      ++figures().failures;
      figures().streams_failed += step.command->kind == Kind::start ? 1 : 0;
      if (report_.failed_step.empty()) {
        report_.failed_step = place(step) + ": " + error.what();
        report_.failure = system_.first_failure();
      }
    } catch (const InputError& error) {
      throw InputError(place(step) + ": " + error.what());
    }
  }

  // Notes what there is to see now, and completes the files.
  void end() {
    means_.note(report_);
    keeping_.settle();
    report_.frames_moved = keeping_.frames_moved();
    sample(system_, session_, report_);
    report_.frames_in = files_.frames_in();
    report_.frames_out = files_.frames_out();
    report_.files = files_.finish();
  }

 private:
  ScriptFigures& figures() { return *report_.script; }
  std::string place(const ScriptStep& step) const { return place_of(script_, *step.command); }

  void perform(const ScriptStep& step) {
    const ScriptCommand& command = *step.command;
    const PlayState state =
        session_.streams().empty() ? PlayState::absent : session_.state(step.stream);
    switch (command.kind) {
      case Kind::start:
        session_.start(step.stream);
        ++figures().streams_started;
        files_.follow(command.file.empty() ? input_ : command.file);
        break;
      // The script made sense, so a stream that is not in the state for it did not start.
      case Kind::pause:
        if (state == PlayState::running) {
          session_.pause(step.stream);
        }
        break;
      case Kind::reset:
        if (state >= PlayState::paused) {
          session_.reset(step.stream);
          files_.follow(input_);
        }
        break;
      case Kind::stop:
        if (state != PlayState::absent) {
          session_.stop(step.stream);
          files_.follow(input_);
        }
        break;
      case Kind::set:
        session_.set_control(step.node, *step.control, command.values);
        break;
      case Kind::set_blob:
        session_.set_blob(step.node, *step.control, step.blob);
        break;
      case Kind::trigger:
        if (session_.runs(step.node) && !session_.trigger(step.node)) {
          throw InputError(command.name + " has nothing that waits for a trigger");
        }
        break;
      case Kind::wait:
        wait(command.ms);
        break;
    }
  }

  void wait(std::uint64_t ms) {
    // Seldom enough to cost nothing, often enough to be interrupted.
    constexpr std::uint64_t kPeriodsBetween = 100;
    if (session_.idle()) {
      keeping_.pass_idle(ms);
      means_.add(system_, ms);
      period_ += ms;
      progress_(period_, total_);
      show();
      return;
    }
    for (const std::uint64_t end = period_ + ms; period_ < end;) {
      files_.fill(period_);
      session_.run_period(period_);
      files_.drain();
      keeping_.pass_period();
      means_.add(system_, 1);
      if (++period_ % kPeriodsBetween == 0) {
        progress_(period_, total_);
      }
      show();
    }
  }

  void show() {
    if (watcher_ != nullptr) {
      watcher_->on_period(system_, session_, period_, total_);
    }
  }

  System& system_;
  Session& session_;
  const Script& script_;
  const std::filesystem::path& input_;
  FileEnds files_;
  Housekeeping keeping_;
  const Progress& progress_;
  RunWatcher* watcher_;
  RunReport& report_;
  PeriodMeans means_;
  std::uint64_t period_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

RunReport run_script(const std::filesystem::path& script_path, const RunOptions& options,
                     const Progress& progress) {
  const Topology topology = load_topology(options.topology);
  const AudioReader probe(options.input);
  const StreamGraph graph = build_graph(topology, {}, probe.format());
  const Script script = load_script(script_path);
  const std::vector<ScriptStep> steps = resolve(script, graph, find_streams(topology, graph));
  const PlatformConfig& platform = options.platform
                                       ? find_platform(*options.platform)
                                       : platform_of_topology(options.topology.filename().string());

  LoadedModules loaded;  // first, as nothing of a module may be left when its file goes
  System system(platform, find_policy_named(options.policy.value_or(platform.policy)),
                options.recorder, options.trace, options.injector, options.coherence,
                hardening_of(options));
  if (options.trace) {
    save_topology(*options.trace, {options.topology, probe.format(), {}});
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
  report.script = ScriptFigures{};
  report.script->script = script_path.string();
  const std::uint64_t host_allocations = host_allocations_on_audio_path();
  const auto begin = std::chrono::steady_clock::now();
  if (options.injector != nullptr) {
    options.injector->begin(system);
  }
  play_or_end(system, c_functions, [&] {
    Session session(system, topology, graph, loaded);
    Performance performance(system, session, script, options, progress, report);
    for (const ScriptStep& step : steps) {
      performance.give(step);
    }
    performance.end();
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  report.script->speed =
      took.count() > 0 ? static_cast<double>(report.periods) / 1000 / took.count() : 0;
  close_report(system, report);
  report.cycles = 1;
  report.audio_path_allocations =
      system.memory().audio_path_calls() + host_allocations_on_audio_path() - host_allocations;
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
