// Record: what is known about one live block beyond where it lies.
//
// Blocks carry no header, so who owns a block, how many bytes were asked for and where is kept
// here, in metadata that no module can write: 16 bytes a block. A block's record is found through
// the list of its page (at most as many as the page has places for blocks), an owner's records
// through the owner, newest first. The record itself knows its place within the page; which page
// that is, the last one of the page's list says.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "heap/slot_heap.hpp"
#include "memory/site_table.hpp"
#include "page/metadata_store.hpp"

namespace modmem {

struct Record {
  // No two blocks start closer to each other.
  static constexpr std::size_t kPlaceBytes = SlotHeap::kMinSlotBytes;
  static constexpr std::uint32_t kPlacesPerPage = config::kPageBytes / kPlaceBytes;
  static constexpr int kPlaceBits = std::bit_width(kPlacesPerPage - 1);
  // The most bytes that a block can have.
  static constexpr std::size_t kMostBytes = (std::size_t{1} << 29) - 1;

  std::uint32_t bytes : 29 = 0;          // as asked for
  std::uint32_t memory : 2 = 0;          // which memory the page is of: Memory's business
  std::uint32_t uncached : 1 = 0;        // handed out through the uncached alias
  std::uint16_t place : kPlaceBits = 0;  // start of the block in its page, in kPlaceBytes
  std::uint16_t alignment_log2 : 5 = 0;
  std::uint16_t last : 1 = 0;  // of the page's list
  std::uint16_t kept : 1 = 0;  // kKept
  std::uint16_t site = SiteTable::kUnknown;
  std::uint16_t owner = SlotStore::kNone;      // its handle; none: ended, and waits for its core
  std::uint16_t page_next = SlotStore::kNone;  // in the page's list; of the last one, the page
  std::uint16_t older = SlotStore::kNone;      // same owner, or the next that waits
  std::uint16_t newer = SlotStore::kNone;

  void set_bytes(std::size_t value) { bytes = static_cast<std::uint32_t>(value) & kMostBytes; }
  void set_memory(std::uint32_t number) { memory = number & 3U; }
  void set_alignment(std::size_t value) {
    alignment_log2 = static_cast<std::uint16_t>(std::countr_zero(value)) & 31U;
  }
  // Where in its page `block`, an address of the cached alias, stands.
  void set_place(const std::byte* block) { place = place_of(block) & (kPlacesPerPage - 1); }
  static std::uint16_t place_of(const std::byte* block) {
    return (reinterpret_cast<std::uintptr_t>(block) / kPlaceBytes) & (kPlacesPerPage - 1);
  }
};
static_assert(config::kPageBytes > 4096 || sizeof(Record) == 16);

}  // namespace modmem
