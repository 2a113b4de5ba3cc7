// modmem-bench: measures one of the goals, prints its figures, and says by its exit status whether
// it is met: 0 where it is, 1 where it is missed, 2 where it can't be measured (arguments, files,
// programs that are not there). With --no-worse-than a goal that is missed passes where none of its
// figures has become worse.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "bench/goals.hpp"
#include "bench/peers.hpp"
#include "bench/reached.hpp"
#include "tools/arguments.hpp"
#include "tools/report_file.hpp"

namespace {

constexpr int kMet = 0;
constexpr int kMissed = 1;
constexpr int kBadInput = 2;

struct Arguments {
  std::string goal;
  std::string json;
  std::string reached;
  std::string counted;
  bool deep_buffers = false;
  bool impossible = false;
  modmem::bench::GoalOptions options;
};

int complain(const char* message) {
  std::fprintf(stderr, "modmem-bench: %s\n", message);
  return kBadInput;
}

modmem::bench::GoalReport measure(const Arguments& arguments) {
  if (arguments.deep_buffers) {
    return modmem::bench::measure_ranges();
  }
  const auto goal = static_cast<int>(
      modmem::tools::parse_count("--goal", arguments.goal, 1, modmem::bench::kGoals));
  return modmem::bench::measure(goal, arguments.options);
}

int run_measurement(const Arguments& arguments, bool json_given) {
  using modmem::tools::ReportFile;
  std::optional<ReportFile> json;
  if (json_given) {
    json.emplace(modmem::tools::parse_path("--json", arguments.json));
  }
  modmem::bench::GoalReport report = measure(arguments);
  if (arguments.impossible) {
    modmem::bench::make_impossible(report);
  }
  // Standard output is the JSON's where that was asked for.
  const bool to_error = json && json->is_standard_output();
  modmem::tools::write_text(to_error ? stderr : stdout,
                            to_error ? "standard error" : "standard output",
                            modmem::bench::to_text(report));
  if (json) {
    json->write(modmem::bench::to_json(report));
  }
  if (report.met() || arguments.reached.empty()) {
    return report.met() ? kMet : kMissed;
  }
  const std::vector<std::string> worse = worse_than_reached(report, arguments.reached);
  std::string verdict = worse.empty() ? "missed as before: nothing is worse than " : "worse than ";
  verdict += arguments.reached + '\n';
  for (const std::string& line : worse) {
    verdict += "  " + line + '\n';
  }
  modmem::tools::write_text(stderr, "standard error", verdict);
  return worse.empty() ? kMet : kMissed;
}

int run(int argc, char** argv) {
  CLI::App app("Measures a goal of modmem: prints its figures, and fails where it is missed.",
               "modmem-bench");
  Arguments arguments;
  app.add_option("--goal", arguments.goal, "which goal: 1 to 7 (docs/benchmarks.md)");
  app.add_flag("--deep-buffers", arguments.deep_buffers,
               "in place of a goal: a range request against trying smaller and smaller ones");
  app.add_option("--json", arguments.json, "write the figures to this file, - for standard output");
  app.add_option("--traces", arguments.options.traces,
                 "folder of recorded traces; default: the shared ones where they are, else the "
                 "examples");
  app.add_flag("--quick", arguments.options.quick, "fewer events and seeds, the same limits");
  app.add_option("--no-worse-than", arguments.reached,
                 "what --json wrote before: pass where the goal is missed, but no figure is worse");
  // What this program runs itself under valgrind, and what its test runs.
  app.add_option("--counted", arguments.counted)->group("");
  app.add_flag("--impossible", arguments.impossible)->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? app.exit(error) : complain(error.what());
  }
  if (app.count("--counted") != 0) {
    modmem::bench::run_counted(arguments.counted, arguments.options);
    return kMet;
  }
  if ((app.count("--goal") == 0) == !arguments.deep_buffers) {
    return complain("--goal, or --deep-buffers: one of them; modmem-bench --help");
  }
  return run_measurement(arguments, app.count("--json") != 0);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    modmem::bench::make_room_for_peers(argv);
    return run(argc, argv);
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}
