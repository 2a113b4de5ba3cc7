#include "testbench/plan/planner.hpp"

#include <algorithm>
#include <numeric>

#include "testbench/housekeeping.hpp"
#include "testbench/input_error.hpp"
#include "testbench/out_of_memory.hpp"
#include "testbench/session.hpp"
#include "trace/least_memory.hpp"

namespace modmem::testbench {

namespace {

constexpr std::uint32_t kRoomyFrames = (64U << 20) / config::kPageBytes;

// All that plans of one topology have in common.
struct Plans {
  const Topology& topology;
  const StreamGraph& graph;
  const PlannedModules& modules;
  const Policy& policy;
  std::vector<bool> yield;  // by stream: whether it takes less where there is no more
};

std::size_t largest_buffer(const Memory& memory) {
  Request request;
  request.flags = flag::kLargeBuffer | flag::kSilent;
  return memory.largest_request(request);
}

// One try: a memory of its own with pipelines on it.
class Trial {
 public:
  Trial(const Plans& plans, const PlatformConfig& platform)
      : system_(platform, plans.policy),
        session_(system_, plans.topology, plans.graph, no_loaded_modules(), &plans.modules) {}

  // Sets up these streams in this order, everything where there are none. Throws OutOfMemory where
  // that does not fit.
  void set_up(const std::vector<std::size_t>& streams) {
    try {
      if (streams.empty()) {
        session_.set_up();
      }
      for (const std::size_t stream : streams) {
        session_.start(stream);
      }
    } catch (const OutOfMemory& error) {
      throw OutOfMemory(error.what() + failure());
    }
    Housekeeping(system_, default_compaction(system_.memory().policy())).settle();
  }

  PlanFigures figures() {
    Memory& memory = system_.memory();
    PlanFigures figures;
    figures.live_bytes = memory.system().tree_peak;
    figures.mapped_bytes = system_.mapped_bytes();
    figures.metadata_bytes = memory.metadata_bytes();
    figures.free_bytes = std::size_t{memory.pool().free()} * config::kPageBytes;
    figures.largest_buffer = largest_buffer(memory);
    figures.banks_on = memory.pool().banks_on();
    return figures;
  }

  const Session& session() const { return session_; }

