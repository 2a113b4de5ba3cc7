// Tables of footprints as TOML (docs/planning.md): read, written, and the one that comes with
// modmem.
//
// Invariant: what is written is read as the same table again, and written the same again.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "testbench/plan/footprint.hpp"

namespace modmem::testbench {

// Adds what the file `path` has to `table`, in place of what it has of the same UUIDs. Throws
// InputError("FILE:LINE: ...") where it can't be read or makes no sense.
void load_footprints(const std::filesystem::path& path, FootprintTable& table);

// The same of `text`, which `name` stands for.
void parse_footprints(std::string_view text, const std::string& name, FootprintTable& table);

// Of the modules that modmem has.
const FootprintTable& shipped_footprints();

std::string to_toml(const FootprintTable& table);

}  // namespace modmem::testbench
