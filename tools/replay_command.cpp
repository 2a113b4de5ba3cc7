#include "tools/replay_command.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "modmem/presets.hpp"
#include "testbench/input_error.hpp"
#include "testbench/system.hpp"
#include "tools/arguments.hpp"
#include "tools/batches.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/named_files.hpp"
#include "tools/policies.hpp"
#include "tools/progress.hpp"
#include "tools/replay_report.hpp"
#include "tools/report_file.hpp"
#include "tools/subject.hpp"
#include "trace/ctf_environment.hpp"
#include "trace/ctf_events.hpp"
#include "trace/file_source.hpp"
#include "trace/least_memory.hpp"
#include "trace/replay.hpp"
#include "trace/rerun.hpp"
#include "trace/tape.hpp"
#include "trace/trace_error.hpp"

namespace modmem::tools {

namespace {

struct Arguments {
  std::vector<std::string> traces;
  std::string policies;
  std::string platform;
  std::string json;
  bool min_arena = false;
  bool simulate = false;
  bool no_payload = false;
};

struct Settings {
  const PlatformConfig* platform = nullptr;
  std::vector<const Policy*> policies;
  bool platform_given = false;
  bool policies_given = false;
  trace::ReplayOptions options;
  bool min_arena = false;
};

Settings to_settings(const Arguments& arguments, const std::function<bool(const char*)>& given) {
  Settings settings;
  settings.platform_given = given("--platform");
  settings.policies_given = given("--policy");
  settings.platform = given("--platform") ? &testbench::find_platform(arguments.platform)
                                          : &config::kDefaultPlatform;
  settings.policies = parse_policies(given("--policy") ? std::string_view(arguments.policies)
                                                       : settings.platform->policy);
  settings.options.port =
      arguments.simulate ? trace::ReplayPort::simulated : trace::ReplayPort::plain;
  settings.options.check_payload = !arguments.no_payload;
  settings.min_arena = arguments.min_arena;
  return settings;
}

void add_min_arena(trace::EventSource& source, const Settings& settings, ProgressLine& line,
                   std::vector<ReplayResult>& results) {
  for (std::size_t i = 0; i < settings.policies.size(); ++i) {
    ReplayResult& result = results[results.size() - settings.policies.size() + i];
    line.begin("min arena ");
    trace::LeastMemory least(source, *settings.platform, *settings.policies[i],
                             [&](std::uint64_t done, std::uint64_t total) {
                               InterruptGuard::check();
                               line.show_share(done, total);
                             });
    result.min_arena_bytes = least.find(result.figures);
  }
}

// Plays one trace under every policy, a batch at a time, so that it is read once. Returns what
// could not be read.
std::vector<std::string> replay(const std::string& path, const Settings& settings,
                                ProgressLine& line, std::vector<ReplayResult>& results) {
  trace::FileSource file(path);
  trace::Tape tape(file, settings.min_arena ? trace::Tape::kMostKept : 0);
  std::vector<std::unique_ptr<trace::Replay>> replays;
  for (const Policy* policy : settings.policies) {
    replays.push_back(
        std::make_unique<trace::Replay>(*settings.platform, *policy, settings.options));
  }
  line.begin("replay ");
  play_batches(tape, replays.size(), line,
               [&](std::size_t i, std::span<const trace::Event> events) {
                 try {
                   replays[i]->play(events);
                 } catch (const trace::TraceError& error) {
                   throw trace::TraceError(path + ": policy " + settings.policies[i]->name + ": " +
                                           error.what());
                 }
               });
  for (std::size_t i = 0; i < replays.size(); ++i) {
    results.push_back({path, settings.policies[i]->name, replays[i]->figures(), std::nullopt});
  }
  replays.clear();
  std::vector<std::string> problems = file.problems();
  if (settings.min_arena) {
    add_min_arena(tape, settings, line, results);
  }
  return problems;
}

// Makes the calls of a recorded trace again, on what it was recorded on where nothing else is
// asked for. Returns what could not be read.
std::vector<std::string> rerun(const std::string& path, Settings settings, ProgressLine& line,
                               std::vector<ReplayResult>& results) {
  trace::CtfEvents events(path);
  if (!settings.platform_given) {
    settings.platform = &events.platform();
  }
  if (!settings.policies_given) {
    settings.policies = {&testbench::find_policy_named(
        settings.platform_given ? settings.platform->policy : events.policy())};
  }
  std::vector<std::unique_ptr<trace::Rerun>> reruns;
  for (const Policy* policy : settings.policies) {
    reruns.push_back(std::make_unique<trace::Rerun>(*settings.platform, *policy, settings.options));
  }
  line.begin("replay ");
  play_events(events, [&](const trace::CtfEvent& event) {
    for (const auto& one : reruns) {
      one->play(event);
    }
  });
  for (std::size_t i = 0; i < reruns.size(); ++i) {
    results.push_back(
        {path, settings.policies[i]->name, reruns[i]->figures(), std::nullopt,
         RecordedFigures{events.lost(), reruns[i]->places_differ(), reruns[i]->taken()}});
  }
  std::vector<std::string> problems = events.problems();
  reruns.clear();
  if (settings.min_arena) {
    trace::FileSource file(path);
    trace::Tape tape(file);
    add_min_arena(tape, settings, line, results);
  }
  return problems;
}

int replay_command(const CLI::App& command, const Arguments& arguments) {
  const Settings settings =
      to_settings(arguments, [&](const char* option) { return command.count(option) != 0; });
  for (const std::string& path : arguments.traces) {
    parse_path("TRACE", path);
  }
  const InterruptGuard interrupts;  // before anything is written
  std::optional<ReportFile> json;
  if (command.count("--json") != 0) {
    name_files("TRACE", arguments.traces).writes("--json", parse_path("--json", arguments.json));
    json.emplace(arguments.json);
  }
  std::vector<ReplayResult> results;
  std::vector<std::string> problems;
  {
    ProgressLine line;
    for (const std::string& path : arguments.traces) {
      const auto found = with_subject(path, [&] {
        return trace::is_recorded(path) ? rerun(path, settings, line, results)
                                        : replay(path, settings, line, results);
      });
      problems.insert(problems.end(), found.begin(), found.end());
    }
  }
  // Standard output is the JSON's where that was asked for.
  if (json && json->is_standard_output()) {
    write_text(stderr, "standard error", to_table(results));
  } else {
    write_text(stdout, "standard output", to_table(results));
  }
  if (json) {
    // The names of files need not be UTF-8.
    json->write(to_json(results).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                "\n");
  }
  for (const std::string& problem : problems) {
    write_text(stderr, "standard error", "modmem: " + problem + "\n");
  }
  return problems.empty() ? kSuccess : kBadInput;
}

}  // namespace

void add_replay_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command =
      app.add_subcommand("replay", "Play allocation traces and report what each policy needs");
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
  command->add_flag("--min-arena", arguments->min_arena,
                    "Find the least memory that serves every request");
  command->add_flag("--simulate", arguments->simulate,
                    "On the simulator, with real mappings, instead of plain memory");
  command->add_flag("--no-payload", arguments->no_payload,
                    "Do not write to blocks, nor check what was written");
  add("--json", arguments->json, "FILE|-", "Write the figures as JSON to a file, - for stdout");
  command->callback([arguments, command, &action] {
    action = [=] { return replay_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
