// PageSlots: the slots of one page, seen through the PageDescriptors that note them.
//
// Slot s is granule s % kPageGranules of descriptor s / kPageGranules, so slots may be smaller than
// a granule: a page has up to twice as many slots as granules. Cost: O(words), that is O(1).
#pragma once

#include <cstdint>

#include "base/check.hpp"
#include "heap/page_descriptor.hpp"

namespace modmem {

class PageSlots {
 public:
  static constexpr std::uint32_t kMaxSlots = 2 * kPageGranules;

  // `second` may be nullptr where one descriptor has room for `slots`.
  PageSlots(PageDescriptor* first, PageDescriptor* second, std::uint32_t slots)
      : parts_{first, second}, slots_(slots) {
    MODMEM_ASSERT(slots <= (second != nullptr ? kMaxSlots : kPageGranules));
  }

  bool is_used(std::uint32_t slot) const { return part(slot).is_occupied(slot % kPageGranules); }
  bool is_start(std::uint32_t slot) const { return part(slot).is_start(slot % kPageGranules); }
  bool empty() const { return next_used(0) == slots_; }

  void set_start(std::uint32_t slot) { part(slot).set_start(slot % kPageGranules); }
  void clear_start(std::uint32_t slot) { part(slot).clear_start(slot % kPageGranules); }
  void use(std::uint32_t first, std::uint32_t last) {
    for_parts(first, last, [](PageDescriptor& part, std::uint32_t from, std::uint32_t to) {
      part.occupy(from, to);
    });
  }
  void vacate(std::uint32_t first, std::uint32_t last) {
    for_parts(first, last, [](PageDescriptor& part, std::uint32_t from, std::uint32_t to) {
      part.vacate(from, to);
    });
  }

  // First slot at or after `from` that is free; that is used; that is no longer the block's whose
  // slots reach up to `from`. The number of slots where there is none.
  std::uint32_t next_free(std::uint32_t from) const {
    return search(from,
                  [](const PageDescriptor& part, std::uint32_t at) { return part.next_free(at); });
  }
  std::uint32_t next_used(std::uint32_t from) const {
    return search(from,
                  [](const PageDescriptor& part, std::uint32_t at) { return part.hole_end(at); });
  }
  std::uint32_t block_end(std::uint32_t from) const {
    return search(from,
                  [](const PageDescriptor& part, std::uint32_t at) { return part.block_end(at); });
  }

  std::uint32_t used_count() const { return sum(&PageDescriptor::occupied_count); }
  std::uint32_t start_count() const { return sum(&PageDescriptor::start_count); }

  // The descriptors are sound, and say nothing of slots that are not there.
  bool check() const {
    const bool both = parts_[0]->check() && (parts_[1] == nullptr || parts_[1]->check());
    return both && (slots_ % kPageGranules == 0 ||
                    part(slots_).hole_end(slots_ % kPageGranules) == kPageGranules);
  }

 private:
  PageDescriptor& part(std::uint32_t slot) const { return *parts_[slot / kPageGranules]; }

  template <typename Visit>
  void for_parts(std::uint32_t first, std::uint32_t last, Visit visit) {
    while (first < last) {
      const std::uint32_t base = first - first % kPageGranules;
      const std::uint32_t end = last < base + kPageGranules ? last : base + kPageGranules;
      visit(part(first), first - base, end - base);
      first = end;
    }
  }

  // `next` answers within one descriptor, kPageGranules for nothing.
  template <typename Next>
  std::uint32_t search(std::uint32_t from, Next next) const {
    while (from < slots_) {
      const std::uint32_t base = from - from % kPageGranules;
      const std::uint32_t found = next(part(from), from - base);
      if (found < kPageGranules) {
        return base + found < slots_ ? base + found : slots_;
      }
      from = base + kPageGranules;
    }
    return slots_;
  }

  std::uint32_t sum(std::uint32_t (PageDescriptor::*count)() const) const {
    return (parts_[0]->*count)() + (parts_[1] != nullptr ? (parts_[1]->*count)() : 0);
  }

  PageDescriptor* parts_[2];
  std::uint32_t slots_;
};

}  // namespace modmem
