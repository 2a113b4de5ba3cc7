// Owner: who memory is charged to.
//
// Owners are accounts in a tree: the system, its pipelines, their modules and buffers. Which of
// them has a heap is policy; a block lies in the heap that the policy says and is charged, to the
// byte, to the owner that asked. Private heaps, regions and heaps of slots that somebody made are
// owners as well: what is asked of them, or of owners below them, comes from there, whatever the
// policy says. Memory creates and destroys owners; everybody else reads them.
//
// Invariants (Memory::check()): own = sum of the bytes of the owner's live blocks; tree = own + sum
// of the children's tree; tree <= limit; peak >= tree.
#pragma once

#include <cstddef>
#include <cstdint>

#include "modmem/config.hpp"
#include "page/metadata_store.hpp"

namespace modmem {

enum class OwnerKind : std::uint8_t {
  system,
  pipeline,
  module,
  buffer,
  heap,    // a private heap
  region,  // memory with one lifetime: heap/region.hpp
  slots,   // a heap of slots: heap/slot_heap.hpp
};

// Whether requests of such an owner are served where it is, not where the policy says.
constexpr bool is_private(OwnerKind kind) { return kind >= OwnerKind::heap; }

// Bytes of so many frames.
constexpr std::size_t in_frames(std::uint32_t frames) {
  return std::size_t{frames} * config::kPageBytes;
}

struct OwnerSpec {
  static constexpr std::size_t kNoLimit = SIZE_MAX;

  OwnerKind kind = OwnerKind::module;
  std::uint32_t id = 0;          // component id, as it appears in reports
  const char* name = "";         // must outlive the owner
  std::size_t limit = kNoLimit;  // most bytes that it and its descendants may hold
  // Bytes that nobody else can take, as whole pages (in_frames()), with room for the metadata of
  // blocks of a KiB on average, and below all limits. It is for what is asked of the owner's own
  // heap, which it gets for it where the policy gives it none. Where an owner above has a guarantee
  // too, it is a part of that: those of the owners below never exceed it.
  std::size_t guarantee = 0;
  // The core that works with what lies in the owner's own heap; fewer than the platform's cores.
  // kNearest: that of the parent, or, right below the system, the core that creates it.
  static constexpr std::uint8_t kNearest = 0xff;
  std::uint8_t core = kNearest;
};

struct Owner {
  OwnerSpec spec;
  Owner* parent = nullptr;
  Owner* first_child = nullptr;
  Owner* next_sibling = nullptr;
  std::uint16_t handle = SlotStore::kNone;  // in Memory's store of owners
  HeapId heap = kNoHeap;                    // its own heap, if it has one

  std::size_t own = 0;  // live bytes charged to this very owner
  std::size_t own_peak = 0;
  std::size_t tree = 0;  // live bytes of it and its descendants
  std::size_t tree_peak = 0;
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t failures = 0;
  std::uint16_t newest = SlotStore::kNone;  // its live blocks' records, newest first
  // Its live blocks in other heaps than the one that serves it; 0 where the system's does.
  std::uint32_t outside = 0;
};

template <>
inline constexpr std::size_t kTargetBytes<Owner> = 92;
static_assert(sizeof(void*) != 4 || sizeof(Owner) <= kTargetBytes<Owner>);

}  // namespace modmem
