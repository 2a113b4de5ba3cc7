// The table of footprints that comes with modmem (testbench/plan/footprints.toml), as text.
#pragma once

#include <string_view>

namespace modmem::testbench {

extern const std::string_view kShippedFootprints;

}  // namespace modmem::testbench
