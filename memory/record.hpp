// Record: what is known about one live block beyond where it lies.
//
// Blocks carry no header, so who owns a block, how many bytes were asked for and where is kept
// here, in metadata pages that no module can write. A block's record is found through the list of
// its page (at most as many as the page has places for blocks), an owner's records through the
// owner, newest first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heap/slot_heap.hpp"
#include "page/metadata_store.hpp"

namespace modmem {

// Where a request comes from: a source position (line not 0), or a code address.
struct Site {
  const void* where = nullptr;  // file name, a C string, where line is not 0; else a code address
  std::uint32_t line = 0;

  // The source position of the call, also of one whose default argument this is.
  static constexpr Site here(const char* file = __builtin_FILE(),
                             std::uint32_t line = __builtin_LINE()) {
    return {file, line};
  }
};

// For a default argument: `Site site = MODMEM_HERE`. (g++ names the declaration, not the call,
// where the position stands in braces.)
#define MODMEM_HERE ::modmem::Site::here()

struct Record {
  // No two blocks start closer to each other.
  static constexpr std::size_t kPlaceBytes = SlotHeap::kMinSlotBytes;
  static constexpr std::uint32_t kPlacesPerPage = config::kPageBytes / kPlaceBytes;

  Site site;
  std::uint32_t place = 0;  // start of the block, in kPlaceBytes from the start of the window
  std::uint32_t bytes = 0;  // as asked for
  std::uint16_t owner = SlotStore::kNone;  // handle of the owner
  std::uint16_t page_next = SlotStore::kNone;
  std::uint16_t older = SlotStore::kNone;  // same owner
  std::uint16_t newer = SlotStore::kNone;
  HeapId heap = kNoHeap;
  std::uint8_t alignment_log2 = 0;
  bool uncached = false;  // handed out through the uncached alias
  bool kept = false;      // kKept
};

}  // namespace modmem
