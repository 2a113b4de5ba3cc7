// HeapSlot: one heap of Memory: its engine, the memory that it lies in, and what is counted of it.
//
// SideMemory is a memory beside the SRAM pool with a heap of its own in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "heap/elastic_heap.hpp"
#include "heap/region.hpp"
#include "heap/slot_heap.hpp"
#include "memory/owner.hpp"
#include "memory/policy.hpp"
#include "page/address_space.hpp"
#include "page/metadata_store.hpp"
#include "page/page_pool.hpp"

namespace modmem {

struct HeapSlot {
  static constexpr std::uint8_t kAnyCore = 0xff;

  ElasticHeap elastic;        // the engine, but where the kind is slots or region
  SlotHeap* slots = nullptr;  // then it is one of these, which are larger and rare
  Region* region = nullptr;
  std::uint32_t held_references = 0;  // of the region's, those that the library holds for others
  std::uint16_t engine_handle = SlotStore::kNone;  // in Memory's store of such
  Heap* heap = nullptr;                            // the engine, while it is open
  HeapKind kind = HeapKind::none;
  std::uint8_t core = kAnyCore;  // the one core that it serves
  bool isolated = false;         // a domain's: see Memory::enter_domain()
  bool readable = false;         // by whoever runs, where isolated
  AddressSpace* space = nullptr;
  PageAccount account;
  Owner* owner = nullptr;
  const char* name = "";
  std::uint16_t handle = SlotStore::kNone;
  std::uint8_t number = 0;                // what pages are noted with
  std::uint16_t next = SlotStore::kNone;  // all heaps, for walking
  // Blocks that other cores ended and whose memory this heap's core is to take back: their records.
  std::uint16_t queue_first = SlotStore::kNone;
  std::uint16_t queue_last = SlotStore::kNone;
  std::uint16_t queue_next = SlotStore::kNone;  // heaps of the same core with such
  std::uint32_t queued_blocks = 0;
  std::size_t queued_bytes = 0;  // as asked for
  std::size_t live_bytes = 0;
  std::size_t peak_live_bytes = 0;
  SlotList records;          // of the blocks here
  std::uint32_t guests = 0;  // blocks here of owners that are neither the heap's nor below it
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t failures = 0;

  HeapId id() const { return HeapId{number}; }
  // What everybody may do with its pages.
  Access common_access() const {
    return !isolated ? Access::open : readable ? Access::read_only : Access::closed;
  }
  // True where `page` lies in a span of the heap.
  bool owns_page(std::uint32_t page) const {
    return slots != nullptr    ? slots->owns_page(page)
           : region != nullptr ? region->owns_page(page)
                               : elastic.owns_page(page);
  }
};

template <>
inline constexpr std::size_t kTargetBytes<HeapSlot> = 352;
static_assert(sizeof(void*) != 4 || sizeof(HeapSlot) <= kTargetBytes<HeapSlot>);
template <>
inline constexpr std::size_t kTargetBytes<SlotHeap> = 440;
static_assert(sizeof(void*) != 4 || sizeof(SlotHeap) <= kTargetBytes<SlotHeap>);
template <>
inline constexpr std::size_t kTargetBytes<Region> = 272;
static_assert(sizeof(void*) != 4 || sizeof(Region) <= kTargetBytes<Region>);

// Low-power SRAM or L3: its own pool, in which page = frame, and the heap in it. Its tables lie in
// the boot arena, or, those of L3, which is large, in its own first pages.
struct SideMemory {
  Port* port = nullptr;  // nullptr where the platform has no such memory
  PagePool pool;
  AddressSpace space;
  PageAccount tables;  // pages of L3 that hold its tables
  HeapSlot* slot = nullptr;
};

}  // namespace modmem
