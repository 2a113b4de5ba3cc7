// PageDescriptor: which granules of one page are occupied, and where blocks start.
//
// Two bits a granule, outside of the page: 64 bytes for a page of 4 KiB with granules of 16 bytes,
// that is 1.6 % of it. All that the engine asks follows from the two bitmaps: where a block ends,
// which granules are free (clearing bits is coalescing), and whether a pointer is a live block's
// start.
//
// Invariants (check()): a start bit implies an occupied bit; an occupied granule at or after the
// first start belongs to the last start before it, with no free granule between. Occupied granules
// before the first start belong to a block from an earlier page. Cost: O(words), that is O(1): a
// page has kWords of them for each bit, and searches read those up to what they find; best_hole()
// is O(words + holes of the page).
#pragma once

#include <bit>
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
  // Whether one of the granules [first, last), at least one and all in one word, is occupied.
  bool is_any_occupied(std::uint32_t first, std::uint32_t last) const {
    return (occupied_[first / kBits] & mask(first, last)) != 0;
  }
  bool empty() const { return occupied().next_set(0, kPageGranules) == kPageGranules; }

  void set_start(std::uint32_t granule) { starts().set(granule); }
  void clear_start(std::uint32_t granule) { starts().clear(granule); }
  void occupy(std::uint32_t first, std::uint32_t last) {
    if (in_one_word(first, last)) [[likely]] {
      occupied_[first / kBits] |= mask(first, last);
    } else {
      occupy_words(first, last);
    }
  }
  void vacate(std::uint32_t first, std::uint32_t last) {
    if (in_one_word(first, last)) [[likely]] {
      occupied_[first / kBits] &= ~mask(first, last);
    } else {
      vacate_words(first, last);
    }
  }

  // End of the run of occupied granules of one block: the first granule at or after `from` that is
  // free or starts another block, kPageGranules where there is none.
  std::uint32_t block_end(std::uint32_t from) const {
    return first_from(from, [this](std::size_t i) { return starts_[i] | ~occupied_[i]; });
  }

  // End of the block that starts at `start`, as far as this page has it.
  std::uint32_t end_of_block(std::uint32_t start) const {
    const std::uint32_t i = start / kBits;
    const BitmapView::Word behind = ~BitmapView::Word{1} << (start % kBits);
    return first_in((starts_[i] | ~occupied_[i]) & behind, i,
                    [this](std::size_t at) { return starts_[at] | ~occupied_[at]; });
  }

  // Free granules at the start of the page, and first free granule of those at its end.
  std::uint32_t head_hole() const { return occupied().next_set(0, kPageGranules); }
  std::uint32_t tail_hole() const { return kPageGranules - tail_hole_start(); }
  // Where the page's only hole, of `granules`, starts: known without a search where it is the tail.
  std::uint32_t only_hole_start(std::uint32_t granules) const {
    return !is_occupied(kPageGranules - 1) ? kPageGranules - granules : next_free(0);
  }
  std::uint32_t tail_hole_start() const { return occupied().end_of_last_set(0, kPageGranules); }

  // First free granule at or after `from`, kPageGranules where there is none.
  std::uint32_t next_free(std::uint32_t from) const {
    return first_from(from, [this](std::size_t i) { return ~occupied_[i]; });
  }

  // The free granules around `granule`, a free one.
  std::uint32_t hole_start(std::uint32_t granule) const {
    std::uint32_t i = granule / kBits;
    BitmapView::Word word = occupied_[i] & ~(~BitmapView::Word{0} << (granule % kBits));
    while (word == 0) {
      if (i == 0) {
        return 0;
      }
      word = occupied_[--i];
    }
    return (i + 1) * kBits - static_cast<std::uint32_t>(std::countl_zero(word));
  }
  std::uint32_t hole_end(std::uint32_t granule) const {
    return first_from(granule, [this](std::size_t i) { return occupied_[i]; });
  }

  // Frees the granules [first, last), at least one, where no block starts any more. Returns the
  // granules of the hole that they become a part of.
  [[gnu::always_inline]] std::uint32_t release(std::uint32_t first, std::uint32_t last) {
    vacate(first, last);
    const std::uint32_t i = first / kBits;
    const std::uint32_t end = first_in(occupied_[i] & (~BitmapView::Word{0} << (first % kBits)), i,
                                       [this](std::size_t at) { return occupied_[at]; });
    return end - hole_start(first);
  }

  // Puts a block at the free granules [first, last).
  void put(std::uint32_t first, std::uint32_t last) {
    occupy(first, last);
    set_start(first);
  }

  // The smallest hole that holds `granules` from a multiple of `alignment` granules on.
  struct Fit {
    std::uint32_t start =
        kPageGranules;                // where the block would start; kPageGranules: no hole fits
    std::uint32_t largest_after = 0;  // largest hole of the page once it stands there
  };
  Fit best_hole(std::uint32_t granules, std::uint32_t alignment) const;
  // As best_hole(granules, 1), of a page whose largest hole has `largest` granules, which are
  // enough.
  Fit tight_hole(std::uint32_t granules, std::uint32_t largest) const;

  std::uint32_t largest_hole() const { return best_hole(kPageGranules + 1, 1).largest_after; }

  // The most granules that best_hole(granules, alignment) finds a place for; 0 for none.
  std::uint32_t largest_fit(std::uint32_t alignment) const;

  // Live blocks that start here. O(words).
  std::uint32_t start_count() const { return starts().count(0, kPageGranules); }
  std::uint32_t occupied_count() const { return occupied().count(0, kPageGranules); }

  bool check() const;

 private:
  static constexpr std::size_t kWords = BitmapView::words_for(kPageGranules);
  static constexpr std::uint32_t kBits = BitmapView::kWordBits;

  // Most blocks and holes lie in one word.
  static constexpr bool in_one_word(std::uint32_t first, std::uint32_t last) {
    return first % kBits + (last - first) <= kBits;
  }
  // The bits [first, last), at least one, of the word that they lie in.
  static constexpr BitmapView::Word mask(std::uint32_t first, std::uint32_t last) {
    return ~BitmapView::Word{0} >> (kBits - (last - first)) << (first % kBits);
  }
  // Apart, so that the paths that are taken most stay short.
  void occupy_words(std::uint32_t first, std::uint32_t last);
  void vacate_words(std::uint32_t first, std::uint32_t last);

  // First granule at or after `from` whose bit is set in the words that word(i) gives.
  template <typename WordAt>
  static std::uint32_t first_from(std::uint32_t from, WordAt word_at) {
    if (from >= kPageGranules) {
      return kPageGranules;
    }
    const std::uint32_t i = from / kBits;
    return first_in(word_at(i) & (~BitmapView::Word{0} << (from % kBits)), i, word_at);
  }
  // The same, where `word` is what counts of word i.
  template <typename WordAt>
  static std::uint32_t first_in(BitmapView::Word word, std::uint32_t i, WordAt word_at) {
    while (word == 0) {
      if (++i == kWords) {
        return kPageGranules;
      }
      word = word_at(i);
    }
    return whole(i * kBits + static_cast<std::uint32_t>(std::countr_zero(word)));
  }
  // Where a page has fewer granules than a word bits, those behind count as free.
  static constexpr std::uint32_t whole(std::uint32_t granule) {
    return kPageGranules % kBits == 0 || granule < kPageGranules ? granule : kPageGranules;
  }

  template <typename Visit>
  void for_each_hole(Visit visit) const;

  BitmapView occupied() const { return {const_cast<BitmapView::Word*>(occupied_), kPageGranules}; }
  BitmapView starts() const { return {const_cast<BitmapView::Word*>(starts_), kPageGranules}; }

  BitmapView::Word occupied_[kWords] = {};
  BitmapView::Word starts_[kWords] = {};
};

}  // namespace modmem
