// Rerun: makes the calls of a recorded trace again, on a Memory of its own.
//
// On the platform and under the policy of the recording, everything comes to lie where it lay then,
// so that all figures are those of the recorded run; places_differ counts what does not. Elsewhere
// it tells what the same calls would have met with. A block whose request failed is not there, and
// later calls about it do nothing.
//
// Figures are those of ReplayFigures; of starts and stops, those where the state of a pipeline
// changed, taken at the end of the period. Memory: O(places of blocks), besides the Memory's own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "memory/memory.hpp"
#include "trace/ctf_events.hpp"
#include "trace/memory_figures.hpp"
#include "trace/recorded_plan.hpp"
#include "trace/replay.hpp"

namespace modmem::trace {

class Rerun {
 public:
  // Boots a Memory. Throws TraceError where the configuration does not hold or the policy's heaps
  // do not fit it. Payloads are neither written nor looked at, whatever `options` says.
  Rerun(const PlatformConfig& platform, const Policy& policy, const ReplayOptions& options);
  ~Rerun();
  Rerun(const Rerun&) = delete;
  Rerun& operator=(const Rerun&) = delete;

  // The next event. The calling thread is the event's core for as long as the call takes. Throws
  // TraceError where the platform has no such core.
  void play(const CtfEvent& event);

  ReplayFigures figures() const;
  std::uint64_t failures() const { return figures_.failures; }
  // Blocks that came to lie elsewhere than in the recording, and results that were others.
  std::uint64_t places_differ() const { return differ_; }
  const Memory& memory() const { return *memory_; }
  // The owner with a handle of the recording; nullptr where it was refused or has gone.
  Owner* owner(std::uint64_t handle) const;
  // Where the block lies now that lay at a place then (field::key_of()); nullptr where it was
  // refused or has gone.
  void* block(std::uint64_t key) const;

  // What the report of a recorded run is of: the moment at which it was taken (Upkeep::sample), the
  // last one, or else the end.
  struct Taken {
    MemoryFigures memory;
    std::vector<OwnerNote> owners;
  };
  Taken taken() const { return sample_ ? *sample_ : take(); }

 private:
  struct Quiet;
  using Fields = CtfEvent::Fields;

  Site site(std::uint64_t number);
  void note(const Fields& fields, void* block);
  void allocate(const Fields& fields);
  void range(const Fields& fields);
  void resize(const Fields& fields);
  void free(const Fields& fields);
  void limit_owner(const Fields& fields);
  void begin_owner(const Fields& fields);
  void end_owner(const Fields& fields);
  void add_entry(const Fields& fields);
  void admit(const Fields& fields);
  void upkeep(const Fields& fields);
  void put_region(Owner& region, bool held);
  void compact(const Fields& fields);
  void end_period();
  Taken take() const;

  std::unique_ptr<Quiet> observer_;
  ReplayMemory memory_;
  CallTimer timer_;
  std::unordered_map<std::uint64_t, Owner*> owners_;
  std::unordered_map<std::uint64_t, void*> blocks_;
  std::unordered_map<std::uint64_t, const char*> sites_;
  std::unordered_set<std::string> names_;
  const char* name_ = "";
  std::vector<SlotBundle> bundles_;  // of the next owner or entry of a plan
  RecordedPlan plan_;
  bool shut_down_ = false;
  bool pipelines_changed_ = false;
  std::uint64_t differ_ = 0;
  std::uint64_t moved_ = 0;  // frames, by compaction
  OwnerNotes ended_;
  std::optional<Taken> sample_;
  ReplayFigures figures_;
};

}  // namespace modmem::trace