 private:
  // The request that failed; nothing where it was an admission, which says itself what is missing.
  std::string failure() const {
    const std::optional<FailureNote>& note = system_.first_failure();
    if (!note) {
      return "";
    }
    return ": " + std::to_string(note->figures.bytes) + " B asked for, " +
           std::to_string(note->figures.largest_request) + " B at most can be had (" +
           to_string(note->figures.reason) + ")";
  }
  System system_;
  Session session_;
};

// The least that are the same on any memory: nothing is left where it does not fit.
PlanFigures needed(PlanFigures figures) {
  figures.free_bytes = 0;
  figures.largest_buffer = 0;
  return figures;
}

std::vector<PlannedPipeline> pipelines_of(const Session& session) {
  std::vector<PlannedPipeline> pipelines;
  for (const PipelineReport& report : session.pipelines()) {
    pipelines.push_back(
        {report.id, report.name, report.core, report.peak_live_bytes, report.mapped_bytes});
  }
  return pipelines;
}

// Whether the set fits where those of its streams that yield start last, which they do not by
// themselves.
bool fits_in_other_order(const Plans& plans, const PlatformConfig& platform,
                         const PlannedSet& set) {
  std::vector<std::size_t> order = set.streams;
  std::stable_partition(order.begin(), order.end(),
                        [&](std::size_t stream) { return !plans.yield[stream]; });
  if (order == set.streams) {
    return false;
  }
  try {
    Trial(plans, platform).set_up(order);
    return true;
  } catch (const OutOfMemory&) {
    return false;
  }
}

// Tries a set, and notes the pipelines' figures where it is asked for them.
void try_set(const Plans& plans, const PlatformConfig& platform, PlannedSet& set,
             std::vector<PlannedPipeline>* pipelines) {
  try {
    Trial trial(plans, platform);
    trial.set_up(set.streams);
    set.fits = true;
    set.figures = trial.figures();
    if (pipelines != nullptr) {
      *pipelines = pipelines_of(trial.session());
    }
    return;
  } catch (const OutOfMemory& error) {
    set.reason = error.what();
  }
  if (fits_in_other_order(plans, platform, set)) {
    set.reason += "; it fits where streams with deep buffers start last";
  }
  try {
    Trial trial(plans, trace::scaled_platform(platform, kRoomyFrames));
    trial.set_up(set.streams);
    set.figures = needed(trial.figures());
    if (pipelines != nullptr) {
      *pipelines = pipelines_of(trial.session());
    }
  } catch (const OutOfMemory&) {
    set.figures.reset();  // slots that are too few are so on any memory
  }
}

// The sets of `count` streams that are tried, the small ones first.
std::vector<PlannedSet> sets_of(std::size_t count) {
  std::vector<PlannedSet> sets;
  const auto add = [&](const auto& contains) {
    PlannedSet set;
    for (std::size_t i = 0; i < count; ++i) {
      if (contains(i)) {
        set.streams.push_back(i);
      }
    }
    sets.push_back(std::move(set));
  };
  if (count <= kMostStreamsForAll) {
    for (std::size_t mask = 1; mask < std::size_t{1} << count; ++mask) {
      add([mask](std::size_t i) { return (mask >> i & 1) != 0; });
    }
    std::stable_sort(sets.begin(), sets.end(), [](const PlannedSet& a, const PlannedSet& b) {
      return a.streams.size() < b.streams.size();
    });
    return sets;
  }
  for (std::size_t one = 0; one < count; ++one) {
    add([=](std::size_t i) { return i == one; });
  }
  for (std::size_t one = 0; one < count; ++one) {
    for (std::size_t other = one + 1; other < count; ++other) {
      add([=](std::size_t i) { return i == one || i == other; });
    }
  }
  for (std::size_t one = 0; one < count; ++one) {
    add([=](std::size_t i) { return i != one; });
  }
  add([](std::size_t) { return true; });
  return sets;
}

}  // namespace

bool TopologyPlan::fits() const {
  return everything.fits &&
         std::all_of(sets.begin(), sets.end(), [](const PlannedSet& set) { return set.fits; });
}

const PlannedSet& TopologyPlan::worst() const {
  const auto needs_less = [](const PlannedSet& a, const PlannedSet& b) {
    return b.figures ? a.figures && a.figures->live_bytes < b.figures->live_bytes
                     : a.figures.has_value();
  };
  const auto most = std::max_element(sets.begin(), sets.end(), needs_less);
  return most != sets.end() && !needs_less(*most, everything) ? *most : everything;
}

std::size_t TopologyPlan::count(Coverage coverage) const {
  return static_cast<std::size_t>(
      std::count_if(gaps.begin(), gaps.end(),
                    [coverage](const PlannedGap& gap) { return gap.coverage == coverage; }));
}

std::string to_string(const PlannedSet& set, const TopologyPlan& plan) {
  constexpr std::size_t kMostNamed = 3;
  const std::size_t count = plan.streams.size();
  if (set.streams.size() == count && count > kMostNamed) {
    return "all " + std::to_string(count) + " streams";
  }
  if (set.streams.size() + 1 == count && count > kMostNamed) {
    for (std::size_t i = 0; i < count; ++i) {
      if (std::find(set.streams.begin(), set.streams.end(), i) == set.streams.end()) {
        return "all but " + plan.streams[i];
      }
    }
  }
  std::string text;
  for (const std::size_t stream : set.streams) {
    text += (text.empty() ? "" : " + ") + plan.streams[stream];
  }
  return text.empty() ? "everything" : text;
}

TopologyPlan plan_topology(const Topology& topology, const PlatformConfig& platform,
                           const Policy& policy, const StreamFormat& format,
                           const FootprintTable& footprints, const std::function<void()>& tick) {
  TopologyPlan plan;
  plan.topology = topology.name;
  plan.platform = platform.name;
  plan.policy = policy.name;
  plan.pool_bytes = platform.sram_bytes - platform.reserve_bytes;
  // Those that frames of the pool lie in.
  plan.banks = static_cast<std::uint32_t>((platform.sram_bytes + platform.bank_bytes - 1) /
                                              platform.bank_bytes -
                                          platform.reserve_bytes / platform.bank_bytes);
  const StreamGraph graph = build_graph(topology, {}, format);
  const PlannedModules modules(graph, footprints);
  plan.modules = graph.nodes.size();
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (modules.coverage(i) != Coverage::known) {
      const Widget& widget = *graph.nodes[i].widget;
      plan.gaps.push_back({widget.name, *widget.uuid, modules.coverage(i), modules.bytes(i)});
    }
  }
  Plans plans{topology, graph, modules, policy, {}};
  for (const PcmStream& stream : find_streams(topology, graph)) {
    plan.streams.push_back(to_string(stream));
    plans.yield.push_back(std::any_of(stream.nodes.begin(), stream.nodes.end(),
                                      [&](std::size_t node) { return modules.yields(node); }));
  }
  for (const std::size_t index : graph.pipelines) {
    const Pipeline& pipeline = topology.pipelines[index];
    if (pipeline.core >= platform.cores) {
      plan.everything.reason = pipeline.name + " is on core " + std::to_string(pipeline.core) +
                               ", and the platform has " + std::to_string(platform.cores);
      return plan;
    }
  }

  tick();
  try_set(plans, platform, plan.everything, &plan.pipelines);
  plan.sets = sets_of(plan.streams.size());
  for (PlannedSet& set : plan.sets) {
    tick();
    try_set(plans, platform, set, nullptr);
  }
  return plan;
}

}  // namespace modmem::testbench
