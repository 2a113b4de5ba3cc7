#include "tools/diff_command.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modmem/presets.hpp"
#include "testbench/system.hpp"
#include "tools/arguments.hpp"
#include "tools/budget.hpp"
#include "tools/comparison.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/named_files.hpp"
#include "tools/report_file.hpp"
#include "tools/subject.hpp"

namespace modmem::tools {

namespace {

struct Arguments {
  std::string a;
  std::string b;
  std::string budget;
  std::string platform;
  std::string policy;
  std::string json;
};

std::string to_text(const std::vector<std::string>& exceeded) {
  std::string text = "\nover budget:\n";
  for (const std::string& line : exceeded) {
    text.append("  ").append(line).append("\n");
  }
  return text;
}

int diff_command(const CLI::App& command, const Arguments& arguments) {
  const auto given = [&](const char* option) { return command.count(option) != 0; };
  SummaryOptions options;
  options.platform = given("--platform") ? &testbench::find_platform(arguments.platform)
                                         : &config::kDefaultPlatform;
  options.policy = &testbench::find_policy_named(given("--policy") ? arguments.policy
                                                                   : options.platform->policy);
  NamedFiles files;
  files.reads("A", parse_path("A", arguments.a));
  files.reads("B", parse_path("B", arguments.b));
  std::optional<Budget> budget;
  if (given("--budget")) {
    files.reads("--budget", parse_path("--budget", arguments.budget));
    budget.emplace(arguments.budget);
  }
  const InterruptGuard interrupts;  // before anything is written
  std::optional<ReportFile> json;
  if (given("--json")) {
    files.writes("--json", parse_path("--json", arguments.json));
    json.emplace(arguments.json);
  }
  const auto load = [&](const std::string& path) {
    return with_subject(path, [&] { return load_summary(path, options); });
  };
  const Summary a = load(arguments.a);
  const Summary b = load(arguments.b);
  const Comparison comparison = compare(a, b);
  std::vector<std::string> exceeded;
  if (budget) {
    exceeded = budget->exceeded(comparison);
  }
  const std::string text = to_table(comparison) + (exceeded.empty() ? "" : to_text(exceeded));
  // Standard output is the JSON's where that was asked for.
  if (json && json->is_standard_output()) {
    write_text(stderr, "standard error", text);
  } else {
    write_text(stdout, "standard output", text);
  }
  if (json) {
    nlohmann::ordered_json data = to_json(comparison);
    data["exceeded"] = exceeded;
    // Names need not be UTF-8.
    json->write(data.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  bool whole = true;
  for (const Summary* summary : {&a, &b}) {
    for (const std::string& problem : summary->problems) {
      write_text(stderr, "standard error", "modmem: " + problem + "\n");
      whole = false;
    }
  }
  return !whole ? kBadInput : exceeded.empty() ? kSuccess : kMemoryTrouble;
}

}  // namespace

void add_diff_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command = app.add_subcommand(
      "diff", "Say what grew and shrank between two runs or traces, and whether it is in budget");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("A", arguments->a,
                   "The run before: what modmem run --json wrote, a directory that modmem run "
                   "--trace wrote, or an allocation trace in CSV")
      ->required();
  command->add_option("B", arguments->b, "The run after, the same")->required();
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command->add_option(name, value, help)->type_name(type);
  };
  add("--budget", arguments->budget, "FILE",
      "What B may take and may have grown by (TOML, as docs/diff.md says); status 1 where it is "
      "exceeded");
  add("--platform", arguments->platform, "NAME",
      "Platform preset that CSV is played on; the default where not given");
  add("--policy", arguments->policy, "NAME",
      "Policy that CSV is played under; the platform's where not given");
  add("--json", arguments->json, "FILE|-", "Write all of it as JSON to a file, - for stdout");
  command->callback([arguments, command, &action] {
    action = [=] { return diff_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
