// `modmem run`: plays a topology and reports where every byte went.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace modmem::tools {

// Adds the command to `app`. Where the command line chooses it, parsing sets `action` to what does
// it and returns the exit status; that throws testbench::InputError for bad input.
void add_run_command(CLI::App& app, std::function<int()>& action);

}  // namespace modmem::tools
