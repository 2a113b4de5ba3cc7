// What replays of traces came to, as a table and as JSON. Field by field: docs/replay.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "trace/replay.hpp"
#include "trace/rerun.hpp"

namespace modmem::tools {

// How what was recorded compares with its replay.
struct RecordedFigures {
  std::uint64_t lost = 0;     // events that the recording lacks
  std::uint64_t differs = 0;  // blocks and results that were not those of the recording
  trace::Rerun::Taken taken;
};

struct ReplayResult {
  std::string trace;
  std::string policy;
  trace::ReplayFigures figures;
  std::optional<std::size_t> min_arena_bytes;
  std::optional<RecordedFigures> recorded = std::nullopt;  // of recorded traces
};

nlohmann::ordered_json to_json(const std::vector<ReplayResult>& results);
std::string to_table(const std::vector<ReplayResult>& results);

}  // namespace modmem::tools
