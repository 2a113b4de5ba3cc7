#include "tools/run_command.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "testbench/input_error.hpp"
#include "testbench/run.hpp"
#include "tools/exit_status.hpp"
#include "tools/progress.hpp"
#include "tools/report_json.hpp"
#include "tools/report_text.hpp"

namespace modmem::tools {

namespace {

using testbench::InputError;

constexpr const char* kDefaultInput = "/usr/share/sounds/alsa/Front_Center.wav";
constexpr const char* kDefaultTopology = "examples/topologies/playback-and-capture.tplg";
// A day; more is a slip of the keyboard.
constexpr double kMostSeconds = 24 * 3600;

struct Arguments {
  std::string topology;
  std::string input = kDefaultInput;
  std::string output;
  std::string platform;
  std::string policy;
  std::string pipelines = "all";
  double seconds = 0;
  std::uint64_t cycles = 1;
  std::string json;
};

// The examples lie beside the program.
std::string default_topology() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path() / kDefaultTopology).string();
}

std::vector<std::uint32_t> pipeline_ids(const std::string& list) {
  std::vector<std::uint32_t> ids;
  if (list == "all") {
    return ids;
  }
  std::istringstream items(list);
  for (std::string item; std::getline(items, item, ',');) {
    std::uint32_t id = 0;
    if (!CLI::detail::lexical_cast(item, id)) {
      throw InputError("--pipelines " + list + ": \"" + item + "\" is no pipeline id");
    }
    ids.push_back(id);
  }
  if (ids.empty() || list.back() == ',') {
    throw InputError("--pipelines " + list + ": an id is missing");
  }
  return ids;
}

testbench::RunOptions to_options(const Arguments& arguments, bool has_seconds) {
  testbench::RunOptions options;
  options.topology = arguments.topology.empty() ? default_topology() : arguments.topology;
  options.input = arguments.input;
  if (!arguments.output.empty()) {
    options.output = arguments.output;
  }
  if (!arguments.platform.empty()) {
    options.platform = arguments.platform;
  }
  if (!arguments.policy.empty()) {
    options.policy = arguments.policy;
  }
  options.pipelines = pipeline_ids(arguments.pipelines);
  if (has_seconds) {
    if (!std::isfinite(arguments.seconds) || arguments.seconds <= 0 ||
        arguments.seconds > kMostSeconds) {
      throw InputError("--seconds: must be more than 0 and at most a day");
    }
    options.seconds = arguments.seconds;
  }
  if (arguments.cycles == 0) {
    throw InputError("--cycles: must be at least 1");
  }
  options.cycles = arguments.cycles;
  return options;
}

void write_json(const std::string& path, const testbench::RunReport& report) {
  const std::string text = to_json(report).dump(2) + "\n";
  if (path == "-") {
    std::cout << text << std::flush;
    return;
  }
  std::ofstream file(path, std::ios::trunc);
  file << text << std::flush;
  if (!file) {
    throw InputError(path + ": can't write the report");
  }
}

int run_command(const Arguments& arguments, bool has_seconds) {
  const testbench::RunOptions options = to_options(arguments, has_seconds);
  testbench::RunReport report;
  {
    ProgressLine progress;
    report = testbench::run(
        options, [&](std::uint64_t done, std::uint64_t total) { progress.show(done, total); });
  }
  // Standard output is the JSON's where that was asked for.
  std::ostream& people = arguments.json == "-" ? std::cerr : std::cout;
  people << to_text(report) << std::flush;
  if (!arguments.json.empty()) {
    write_json(arguments.json, report);
  }
  return report.failed() ? kMemoryTrouble : kSuccess;
}

}  // namespace

void add_run_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command =
      app.add_subcommand("run", "Play a topology and report where every byte of memory went");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("TOPOLOGY", arguments->topology,
                      "Compiled ALSA topology (.tplg); the example where not given");
  command->add_option("--in", arguments->input, "Audio file that every source endpoint reads")
      ->capture_default_str();
  command->add_option("--out", arguments->output,
                      "Where the first playback PCM's audio goes, or a directory for all sinks");
  command->add_option("--platform", arguments->platform,
                      "Platform preset; by the topology's file name where not given");
  command->add_option("--policy", arguments->policy,
                      "Policy: elastic or single; the platform's where not given");
  command
      ->add_option("--pipelines", arguments->pipelines,
                   "Pipeline ids, e.g. 1,2, and what they are connected to; or all")
      ->capture_default_str();
  const CLI::Option* seconds = command->add_option(
      "--seconds", arguments->seconds, "Length of the run in seconds; the input's where not given");
  command->add_option("--cycles", arguments->cycles, "Set up and tear down so many times")
      ->capture_default_str();
  command->add_option("--json", arguments->json,
                      "Write the report as JSON to a file, - for stdout");
  command->callback([arguments, seconds, &action] {
    action = [arguments, given = seconds->count() > 0] { return run_command(*arguments, given); };
  });
}

}  // namespace modmem::tools
