// modmem diff: what grew and shrank between two runs or two traces, and whether that is within a
// budget.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace modmem::tools {

// Adds the command to `app`; where it is given, `action` becomes what it does.
void add_diff_command(CLI::App& app, std::function<int()>& action);

}  // namespace modmem::tools
