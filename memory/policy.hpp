// Policy: which heap serves which intent.
//
// A policy says which heaps exist and, in a table with one row for every flag, what each flag does
// to a request: where it goes, how it is aligned and sized, and through which alias it is reached.
// Choosing another policy changes no caller. Kconfig names the default, the PlatformConfig at boot
// and --policy replace it, and an integrator can pass a table of his own to Memory::boot(). A heap
// of slots needs an MMU.
//
// A request starts at `unflagged` and is changed by the row of each of its flags, in table order:
// the first row that names a heap decides where it goes; line and DMA rules and aliases add up.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "heap/slot_table.hpp"
#include "memory/intent.hpp"

namespace modmem {

// Which heap, seen from the request.
enum class Place : std::uint8_t {
  any,     // this row does not say
  owner,   // the heap of the owner or of its nearest ancestor that has one
  system,  // the system's heap
  slots,   // the heap of slots
  shared,  // the heap of buffers shared between kernel and user space, and between cores
  l3,      // the L3 heap: refused where the platform has none
  lp,      // low-power SRAM: as if not said where the platform has none
};

// What a flag (or its absence) means for a request.
struct PolicyRow {
  Flags flag;
  Place place;
  bool whole_lines;  // starts and ends on a cache line
  bool dma_aligned;  // starts at the platform's DMA alignment
  bool uncached;     // the caller gets the uncached alias, and whole lines with it
};

// What kind of heap serves a role.
enum class HeapKind : std::uint8_t { none, elastic, fixed, slots, region };

const char* to_string(HeapKind kind);

// The heap that an owner is to have.
struct HeapSpec {
  HeapKind kind = HeapKind::none;  // none: what the policy says for the kind of owner
  std::size_t bytes = 0;           // of a region, or of the virtual range of a heap of slots
  bool grows = false;              // of a region: `bytes` at most, frames under its blocks alone
  // Most frames that the heap may hold. An owner for whom it is set has a heap of its own.
  std::uint32_t frame_limit = PageAccount::kNoLimit;
  // Of a private heap, which is elastic unless said otherwise: its pages are closed to access but
  // while its owner is entered (Memory::enter_domain()).
  bool isolated = false;
  bool readable = false;                     // of an isolated one: but everybody may read, always
  std::span<const SlotBundle> bundles = {};  // of a heap of slots, as in SlotHeapOptions
  bool contiguous = false;                   // likewise
  // Hysteresis of an elastic heap, whoever chose its kind: empty pages that it keeps, and how long
  // each at most (0: without limit).
  static constexpr std::uint32_t kConfigured = UINT32_MAX;  // as PlatformConfig says
  std::uint32_t retained_pages = kConfigured;
  std::uint32_t retained_us = kConfigured;
};

struct Policy {
  const char* name;
  HeapKind system;    // the system's heap
  HeapKind pipeline;  // a heap of its own for each pipeline; none: the system's serves it
  HeapKind module;    // a heap of its own for each module; none: its pipeline's serves it
  HeapKind slots;     // a heap of slots for all; none: the system's serves it
  HeapKind shared;    // the heap of shared buffers; none: the system's serves it
  HeapKind own;       // a heap of its own for each private heap; none: the system's serves it
  // Whether a request that finds no frame any more may go into a hole of a page of the system's or
  // of another pipeline. Elastic heaps only.
  bool lends;
  std::span<const SlotBundle> bundles;  // of heaps of slots, in the order in which they are tried
  PolicyRow unflagged;
  std::array<PolicyRow, 9> rows;
};

// A heap for every pipeline and one for the system; blocks are rounded up to cache lines only where
// their use asks for it, as two heaps never share a page, and in the system's heaps where there are
// several cores.
inline constexpr Policy kElasticPolicy{
    .name = "elastic",
    .system = HeapKind::elastic,
    .pipeline = HeapKind::elastic,
    .module = HeapKind::none,
    .slots = HeapKind::none,
    .shared = HeapKind::elastic,
    .own = HeapKind::elastic,
    .lends = true,
    .bundles = {},
    .unflagged = {0, Place::owner, false, false, false},
    .rows = {{
        {flag::kL3, Place::l3, false, false, false},
        {flag::kLowPower, Place::lp, false, false, false},
        {flag::kShared, Place::shared, true, false, false},
        {flag::kKernel, Place::system, false, false, false},
        {flag::kUser, Place::owner, false, false, false},
        {flag::kLargeBuffer, Place::any, true, false, false},
        {flag::kCoherent, Place::any, true, false, true},
        {flag::kDma, Place::any, true, true, false},
        {flag::kNoCopy, Place::any, false, false, false},
    }},
};

// As elastic, with a heap for every module besides: what isolates modules from each other.
inline constexpr Policy kModuleHeapsPolicy = [] {
  Policy policy = kElasticPolicy;
  policy.name = "module-heaps";
  policy.lends = false;
  policy.module = HeapKind::elastic;
  return policy;
}();

// Everything in one fixed arena, every block rounded to cache lines, as a firmware does whose heap
// has its metadata beside the payload and no virtual heap.
inline constexpr Policy kSinglePolicy{
    .name = "single",
    .system = HeapKind::fixed,
    .pipeline = HeapKind::none,
    .module = HeapKind::none,
    .slots = HeapKind::none,
    .shared = HeapKind::none,
    .own = HeapKind::none,
    .lends = false,
    .bundles = {},
    .unflagged = {0, Place::system, true, false, false},
    .rows = {{
        {flag::kL3, Place::l3, true, false, false},
        {flag::kLowPower, Place::lp, true, false, false},
        {flag::kShared, Place::system, true, false, false},
        {flag::kKernel, Place::system, true, false, false},
        {flag::kUser, Place::system, true, false, false},
        {flag::kLargeBuffer, Place::any, true, false, false},
        {flag::kCoherent, Place::any, true, false, true},
        {flag::kDma, Place::any, true, true, false},
        {flag::kNoCopy, Place::any, true, false, false},
    }},
};

// Large buffers in slots, everything else in a fixed arena with blocks rounded to cache lines, as a
// firmware does that has its virtual heap switched on.
inline constexpr Policy kSlotsPolicy{
    .name = "slots",
    .system = HeapKind::fixed,
    .pipeline = HeapKind::none,
    .module = HeapKind::none,
    .slots = HeapKind::slots,
    .shared = HeapKind::elastic,
    .own = HeapKind::none,
    .lends = false,
    .bundles = kConfiguredBundles,
    .unflagged = {0, Place::system, true, false, false},
    .rows = {{
        {flag::kL3, Place::l3, true, false, false},
        {flag::kLowPower, Place::lp, true, false, false},
        {flag::kShared, Place::shared, true, false, false},
        {flag::kLargeBuffer, Place::slots, true, false, false},
        {flag::kKernel, Place::system, true, false, false},
        {flag::kUser, Place::system, true, false, false},
        {flag::kCoherent, Place::any, true, false, true},
        {flag::kDma, Place::any, true, true, false},
        {flag::kNoCopy, Place::any, true, false, false},
    }},
};

// As slots, and module memory of either intent in slots too.
inline constexpr Policy kSlotsModulesPolicy = [] {
  Policy policy = kSlotsPolicy;
  policy.name = "slots-modules";
  for (PolicyRow& row : policy.rows) {
    row.place = row.flag == flag::kUser ? Place::slots : row.place;
  }
  return policy;
}();

// Every request for SRAM in slots.
inline constexpr Policy kSlotsAllPolicy{
    .name = "slots-all",
    .system = HeapKind::slots,
    .pipeline = HeapKind::none,
    .module = HeapKind::none,
    .slots = HeapKind::none,
    .shared = HeapKind::none,
    .own = HeapKind::none,
    .lends = false,
    .bundles = kConfiguredBundles,
    .unflagged = {0, Place::system, true, false, false},
    .rows = kSinglePolicy.rows,
};

// The policies that can be named.
inline constexpr std::array<const Policy*, 6> kPolicies{&kElasticPolicy,      &kModuleHeapsPolicy,
                                                        &kSinglePolicy,       &kSlotsPolicy,
                                                        &kSlotsModulesPolicy, &kSlotsAllPolicy};

// The policy called `name`, nullptr where there is none.
const Policy* find_policy(const char* name);

}  // namespace modmem
