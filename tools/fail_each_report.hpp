// What `modmem run --fail-each` found, for people (in 100 columns) and as JSON (docs/report.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "testbench/fail_sweep.hpp"

namespace modmem::tools {

// `title`: what was played, and how.
std::string to_text(const testbench::SweepReport& report, const std::string& title);

nlohmann::ordered_json to_json(const testbench::SweepReport& report);

}  // namespace modmem::tools
