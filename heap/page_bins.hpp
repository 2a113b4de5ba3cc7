// PageBins: the pages of one heap, by the size of their largest hole.
//
// 32 classes of hole sizes: exact up to 15 granules, then four for each power of two, so that one
// word says which classes have pages and a fitting one is found by counting zeros. This is the
// two-level segregated index of TLSF (Masmano et al., "TLSF: a New Dynamic Memory Allocator for
// Real-Time Systems", 2004) folded into one level, over pages in place of blocks.
//
// Invariants: bit c of map() is set exactly when class c has a page; a page is in the class of its
// largest_hole, in none where that is 0. Links are in the FrameInfos, and name pages. All functions
// O(1).
#pragma once

#include <bit>
#include <cstdint>

#include "heap/page_descriptor.hpp"
#include "page/address_space.hpp"

namespace modmem {

// The class of each size of a hole: a byte a size, as each request and each free looks them up.
struct HoleClasses {
  static constexpr std::uint32_t kClasses = 32;
  static constexpr std::uint8_t kNone = kClasses;  // that of pages without a hole, in no bin
  static_assert(kPageGranules <= 256, "the classes cover holes of up to 256 granules");

  constexpr HoleClasses() {
    of[0] = kNone;
    for (std::uint32_t granules = 1; granules <= kPageGranules; ++granules) {
      const auto log = static_cast<std::uint32_t>(std::bit_width(granules)) - 1;
      of[granules] = static_cast<std::uint8_t>(
          granules < 16 ? granules - 1 : 4 * log - 5 + (granules >> (log - 2)));
    }
  }

  std::uint8_t of[kPageGranules + 1] = {};
};
inline constexpr HoleClasses kHoleClasses;

class PageBins {
 public:
  static constexpr std::uint32_t kClasses = HoleClasses::kClasses;

  // Class of holes of `granules` (1 to 256).
  static constexpr std::uint32_t class_of(std::uint32_t granules) {
    return kHoleClasses.of[granules];
  }

  // Bit set of the classes that have pages.
  std::uint32_t map() const { return map_; }
  std::uint16_t head(std::uint32_t size_class) const { return heads_[size_class]; }

  // Puts `page`, whose notes are `info`, where its largest hole belongs, which now has `largest`
  // granules.
  void update(AddressSpace& space, std::uint32_t page, FrameInfo& info, std::uint32_t largest) {
    const std::uint32_t from = class_of(info.largest_hole);
    const std::uint32_t to = class_of(largest);
    info.largest_hole = static_cast<std::uint8_t>(largest);
    if (from != to) {
      remove(space, from, info);
      insert(space, to, page, info);
    }
  }

 private:
  static constexpr std::uint32_t kNoClass = HoleClasses::kNone;

  void insert(AddressSpace& space, std::uint32_t size_class, std::uint32_t page, FrameInfo& info) {
    if (size_class == kNoClass) {
      return;
    }
    std::uint16_t& head = heads_[size_class];
    info.bin_prev = FrameInfo::kNone;
    info.bin_next = FrameInfo::kNone;
    if ((map_ >> size_class & 1U) != 0) {
      info.bin_next = head;
      space.info(head).bin_prev = static_cast<std::uint16_t>(page);
    }
    head = static_cast<std::uint16_t>(page);
    map_ |= 1U << size_class;
  }

  void remove(AddressSpace& space, std::uint32_t size_class, const FrameInfo& info) {
    if (size_class == kNoClass) {
      return;
    }
    if (info.bin_next == FrameInfo::kNone && info.bin_prev == FrameInfo::kNone) {
      map_ &= ~(1U << size_class);
      return;
    }
    if (info.bin_next != FrameInfo::kNone) {
      space.info(info.bin_next).bin_prev = info.bin_prev;
    }
    if (info.bin_prev != FrameInfo::kNone) {
      space.info(info.bin_prev).bin_next = info.bin_next;
    } else {
      heads_[size_class] = info.bin_next;
    }
  }

  std::uint32_t map_ = 0;
  std::uint16_t heads_[kClasses] = {};
};

}  // namespace modmem
