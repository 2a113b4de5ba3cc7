// What save_l3() leaves in L3, and restore_l3() reads.
//
//   header (one of the two halves of L3's last page) -> list (whole pages) -> blocks, where they
//   are
//
// A sum over each part: the header holds its own and the list's, the list one for each block's
// content. They are CRC-32, which tells any flipped bit, and any two of them. A save writes the
// list into free pages, then the header into the half that the save before does not have, and then
// erases that one's: so power that fails on the way leaves what was saved before, or the new.
//
// Both are of the same firmware image, at the same place: call sites are as good after as before.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/bits.hpp"
#include "base/crc32.hpp"
#include "memory/owner.hpp"
#include "memory/site_table.hpp"

namespace modmem {

struct SavedBlock {
  Site site;
  std::uint32_t place = 0;  // in Record's places, from the start of L3
  std::uint32_t bytes = 0;  // as asked for
  std::uint32_t room = 0;   // that it takes
  std::uint32_t content_crc = 0;
  std::uint32_t owner_id = 0;
  std::uint8_t owner_kind = 0;
  std::uint8_t alignment_log2 = 0;
  std::uint8_t damaged = 0;  // already when it was saved
  std::uint8_t unused = 0;

  static std::size_t list_bytes(std::uint32_t blocks) { return blocks * sizeof(SavedBlock); }
  static std::uint32_t list_pages(std::uint32_t blocks) {
    return static_cast<std::uint32_t>(divide_up(list_bytes(blocks), config::kPageBytes));
  }
};

struct SavedHeader {
  static constexpr std::uint64_t kMagic = 0x6d6f646d656d4c33;  // "modmemL3"
  static constexpr int kHalves = 2;
  static constexpr std::size_t kHalfBytes = config::kPageBytes / kHalves;

  std::uint64_t magic = 0;
  std::uint64_t window = 0;  // where L3 is
  std::uint64_t image = 0;   // what the firmware image is known by
  std::uint32_t block_bytes = sizeof(SavedBlock);
  std::uint32_t page_bytes = config::kPageBytes;
  std::uint32_t granule_bytes = config::kGranuleBytes;
  std::uint32_t pool_pages = 0;
  std::uint32_t generation = 0;  // one more with every save
  std::uint32_t first_page = 0;  // of the list
  std::uint32_t blocks = 0;
  std::uint32_t list_crc = 0;
  std::uint32_t unused = 0;
  std::uint32_t crc = 0;  // of all before

  std::uint32_t sum() const { return crc32(this, offsetof(SavedHeader, crc)); }

  // Whether somebody once saved something there, whatever became of it since.
  bool is_there() const {
    constexpr int kMostFlipped = 8;
    return std::popcount(magic ^ kMagic) <= kMostFlipped;
  }

  // Whether it is whole, and says what `here`, the header of a save now, would say of the place.
  bool fits(const SavedHeader& here) const {
    return magic == kMagic && crc == sum() && window == here.window && image == here.image &&
           block_bytes == here.block_bytes && page_bytes == here.page_bytes &&
           granule_bytes == here.granule_bytes && pool_pages == here.pool_pages &&
           first_page <= pool_pages && blocks <= pool_pages * (page_bytes / granule_bytes) &&
           SavedBlock::list_pages(blocks) <= pool_pages - first_page;
  }
};
static_assert(sizeof(SavedHeader) <= SavedHeader::kHalfBytes);

}  // namespace modmem
