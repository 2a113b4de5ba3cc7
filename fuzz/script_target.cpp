// Scripts of commands over streams: what is accepted keeps the parser's promises. A command that is
// written anew is read as the same one.
// Planted: refusals that do not name the file.
#include <algorithm>
#include <optional>
#include <string>

#include "fuzz/input_file.hpp"
#include "fuzz/refusal.hpp"
#include "testbench/script.hpp"

namespace modmem::fuzz {
namespace {

using testbench::Direction;
using testbench::Script;
using testbench::ScriptCommand;
using Kind = ScriptCommand::Kind;

constexpr const char* kName = "input.script";

// A word as a script has it; nothing where none is read as it: no word holds a quote.
std::string word(const std::string& text) { return '"' + text + '"'; }

std::string written(const ScriptCommand& command) {
  std::string text(to_string(command.kind));
  switch (command.kind) {
    case Kind::start:
    case Kind::stop:
    case Kind::pause:
    case Kind::reset:
      text += " " + word(command.name) +
              (command.direction == Direction::playback ? " playback" : " capture");
      text += command.file.empty() ? "" : " " + word(command.file.string());
      break;
    case Kind::set:
      text += " " + word(command.name);
      for (const std::int64_t value : command.values) {
        text += " " + std::to_string(value);
      }
      break;
    case Kind::set_blob:
      text = "set " + word(command.name) + " blob " + word(command.file.string());
      break;
    case Kind::trigger:
      text += " " + word(command.name);
      break;
    case Kind::wait:
      text += " " + std::to_string(command.ms);
      break;
  }
  return text;
}

bool has_quote(const ScriptCommand& command) {
  return command.name.find('"') != std::string::npos ||
         command.file.string().find('"') != std::string::npos;
}

bool same(const ScriptCommand& one, const ScriptCommand& other) {
  return one.kind == other.kind && one.name == other.name && one.direction == other.direction &&
         one.values == other.values && one.file == other.file && one.ms == other.ms;
}

void check(const ScriptCommand& command) {
  if (shows()) {
    show(std::to_string(command.line) + ": " + written(command));
  }
  const bool has_name = command.kind != Kind::wait;
  require(has_name != command.name.empty(), "a command without its name, or with one");
  require((command.kind == Kind::set) != command.values.empty(), "values of another command");
  require(command.kind != Kind::wait || (command.ms >= 1 && command.ms <= testbench::kMaxWaitMs),
          "a wait is too short or too long");
  if (has_quote(command)) {
    return;
  }
  const std::string text = written(command);
  std::optional<Script> again;
  require(accepts(kName, [&] { again = testbench::parse_script(text, kName); }),
          "refused what was accepted: " + text);
  require(again->commands.size() == 1 && same(again->commands[0], command),
          "read as another one: " + text);
}

}  // namespace
}  // namespace modmem::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  std::optional<Script> script;
  if (accepts(kName,
              [&] { script = modmem::testbench::parse_script(text_of(data, size), kName); })) {
    std::for_each(script->commands.begin(), script->commands.end(), check);
  }
  return 0;
}
