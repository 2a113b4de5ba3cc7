// modmem convert: recorded traces as rows, and rows as traces.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace modmem::tools {

// Adds the command to `app`; where it is given, `action` becomes what it does.
void add_convert_command(CLI::App& app, std::function<int()>& action);

}  // namespace modmem::tools
