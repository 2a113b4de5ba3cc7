// MemoryFigures: what a Memory has to say of itself at one moment, and what its owners had to say
// when they ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "memory/memory.hpp"

namespace modmem::trace {

// A heap's figures, which outlive the heap; its name and owner are nullptr in them.
struct HeapNote {
  std::string name;
  std::string kind;
  std::string owner;
  HeapReport figures;
};

std::vector<HeapNote> heap_notes(const Memory& memory);

struct MemoryFigures {
  std::uint32_t frames = 0;
  std::uint32_t banks = 0;
  std::size_t live_bytes = 0;
  std::size_t peak_live_bytes = 0;
  std::size_t mapped_bytes = 0;
  std::size_t peak_mapped_bytes = 0;
  std::uint32_t banks_on = 0;
  std::uint32_t banks_on_peak = 0;
  Energy energy;
  std::uint64_t frames_moved = 0;  // by compaction, where somebody counts that
  std::size_t metadata_bytes = 0;
  std::vector<HeapNote> heaps;
};

MemoryFigures figures_of(const Memory& memory);

// An owner with all below it, over all of its lives: those of one kind, id and name below the same
// one.
struct OwnerNote {
  OwnerKind kind = OwnerKind::system;
  std::uint32_t id = 0;
  std::string name;
  std::string above;  // names of the owners above it, from the one below the system on
  std::uint64_t lives = 0;
  std::size_t live_bytes = 0;
  std::size_t peak_live_bytes = 0;
  std::size_t peak_mapped_bytes = 0;  // of its own heap
  std::uint64_t bank_us = 0;
  std::uint64_t allocations = 0;
  std::uint64_t failures = 0;
};

// Owners that have ended. Memory: O(names of owners).
class OwnerNotes {
 public:
  // `owner` is about to end, with all below it. O(owners below it + heaps).
  void end(const Memory& memory, const Owner& owner);
  // Those that have ended and those that live, the system left out; by names, kinds and ids.
  std::vector<OwnerNote> with_living(const Memory& memory) const;

 private:
  std::map<std::string, OwnerNote> ended_;  // by kind, id and names
};

}  // namespace modmem::trace
