// What replays of traces came to, as a table and as JSON. Field by field: docs/replay.md.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "trace/replay.hpp"

namespace modmem::tools {

struct ReplayResult {
  std::string trace;
  std::string policy;
  trace::ReplayFigures figures;
  std::optional<std::size_t> min_arena_bytes;
};

nlohmann::ordered_json to_json(const std::vector<ReplayResult>& results);
std::string to_table(const std::vector<ReplayResult>& results);

}  // namespace modmem::tools
