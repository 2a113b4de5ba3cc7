// Planner: what a topology's pipelines and streams need of a platform's memory, without audio.
//
// Every set of streams that may run together is set up as a run sets it up, in the product's heaps
// on the simulated platform, with modules that only take what their footprints say. So whether it
// fits is not a sum but a try: placement, rounding, limits, metadata and banks are those of a run.
//
// The sets of streams: all subsets where there are at most kMostStreamsForAll; else each stream
// alone, every pair, all but one, and all. Besides, `everything`: all pipelines, with those that
// belong to no stream, as `modmem run` plays them. Each is tried on a memory of its own, just
// booted. Pipelines that streams are connected through come with them (testbench/pcm_stream.hpp).
// Streams of a set start in the order of the topology. Where that does not fit, and some of them
// take less where there is no more (deep buffers), it is said whether it fits if these start last;
// it still counts as what does not fit, as nobody can tell users in which order to start streams.
//
// Cost: a set O(what it sets up), and a boot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "memory/policy.hpp"
#include "port/platform_config.hpp"
#include "testbench/plan/planned_module.hpp"
#include "testbench/topology/topology.hpp"

namespace modmem::testbench {

inline constexpr std::size_t kMostStreamsForAll = 5;

struct PlanFigures {
  std::size_t live_bytes = 0;      // as asked for, the most that live at a time
  std::size_t mapped_bytes = 0;    // frames that are taken, metadata among them
  std::size_t metadata_bytes = 0;  // as on a target with 32-bit pointers
  std::size_t free_bytes = 0;      // frames that are left
  std::size_t largest_buffer = 0;  // that could still be had
  std::uint32_t banks_on = 0;
};

struct PlannedSet {
  std::vector<std::size_t> streams;  // into TopologyPlan::streams, ascending; of everything: none
  bool fits = false;
  std::string reason;  // why it does not
  // Where it does not fit, those of a memory in which it would, as far as they say what is needed;
  // nothing where it does not fit 64 MiB either.
  std::optional<PlanFigures> figures;
};

struct PlannedPipeline {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t core = 0;
  std::size_t live_bytes = 0;
  std::size_t mapped_bytes = 0;  // of its own heap; 0 where it has none
};

// A module whose footprint is not known in full.
struct PlannedGap {
  std::string name;
  Uuid uuid;
  Coverage coverage = Coverage::unknown;
  std::size_t bytes = 0;  // that it is counted with
};

struct TopologyPlan {
  std::string topology;
  std::string platform;
  std::string policy;
  std::size_t pool_bytes = 0;
  std::uint32_t banks = 0;
  std::size_t modules = 0;
  std::vector<std::string> streams;
  std::vector<PlannedPipeline> pipelines;
  std::vector<PlannedSet> sets;
  PlannedSet everything;
  std::vector<PlannedGap> gaps;

  bool fits() const;
  // The set, everything among them, that needs the most live bytes; one that needs more than can be
  // told before all others.
  const PlannedSet& worst() const;
  std::size_t count(Coverage coverage) const;
};

// The streams of a set by name: "Music playback + Call capture", "all but Music playback", ...
std::string to_string(const PlannedSet& set, const TopologyPlan& plan);

// Plans `topology`. Sources open with the format among theirs that is nearest to `format`, as when
// a file of that format is played. `tick` is called before each set that is tried. Throws
// InputError where the topology has nothing to run or makes no sense.
TopologyPlan plan_topology(const Topology& topology, const PlatformConfig& platform,
                           const Policy& policy, const StreamFormat& format,
                           const FootprintTable& footprints, const std::function<void()>& tick);

}  // namespace modmem::testbench
