#include "tools/run_command.hpp"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "testbench/input_error.hpp"
#include "testbench/trace_recorder.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/progress.hpp"
#include "tools/report_file.hpp"
#include "tools/report_json.hpp"
#include "tools/report_text.hpp"
#include "tools/run_arguments.hpp"

namespace modmem::tools {

namespace {

constexpr std::uint64_t kMostCycles = 1'000'000'000;

struct Arguments : RunArguments {
  std::string cycles = "1";
  std::string json;
  std::string record_trace;
};

int run_command(const CLI::App& command, const Arguments& arguments) {
  const auto given = [&](const char* option) { return command.count(option) != 0; };
  testbench::RunOptions options = to_run_options(command, arguments);
  options.cycles = parse_count("--cycles", arguments.cycles, 1, kMostCycles);
  const auto script = script_of(command, arguments);
  const InterruptGuard interrupts;  // before anything is written
  std::optional<ReportFile> json;
  if (given("--json")) {
    json.emplace(parse_path("--json", arguments.json));
  }
  std::optional<ReportFile> trace;
  testbench::TraceRecorder recorder;
  if (given("--record-trace")) {
    trace.emplace(parse_path("--record-trace", arguments.record_trace));
    if (trace->is_standard_output()) {
      throw testbench::InputError("--record-trace -: must be a file, as the report goes there");
    }
    options.recorder = &recorder;
  }
  testbench::RunReport report;
  {
    ProgressLine line;
    report = play(options, script, [&](std::uint64_t done, std::uint64_t total) {
      InterruptGuard::check();
      line.show(done, total);
    });
  }
  // Standard output is the JSON's where that was asked for.
  if (json && json->is_standard_output()) {
    write_text(stderr, "standard error", to_text(report));
  } else {
    write_text(stdout, "standard output", to_text(report));
  }
  if (json) {
    // The names of files need not be UTF-8.
    json->write(to_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                "\n");
  }
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
  command->callback([arguments, command, &action] {
    action = [=] { return run_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
