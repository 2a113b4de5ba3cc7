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

// Where a request goes and what becomes of it there.
struct Route {
  HeapSlot* slot = nullptr;  // nullptr: the platform has no such memory, or not for this request
  std::size_t bytes = 0;     // rounded
  std::size_t alignment = 0;
  std::size_t unit = 1;  // sizes are multiples of this
  bool uncached = false;
};

// What the flags of a request say.
struct Intent {
  Place place = Place::any;
  bool lines = false;
  bool dma = false;
  bool uncached = false;
};

}  // namespace modmem::internal
