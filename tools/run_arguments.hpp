// What `modmem run` and `modmem top` take on the command line: a topology, and how it is played.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "testbench/run.hpp"
#include "tools/named_files.hpp"

namespace modmem::tools {

// All of them are read as text: what the words mean is settled in one place, tools/arguments.hpp.
struct RunArguments {
  std::string topology;
  std::string input;
  std::string output;
  std::string script;
  std::string platform;
  std::string policy;
  std::string pipelines;
  std::string seconds;
  std::string compact;
  std::string hardening;
  std::string trace;
  bool isolate = false;
  std::vector<std::string> modules;
};

// Adds their options to `command`. `arguments` outlives the parsing.
void add_run_options(CLI::App& command, RunArguments& arguments, const char* seconds_help);

// What they come to; throws InputError where one makes no sense. A script settles some of them
// itself: these are refused beside one.
testbench::RunOptions to_run_options(const CLI::App& command, const RunArguments& arguments);

// The files that `options` name, and the script's.
NamedFiles files_of(const testbench::RunOptions& options,
                    const std::optional<std::filesystem::path>& script);

// The script, where one is given.
std::optional<std::filesystem::path> script_of(const CLI::App& command,
                                               const RunArguments& arguments);

// Plays them. Throws as testbench::run() and run_script() do.
testbench::RunReport play(const testbench::RunOptions& options,
                          const std::optional<std::filesystem::path>& script,
                          const testbench::Progress& progress);

}  // namespace modmem::tools
