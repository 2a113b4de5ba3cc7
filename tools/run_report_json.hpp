// What a run and its memory have to say, as JSON. Field by field: docs/report.md.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "testbench/run.hpp"
#include "trace/memory_figures.hpp"

namespace modmem::tools {

nlohmann::ordered_json to_json(const testbench::RunReport& report);
nlohmann::ordered_json to_json(const trace::MemoryFigures& figures);
nlohmann::ordered_json to_json(const std::vector<trace::OwnerNote>& owners);

}  // namespace modmem::tools
