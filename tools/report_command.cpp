#include "tools/report_command.hpp"

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "modmem/presets.hpp"
#include "testbench/system.hpp"
#include "tools/arguments.hpp"
#include "tools/batches.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/named_files.hpp"
#include "tools/policies.hpp"
#include "tools/progress.hpp"
#include "tools/report_data.hpp"
#include "tools/report_file.hpp"
#include "tools/report_page.hpp"
#include "tools/subject.hpp"
#include "trace/ctf_events.hpp"
#include "trace/file_source.hpp"
#include "trace/recorded_history.hpp"
#include "trace/row_history.hpp"

namespace modmem::tools {

namespace {

struct Arguments {
  std::vector<std::string> traces;
  std::string policies;
  std::string platform;
  std::string output;
};

// What replays are to be of, where it is said; else the trace, or the default, says it.
struct Settings {
  const PlatformConfig* platform = nullptr;
  std::vector<const Policy*> policies;
};

// What the page has of one trace.
template <typename Histories>
nlohmann::ordered_json trace_json(const std::string& path, Histories& histories,
                                  const std::vector<std::string>& problems, std::uint64_t lost) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const auto& history : histories) {
    history->finish(lost);
    runs.push_back(to_json(*history));
  }
  if (const std::uint64_t all = histories.front()->lost(); all != 0) {
    write_text(
        stderr, "standard error",
        "modmem: " + path + ": " + std::to_string(all) + " events are missing in this trace\n");
  }
  return {{"name", path},
          {"recorded_policy", nullptr},
          {"platform", platform_json(histories.front()->memory())},
          {"problems", problems},
          {"runs", std::move(runs)}};
}

// Plays a trace of rows under every policy, a batch at a time, so that it is read once. What could
// not be read is added to `problems`.
nlohmann::ordered_json replay(const std::string& path, const Settings& settings, ProgressLine& line,
                              std::vector<std::string>& problems) {
  const PlatformConfig& platform =
      settings.platform != nullptr ? *settings.platform : config::kDefaultPlatform;
  trace::FileSource file(path);
  std::vector<std::unique_ptr<trace::RowHistory>> histories;
  for (const Policy* policy :
       settings.policies.empty() ? parse_policies(platform.policy) : settings.policies) {
    histories.push_back(std::make_unique<trace::RowHistory>(platform, *policy));
  }
  line.begin("report ");
  play_batches(
      file, histories.size(), line,
      [&](std::size_t i, std::span<const trace::Event> events) { histories[i]->play(events); });
  const std::vector<std::string> found = file.problems();
  problems.insert(problems.end(), found.begin(), found.end());
  return trace_json(path, histories, found, file.lost());
}

// Makes the calls of a recorded trace again, on what it was recorded on where nothing else is asked
// for.
nlohmann::ordered_json rerun(const std::string& path, const Settings& settings, ProgressLine& line,
                             std::vector<std::string>& problems) {
  trace::CtfEvents events(path);
  const PlatformConfig& platform =
      settings.platform != nullptr ? *settings.platform : events.platform();
  std::vector<const Policy*> policies = settings.policies;
  if (policies.empty()) {
    policies = parse_policies(settings.platform != nullptr ? platform.policy : events.policy());
  }
  std::vector<std::unique_ptr<trace::RecordedHistory>> histories;
  histories.reserve(policies.size());
  for (const Policy* policy : policies) {
    histories.push_back(std::make_unique<trace::RecordedHistory>(platform, *policy));
  }
  line.begin("report ");
  std::uint64_t lost = 0;
  play_events(events, [&](const trace::CtfEvent& event) {
    for (const auto& history : histories) {
      history->play(event, events.lost() - lost);
    }
    lost = events.lost();
  });
  const std::vector<std::string>& found = events.problems();
  problems.insert(problems.end(), found.begin(), found.end());
  nlohmann::ordered_json json = trace_json(path, histories, found, events.lost() - lost);
  json["recorded_policy"] = events.policy();
  return json;
}

int report_command(const CLI::App& command, const Arguments& arguments) {
  Settings settings;
  if (command.count("--platform") != 0) {
    settings.platform = &testbench::find_platform(arguments.platform);
  }
  if (command.count("--policy") != 0) {
    settings.policies = parse_policies(arguments.policies);
  }
  for (const std::string& path : arguments.traces) {
    parse_path("TRACE", path);
  }
  const InterruptGuard interrupts;  // before anything is written
  name_files("TRACE", arguments.traces)
      .writes("--output", parse_path("--output", arguments.output));
  ReportFile output(arguments.output);
  nlohmann::ordered_json data;
  data["format"] = 2;
  data["traces"] = nlohmann::ordered_json::array();
  std::vector<std::string> problems;
  {
    ProgressLine line;
    for (const std::string& path : arguments.traces) {
      data["traces"].push_back(with_subject(path, [&] {
        return trace::is_recorded(path) ? rerun(path, settings, line, problems)
                                        : replay(path, settings, line, problems);
      }));
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
      "Policies between commas, as in docs/policies.md; the recorded or the platform's where not "
      "given");
  add("--platform", arguments->platform, "NAME",
      "Platform preset; the recorded or the default where not given");
  add("-o,--output", arguments->output, "FILE|-", "Where the page (HTML) goes, - for stdout")
      ->required();
  command->callback([arguments, command, &action] {
    action = [=] { return report_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
