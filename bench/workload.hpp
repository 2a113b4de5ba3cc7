// Workload: a day of streams, composed from recorded ones and kept whole, so that playing it costs
// nothing but the allocator's own time.
//
// Blocks and streams are places, small numbers that are used again (trace/event.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "trace/composer.hpp"
#include "trace/recording.hpp"

namespace modmem::bench {

// The day that goals are measured on: most streams at a time, and starts and stops in all.
inline constexpr std::uint32_t kDayStreams = 8;
inline constexpr std::uint64_t kDayEvents = 20000;

// The recordings of a folder, in order of their names. Empty: that of MODMEM_SHARED or beside the
// repository where there is one, else the examples'. Throws InputError where there are none.
std::vector<trace::Recording> read_recordings(const std::string& folder);

struct Operation {
  trace::OpKind kind = trace::OpKind::allocate;
  std::uint32_t block = 0;
  std::uint32_t stream = 0;
  std::uint32_t bytes = 0;
  std::uint32_t alignment = 0;  // 0: natural
};

struct Workload {
  std::vector<Operation> operations;
  std::size_t blocks = 0;   // places
  std::size_t streams = 0;  // places
  std::size_t pairs = 0;    // of allocate and free
  std::size_t peak_live_bytes = 0;
};

// What goes on between the first event and the last, and then the end of what lives: so it can be
// played over and over. Requests of no stream are those of one more.
Workload compose(const std::vector<trace::Recording>& recordings,
                 const trace::ComposerOptions& options);

}  // namespace modmem::bench
