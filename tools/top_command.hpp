// modmem top: a run as one looks at it while it plays.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace modmem::tools {

// Adds the command to `app`; where it is given, `action` becomes what it does.
void add_top_command(CLI::App& app, std::function<int()>& action);

}  // namespace modmem::tools
