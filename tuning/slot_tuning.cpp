#include "tuning/slot_tuning.hpp"

#include <algorithm>
#include <utility>

#include "trace/least_memory.hpp"
#include "trace/trace_error.hpp"

namespace modmem::tuning {

namespace {

// No larger table can be opened.
constexpr std::uint32_t kMostTablePages = FrameInfo::kNone - 1;

// The first request that was refused.
class FirstFailure final : public MemoryObserver {
 public:
  void on_failure(const Failure& failure) override {
    if (!failure_) {
      failure_ = failure;
    }
  }
  void on_fault(const Fault&) override {}
  void on_leak(const Leak&) override {}

  const std::optional<Failure>& failure() const { return failure_; }

 private:
  std::optional<Failure> failure_;
};

class Tuner {
 public:
  Tuner(Traces traces, const PlatformConfig& platform, const Policy& policy,
        const Progress& progress)
      : traces_(traces), platform_(platform), policy_(policy), progress_(progress) {}

  bool has_arena() const { return policy_.system == HeapKind::fixed; }

  SlotOutcome outcome(std::vector<SlotBundle> bundles, std::size_t arena_bytes) const {
    SlotOutcome outcome{std::move(bundles), has_arena() ? arena_bytes : 0, std::nullopt};
    outcome.played = play_on(platform_, outcome, false);
    return outcome;
  }

  // Gives the table of `choice`, which no request fails in by the model, more slots until none
  // fails on a real heap either, or it would have more than `most` pages. Returns the pages that it
  // got.
  std::uint32_t mend(const SlotDemand& demand, SlotChoice& choice, std::uint32_t most) const {
    const std::uint32_t before = choice.pages;
    for (;;) {
      FirstFailure first;
      play_on(ample(), {choice.bundles(), in_frames(frames()), std::nullopt}, true, &first);
      if (!first.failure()) {
        return choice.pages - before;
      }
      choice.proved = false;  // what was proved is of the model
      trace::Event event;
      event.bytes = static_cast<std::uint32_t>(first.failure()->bytes);
      event.alignment = static_cast<std::uint32_t>(first.failure()->alignment);
      event.flags = first.failure()->flags;
      const std::optional<SlotDemand::Class> wanted = demand.class_of(event);
      std::uint32_t at = wanted ? wanted->size_class : demand.classes();
      while (at < demand.classes() && choice.slots[at] == 0) {
        ++at;
      }
      if (at >= demand.classes() || grain_of(at).pages > most - choice.pages) {
        return choice.pages - before;  // it is not slots that are missing, or there may be no more
      }
      choice.slots[at] += grain_of(at).slots;
      choice.pages += grain_of(at).pages;
    }
  }

  // The least arena with which no more fails than with one as large as the pool. It is looked for
  // where frames abound, so that nothing but the arena decides.
  std::size_t least_arena(const std::vector<SlotBundle>& bundles) const {
    const PlatformConfig ample = this->ample();
    SlotOutcome probe{bundles, in_frames(frames()), std::nullopt};
    const std::optional<Played> largest = play_on(ample, probe, false);
    if (!largest) {
      return platform_.slots_arena_bytes;
    }
    std::uint32_t fails = 0;
    std::uint32_t serves = frames();
    while (serves - fails > 1) {
      const std::uint32_t middle = fails + (serves - fails) / 2;
      probe.arena_bytes = in_frames(middle);
      const std::optional<Played> played = play_on(ample, probe, largest->failures == 0);
      (played && played->failures <= largest->failures ? serves : fails) = middle;
    }
    return in_frames(serves);
  }

 private:
  std::uint32_t frames() const {
    return static_cast<std::uint32_t>((platform_.sram_bytes - platform_.reserve_bytes) /
                                      config::kPageBytes);
  }
  // The platform with a pool in which frames abound.
  PlatformConfig ample() const {
    constexpr std::uint32_t kAbundance = 4;
    return trace::scaled_platform(platform_, kAbundance * frames());
  }

  std::optional<Played> play_on(PlatformConfig platform, const SlotOutcome& outcome,
                                bool stop_at_failure, MemoryObserver* observer = nullptr) const {
    Policy policy = policy_;
    policy.bundles = outcome.bundles;
    if (has_arena()) {
      platform.slots_arena_bytes = outcome.arena_bytes;
    }
    trace::ReplayOptions options = quick();
    options.stop_at_failure = stop_at_failure;
    options.observer = observer;
    try {
      trace::Replay(platform, policy, options);
    } catch (const trace::TraceError&) {
      return std::nullopt;  // it does not fit
    }
    return play(traces_, platform, policy, options, progress_);
  }

  Traces traces_;
  const PlatformConfig& platform_;
  const Policy& policy_;
  const Progress& progress_;
};

}  // namespace

std::size_t SlotOutcome::table_bytes() const {
  std::size_t bytes = 0;
  for (const SlotBundle& bundle : bundles) {
    bytes += bundle.slot_bytes * bundle.slots;
  }
  return bytes;
}

SlotTuning tune_slots(Traces traces, const PlatformConfig& platform, const Policy& policy,
                      const SlotLimits& limits, const Progress& progress) {
  SlotTuning tuning;
  SlotDemand demand(platform, policy);
  for (trace::EventSource* source : traces) {
    source->rewind();
    demand.add(*source);
  }
  tuning.requests = demand.requests();
  SlotSearchOptions options;
  options.progress = progress;
  options.bundles = limits.bundles;
  options.effort = limits.effort;
  if (limits.bytes) {
    options.budget_pages = static_cast<std::uint32_t>(*limits.bytes / config::kPageBytes);
  }
  tuning.choice = SlotSearch(demand, options).find();

  const Tuner tuner(traces, platform, policy, progress);
  tuning.configured =
      tuner.outcome({policy.bundles.begin(), policy.bundles.end()}, platform.slots_arena_bytes);
  if (tuning.choice.failures == 0 && !demand.is_exact()) {
    tuning.mended =
        tuner.mend(demand, tuning.choice, options.budget_pages.value_or(kMostTablePages));
  }
  std::vector<SlotBundle> bundles = tuning.choice.bundles();
  if (bundles.empty()) {
    return tuning;  // nobody asks for slots, or there may be none
  }
  const std::size_t arena = tuner.has_arena() ? tuner.least_arena(bundles) : 0;
  tuning.tuned = tuner.outcome(std::move(bundles), arena);

  SlotModel model(demand);
  model.failures(tuning.choice.slots);
  for (std::uint32_t i = 0; i < demand.classes(); ++i) {
    if (tuning.choice.slots[i] != 0) {
      tuning.most_used.push_back(model.most_used()[i]);
    }
  }
  return tuning;
}

}  // namespace modmem::tuning
