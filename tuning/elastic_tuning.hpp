// Tuning elastic heaps: how long pages and banks are kept, and what owners need.
//
// Hysteresis. Each setting of kRetainedPages x kRetainedUs is played with the trace's own time.
// Among those that hold at most kTolerance more mapped bytes over live bytes than a heap that keeps
// nothing, the one with the fewest calls that map and unmap is recommended, where these are fewer
// by kGain at least; of equal ones the one that keeps the fewest pages, for the shortest time. Then
// the same of kBankHoldUs, with bank time for memory and bank switches for calls.
//
// Streams. The limit is the most that any held; the guarantee the most pages that any had after its
// start, or as many as a smaller share of the streams had where the platform can't keep that many
// aside for all of them at a time; what is to be premapped is what any grew by later. Limit and
// guarantee are played.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tuning/playing.hpp"
#include "tuning/stream_needs.hpp"

namespace modmem::tuning {

inline constexpr std::array<std::uint32_t, 4> kRetainedPages{1, 2, 4, 8};
inline constexpr std::array<std::uint32_t, 3> kRetainedUs{10'000, 1'000'000, 0};
inline constexpr std::array<std::uint32_t, 5> kBankHoldUs{10'000, 100'000, 1'000'000, 10'000'000,
                                                          60'000'000};
inline constexpr double kTolerance = 0.01;  // more memory or bank time that may be paid
inline constexpr double kGain = 0.01;       // fewer calls that have to be had for it

// A setting, and what became of the traces with it.
struct Hysteresis {
  std::uint32_t retained_pages = 0;
  std::uint32_t retained_us = 0;
  std::uint32_t bank_hold_us = 0;
  Played played;
};

struct ElasticTuning {
  std::vector<Hysteresis> tried;  // the first keeps nothing
  std::size_t chosen = 0;         // index in tried
  StreamNeeds streams;
  std::size_t limit_bytes = 0;        // of a stream
  std::size_t guarantee_bytes = 0;    // of a stream
  std::uint32_t guarantee_share = 0;  // percent of the streams that start within it
  Played with_limits;                 // limit and guarantee in force
};

// Whether the policy gives each pipeline an elastic heap.
constexpr bool has_elastic_streams(const Policy& policy) {
  return policy.pipeline == HeapKind::elastic;
}

// Requires has_elastic_streams(policy). Throws TraceError where a trace does not hold. Cost: some
// 20 replays of each trace.
ElasticTuning tune_elastic(Traces traces, const PlatformConfig& platform, const Policy& policy,
                           const Progress& progress);

}  // namespace modmem::tuning
