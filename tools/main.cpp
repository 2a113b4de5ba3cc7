// modmem: the command line. Every command is a file of its own; this one parses and turns errors
// into exit statuses.

#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <sstream>

#include "tools/compose_command.hpp"
#include "tools/convert_command.hpp"
#include "tools/describe.hpp"
#include "tools/diff_command.hpp"
#include "tools/exit_status.hpp"
#include "tools/interrupt.hpp"
#include "tools/plan_command.hpp"
#include "tools/profile_command.hpp"
#include "tools/replay_command.hpp"
#include "tools/report_command.hpp"
#include "tools/report_file.hpp"
#include "tools/run_command.hpp"
#include "tools/subject.hpp"
#include "tools/top_command.hpp"
#include "tools/tune_command.hpp"

namespace {

// Where the program was started without one of its standard streams, the next file to be opened
// would become it, and take what is said there. What stands in can't be used, so that a report that
// goes nowhere is an error.
void hold_standard_streams() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) < 0) {
      const int held = ::open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
      static_cast<void>(held);  // the lowest number that is free: this one
    }
  }
}

// Says on one line of stderr what was wrong, whatever characters the names in it hold.
int complain(const char* message) {
  std::fputs("modmem: ", stderr);
  for (const char* at = message; *at != '\0'; ++at) {
    const bool control = static_cast<unsigned char>(*at) < ' ' || *at == '\x7f';
    std::fputc(control ? '?' : *at, stderr);
  }
  std::fputc('\n', stderr);
  return modmem::tools::kBadInput;
}

int run(int argc, char** argv) {
  CLI::App app("The memory system for real-time audio modules: simulate, play and look at it.",
               "modmem");
  app.require_subcommand(0, 1);
  std::function<int()> action;
  modmem::tools::add_run_command(app, action);
  modmem::tools::add_top_command(app, action);
  modmem::tools::add_replay_command(app, action);
  modmem::tools::add_compose_command(app, action);
  modmem::tools::add_convert_command(app, action);
  modmem::tools::add_plan_command(app, action);
  modmem::tools::add_profile_command(app, action);
  modmem::tools::add_report_command(app, action);
  modmem::tools::add_tune_command(app, action);
  modmem::tools::add_diff_command(app, action);
  // Not for users, and so in no group: what manual pages and shell completion are made from.
  bool describes = false;
  app.add_flag("--describe", describes)->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Asking for help is no error; everything else is one status, whatever the library's own code.
    if (error.get_exit_code() != 0) {
      return complain(error.what());
    }
    std::ostringstream help;
    app.exit(error, help, help);
    modmem::tools::write_text(stdout, "standard output", help.str());
    return modmem::tools::kSuccess;
  }
  if (describes) {
    modmem::tools::write_text(stdout, "standard output",
                              modmem::tools::describe(app).dump(2) + "\n");
    return modmem::tools::kSuccess;
  }
  if (!action) {
    return complain("no command is given; modmem --help lists them");
  }
  return modmem::tools::with_subject(app.get_subcommands().front()->get_name(), action);
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  try {
    return run(argc, argv);
  } catch (const modmem::tools::Interrupted& interrupted) {
    modmem::tools::die_of(interrupted);
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}
