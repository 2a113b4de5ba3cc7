// The command line as data: what `modmem --describe` prints.
//
// Manual pages and shell completion are made from it (scripts/make_manual.py), so that they name
// every command and option there is, and no other.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace modmem::tools {

// Commands with their arguments and options, and the names that options may be about.
nlohmann::ordered_json describe(const CLI::App& app);

}  // namespace modmem::tools
