#include "heap/page_descriptor.hpp"

#include "base/bits.hpp"

namespace modmem {

PageDescriptor::Fit PageDescriptor::best_hole(std::uint32_t granules,
                                              std::uint32_t alignment) const {
  Fit fit;
  std::uint32_t fit_size = kPageGranules + 1;
  std::uint32_t fit_remainder = 0;  // largest part of the fitting hole that stays free
  std::uint32_t largest_other = 0;  // largest of all other holes
  const BitmapView used = occupied();
  std::uint32_t start = used.next_clear(0, kPageGranules);
  while (start < kPageGranules) {
    const std::uint32_t end = used.next_set(start, kPageGranules);
    const std::uint32_t size = end - start;
    std::uint32_t other = size;
    if (size >= granules && size < fit_size) {
      const auto at = static_cast<std::uint32_t>(align_up(start, alignment));
      if (at + granules <= end) {
        other = fit.start < kPageGranules ? fit_size : 0;  // the hole that fitted until now
        const std::uint32_t before = at - start;
        const std::uint32_t after = end - at - granules;
        fit.start = at;
        fit_size = size;
        fit_remainder = before > after ? before : after;
      }
    }
    largest_other = other > largest_other ? other : largest_other;
    start = used.next_clear(end, kPageGranules);
  }
  fit.largest_after = fit_remainder > largest_other ? fit_remainder : largest_other;
  return fit;
}

std::uint32_t PageDescriptor::largest_fit(std::uint32_t alignment) const {
  std::uint32_t largest = 0;
  std::uint32_t start = occupied().next_clear(0, kPageGranules);
  while (start < kPageGranules) {
    const std::uint32_t end = hole_end(start);
    const auto at = static_cast<std::uint32_t>(align_up(start, alignment));
    if (at < end && end - at > largest) {
      largest = end - at;
    }
    start = occupied().next_clear(end, kPageGranules);
  }
  return largest;
}

bool PageDescriptor::check() const {
  // A run of occupied granules begins with a start, but for one that an earlier page's block
  // begins.
  BitmapView::Word before = 1;
  for (std::size_t i = 0; i < kWords; ++i) {
    const BitmapView::Word begins = occupied_[i] & ~(occupied_[i] << 1 | before);
    if ((starts_[i] & ~occupied_[i]) != 0 || (begins & ~starts_[i]) != 0) {
      return false;
    }
    before = occupied_[i] >> (BitmapView::kWordBits - 1);
  }
  return true;
}

}  // namespace modmem
