#include "tools/run_command.hpp"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "testbench/coherence/coherence_check.hpp"
#include "testbench/fail_sweep.hpp"
#include "testbench/input_error.hpp"
#include "testbench/trace_recorder.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/fail_each_report.hpp"
#include "tools/interrupt.hpp"
#include "tools/progress.hpp"
#include "tools/report_file.hpp"
#include "tools/run_arguments.hpp"
#include "tools/run_report_json.hpp"
#include "tools/run_report_text.hpp"

namespace modmem::tools {

namespace {

constexpr std::uint64_t kMostCycles = 1'000'000'000;
constexpr std::uint64_t kMostSeed = 1'000'000'000;

struct Arguments : RunArguments {
  std::string cycles = "1";
  std::string json;
  std::string record_trace;
  bool fail_each = false;
  std::string coherence_seed = "1";
};

// The text goes to standard error where the JSON is written to standard output. The names of files
// need not be UTF-8.
void write_both(const std::string& text, std::optional<ReportFile>& json,
                const nlohmann::ordered_json& data) {
  if (json && json->is_standard_output()) {
    write_text(stderr, "standard error", text);
  } else {
    write_text(stdout, "standard output", text);
  }
  if (json) {
    json->write(data.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
}

// Plays it so often that everything it asks for has failed once.
int fail_each(const CLI::App& command, testbench::RunOptions options,
              const std::optional<std::filesystem::path>& script, std::optional<ReportFile>& json) {
  constexpr double kSeconds = 0.02;
  constexpr std::uint64_t kCycles = 2;  // the second one is admitted as it was recorded
  for (const char* option : {"--out", "--trace", "--record-trace", "--coherence-check"}) {
    if (command.count(option) != 0) {
      throw testbench::InputError(std::string(option) + ": not with --fail-each");
    }
  }
  if (!options.seconds) {
    options.seconds = kSeconds;
  }
  if (command.count("--cycles") == 0) {
    options.cycles = kCycles;
  }
  testbench::SweepReport report;
  {
    ProgressLine line;
    report = testbench::fail_each(
        [&](testbench::Injector& injector) {
          testbench::RunOptions injected = options;
          injected.injector = &injector;
          return play(injected, script, [](std::uint64_t, std::uint64_t) {});
        },
        [&](std::uint64_t done, std::uint64_t total) {
          InterruptGuard::check();
          line.show_share(done, total);
        });
  }
  const std::string name = options.topology.filename().string();
  write_both(to_text(report, name + ", with one failure in each run"), json, to_json(report));
  return report.failed() ? kMemoryTrouble : kSuccess;
}

int run_command(const CLI::App& command, const Arguments& arguments) {
  const auto given = [&](const char* option) { return command.count(option) != 0; };
  testbench::RunOptions options = to_run_options(command, arguments);
  options.cycles = parse_count("--cycles", arguments.cycles, 1, kMostCycles);
  const auto script = script_of(command, arguments);
  NamedFiles files = files_of(options, script);
  const InterruptGuard interrupts;  // before anything is written
  std::optional<ReportFile> json;
  if (given("--json")) {
    files.writes("--json", parse_path("--json", arguments.json));
    json.emplace(arguments.json);
  }
  if (arguments.fail_each) {
    return fail_each(command, std::move(options), script, json);
  }
  std::optional<ReportFile> trace;
  testbench::TraceRecorder recorder;
  if (given("--record-trace")) {
    files.writes("--record-trace", parse_path("--record-trace", arguments.record_trace));
    trace.emplace(arguments.record_trace);
    if (trace->is_standard_output()) {
      throw testbench::InputError("--record-trace -: must be a file, as the report goes there");
    }
    options.recorder = &recorder;
  }
  std::optional<testbench::CoherenceCheck> coherence;
  if (given("--coherence-check")) {
    coherence.emplace(parse_count("--coherence-check", arguments.coherence_seed, 0, kMostSeed));
    options.coherence = &*coherence;
  }
  testbench::RunReport report;
  {
    ProgressLine line;
    report = play(options, script, [&](std::uint64_t done, std::uint64_t total) {
      InterruptGuard::check();
      line.show(done, total);
    });
  }
  write_both(to_text(report), json, to_json(report));
  if (trace) {
    trace->write(recorder.text());
  }
  return report.failed() ? kMemoryTrouble : kSuccess;
}

}  // namespace

void add_run_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command =
      app.add_subcommand("run", "Play a topology and report where every byte of memory went");
  auto arguments = std::make_shared<Arguments>();
  add_run_options(*command, *arguments,
                  "Length of the run in seconds; the input's where not given");
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command->add_option(name, value, help)->type_name(type);
  };
  add("--cycles", arguments->cycles, "NUMBER", "Set up and tear down so many times")
      ->capture_default_str();
  add("--json", arguments->json, "FILE|-", "Write the report as JSON to a file, - for stdout");
  add("--record-trace", arguments->record_trace, "FILE",
      "Write down what is allocated and freed, for modmem replay");
  command->add_flag("--fail-each", arguments->fail_each,
                    "Play it over and over, each time with another allocation failing");
  // A flag, so that what follows it is no seed.
  command->add_flag("--coherence-check{1}", arguments->coherence_seed,
                    "Give each core a cache that is not coherent (=SEED: another run)");
  command->callback([arguments, command, &action] {
    action = [=] { return run_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
