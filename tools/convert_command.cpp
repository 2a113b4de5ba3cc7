#include "tools/convert_command.hpp"

#include <filesystem>
#include <memory>
#include <string>

#include "testbench/input_error.hpp"
#include "tools/arguments.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/named_files.hpp"
#include "tools/report_file.hpp"
#include "trace/ctf_converter.hpp"
#include "trace/record_source.hpp"
#include "trace/trace_error.hpp"
#include "trace/writer.hpp"

namespace modmem::tools {

namespace {

constexpr std::size_t kPartBytes = std::size_t{1} << 20;  // written at a time
constexpr std::uint64_t kPartRows = 4096;

struct Arguments {
  std::string from;
  std::string to;
};

void to_rows(trace::RecordSource& source, const std::string& path) {
  ReportFile output(path);
  std::string text;
  trace::Writer writer(text, true);
  trace::Record record;
  while (source.next(record)) {
    writer.write(record);
    if (text.size() >= kPartBytes) {
      InterruptGuard::check();
      output.append(text);
      text.clear();
    }
  }
  output.append(text);
  InterruptGuard::check();
  output.finish();
}

void to_trace(trace::RecordSource& source, const std::string& path) {
  if (path == "-") {
    throw testbench::InputError("TO -: rows become a directory, not text");
  }
  trace::CtfConverter converter(source, path);
  try {
    for (std::uint64_t row = 0; converter.next(); ++row) {
      if (row % kPartRows == 0) {
        InterruptGuard::check();
      }
    }
  } catch (const trace::TraceError&) {
    converter.finish();  // what could be read is a trace
    throw;
  }
}

int convert_command(const Arguments& arguments) {
  const std::string from = parse_path("FROM", arguments.from);
  const std::string to = parse_path("TO", arguments.to);
  NamedFiles files;
  files.reads("FROM", from);
  files.writes("TO", to);
  const InterruptGuard interrupts;  // before anything is written
  const std::unique_ptr<trace::RecordSource> source = trace::open_records(from);
  std::filesystem::is_directory(from) ? to_rows(*source, to) : to_trace(*source, to);
  for (const std::string& problem : source->problems()) {
    write_text(stderr, "standard error", "modmem: " + problem + "\n");
  }
  return source->problems().empty() ? kSuccess : kBadInput;
}

}  // namespace

void add_convert_command(CLI::App& app, std::function<int()>& action) {
  CLI::App* command = app.add_subcommand(
      "convert", "Turn a recorded trace into rows of CSV, and rows into a trace");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("FROM", arguments->from,
                   "A directory that modmem run --trace wrote, or a file of CSV; - for stdin")
      ->required();
  command
      ->add_option("TO", arguments->to,
                   "A file of CSV, - for stdout; or, of CSV, a directory that is new or empty")
      ->required();
  command->callback([arguments, &action] { action = [=] { return convert_command(*arguments); }; });
}

}  // namespace modmem::tools
