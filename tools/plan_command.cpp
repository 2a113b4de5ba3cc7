#include "tools/plan_command.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modmem/presets.hpp"
#include "testbench/input_error.hpp"
#include "testbench/plan/footprint_file.hpp"
#include "testbench/plan/planner.hpp"
#include "testbench/system.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/named_files.hpp"
#include "tools/plan_report.hpp"
#include "tools/policies.hpp"
#include "tools/progress.hpp"
#include "tools/report_file.hpp"

namespace modmem::tools {

namespace {

struct Arguments {
  std::vector<std::string> topologies;
  std::string platform;
  bool all_platforms = false;
  std::string policies;
  std::string format = "48000:1:s16";
  std::vector<std::string> footprints;
  std::string json;
};

// Where a topology is planned for.
std::vector<const PlatformConfig*> platforms_of(const Arguments& arguments, bool given,
                                                const std::filesystem::path& topology) {
  if (arguments.all_platforms) {
    std::vector<const PlatformConfig*> all;
    all.reserve(std::size(config::kPresets));
    for (const PlatformConfig& preset : config::kPresets) {
      all.push_back(&preset);
    }
    return all;
  }
  return {given ? &testbench::find_platform(arguments.platform)
                : &testbench::platform_of_topology(topology.filename().string())};
}

int plan_command(const CLI::App& command, const Arguments& arguments) {
  const auto given = [&](const char* option) { return command.count(option) != 0; };
  if (arguments.all_platforms && given("--platform")) {
    throw testbench::InputError("--platform: --all-platforms is given as well");
  }
  const testbench::StreamFormat format = parse_format("--format", arguments.format);
  testbench::FootprintTable footprints = testbench::shipped_footprints();
  NamedFiles files;
  for (const std::string& path : arguments.footprints) {
    files.reads("--footprints", parse_path("--footprints", path));
    testbench::load_footprints(path, footprints);
  }
  for (const std::string& path : arguments.topologies) {
    files.reads("TOPOLOGY", parse_path("TOPOLOGY", path));
  }
  const InterruptGuard interrupts;  // before anything is written
  std::optional<ReportFile> json;
  if (given("--json")) {
    files.writes("--json", parse_path("--json", arguments.json));
    json.emplace(arguments.json);
  }
  std::vector<testbench::TopologyPlan> plans;
  {
    ProgressLine line;
    line.begin("plan ");
    for (std::size_t i = 0; i < arguments.topologies.size(); ++i) {
      const std::filesystem::path path = arguments.topologies[i];
      const testbench::Topology topology = testbench::load_topology(path);
      for (const PlatformConfig* platform : platforms_of(arguments, given("--platform"), path)) {
        for (const Policy* policy :
             parse_policies(given("--policy") ? arguments.policies : platform->policy)) {
          plans.push_back(
              testbench::plan_topology(topology, *platform, *policy, format, footprints, [&] {
                InterruptGuard::check();
                line.show_share(i, arguments.topologies.size());
              }));
        }
      }
    }
  }
  // Standard output is the JSON's where that was asked for.
  if (json && json->is_standard_output()) {
    write_text(stderr, "standard error", to_text(plans));
  } else {
    write_text(stdout, "standard output", to_text(plans));
  }
  if (json) {
    // The names of files need not be UTF-8.
    json->write(to_json(plans).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                "\n");
  }
  const bool fits = std::all_of(plans.begin(), plans.end(),
                                [](const testbench::TopologyPlan& plan) { return plan.fits(); });
  return fits ? kSuccess : kMemoryTrouble;
}

}  // namespace

void add_plan_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command =
      app.add_subcommand("plan", "Say what topologies will need, and whether that fits");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("TOPOLOGY", arguments->topologies, "Compiled ALSA topologies (.tplg)")
      ->type_name("FILE")
      ->required();
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command->add_option(name, value, help)->type_name(type);
  };
  add("--platform", arguments->platform, "NAME",
      "Platform preset; by each topology's file name where not given");
  command->add_flag("--all-platforms", arguments->all_platforms, "On every platform preset");
  add("--policy", arguments->policies, "LIST",
      "Policies between commas, as in docs/policies.md; the platform's where not given");
  add("--format", arguments->format, "RATE:CHANNELS:SAMPLE",
      "What streams are opened for, as far as they can: s16, s24 or s32 samples")
      ->capture_default_str();
  command
      ->add_option("--footprints", arguments->footprints,
                   "More footprints of modules, as modmem profile writes them; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  add("--json", arguments->json, "FILE|-", "Write the plans as JSON to a file, - for stdout");
  command->callback([arguments, command, &action] {
    action = [=] { return plan_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
