#include "heap/page_descriptor.hpp"

namespace modmem {

void PageDescriptor::occupy_words(std::uint32_t first, std::uint32_t last) {
  occupied().set_range(first, last);
}

void PageDescriptor::vacate_words(std::uint32_t first, std::uint32_t last) {
  occupied().clear_range(first, last);
}

// Calls visit(start, end) for every hole, in order, until it returns true. Holes begin and end
// where neighbouring bits differ, so that only those bits are looked at, not the granules between.
template <typename Visit>
inline void PageDescriptor::for_each_hole(Visit visit) const {
  BitmapView::Word open = 0;  // 1 inside of a hole
  std::uint32_t start = 0;
  for (std::uint32_t i = 0; i < kWords; ++i) {
    const BitmapView::Word free = ~occupied_[i];
    BitmapView::Word edges = free ^ (free << 1 | open);
    bool inside = open != 0;
    for (; edges != 0; edges &= edges - 1) {
      const std::uint32_t at =
          whole(i * kBits + static_cast<std::uint32_t>(std::countr_zero(edges)));
      if (!inside) {
        start = at;
      } else if (visit(start, at)) {
        return;
      }
      inside = !inside;
    }
    open = free >> (kBits - 1);
  }
  if (open != 0 && start < kPageGranules) {
    visit(start, kPageGranules);
  }
}

PageDescriptor::Fit PageDescriptor::best_hole(std::uint32_t granules,
                                              std::uint32_t alignment) const {
  Fit fit;
  std::uint32_t fit_size = kPageGranules + 1;
  std::uint32_t fit_remainder = 0;  // largest part of the fitting hole that stays free
  std::uint32_t largest_other = 0;  // largest of all other holes
  for_each_hole([&](std::uint32_t start, std::uint32_t end) {
    std::uint32_t other = end - start;
    if (other >= granules && other < fit_size) {
      const std::uint32_t at = (start + alignment - 1) & ~(alignment - 1);
      if (at + granules <= end) {
        const std::uint32_t size = other;
        other = fit.start < kPageGranules ? fit_size : 0;  // the hole that fitted until now
        const std::uint32_t before = at - start;
        const std::uint32_t after = end - at - granules;
        fit.start = at;
        fit_size = size;
        fit_remainder = before > after ? before : after;
      }
    }
    largest_other = other > largest_other ? other : largest_other;
    return false;
  });
  fit.largest_after = fit_remainder > largest_other ? fit_remainder : largest_other;
  return fit;
}

PageDescriptor::Fit PageDescriptor::tight_hole(std::uint32_t granules,
                                               std::uint32_t largest) const {
  Fit fit;
  std::uint32_t fit_size = kPageGranules + 1;
  std::uint32_t second = 0;  // largest of all other holes
  for_each_hole([&](std::uint32_t start, std::uint32_t end) {
    const std::uint32_t size = end - start;
    if (size >= granules && size < fit_size) {
      second = fit.start < kPageGranules && fit_size > second ? fit_size : second;
      fit.start = start;
      fit_size = size;
      return size == granules && size < largest;  // then the largest stays what it is
    }
    second = size > second ? size : second;
    return false;
  });
  const std::uint32_t rest = fit_size - granules;
  fit.largest_after = fit_size < largest ? largest : rest > second ? rest : second;
  return fit;
}

std::uint32_t PageDescriptor::largest_fit(std::uint32_t alignment) const {
  std::uint32_t largest = 0;
  for_each_hole([&](std::uint32_t start, std::uint32_t end) {
    const std::uint32_t at = (start + alignment - 1) & ~(alignment - 1);
    largest = at < end && end - at > largest ? end - at : largest;
    return false;
  });
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
