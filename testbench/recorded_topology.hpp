// RecordedTopology: what ran while a trace was recorded, beside the trace.
//
// A trace knows owners by number and name; what its modules are, and what their memory follows
// from, is in the topology. So `modmem run --trace DIR` puts into the folder DIR/topology, which
// readers of CTF pass over, the topology's file and run.toml, which says how its streams were
// opened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "testbench/stream_format.hpp"

namespace modmem::testbench {

struct RecordedTopology {
  std::filesystem::path file;
  StreamFormat format;                   // of the audio file that was played
  std::vector<std::uint32_t> pipelines;  // as for build_graph()
};

// Copies the topology to the trace `directory`, which exists. Throws InputError where that can't
// be.
void save_topology(const std::filesystem::path& directory, const RecordedTopology& topology);

// Whether there is one.
bool has_topology(const std::filesystem::path& directory);
// That of the trace `directory`. Throws InputError where there is none, or it makes no sense.
RecordedTopology load_recorded_topology(const std::filesystem::path& directory);

}  // namespace modmem::testbench
