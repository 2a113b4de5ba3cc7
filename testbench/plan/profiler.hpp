// Profiler: footprints out of what modules were seen to take.
//
// Requests of one call site, alike in intent and alignment, are one request of the footprint; where
// each life of the module made as many of them, each is one of its own. How large they are, and how
// many, is explained by facts (testbench/plan/explain.hpp); what nothing explains is estimated by
// the most that was seen, and said.
#pragma once

#include <string>
#include <vector>

#include "testbench/plan/footprint.hpp"
#include "testbench/plan/recording_samples.hpp"

namespace modmem::testbench {

struct ProfiledModule {
  Footprint footprint;
  std::size_t lives = 0;      // that it was made from
  std::size_t different = 0;  // of these, those that knew other facts or took something else
  std::vector<std::string> unexplained;
};

// One for each UUID among `lives`, in the order of names. Parameters of footprints are those of
// `table`.
std::vector<ProfiledModule> profile(const std::vector<SampledLife>& lives,
                                    const FootprintTable& table);

}  // namespace modmem::testbench
