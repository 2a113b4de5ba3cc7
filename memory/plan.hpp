// Plan: what owners will need, said before they take any of it.
//
// Memory::admit() reserves all of a plan or nothing. An entry is an owner, one that exists or one
// that admit() is to create, and its needs: kinds of requests, each with as many blocks and bytes
// as there will be in all, freed ones among them. What is reserved is there for requests of that
// owner and those below it, in whatever elastic heap of the SRAM serves them, until
// Memory::return_unused() or the owner's end.
//
//   frames of a need in a heap that only this plan fills
//     = (bytes + blocks * (rounding + alignment lost at most)) / page, rounded up
//   frames of a need in a heap that others fill too, or that has holes
//     = bytes / page + blocks: each block on pages of its own
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "memory/failure.hpp"
#include "memory/intent.hpp"
#include "memory/owner.hpp"
#include "memory/policy.hpp"

namespace modmem {

// Requests of a kind.
struct Need {
  std::size_t bytes = 0;      // of all of them together, as asked for
  std::uint32_t blocks = 0;   // how many
  std::size_t largest = 0;    // bytes of the largest one
  std::size_t alignment = 0;  // the strictest; a power of two, or 0 as in Request
  Flags flags = 0;
  // In a heap of its own that a child of the owner is to have: where the policy gives modules
  // heaps.
  bool apart = false;
};

// What is reserved for an owner and those below it.
//
// Invariant: account.guarantee <= most; the account holds no frames.
struct Reservation {
  Owner* owner = nullptr;
  PageAccount account;            // what is left is guaranteed to it
  std::uint32_t most = 0;         // frames that were reserved
  std::uint32_t metadata = 0;     // frames set aside for objects of several chunks of metadata
  std::uint32_t chunks = 0;       // chunks of metadata that are left
  std::uint32_t most_chunks = 0;  // that were reserved
  std::uint32_t accounts = 0;     // owners that may be created
  std::uint32_t plan = 0;         // number of the admission: those of one plan share their chunks
  std::size_t bytes = 0;          // what is sure below limits: as OwnerSpec::guarantee
  std::uint16_t handle = SlotStore::kNone;
  std::uint16_t next = SlotStore::kNone;
};

struct PlanEntry {
  Owner* owner = nullptr;      // who needs it; nullptr: who admit() is to create, and notes here
  Owner* parent = nullptr;     // below this one,
  OwnerSpec spec;              // as this
  HeapSpec heap;               // and with this heap, as create_owner() does
  bool created = false;        // whether admit() created it
  std::uint32_t accounts = 0;  // owners that will be created below it
  std::uint32_t heaps = 0;     // of these, those with heaps of their own
  std::span<const Need> needs;
  Reservation before;  // for admit() alone: what was reserved before, to be restored where it fails
};

using Plan = std::span<PlanEntry>;

// What a plan that is not admitted lacks.
struct Shortage {
  std::size_t entry = 0;  // the first for which it is not enough
  std::size_t need = 0;   // its need, or the number of its needs where it is none of them alone
  FailureReason reason = FailureReason::none;
  std::size_t asked = 0;      // bytes
  std::size_t available = 0;  // bytes
  GuaranteeFigures frames;    // where it is frames that are missing

  constexpr std::size_t missing() const { return asked > available ? asked - available : 0; }
};

}  // namespace modmem
