// What `modmem tune` found, as text, as JSON and as a fragment that Kconfig reads: docs/tuning.md.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tuning/elastic_tuning.hpp"
#include "tuning/slot_tuning.hpp"

namespace modmem::tools {

// Of one policy: either of slots or elastic.
struct PolicyTuning {
  const Policy* policy = nullptr;
  std::optional<tuning::SlotTuning> slots;
  std::optional<tuning::ElasticTuning> elastic;
};

struct TuneResult {
  std::vector<std::string> traces;
  const PlatformConfig* platform = nullptr;
  tuning::SlotLimits limits;
  std::vector<PolicyTuning> policies;
};

nlohmann::ordered_json to_json(const TuneResult& result);
std::string to_text(const TuneResult& result);
// Assignments of all policies, which are of different kinds. Chooses the policy where there is one.
std::string to_fragment(const TuneResult& result);

}  // namespace modmem::tools
