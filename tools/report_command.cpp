#include "tools/report_command.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modmem/presets.hpp"
#include "testbench/system.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/policies.hpp"
#include "tools/progress.hpp"
#include "tools/report_data.hpp"
#include "tools/report_file.hpp"
#include "tools/report_page.hpp"
#include "trace/file_source.hpp"
#include "trace/history.hpp"

namespace modmem::tools {

namespace {

constexpr std::size_t kBatch = 16384;  // events that one policy after the other plays

struct Arguments {
  std::vector<std::string> traces;
  std::string policies;
  std::string platform;
  std::string output;
};

// Plays one trace under every policy, a batch at a time, so that it is read once. What could not be
// read is added to `problems`.
nlohmann::ordered_json replay(const std::string& path, const PlatformConfig& platform,
                              const std::vector<const Policy*>& policies, ProgressLine& line,
                              nlohmann::ordered_json& platform_json,
                              std::vector<std::string>& problems) {
  trace::FileSource file(path);
  std::vector<std::unique_ptr<trace::History>> histories;
  histories.reserve(policies.size());
  for (const Policy* policy : policies) {
    histories.push_back(std::make_unique<trace::History>(platform, *policy));
  }
  line.begin("report ");
  std::vector<trace::Event> events(kBatch);
  while (const std::size_t count = file.read(events)) {
    for (const auto& history : histories) {
      InterruptGuard::check();
      history->play(std::span(events).first(count));
    }
    line.show_share(file.done(), file.total());
  }
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const auto& history : histories) {
    history->finish();
    runs.push_back(to_json(*history));
  }
  for (const std::string& problem : file.problems()) {
    problems.push_back(problem);
  }
  platform_json = to_json(histories.front()->replay());
  if (file.lost() != 0) {
    write_text(stderr, "standard error",
               "modmem: " + path + ": " + std::to_string(file.lost()) +
                   " events are missing in this trace\n");
  }
  return {{"name", path}, {"lost", file.lost()}, {"runs", std::move(runs)}};
}

int report_command(const CLI::App& command, const Arguments& arguments) {
  const PlatformConfig& platform = command.count("--platform") != 0
                                       ? testbench::find_platform(arguments.platform)
                                       : config::kDefaultPlatform;
  const std::vector<const Policy*> policies =
      parse_policies(command.count("--policy") != 0 ? std::string_view(arguments.policies)
                                                    : std::string_view(platform.policy));
  for (const std::string& path : arguments.traces) {
    parse_path("TRACE", path);
  }
  const InterruptGuard interrupts;  // before anything is written
  ReportFile output(parse_path("--output", arguments.output));
  nlohmann::ordered_json data;
  data["format"] = 1;
  data["platform"] = nullptr;
  data["traces"] = nlohmann::ordered_json::array();
  std::vector<std::string> problems;
  {
    ProgressLine line;
    for (const std::string& path : arguments.traces) {
      data["traces"].push_back(replay(path, platform, policies, line, data["platform"], problems));
    }
  }
  output.write(to_page(data, std::string(kReportPage)));
  for (const std::string& problem : problems) {
    write_text(stderr, "standard error", "modmem: " + problem + "\n");
  }
  return problems.empty() ? kSuccess : kBadInput;
}

}  // namespace

void add_report_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command = app.add_subcommand(
      "report", "Write a page that shows where the memory of allocation traces went");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option(
          "TRACE", arguments->traces,
          "Allocation traces (CSV, as docs/replay.md says), - for stdin; or directories that "
          "modmem run --trace wrote")
      ->required();
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command->add_option(name, value, help)->type_name(type);
  };
  add("--policy", arguments->policies, "LIST",
      "Policies between commas, as in docs/policies.md; the platform's where not given");
  add("--platform", arguments->platform, "NAME", "Platform preset; the default where not given");
  add("-o,--output", arguments->output, "FILE|-", "Where the page (HTML) goes, - for stdout")
      ->required();
  command->callback([arguments, command, &action] {
    action = [=] { return report_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
