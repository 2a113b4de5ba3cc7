// What modules took while a trace was recorded: for each life of each module, its requests by
// phase.
//
// A module's requests are those of its account and of accounts below it, without those of the
// testbench itself, which a plan makes again. Its phases follow from the states of its pipeline:
// what it takes before its modules exist is of `init`, from then on, until they are prepared, of
// `prepare`. What it takes later, as it is told of new parameters, is of neither.
// A life counts where both phases were seen to their end, no request failed, and it was not that of
// a placeholder, which stands for a module that was not there. Memory: O(requests).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "testbench/plan/footprint.hpp"
#include "testbench/recorded_topology.hpp"

namespace modmem::testbench {

struct SampledRequest {
  std::string site;       // "file:line", or wherever it came from
  std::size_t bytes = 0;  // that it had in the end, or would have liked to have
  std::size_t least = 0;  // of a request that takes less as well
  std::size_t alignment = 0;
  Flags flags = 0;
  bool temporary = false;  // freed within the phase
};

struct SampledLife {
  Uuid uuid;
  std::string name;  // of the kind of module: that of the widget, up to its number
  Facts facts;
  std::vector<SampledRequest> init;
  std::vector<SampledRequest> prepare;
};

struct RecordingSamples {
  std::vector<SampledLife> lives;
  std::vector<std::string> notes;     // modules that nothing is known of, and why
  std::vector<std::string> problems;  // what of the trace could not be read
};

// Adds those of the trace `directory`, in which `topology` ran. Facts have the parameters that
// `table` names. Throws InputError where trace or topology can't be read.
void sample_recording(const std::filesystem::path& directory, const RecordedTopology& topology,
                      const FootprintTable& table, RecordingSamples& samples);

}  // namespace modmem::testbench
