#include "testbench/plan/footprint.hpp"

#include <algorithm>
#include <tuple>

#include "testbench/input_error.hpp"

namespace modmem::testbench {

namespace {

// The bytes that the case for these facts says, or the most that any says.
std::int64_t bytes_of_cases(const FootprintRequest& request, const Facts& facts, bool& covered) {
  std::int64_t most = 0;
  for (const FootprintRequest::Case& one : request.cases) {
    bool fits = true;
    for (std::size_t i = 0; i < request.by.size(); ++i) {
      const auto known = facts.find(request.by[i]);
      fits = fits && one.values[i] == (known != facts.end() ? known->second : 0);
    }
    const std::int64_t bytes = one.bytes.value(facts);
    if (fits) {
      return bytes;
    }
    most = std::max(most, bytes);
  }
  covered = false;
  return most;
}

}  // namespace

PlannedPhase planned_blocks(const std::vector<FootprintRequest>& phase, const Facts& facts) {
  PlannedPhase planned;
  for (const FootprintRequest& request : phase) {
    if (!request.when.holds(facts)) {
      continue;
    }
    const std::int64_t count = request.count.value(facts);
    if (count > kMostBlocks) {
      throw InputError("'" + request.count.to_text() + "': " + std::to_string(count) + " blocks");
    }
    const std::int64_t bytes = request.cases.empty()
                                   ? request.bytes.value(facts)
                                   : bytes_of_cases(request, facts, planned.covered);
    PlannedBlock block{.least = static_cast<std::size_t>(request.least.value(facts)),
                       .alignment = request.alignment,
                       .flags = request.flags,
                       .temporary = request.temporary};
    for (std::int64_t i = 0; i < count; ++i) {
      // As even as can be.
      block.bytes = static_cast<std::size_t>(
          request.together ? bytes / count + (i < bytes % count ? 1 : 0) : bytes);
      if (block.bytes != 0) {
        planned.blocks.push_back(block);
        planned.estimate = planned.estimate || request.estimate;
      }
    }
  }
  return planned;
}

bool Footprint::has_seen(const Facts& facts) const {
  return std::all_of(seen.begin(), seen.end(), [&](const auto& entry) {
    const auto known = facts.find(entry.first);
    const std::int64_t value = known != facts.end() ? known->second : 0;
    return value >= entry.second.least && value <= entry.second.most;
  });
}

void FootprintTable::put(Footprint footprint) {
  const auto same = std::find_if(footprints_.begin(), footprints_.end(),
                                 [&](const Footprint& f) { return f.uuid == footprint.uuid; });
  if (same != footprints_.end()) {
    *same = std::move(footprint);
  } else {
    footprints_.push_back(std::move(footprint));
  }
  std::sort(footprints_.begin(), footprints_.end(), [](const Footprint& a, const Footprint& b) {
    return std::tuple(a.name, to_string(a.uuid)) < std::tuple(b.name, to_string(b.uuid));
  });
}

const Footprint* FootprintTable::find(const Uuid& uuid) const {
  const auto found = std::find_if(footprints_.begin(), footprints_.end(),
                                  [&](const Footprint& f) { return f.uuid == uuid; });
  return found != footprints_.end() ? &*found : nullptr;
}

}  // namespace modmem::testbench
