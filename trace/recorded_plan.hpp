// What a recorded trace says of owners and of plans, as Memory takes it.
//
// RecordedPlan puts together the plan of an admission: entries, each with its needs, until Memory
// is asked. Bundles of slots stand before the owner or the entry whose heap has them.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "memory/memory.hpp"
#include "trace/ctf_events.hpp"

namespace modmem::trace {

// Of an owner_begin or a plan_entry: whether there are such owners and heaps, as a damaged trace
// may say anything; and what was asked for.
bool is_owner(const CtfEvent::Fields& fields);
OwnerSpec owner_spec_of(const CtfEvent::Fields& fields, const char* name);
HeapSpec heap_spec_of(const CtfEvent::Fields& fields, std::span<const SlotBundle> bundles);

class RecordedPlan {
 public:
  // An entry of a plan_entry event. `known`: the owner that it is about, or else the one below
  // which it is to be created; nullptr where there is none any more, and then admit() fails.
  void add_entry(const CtfEvent::Fields& fields, const char* name, Owner* known,
                 std::vector<SlotBundle> bundles);

  // A need of the last entry; nothing where there is no entry.
  void add_need(const CtfEvent::Fields& fields);

  // Asks Memory, calls `note` with the recorded handle of each owner that the plan was to create
  // and what it is now (nullptr: refused), and forgets the plan. Where it is admitted though it
  // was refused when recorded, what it took is given back. Returns whether it is as it was then.
  template <typename Note>
  bool admit(Memory& memory, bool admitted_then, Note note) {
    const bool admitted = ask(memory);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const bool creates = entries_[i].created || entries_[i].owner == nullptr;
      if (admitted && !admitted_then) {
        creates ? memory.release_owner(*entries_[i].owner)
                : memory.return_unused(*entries_[i].owner);
      } else if (admitted_then && creates) {
        note(handles_[i], entries_[i].owner);
      }
    }
    clear();
    return admitted == admitted_then;
  }

 private:
  bool ask(Memory& memory);
  void clear();

  std::vector<PlanEntry> entries_;
  std::vector<std::uint64_t> handles_;
  std::vector<std::vector<Need>> needs_;         // by entry
  std::deque<std::vector<SlotBundle>> bundles_;  // by entry, where the entries point to them
  bool sound_ = true;
};

}  // namespace modmem::trace
