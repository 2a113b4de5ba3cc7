// PageDescriptor: which granules of one page are occupied, and where blocks start.
//
// Two bits a granule, outside of the page: 64 bytes for a page of 4 KiB with granules of 16 bytes,
// that is 1.6 % of it. All that the engine asks follows from the two bitmaps: where a block ends,
// which granules are free (clearing bits is coalescing), and whether a pointer is a live block's
// start.
//
// Invariants (check()): a start bit implies an occupied bit; an occupied granule at or after the
// first start belongs to the last start before it, with no free granule between. Occupied granules
// before the first start belong to a block from an earlier page. Cost: O(words), that is O(1):
// kGranules / 64 words; best_hole() is O(holes of the page).
#pragma once

#include <cstdint>

#include "base/bitmap.hpp"
#include "modmem/config.hpp"

namespace modmem {

inline constexpr std::uint32_t kPageGranules =
    static_cast<std::uint32_t>(config::kPageBytes / config::kGranuleBytes);

class PageDescriptor {
 public:
  bool is_start(std::uint32_t granule) const { return starts().test(granule); }
  bool is_occupied(std::uint32_t granule) const { return occupied().test(granule); }
  bool empty() const { return occupied().next_set(0, kPageGranules) == kPageGranules; }

  void set_start(std::uint32_t granule) { starts().set(granule); }
  void clear_start(std::uint32_t granule) { starts().clear(granule); }
  void occupy(std::uint32_t first, std::uint32_t last) { occupied().set_range(first, last); }
  void vacate(std::uint32_t first, std::uint32_t last) { occupied().clear_range(first, last); }

  // End of the run of occupied granules of one block: the first granule at or after `from` that is
  // free or starts another block, kPageGranules where there is none.
  std::uint32_t block_end(std::uint32_t from) const {
    const std::uint32_t next_start = starts().next_set(from, kPageGranules);
    return occupied().next_clear(from, next_start);
  }

  // Free granules at the start of the page, and first free granule of those at its end.
  std::uint32_t head_hole() const { return occupied().next_set(0, kPageGranules); }
  std::uint32_t tail_hole_start() const { return occupied().end_of_last_set(0, kPageGranules); }

  // First free granule at or after `from`, kPageGranules where there is none.
  std::uint32_t next_free(std::uint32_t from) const {
    return occupied().next_clear(from, kPageGranules);
  }

  // The free granules around `granule`, a free one.
  std::uint32_t hole_start(std::uint32_t granule) const {
    return occupied().end_of_last_set(0, granule);
  }
  std::uint32_t hole_end(std::uint32_t granule) const {
    return occupied().next_set(granule, kPageGranules);
  }

  // The smallest hole that holds `granules` from a multiple of `alignment` granules on.
  struct Fit {
    std::uint32_t start =
        kPageGranules;                // where the block would start; kPageGranules: no hole fits
    std::uint32_t largest_after = 0;  // largest hole of the page once it stands there
  };
  Fit best_hole(std::uint32_t granules, std::uint32_t alignment) const;

  std::uint32_t largest_hole() const { return best_hole(kPageGranules + 1, 1).largest_after; }

  // The most granules that best_hole(granules, alignment) finds a place for; 0 for none.
  std::uint32_t largest_fit(std::uint32_t alignment) const;

  // Live blocks that start here. O(words).
  std::uint32_t start_count() const { return starts().count(0, kPageGranules); }
  std::uint32_t occupied_count() const { return occupied().count(0, kPageGranules); }

  bool check() const;

 private:
  static constexpr std::size_t kWords = BitmapView::words_for(kPageGranules);

  BitmapView occupied() const { return {const_cast<BitmapView::Word*>(occupied_), kPageGranules}; }
  BitmapView starts() const { return {const_cast<BitmapView::Word*>(starts_), kPageGranules}; }

  BitmapView::Word occupied_[kWords] = {};
  BitmapView::Word starts_[kWords] = {};
};

}  // namespace modmem
