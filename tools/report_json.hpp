// The report of a run as JSON. Field by field: docs/report.md.
#pragma once

#include <nlohmann/json.hpp>

#include "testbench/run.hpp"

namespace modmem::tools {

nlohmann::ordered_json to_json(const testbench::RunReport& report);

}  // namespace modmem::tools
