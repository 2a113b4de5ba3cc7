// What Memory works with inside: nobody else includes this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memory/heap_slot.hpp"
#include "memory/policy.hpp"
#include "page/metadata_store.hpp"

namespace modmem::internal {

// A block that is to stay in its frames.
struct Pin {
  std::uint32_t place = 0;  // where it starts, in Record's places from the start of the window
  std::uint16_t first = 0;  // the pages that are pinned for it
  std::uint16_t pages = 0;
  std::uint16_t count = 0;
  std::uint16_t next = SlotStore::kNone;
};

// What check() adds up.
struct Sums {
  static constexpr std::uint32_t kMaxHeaps = 0xfe;  // named by 8 bits, less metadata and none

  std::size_t blocks = 0;
  std::size_t live_by_heap[kMaxHeaps] = {};
  std::uint32_t guests_by_heap[kMaxHeaps] = {};
};

// What an owner and those below hold and are sure to get, for limits above.
struct Claim {
  std::size_t bytes = 0;      // held, but below guarantees
  std::size_t below = 0;      // claims of owners below with guarantees
  std::size_t passed_on = 0;  // guarantees of these

  constexpr std::size_t total(std::size_t guarantee) const {
    const std::size_t own = guarantee > passed_on ? guarantee - passed_on : 0;
    return (own > bytes ? own : bytes) + below;
  }
};

// What one domain may do with what lies in the heap of another one.
struct Grant {
  std::uint16_t domain = SlotStore::kNone;  // owners, by handle
  std::uint16_t of = SlotStore::kNone;
  Access access = Access::closed;
  std::uint16_t next = SlotStore::kNone;
};

// Where a request goes and what becomes of it there.
struct Route {
  HeapSlot* slot = nullptr;  // nullptr: the platform has no such memory, or not for this request
  std::size_t bytes = 0;     // rounded
  std::size_t alignment = 0;
  std::size_t unit = 1;   // sizes are multiples of this
  std::size_t guard = 0;  // of these, for a guard at least
  bool uncached = false;

  // Bytes that a request may have in a place of `largest` bytes.
  constexpr std::size_t room(std::size_t largest) const {
    const std::size_t whole = largest / unit * unit;
    return whole > guard ? whole - guard : 0;
  }
};

// Has the pages of [start, start + bytes), a block of the heap's or a part of one, open to the
// library for a scope, and then as they were, where the heap is not open. `start` is an address in
// the window. Under Memory's lock.
class OpenBlock {
 public:
  OpenBlock(const HeapSlot& slot, const void* start, std::size_t bytes) : slot_(slot) {
    if (slot.account.access != Access::open && bytes != 0) {
      const std::size_t offset = slot.space->offset_of(start);
      first_ = static_cast<std::uint32_t>(offset / config::kPageBytes);
      pages_ = static_cast<std::uint32_t>((offset + bytes - 1) / config::kPageBytes) - first_ + 1;
      slot.space->open(first_, pages_);
    }
  }
  ~OpenBlock() {
    if (pages_ != 0) {
      slot_.space->close(first_, pages_, slot_.account);
    }
  }
  OpenBlock(const OpenBlock&) = delete;
  OpenBlock& operator=(const OpenBlock&) = delete;

 private:
  const HeapSlot& slot_;
  std::uint32_t first_ = 0;
  std::uint32_t pages_ = 0;
};

// A live block and its record, as they were found: so far a walk along its page's list is needed,
// and from there on none.
struct Found {
  HeapSlot* slot = nullptr;
  const AddressSpace* space = nullptr;
  std::byte* block = nullptr;               // through the cached alias
  std::uint32_t page = 0;                   // that it starts in
  std::uint16_t handle = SlotStore::kNone;  // of its record; none where it has none
  std::uint16_t before = SlotStore::kNone;  // the record before that in the page's list
};

// Whole lines of the cache.
struct Lines {
  std::byte* begin = nullptr;
  std::size_t bytes = 0;
};

// What the flags of a request say.
struct Intent {
  Place place = Place::any;
  bool lines = false;
  bool dma = false;
  bool uncached = false;
};

}  // namespace modmem::internal
