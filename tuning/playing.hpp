// Playing traces on real heaps, one after the other, to judge a setting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "memory/policy.hpp"
#include "port/platform_config.hpp"
#include "trace/event.hpp"
#include "trace/replay.hpp"

namespace modmem::tuning {

// Sources that can be rewound; each is played from its start, on a Memory of its own.
using Traces = std::span<trace::EventSource* const>;

// Called between pieces of work, with what is done of a whole that is 1 where that is known. May
// throw, which ends the work.
using Progress = std::function<void(double part)>;

// Figures of several replays: sums, and of peaks the highest.
struct Played {
  std::uint64_t allocations = 0;
  std::uint64_t failures = 0;
  std::size_t peak_live_bytes = 0;
  std::size_t peak_mapped_bytes = 0;
  std::uint64_t live_bytes_sum = 0;  // over starts and stops
  std::uint64_t mapped_bytes_sum = 0;
  trace::ReplayTimes times;

  // Mean mapped bytes over mean live bytes, both over time; over starts and stops where no time
  // passes; nothing where nothing lives.
  std::optional<double> mapped_over_live() const;
  // Mean of powered banks over time; nothing where no time passes.
  std::optional<double> banks_on() const;
};

// What the traces meet with under the policy. With stop_at_failure it ends with the first request
// that fails, and says no more than that. Throws TraceError where the heaps do not fit the platform
// or a trace does not hold.
Played play(Traces traces, const PlatformConfig& platform, const Policy& policy,
            const trace::ReplayOptions& options, const Progress& progress = {});

// Options that measure no call and look at no payload.
constexpr trace::ReplayOptions quick(bool follow_time = false) {
  trace::ReplayOptions options;
  options.check_payload = false;
  options.time_calls = false;
  options.follow_time = follow_time;
  return options;
}

}  // namespace modmem::tuning
