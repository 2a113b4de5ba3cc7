// FrameInfo: what is noted about a taken frame, out of the frame itself.
//
// The table of FrameInfos is the library's page-level memory: from an address one gets the page,
// from the page the frame, from the frame the heap. AddressSpace keeps `page` and `heap`; the rest
// belongs to that heap, and to Memory's records.
#pragma once

#include <cstdint>

namespace modmem {

// Which heap a page belongs to; what the number means is Memory's business.
enum class HeapId : std::uint8_t {};
inline constexpr HeapId kNoHeap{0xff};

constexpr std::uint8_t number(HeapId id) { return static_cast<std::uint8_t>(id); }

struct FrameInfo {
  static constexpr std::uint16_t kNone = 0xffff;

  std::uint16_t page = kNone;        // the page that is mapped to the frame
  HeapId heap = kNoHeap;             // the heap that the page belongs to
  bool empty : 1 = false;            // mapped, but kept without a live block (hysteresis)
  bool pinned : 1 = false;           // its content must stay in this frame
  std::uint16_t descriptor = kNone;  // slot of the PageDescriptor, none for pages inside one block
  std::uint16_t reach = 0;           // pages that the last block here extends into
  std::uint16_t largest_hole = 0;    // granules; 0 exactly when the page is in no bin
  std::uint16_t bin_next = kNone;    // frames in the same bin
  std::uint16_t bin_prev = kNone;
  std::uint16_t records = kNone;  // first record of a block that starts in this page
};
static_assert(sizeof(FrameInfo) == 16);

}  // namespace modmem
