// What `modmem plan` says: as JSON, and as text for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "testbench/plan/planner.hpp"

namespace modmem::tools {

// A list with an object for each plan.
nlohmann::ordered_json to_json(const std::vector<testbench::TopologyPlan>& plans);

// One plan in full; of several, a table with a row for each. Below either, modules whose footprints
// are not known, and why something does not fit.
std::string to_text(const std::vector<testbench::TopologyPlan>& plans);

}  // namespace modmem::tools
