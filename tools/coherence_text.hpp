// What a run with simulated caches has to say, for people and as JSON (docs/report.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "testbench/coherence/coherence_report.hpp"

namespace modmem::tools {

std::string to_text(const testbench::CoherenceReport& report);
nlohmann::ordered_json to_json(const testbench::CoherenceReport& report);

}  // namespace modmem::tools
