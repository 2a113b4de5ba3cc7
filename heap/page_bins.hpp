// PageBins: the pages of one heap, by the size of their largest hole.
//
// 32 classes of hole sizes: exact up to 7 granules, then four for each power of two, so that one
// word says which classes have pages and a fitting one is found by counting zeros. This is the
// two-level segregated index of TLSF (Masmano et al., "TLSF: a New Dynamic Memory Allocator for
// Real-Time Systems", 2004) folded into one level, over pages in place of blocks.
//
// Invariants: bit c of map() is set exactly when class c has a page; a page is in the class of its
// largest_hole, in none where that is 0. Links are in the FrameInfos. All functions O(1).
#pragma once

#include <bit>
#include <cstdint>

#include "heap/page_descriptor.hpp"
#include "page/address_space.hpp"

namespace modmem {

class PageBins {
 public:
  static constexpr std::uint32_t kClasses = 32;
  static_assert(kPageGranules <= 256, "the classes cover holes of up to 256 granules");

  // Class of holes of `granules` (1 to 256).
  static constexpr std::uint32_t class_of(std::uint32_t granules) {
    if (granules < 8) {
      return granules - 1;
    }
    const auto log = static_cast<std::uint32_t>(std::bit_width(granules)) - 1;
    return 7 + (log - 3) * 4 + ((granules >> (log - 2)) & 3);
  }

  // Bit set of the classes that have pages.
  std::uint32_t map() const { return map_; }
  std::uint16_t head(std::uint32_t size_class) const { return heads_[size_class]; }

  // Puts the page on `frame` where its largest hole belongs, which now has `largest` granules.
  void update(AddressSpace& space, std::uint16_t frame, std::uint32_t largest) {
    FrameInfo& info = space.frame_info(frame);
    if (info.largest_hole != 0) {
      if (largest != 0 && class_of(largest) == class_of(info.largest_hole)) {
        info.largest_hole = static_cast<std::uint16_t>(largest);
        return;
      }
      remove(space, info);
    }
    info.largest_hole = static_cast<std::uint16_t>(largest);
    if (largest != 0) {
      insert(space, frame, info);
    }
  }

  // The page that now lies on `frame`, with its notes, lay on another one: its bin names that.
  void frame_moved(AddressSpace& space, std::uint16_t frame) {
    const FrameInfo& info = space.frame_info(frame);
    if (info.largest_hole == 0) {
      return;
    }
    if (info.bin_next != FrameInfo::kNone) {
      space.frame_info(info.bin_next).bin_prev = frame;
    }
    if (info.bin_prev != FrameInfo::kNone) {
      space.frame_info(info.bin_prev).bin_next = frame;
    } else {
      heads_[class_of(info.largest_hole)] = frame;
    }
  }

 private:
  void insert(AddressSpace& space, std::uint16_t frame, FrameInfo& info) {
    const std::uint32_t size_class = class_of(info.largest_hole);
    std::uint16_t& head = heads_[size_class];
    info.bin_prev = FrameInfo::kNone;
    info.bin_next = map_ >> size_class & 1U ? head : FrameInfo::kNone;
    if (info.bin_next != FrameInfo::kNone) {
      space.frame_info(info.bin_next).bin_prev = frame;
    }
    head = frame;
    map_ |= 1U << size_class;
  }

  void remove(AddressSpace& space, FrameInfo& info) {
    const std::uint32_t size_class = class_of(info.largest_hole);
    if (info.bin_next != FrameInfo::kNone) {
      space.frame_info(info.bin_next).bin_prev = info.bin_prev;
    }
    if (info.bin_prev != FrameInfo::kNone) {
      space.frame_info(info.bin_prev).bin_next = info.bin_next;
    } else if (info.bin_next != FrameInfo::kNone) {
      heads_[size_class] = info.bin_next;
    } else {
      map_ &= ~(1U << size_class);
    }
  }

  std::uint32_t map_ = 0;
  std::uint16_t heads_[kClasses] = {};
};

}  // namespace modmem
