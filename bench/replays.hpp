// What the goals about memory have in common: a platform, a day that is played, and its means.
#pragma once

#include <cstddef>

#include "bench/workload.hpp"
#include "port/platform_config.hpp"
#include "trace/replay.hpp"

namespace modmem::bench {

// 2.5 MiB of SRAM in banks of 128 KiB and one core, else as the default platform.
PlatformConfig memory_platform();

// Plays the rest of the events. Returns what has been measured since the replay began.
trace::ReplayFigures play_all(trace::Replay& replay, trace::EventSource& events);

struct Means {
  double mapped_over_live = 0;
  double banks_over_bound = 0;
};

// Means over the starts and stops between two moments of a replay.
Means means_of(const trace::ReplayFigures& end, const trace::ReplayFigures& begin);

// Banks that so many bytes fill.
std::size_t banks_for(std::size_t bytes, const PlatformConfig& config);

}  // namespace modmem::bench
