// modmem: the command line. Every command is a file of its own; this one parses and turns errors
// into exit statuses.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>

#include "testbench/input_error.hpp"
#include "tools/exit_status.hpp"
#include "tools/run_command.hpp"

int main(int argc, char** argv) {
  using modmem::tools::ExitStatus;
  CLI::App app("The memory system for real-time audio modules: simulate, play and look at it.",
               "modmem");
  app.require_subcommand(1);
  std::function<int()> action;
  modmem::tools::add_run_command(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Asking for help is no error; everything else is one status, whatever the library's own code.
    return app.exit(error) == 0 ? ExitStatus::kSuccess : ExitStatus::kBadInput;
  }
  try {
    return action();
  } catch (const modmem::testbench::InputError& error) {
    std::fprintf(stderr, "modmem: %s\n", error.what());
    return ExitStatus::kBadInput;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "modmem: %s\n", error.what());
    return ExitStatus::kBadInput;
  }
}
