#include "tools/run_arguments.hpp"

#include "testbench/input_error.hpp"
#include "testbench/script_run.hpp"
#include "tools/arguments.hpp"
#include "tools/subject.hpp"

namespace modmem::tools {

namespace {

constexpr const char* kDefaultInput = "/usr/share/sounds/alsa/Front_Center.wav";
constexpr const char* kDefaultTopology = "playback-and-capture.tplg";
constexpr const char* kScriptTopology = "desk.tplg";  // where a script is given
constexpr std::uint64_t kMostFrames = 65535;

// The examples lie beside the program, or where they are installed with it.
std::string example_topology(const char* name) {
  std::error_code error;
  const std::filesystem::path folder =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::filesystem::path installed = folder.parent_path() / "share/modmem/topologies" / name;
  return std::filesystem::exists(installed, error)
             ? installed.string()
             : (folder / "examples/topologies" / name).string();
}

}  // namespace

void add_run_options(CLI::App& command, RunArguments& arguments, const char* seconds_help) {
  arguments.input = kDefaultInput;
  arguments.pipelines = "all";
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command.add_option(name, value, help)->type_name(type);
  };
  add("TOPOLOGY", arguments.topology, "FILE",
      "Compiled ALSA topology (.tplg); the example where not given");
  add("--in", arguments.input, "FILE", "Audio file that every source endpoint reads")
      ->capture_default_str();
  add("--out", arguments.output, "FILE|FOLDER",
      "Where the first playback PCM's audio goes, or a folder for all sinks");
  add("--script", arguments.script, "FILE",
      "Streams that come and go as these commands say; --out is a folder");
  // One file each, as the topology may follow.
  command
      .add_option("--module", arguments.modules,
                  "Shared object with modules, as docs/modules.md says; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  add("--platform", arguments.platform, "NAME",
      "Platform preset; by the topology's file name where not given");
  add("--policy", arguments.policy, "NAME",
      "Policy, as in docs/policies.md; the platform's where not given");
  add("--pipelines", arguments.pipelines, "LIST",
      "Pipeline ids, e.g. 1,2, and what they are connected to; or all")
      ->capture_default_str();
  add("--seconds", arguments.seconds, "NUMBER", seconds_help);
  add("--compact", arguments.compact, "FRAMES",
      "Frames to move a period, to empty banks; 8 under elastic policies");
  add("--hardening", arguments.hardening, "LEVEL",
      "none, standard (default) or full: docs/hardening.md");
  command.add_flag("--isolate", arguments.isolate,
                   "Each module in a domain; one that leaves it is removed");
  add("--trace", arguments.trace, "DIR",
      "Trace what happens to memory (docs/tracing.md) to a new or empty DIR");
}

testbench::RunOptions to_run_options(const CLI::App& command, const RunArguments& arguments) {
  // Whether an option stood on the command line, whatever its value.
  const auto given = [&](const char* option) { return command.count(option) != 0; };
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
  if (given("--hardening")) {
    options.hardening = arguments.hardening;
  }
  options.isolate = arguments.isolate;
  if (given("--trace")) {
    options.trace = parse_path("--trace", arguments.trace);
  }
  return options;
}

std::optional<std::filesystem::path> script_of(const CLI::App& command,
                                               const RunArguments& arguments) {
  if (command.count("--script") == 0) {
    return std::nullopt;
  }
  // What a script settles itself.
  for (const char* option : {"--pipelines", "--seconds", "--cycles"}) {
    if (command.get_option_no_throw(option) != nullptr && command.count(option) != 0) {
      throw testbench::InputError(std::string(option) + ": a script says that itself");
    }
  }
  return parse_path("--script", arguments.script);
}

NamedFiles files_of(const testbench::RunOptions& options,
                    const std::optional<std::filesystem::path>& script) {
  NamedFiles files;
  files.reads("TOPOLOGY", options.topology);
  for (const std::filesystem::path& module : options.modules) {
    files.reads("--module", module);
  }
  if (script) {
    files.reads("--script", *script);
  }
  // What is heard may replace what is played.
  if (!options.output || !NamedFiles::are_same(options.input, *options.output)) {
    files.reads("--in", options.input);
  }
  if (options.output) {
    files.writes("--out", *options.output);
  }
  if (options.trace) {
    files.writes_trace("--trace", *options.trace);
  }
  return files;
}

testbench::RunReport play(const testbench::RunOptions& options,
                          const std::optional<std::filesystem::path>& script,
                          const testbench::Progress& progress) {
  return with_subject(options.topology, [&] {
    return script ? testbench::run_script(*script, options, progress)
                  : testbench::run(options, progress);
  });
}

}  // namespace modmem::tools
