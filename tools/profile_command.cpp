#include "tools/profile_command.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "testbench/input_error.hpp"
#include "testbench/plan/footprint_file.hpp"
#include "testbench/plan/profiler.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/named_files.hpp"
#include "tools/report_file.hpp"
#include "tools/subject.hpp"
#include "tools/text_table.hpp"
#include "trace/ctf_environment.hpp"

namespace modmem::tools {

namespace {

struct Arguments {
  std::vector<std::string> traces;
  std::string topology;
  std::string format = "48000:1:s16";
  std::string output = "-";
  bool all = false;
};

std::string to_text(const std::vector<testbench::ProfiledModule>& profiles,
                    const testbench::RecordingSamples& samples) {
  TextTable table({"module", "lives", "different", "init", "prepare", "unexplained"});
  std::string notes;
  for (const testbench::ProfiledModule& profile : profiles) {
    table.add({profile.footprint.name, std::to_string(profile.lives),
               std::to_string(profile.different), std::to_string(profile.footprint.init.size()),
               std::to_string(profile.footprint.prepare.size()),
               std::to_string(profile.unexplained.size())});
    for (const std::string& unexplained : profile.unexplained) {
      notes += profile.footprint.name + ": " + unexplained + "; the most is assumed\n";
    }
  }
  for (const auto* list : {&samples.notes, &samples.problems}) {
    for (const std::string& note : *list) {
      notes += note + "\n";
    }
  }
  return table.to_text() + (notes.empty() ? "" : "\n" + notes);
}

// Says what is wrong with a trace that no topology was found with.
[[noreturn]] void refuse_without_topology(const std::string& trace) {
  std::error_code error;
  if (!std::filesystem::exists(trace, error)) {
    error = std::make_error_code(std::errc::no_such_file_or_directory);
  }
  if (error) {
    throw testbench::InputError(trace + ": can't be read: " + error.message());
  }
  if (!std::filesystem::is_directory(trace)) {
    throw testbench::InputError(trace + ": is no directory that modmem run --trace wrote");
  }
  const trace::CtfEnvironment environment(trace);  // throws where it is no trace
  throw testbench::InputError(trace + ": no topology was recorded with it; --topology names one");
}

int profile_command(const CLI::App& command, const Arguments& arguments) {
  const auto given = [&](const char* option) { return command.count(option) != 0; };
  const InterruptGuard interrupts;  // before anything is written
  // Parameters are those of the file that is extended, where it names the module, else those known.
  testbench::FootprintTable result;
  testbench::FootprintTable known = testbench::shipped_footprints();
  const std::string& output = parse_path("--output", arguments.output);
  NamedFiles files = name_files("TRACE", arguments.traces);
  if (given("--topology")) {
    files.reads("--topology", parse_path("--topology", arguments.topology));
  }
  files.writes("--output", output);
  if (output != "-" && std::filesystem::is_regular_file(output)) {
    testbench::load_footprints(output, result);
    testbench::load_footprints(output, known);
  }
  std::optional<testbench::RecordedTopology> topology;
  if (given("--topology")) {
    topology = {arguments.topology, parse_format("--format", arguments.format), {}};
  } else if (given("--format")) {
    throw testbench::InputError("--format: is for the topology that --topology names");
  }
  testbench::RecordingSamples samples;
  for (const std::string& trace : arguments.traces) {
    InterruptGuard::check();
    const std::filesystem::path path = parse_path("TRACE", trace);
    if (!topology && !testbench::has_topology(path)) {
      refuse_without_topology(trace);
    }
    with_subject(trace, [&] {
      testbench::sample_recording(
          path, topology ? *topology : testbench::load_recorded_topology(path), known, samples);
    });
  }
  std::vector<testbench::SampledLife> lives;
  for (testbench::SampledLife& life : samples.lives) {
    if (arguments.all || testbench::shipped_footprints().find(life.uuid) == nullptr) {
      lives.push_back(std::move(life));
    }
  }
  InterruptGuard::check();
  ReportFile file(output);
  const std::vector<testbench::ProfiledModule> profiles = testbench::profile(lives, known);
  for (const testbench::ProfiledModule& profile : profiles) {
    result.put(profile.footprint);
  }
  write_text(file.is_standard_output() ? stderr : stdout,
             file.is_standard_output() ? "standard error" : "standard output",
             to_text(profiles, samples));
  InterruptGuard::check();
  file.write(to_toml(result));
  return samples.problems.empty() ? kSuccess : kBadInput;
}

}  // namespace

void add_profile_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command =
      app.add_subcommand("profile", "Make footprints of modules, for plan, out of recorded runs");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("TRACE", arguments->traces, "Traces of runs, as modmem run --trace writes them")
      ->type_name("DIR")
      ->required();
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command->add_option(name, value, help)->type_name(type);
  };
  add("-o,--output", arguments->output, "FILE|-",
      "Table of footprints to write; what it has of other modules stays")
      ->capture_default_str();
  command->add_flag("--all", arguments->all, "Also of modules that modmem knows the footprints of");
  add("--topology", arguments->topology, "FILE",
      "Topology that ran, for traces that have none with them");
  add("--format", arguments->format, "RATE:CHANNELS:SAMPLE",
      "What the streams of that topology were opened for")
      ->capture_default_str();
  command->callback([arguments, command, &action] {
    action = [=] { return profile_command(*command, *arguments); };
  });
}

}  // namespace modmem::tools
