// StreamNeeds: what the streams of traces hold, each from its start to its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tuning/playing.hpp"

namespace modmem::tuning {

struct StreamNeeds {
  std::uint32_t most_at_a_time = 0;
  std::size_t peak_bytes = 0;    // of one stream, as asked for
  std::uint32_t peak_pages = 0;  // of its heap
  // After the start was complete, while it went on: by how many pages its heap grew beyond what it
  // had then, and by how many blocks.
  std::uint32_t grown_pages = 0;
  std::uint32_t grown_blocks = 0;
  // Pages that each stream's heap had when its start was complete, in order of size.
  std::vector<std::uint32_t> start_pages;
  std::size_t system_peak_bytes = 0;  // of what belongs to no stream

  // The fewest pages within which `percent` of the streams started; 0 where there were none.
  std::uint32_t start_pages_of(std::uint32_t percent) const;
};

// Plays the traces. Requires a policy that gives streams heaps of their own. Throws TraceError
// where a trace does not hold.
StreamNeeds measure_streams(Traces traces, const PlatformConfig& platform, const Policy& policy,
                            const Progress& progress);

}  // namespace modmem::tuning
