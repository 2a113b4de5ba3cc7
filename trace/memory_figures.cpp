#include "trace/memory_figures.hpp"

#include <algorithm>
#include <utility>

namespace modmem::trace {

namespace {

std::string names_above(const Owner& owner) {
  const Owner* const above = owner.parent;
  if (above == nullptr || above->parent == nullptr) {
    return "";
  }
  std::string names = names_above(*above);
  names += names.empty() ? "" : "/";
  return names += above->spec.name;
}

// What was asked for by `owner` and all below it.
void add_counts(OwnerNote& note, const Owner& owner) {
  note.allocations += owner.allocations;
  note.failures += owner.failures;
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    add_counts(note, *child);
  }
}

OwnerNote note_of(const Memory& memory, const Owner& owner) {
  OwnerNote note;
  note.kind = owner.spec.kind;
  note.id = owner.spec.id;
  note.name = owner.spec.name;
  note.above = names_above(owner);
  note.lives = 1;
  note.live_bytes = owner.tree;
  note.peak_live_bytes = owner.tree_peak;
  add_counts(note, owner);
  if (owner.heap != kNoHeap) {
    memory.for_each_heap([&](const HeapReport& heap) {
      if (heap.owner == &owner) {
        note.peak_mapped_bytes = heap.peak_mapped_bytes;
        note.bank_us = heap.bank_us;
      }
    });
  }
  return note;
}

// Adds a life of an owner to what is known of its others.
void add(std::map<std::string, OwnerNote>& notes, const OwnerNote& life) {
  OwnerNote& note = notes[life.above + "/" + life.name + "/" + to_string(life.kind) + "/" +
                          std::to_string(life.id)];
  OwnerNote sum = life;
  sum.lives += note.lives;
  sum.live_bytes += note.live_bytes;
  sum.peak_live_bytes = std::max(sum.peak_live_bytes, note.peak_live_bytes);
  sum.peak_mapped_bytes = std::max(sum.peak_mapped_bytes, note.peak_mapped_bytes);
  sum.bank_us += note.bank_us;
  sum.allocations += note.allocations;
  sum.failures += note.failures;
  note = std::move(sum);
}

void add_tree(std::map<std::string, OwnerNote>& notes, const Memory& memory, const Owner& owner,
              bool lives) {
  OwnerNote note = note_of(memory, owner);
  note.live_bytes = lives ? note.live_bytes : 0;
  add(notes, note);
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    add_tree(notes, memory, *child, lives);
  }
}

}  // namespace

std::vector<HeapNote> heap_notes(const Memory& memory) {
  std::vector<HeapNote> heaps;
  memory.for_each_heap([&](const HeapReport& heap) {
    heaps.push_back({heap.name, heap.kind, heap.owner->spec.name, heap});
    heaps.back().figures.name = nullptr;
    heaps.back().figures.owner = nullptr;
  });
  return heaps;
}

MemoryFigures figures_of(const Memory& memory) {
  const PagePool& pool = memory.pool();
  const Owner& system = memory.system();
  return {.frames = pool.frames(),
          .banks = pool.banks(),
          .live_bytes = system.tree,
          .peak_live_bytes = system.tree_peak,
          .mapped_bytes = in_frames(pool.taken()),
          .peak_mapped_bytes = in_frames(pool.peak_taken()),
          .banks_on = pool.banks_on(),
          .banks_on_peak = pool.banks_on_peak(),
          .energy = memory.energy(),
          .metadata_bytes = memory.metadata_bytes(),
          .heaps = heap_notes(memory)};
}

void OwnerNotes::end(const Memory& memory, const Owner& owner) {
  add_tree(ended_, memory, owner, false);
}

std::vector<OwnerNote> OwnerNotes::with_living(const Memory& memory) const {
  std::map<std::string, OwnerNote> notes = ended_;
  const Owner& system = memory.system();
  for (const Owner* child = system.first_child; child != nullptr; child = child->next_sibling) {
    add_tree(notes, memory, *child, true);
  }
  std::vector<OwnerNote> all;
  all.reserve(notes.size());
  for (auto& [key, note] : notes) {
    all.push_back(std::move(note));
  }
  return all;
}

}  // namespace modmem::trace
