// Tuning a heap of slots: the best table for traces, and the least arena beside it.
//
// SlotSearch finds the table; then traces are played on the real heaps, which also says what the
// table takes of frames and whether something else than slots is missing. Where a request is
// aligned to more than its bytes, the heap may do what SlotModel does not foresee: then the table
// gets a page more for the size that ran out, until nothing fails that need not, and nothing is
// proved. Under policies that have a fixed arena beside the slots, the smallest arena with which no
// more requests fail is found by bisection, with a replay for each size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tuning/playing.hpp"
#include "tuning/slot_search.hpp"

namespace modmem::tuning {

// A table, and what became of the traces with it.
struct SlotOutcome {
  std::vector<SlotBundle> bundles;
  std::size_t arena_bytes = 0;  // beside the slots; 0 where the policy has no such arena
  // On the real heaps; nothing where they do not fit the platform.
  std::optional<Played> played;

  std::size_t table_bytes() const;
};

struct SlotTuning {
  SlotChoice choice;
  std::uint64_t requests = 0;  // for slots
  SlotOutcome configured;      // what the policy and the platform have now
  SlotOutcome tuned;
  std::vector<std::uint32_t> most_used;  // slots of each of tuned.bundles
  std::uint32_t mended = 0;              // pages that choice had to be given: see mend()
};

// Whether the policy has a heap of slots that a table decides on.
constexpr bool has_slots(const Policy& policy) {
  return policy.slots == HeapKind::slots || policy.system == HeapKind::slots;
}

// What a table may be.
struct SlotLimits {
  std::optional<std::size_t> bytes;  // that its slots add up to at most
  std::uint32_t bundles = SlotHeap::kMaxBundles;
  std::uint64_t effort = SlotSearchOptions{}.effort;
};

// Requires has_slots(policy). Throws TraceError where a trace does not hold.
SlotTuning tune_slots(Traces traces, const PlatformConfig& platform, const Policy& policy,
                      const SlotLimits& limits, const Progress& progress);

}  // namespace modmem::tuning
