#include "tools/run_command.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "testbench/input_error.hpp"
#include "testbench/script_run.hpp"
#include "testbench/trace_recorder.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/progress.hpp"
#include "tools/report_file.hpp"
#include "tools/report_json.hpp"
#include "tools/report_text.hpp"

namespace modmem::tools {

namespace {

constexpr const char* kDefaultInput = "/usr/share/sounds/alsa/Front_Center.wav";
constexpr const char* kDefaultTopology = "playback-and-capture.tplg";
constexpr const char* kScriptTopology = "desk.tplg";  // where a script is given
constexpr std::uint64_t kMostCycles = 1'000'000'000;
constexpr std::uint64_t kMostFrames = 65535;

struct Arguments {
  std::string topology;
  std::string input = kDefaultInput;
  std::string output;
  std::string script;
  std::string platform;
  std::string policy;
  std::string pipelines = "all";
  std::string seconds;
  std::string cycles = "1";
  std::string compact;
  std::string json;
  std::string record_trace;
  std::string trace;
  std::vector<std::string> modules;
};

// The examples lie beside the program.
std::string example_topology(const char* name) {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path() / "examples/topologies" / name).string();
}

// `given` tells whether an option stood on the command line, whatever its value.
testbench::RunOptions to_options(const Arguments& arguments,
                                 const std::function<bool(const char*)>& given) {
  testbench::RunOptions options;
  if (given("TOPOLOGY")) {
    options.topology = parse_path("TOPOLOGY", arguments.topology);
  } else {
    options.topology = example_topology(given("--script") ? kScriptTopology : kDefaultTopology);
  }
  options.input = parse_path("--in", arguments.input);
  if (given("--out")) {
    options.output = parse_path("--out", arguments.output);
  }
  if (given("--platform")) {
    options.platform = arguments.platform;
  }
  if (given("--policy")) {
    options.policy = arguments.policy;
  }
  for (const std::string& module : arguments.modules) {
    options.modules.emplace_back(parse_path("--module", module));
  }
  options.pipelines = parse_pipelines("--pipelines", arguments.pipelines);
  if (given("--seconds")) {
    options.seconds = parse_seconds("--seconds", arguments.seconds);
  }
  if (given("--compact")) {
    options.compact =
        static_cast<std::uint32_t>(parse_count("--compact", arguments.compact, 0, kMostFrames));
  }
  options.cycles = parse_count("--cycles", arguments.cycles, 1, kMostCycles);
  return options;
}

// What a script settles itself.
void refuse_beside_script(const std::function<bool(const char*)>& given) {
  for (const char* option : {"--pipelines", "--seconds", "--cycles"}) {
    if (given(option)) {
      throw testbench::InputError(std::string(option) + ": a script says that itself");
    }
  }
}

int run_command(const CLI::App& command, const Arguments& arguments) {
  const auto given = [&](const char* option) { return command.count(option) != 0; };
  testbench::RunOptions options = to_options(arguments, given);
  std::optional<std::filesystem::path> script;
  if (given("--script")) {
    refuse_beside_script(given);
    script = parse_path("--script", arguments.script);
  }
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
  if (given("--trace")) {
    options.trace = parse_path("--trace", arguments.trace);
  }
  testbench::RunReport report;
  {
    ProgressLine line;
    const testbench::Progress progress = [&](std::uint64_t done, std::uint64_t total) {
      InterruptGuard::check();
      line.show(done, total);
    };
    report = script ? testbench::run_script(*script, options, progress)
                    : testbench::run(options, progress);
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
  // All of them are read as text: what the words mean is settled in one place, tools/arguments.hpp.
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command->add_option(name, value, help)->type_name(type);
  };
  add("TOPOLOGY", arguments->topology, "FILE",
      "Compiled ALSA topology (.tplg); the example where not given");
  add("--in", arguments->input, "FILE", "Audio file that every source endpoint reads")
      ->capture_default_str();
  add("--out", arguments->output, "FILE|FOLDER",
      "Where the first playback PCM's audio goes, or a folder for all sinks");
  add("--script", arguments->script, "FILE",
      "Streams that come and go as these commands say; --out is a folder");
  // One file each, as the topology may follow.
  command
      ->add_option("--module", arguments->modules,
                   "Shared object with modules, as docs/modules.md says; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  add("--platform", arguments->platform, "NAME",
      "Platform preset; by the topology's file name where not given");
  add("--policy", arguments->policy, "NAME",
      "Policy, as in docs/policies.md; the platform's where not given");
  add("--pipelines", arguments->pipelines, "LIST",
      "Pipeline ids, e.g. 1,2, and what they are connected to; or all")
      ->capture_default_str();
  add("--seconds", arguments->seconds, "NUMBER",
      "Length of the run in seconds; the input's where not given");
  add("--cycles", arguments->cycles, "NUMBER", "Set up and tear down so many times")
      ->capture_default_str();
  add("--compact", arguments->compact, "FRAMES",
      "Frames to move a period, to empty banks; 8 under elastic policies");
  add("--json", arguments->json, "FILE|-", "Write the report as JSON to a file, - for stdout");
  add("--record-trace", arguments->record_trace, "FILE",
      "Write down what is allocated and freed, for modmem replay");
  add("--trace", arguments->trace, "DIR",
      "Trace what happens to memory (docs/tracing.md) to a new or empty DIR");
  command->callback([arguments, command, &action] {
    action = [=] { return run_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
