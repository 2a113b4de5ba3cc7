// Scripts: commands over streams as a driver gives them, in the order of a text file.
//
// One command a line, of words between blanks. A word that starts with a double quote goes to the
// next one and may hold blanks; a # that starts a word makes the rest of the line a comment.
//
//     start PCM playback|capture [FILE]     stop|pause|reset PCM playback|capture
//     set CONTROL VALUE...                  set CONTROL blob FILE
//     trigger WIDGET                        wait MS
//
// Invariants of a script: names are not empty, values of `set` are at least one, and a wait is from
// 1 ms to a day. Whether PCMs, controls, widgets and files exist is for whoever runs it to find.
// Cost: linear in the file, of which at most 1 MiB is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "testbench/topology/widget.hpp"

namespace modmem::testbench {

constexpr std::size_t kMaxScriptBytes = std::size_t{1} << 20;
constexpr std::uint64_t kMaxWaitMs = 24ULL * 3600 * 1000;

struct ScriptCommand {
  enum class Kind : std::uint8_t { start, stop, pause, reset, set, set_blob, trigger, wait };

  Kind kind = Kind::wait;
  std::size_t line = 0;                       // from 1
  std::string name;                           // of a PCM, a control or a widget
  Direction direction = Direction::playback;  // start, stop, pause, reset
  std::vector<std::int64_t> values;           // set
  std::filesystem::path file;                 // set_blob, and start where one is given
  std::uint64_t ms = 0;                       // wait
};

struct Script {
  std::filesystem::path path;
  std::vector<ScriptCommand> commands;
};

// The word that a command of `kind` begins with.
std::string_view to_string(ScriptCommand::Kind kind);

// Parses `text`, the content of the script `name`. Files that it names are relative to the folder
// of `name`. Throws InputError "NAME:LINE: reason" at the first line that is none of the above or
// holds a control character, and "NAME: reason" where the text is longer than 1 MiB.
Script parse_script(std::string_view text, const std::filesystem::path& name);

// Parses the file at `path`. Throws InputError as parse_script() does, and where the file cannot be
// read.
Script load_script(const std::filesystem::path& path);

}  // namespace modmem::testbench
