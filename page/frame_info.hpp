// FrameInfo: what is noted about a taken frame, out of the frame itself.
//
// The table of FrameInfos is the library's page-level memory: from an address one gets the page,
// from the page the frame, from the frame the heap. AddressSpace keeps `page` and `heap`; the rest
// belongs to that heap, and to Memory's records.
#pragma once

#include <cstdint>

#include "port/port.hpp"

namespace modmem {

// Which heap a page belongs to; what the number means is Memory's business.
enum class HeapId : std::uint8_t {};
inline constexpr HeapId kNoHeap{0xff};

constexpr std::uint8_t number(HeapId id) { return static_cast<std::uint8_t>(id); }

struct FrameInfo {
  static constexpr std::uint16_t kNone = 0xffff;

  std::uint16_t page = kNone;        // the page that is mapped to the frame
  HeapId heap = kNoHeap;             // whose the page is or, without an MMU, was last
  bool empty : 1 = false;            // mapped, but kept without a live block (hysteresis)
  bool pinned : 1 = false;           // its content must stay in this frame
  Access access : 2 = Access::open;  // but for the library itself
  std::uint16_t descriptor = kNone;  // slot of the PageDescriptor, none for pages inside one block
  std::uint16_t reach = 0;           // pages that the last block here extends into; of a page of
                                     // metadata its number
  std::uint8_t largest_hole = 0;     // granules; 0 exactly when the page is in no bin
  std::uint8_t free = 0;             // granules of all holes, of a page with a descriptor
  std::uint16_t bin_next = kNone;    // pages in the same bin: they stay when frames are exchanged
  std::uint16_t bin_prev = kNone;
  std::uint16_t records = kNone;  // first record of a block that starts in this page

  // When a page became empty, in units of 1,024 microseconds. It is in no bin then, so it is noted
  // in the places of the links.
  void set_empty_since(std::uint64_t time_us) {
    const auto units = static_cast<std::uint32_t>(time_us / kTimeUnitUs);
    bin_next = static_cast<std::uint16_t>(units);
    bin_prev = static_cast<std::uint16_t>(units >> 16);
  }
  // Units of time from then to `time_us`, modulo 2^32 (50 days).
  std::uint32_t empty_for(std::uint64_t time_us) const {
    const std::uint32_t since = bin_next | std::uint32_t{bin_prev} << 16;
    return static_cast<std::uint32_t>(time_us / kTimeUnitUs) - since;
  }
  static constexpr std::uint32_t kTimeUnitUs = 1024;
};
static_assert(sizeof(FrameInfo) == 16);

}  // namespace modmem
