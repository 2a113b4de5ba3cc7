// What Memory says of itself: heaps, energy, metadata.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "heap/slot_heap.hpp"
#include "memory/owner.hpp"

namespace modmem {

// One heap, as reports see it.
struct HeapReport {
  const char* name = "";
  const char* kind = "";    // "elastic", "fixed", "slots", "region" or "metadata"
  const char* memory = "";  // "sram", "lp-sram" or "l3"
  const Owner* owner = nullptr;
  bool former = false;         // of locate(): the heap has given the page back
  std::size_t live_bytes = 0;  // as asked for
  std::size_t peak_live_bytes = 0;
  std::size_t mapped_bytes = 0;
  std::size_t peak_mapped_bytes = 0;
  std::size_t ready_bytes = 0;   // of the mapped ones, pages that are empty and stay: premap()
  std::size_t queued_bytes = 0;  // of blocks that other cores ended: Memory::drain()
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t failures = 0;
  std::uint64_t bank_us = 0;       // its share of powered banks, of the SRAM: see Energy
  std::uint32_t bundle_count = 0;  // of a heap of slots, in table order
  std::array<SlotBundleStats, SlotHeap::kMaxBundles> bundles{};
};

// What an access to an address meets.
enum class PageState : std::uint8_t {
  open,
  read_only,  // of a domain that another one, which is entered, may read
  closed,     // of a domain that is not entered
  own,        // the library's own, which only the library writes
  not_mapped,
  bank_off,  // not mapped, and the bank is off that it lies in; without an MMU only
};

// What powered banks of the SRAM cost, in microseconds of one bank. A frame is one part of its
// bank: a heap pays for the frames that it holds, for as long as it holds them, and nobody pays for
// the rest of a powered bank.
//   total = sum of HeapReport::bank_us over the heaps in SRAM + ended + idle
struct Energy {
  std::uint64_t total_us = 0;
  std::uint64_t heaps_us = 0;  // of the heaps that there are, metadata included
  std::uint64_t ended_us = 0;  // of heaps that have ended
  std::uint64_t idle_us = 0;   // of frames that nobody held: free ones, and the reserve's
};

// What the library's own notes take, in bytes as on a target with 32-bit pointers.
struct MetadataUse {
  std::size_t tables = 0;  // fixed by the configuration: frames, pages, banks; and the call sites
  std::size_t live = 0;    // records, descriptors, owners and heaps
  std::size_t peak = 0;    // the most that those took
};

}  // namespace modmem
