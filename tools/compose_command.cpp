#include "tools/compose_command.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "testbench/input_error.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/interruptible_records.hpp"
#include "tools/named_files.hpp"
#include "tools/progress.hpp"
#include "tools/report_file.hpp"
#include "tools/subject.hpp"
#include "trace/composer.hpp"
#include "trace/recording.hpp"
#include "trace/writer.hpp"

namespace modmem::tools {

namespace {

constexpr std::uint64_t kMostStreams = 65534;  // owners that a Memory can have
constexpr std::uint64_t kMostEvents = 1'000'000'000'000;
constexpr std::size_t kPartBytes = std::size_t{1} << 20;  // written at a time

struct Arguments {
  std::vector<std::string> traces;
  std::string streams = "8";
  std::string events = "20000";
  std::string seed = "1";
  std::string load = "day";
  std::string output;
};

trace::Load parse_load(const std::string& value) {
  if (value != "day" && value != "busy") {
    throw testbench::InputError("--load " + value + ": unknown; there are day, busy");
  }
  return value == "day" ? trace::Load::day : trace::Load::busy;
}

int compose_command(const Arguments& arguments) {
  trace::ComposerOptions options;
  options.streams =
      static_cast<std::uint32_t>(parse_count("--streams", arguments.streams, 1, kMostStreams));
  options.events = parse_count("--events", arguments.events, 1, kMostEvents);
  options.seed =
      parse_count("--seed", arguments.seed, 0, std::numeric_limits<std::uint64_t>::max());
  options.load = parse_load(arguments.load);
  name_files("TRACE", arguments.traces)
      .writes("--output", parse_path("--output", arguments.output));
  const InterruptGuard interrupts;  // before anything is written
  std::vector<trace::Recording> recordings;
  for (const std::string& path : arguments.traces) {
    with_subject(path, [&] {
      InterruptibleRecords rows(parse_path("TRACE", path));
      recordings.emplace_back(rows);
    });
  }
  ReportFile output(arguments.output);
  trace::Composer composer(recordings, options);
  std::string text;
  trace::Writer writer(text, true);
  trace::Record record;
  ProgressLine line;
  line.begin("compose ");
  while (composer.next(record)) {
    writer.write(record);
    if (text.size() >= kPartBytes) {
      InterruptGuard::check();
      output.append(text);
      text.clear();
      line.show_share(composer.done(), composer.total());
    }
  }
  output.append(text);
  InterruptGuard::check();
  output.finish();
  int status = kSuccess;
  for (const trace::Recording& recording : recordings) {
    for (const std::string& problem : recording.problems()) {
      write_text(stderr, "standard error", "modmem: " + problem + "\n");
      status = kBadInput;
    }
  }
  return status;
}

}  // namespace

void add_compose_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command =
      app.add_subcommand("compose", "Make a long day of starts and stops out of recorded streams");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option(
          "TRACE", arguments->traces,
          "Recorded streams, one each: CSV, as docs/replay.md says, or directories that modmem "
          "run --trace wrote")
      ->required();
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    return command->add_option(name, value, help)->type_name(type);
  };
  add("--streams", arguments->streams, "NUMBER", "Most streams that live at a time")
      ->capture_default_str();
  add("--events", arguments->events, "NUMBER", "Starts and stops, together")->capture_default_str();
  add("--seed", arguments->seed, "NUMBER", "What the day follows from, besides the traces")
      ->capture_default_str();
  add("--load", arguments->load, "day|busy", "Starts with chance 1/2, or 3/4")
      ->capture_default_str();
  add("-o,--output", arguments->output, "FILE|-", "Where the day goes, - for stdout")->required();
  command->callback([arguments, &action] { action = [=] { return compose_command(*arguments); }; });
}

}  // namespace modmem::tools
