// LeastMemory: the smallest memory in which a policy serves every request of a trace.
//
// memory = frames of the pool x page + metadata that lies outside of the pool. The number of frames
// is found by bisection; then every number down to 5 % below is tried as well, frame by frame, as
// more memory may fail where less does not. One that serves takes the place of what was found, and
// the 5 % below it are tried in turn.
//
// The platform is scaled with its pool: the window and the arena beside a heap of slots keep their
// proportion to it, so that tables are counted for a platform of this size; a fixed arena for
// everything is all of the pool.
// Cost: a replay for each size, up to its first failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "memory/policy.hpp"
#include "port/platform_config.hpp"
#include "trace/event.hpp"
#include "trace/replay.hpp"

namespace modmem::trace {

// `config` with a pool of `frames` frames (at least 1), and what goes with its size in proportion.
PlatformConfig scaled_platform(const PlatformConfig& config, std::uint32_t frames);

class LeastMemory {
 public:
  static constexpr std::uint32_t kMostFrames = 16384;  // 64 MiB

  // Called now and then with what part of the work is done, of 1000.
  using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

  // `source` can be rewound, and outlives it.
  LeastMemory(EventSource& source, const PlatformConfig& config, const Policy& policy,
              Progress progress = {});

  // Its bytes; nothing where a request fails in kMostFrames frames. `played`: a replay of the trace
  // on the platform as it is, which says where to begin. Throws TraceError where the source can't
  // be read again.
  std::optional<std::size_t> find(const ReplayFigures& played);

  std::uint32_t frames() const { return frames_; }    // that find() found
  std::uint32_t replays() const { return replays_; }  // that it took

 private:
  std::optional<std::size_t> bytes_with(std::uint32_t frames);
  void show(double part) const;

  EventSource& source_;
  const PlatformConfig& config_;
  const Policy& policy_;
  Progress progress_;
  std::uint32_t frames_ = 0;
  std::uint32_t replays_ = 0;
  std::uint32_t replays_expected_ = 1;
};

}  // namespace modmem::trace
