#include "tools/tune_command.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modmem/presets.hpp"
#include "testbench/input_error.hpp"
#include "testbench/system.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/interruptible_records.hpp"
#include "tools/named_files.hpp"
#include "tools/policies.hpp"
#include "tools/progress.hpp"
#include "tools/report_file.hpp"
#include "tools/tune_report.hpp"
#include "trace/file_source.hpp"
#include "trace/tape.hpp"

namespace modmem::tools {

namespace {

struct Arguments {
  std::vector<std::string> traces;
  std::string policies;
  std::string platform;
  std::string budget;
  std::string bundles;
  std::string output;
  std::string json;
};

bool can_have_slots(const PlatformConfig& platform) { return platform.has_mmu; }

// One build has one table of slots and one hysteresis, so there is one policy of each kind at most.
std::vector<PolicyTuning> policies_to_tune(const std::string& list, bool given,
                                           const PlatformConfig& platform) {
  if (!given) {
    return can_have_slots(platform)
               ? std::vector<PolicyTuning>{{&kSlotsPolicy, {}, {}}, {&kElasticPolicy, {}, {}}}
               : std::vector<PolicyTuning>{{&kElasticPolicy, {}, {}}};
  }
  std::vector<PolicyTuning> tunings;
  bool slots = false;
  bool elastic = false;
  for (const Policy* policy : parse_policies(list)) {
    const std::string name = "--policy " + std::string(policy->name) + ": ";
    const bool has_slots = tuning::has_slots(*policy);
    if (has_slots && !can_have_slots(platform)) {
      throw testbench::InputError(name + "needs an MMU, which platform " + platform.name +
                                  " has not");
    }
    if (!has_slots && !tuning::has_elastic_streams(*policy)) {
      throw testbench::InputError(name + "has neither slots nor elastic heaps to tune");
    }
    bool& is_there = has_slots ? slots : elastic;
    if (is_there) {
      throw testbench::InputError(name + "another policy of its kind is there already");
    }
    is_there = true;
    tunings.push_back({policy, {}, {}});
  }
  return tunings;
}

void need_slots(const TuneResult& result, const std::string& option) {
  for (const PolicyTuning& one : result.policies) {
    if (tuning::has_slots(*one.policy)) {
      return;
    }
  }
  throw testbench::InputError(option + ": no policy has slots");
}

TuneResult to_result(const Arguments& arguments, const CLI::App& command) {
  const auto given = [&](const char* option) { return command.count(option) != 0; };
  TuneResult result;
  for (const std::string& path : arguments.traces) {
    result.traces.push_back(parse_path("TRACE", path));
  }
  if (std::count(result.traces.begin(), result.traces.end(), "-") > 1) {
    throw testbench::InputError("TRACE -: standard input can be read once");
  }
  result.platform = given("--platform") ? &testbench::find_platform(arguments.platform)
                                        : &config::kDefaultPlatform;
  result.policies = policies_to_tune(arguments.policies, given("--policy"), *result.platform);
  if (given("--bundles")) {
    result.limits.bundles = static_cast<std::uint32_t>(
        parse_count("--bundles", arguments.bundles, 1, SlotHeap::kMaxBundles));
    need_slots(result, "--bundles " + arguments.bundles);
  }
  if (given("--budget")) {
    result.limits.bytes = parse_count("--budget", arguments.budget, 0, UINT32_MAX);
    need_slots(result, "--budget " + arguments.budget);
  }
  return result;
}

// The traces, each of which is read once where it is short enough to be kept.
struct Sources {
  explicit Sources(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      files.push_back(
          std::make_unique<trace::FileSource>(std::make_unique<InterruptibleRecords>(path)));
      tapes.push_back(std::make_unique<trace::Tape>(*files.back()));
      traces.push_back(tapes.back().get());
    }
  }

  std::vector<std::string> problems() const {
    std::vector<std::string> problems;
    for (const auto& file : files) {
      const std::vector<std::string> found = file->problems();
      problems.insert(problems.end(), found.begin(), found.end());
    }
    return problems;
  }

  std::vector<std::unique_ptr<trace::FileSource>> files;
  std::vector<std::unique_ptr<trace::Tape>> tapes;
  std::vector<trace::EventSource*> traces;
};

void tune(const Sources& sources, TuneResult& result) {
  ProgressLine line;
  const tuning::Progress progress = [&](double part) {
    constexpr std::uint64_t kWhole = 1000;
    InterruptGuard::check();
    line.show_share(static_cast<std::uint64_t>(part * kWhole), kWhole);
  };
  line.begin("tune ");
  for (PolicyTuning& one : result.policies) {
    if (tuning::has_slots(*one.policy)) {
      one.slots = tuning::tune_slots(sources.traces, *result.platform, *one.policy, result.limits,
                                     progress);
    } else {
      one.elastic = tuning::tune_elastic(sources.traces, *result.platform, *one.policy, progress);
    }
  }
}

int tune_command(const CLI::App& command, const Arguments& arguments) {
  TuneResult result = to_result(arguments, command);
  const InterruptGuard interrupts;  // before anything is written
  NamedFiles files = name_files("TRACE", result.traces);
  std::optional<ReportFile> output;
  std::optional<ReportFile> json;
  if (command.count("--output") != 0) {
    files.writes("--output", parse_path("--output", arguments.output));
    output.emplace(arguments.output);
  }
  if (command.count("--json") != 0) {
    files.writes("--json", parse_path("--json", arguments.json));
    json.emplace(arguments.json);
  }
  if (output && json && output->is_standard_output() && json->is_standard_output()) {
    throw testbench::InputError("--json -: standard output is the fragment's (--output -)");
  }
  const Sources sources(result.traces);
  tune(sources, result);
  // Standard output is the data's where that was asked for.
  const bool taken =
      (output && output->is_standard_output()) || (json && json->is_standard_output());
  write_text(taken ? stderr : stdout, taken ? "standard error" : "standard output",
             to_text(result));
  if (output) {
    output->write(to_fragment(result));
  }
  if (json) {
    // The names of files need not be UTF-8.
    json->write(to_json(result).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                "\n");
  }
  const std::vector<std::string> problems = sources.problems();
  for (const std::string& problem : problems) {
    write_text(stderr, "standard error", "modmem: " + problem + "\n");
  }
  return problems.empty() ? kSuccess : kBadInput;
}

}  // namespace

void add_tune_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command = app.add_subcommand(
      "tune", "Find the best table of slots, hysteresis and limits for allocation traces");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("TRACE", arguments->traces,
                   "Allocation traces (CSV, as docs/replay.md says), - for stdin; or directories "
                   "that modmem run --trace wrote")
      ->required();
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command->add_option(name, value, help)->type_name(type);
  };
  add("--policy", arguments->policies, "LIST",
      "What to tune: a policy with slots, an elastic one, or both between commas "
      "(default: slots,elastic)");
  add("--platform", arguments->platform, "NAME", "Platform preset; the default where not given");
  add("--budget", arguments->budget, "BYTES", "What the slots may add up to at most");
  add("--bundles", arguments->bundles, "COUNT", "Sizes of slots at most (default: 10)");
  add("-o,--output", arguments->output, "FILE|-",
      "Write a configuration fragment for Kconfig, - for stdout");
  add("--json", arguments->json, "FILE|-", "Write all figures as JSON to a file, - for stdout");
  command->callback([arguments, command, &action] {
    action = [=] { return tune_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
