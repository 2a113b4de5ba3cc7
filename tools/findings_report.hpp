// The findings of a run, as text and as JSON (docs/report.md).
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "testbench/findings.hpp"

namespace modmem::tools {

// "" where there are none.
std::string to_text(std::span<const testbench::Finding> findings);
nlohmann::ordered_json to_json(std::span<const testbench::Finding> findings);

}  // namespace modmem::tools
