// The part of ElasticHeap by which heaps share pages when nothing else is left: blocks of others in
// the holes of a heap's pages, and what becomes of these where the heap ends before they do.

#include "base/check.hpp"
#include "heap/elastic_heap.hpp"

namespace modmem {

void* ElasticHeap::allocate_in_holes(std::size_t bytes, std::size_t alignment) {
  MODMEM_ASSERT(is_open() && bytes > 0 && is_power_of_two(alignment));
  const std::size_t granules = divide_up(bytes, config::kGranuleBytes);
  const std::size_t step = divide_up(alignment, config::kGranuleBytes);
  if (granules > kPageGranules || step > std::size_t{space_->window_pages()} * kPageGranules) {
    return nullptr;
  }
  return allocate_in_hole(static_cast<std::uint32_t>(granules), static_cast<std::uint32_t>(step),
                          kAll);
}

std::size_t ElasticHeap::largest_in_holes(std::size_t alignment) const {
  const std::size_t step = divide_up(alignment, config::kGranuleBytes);
  if (step > std::size_t{space_->window_pages()} * kPageGranules) {
    return 0;
  }
  return std::size_t{largest_hole(static_cast<std::uint32_t>(step))} * config::kGranuleBytes;
}

// The most granules of that alignment that a hole of one page has.
std::uint32_t ElasticHeap::largest_hole(std::uint32_t alignment) const {
  std::uint32_t largest = 0;
  for (std::uint32_t classes = bins_.map(); classes != 0; classes &= classes - 1) {
    const auto size_class = static_cast<std::uint32_t>(std::countr_zero(classes));
    for (std::uint32_t page = bins_.head(size_class); page != FrameInfo::kNone;
         page = info(page).bin_next) {
      const FrameInfo& notes = info(page);
      const std::uint32_t fit =
          may_align(notes, alignment) ? descriptor(notes).largest_fit(within_page(alignment)) : 0;
      largest = fit > largest ? fit : largest;
    }
  }
  return largest;
}

void ElasticHeap::close_into(ElasticHeap& heir) {
  MODMEM_ASSERT(&heir != this && heir.is_open() && heir.space_ == space_ &&
                heir.descriptors_ == descriptors_);
  space_->pool().set_guarantee(*account_, 0);
  const std::uint32_t window = space_->window_pages();
  for (std::uint32_t page = space_->next_mapped(0, window); page < window;
       page = space_->next_mapped(page + 1, window)) {
    if (info(page).heap != id_) {
      continue;
    }
    if (info(page).empty) {
      drop_kept(page);
    } else {
      hand_over(page, heir);
    }
  }
  // What is mapped in the spans now is the heir's: those addresses stay reserved, page by page.
  for (std::uint32_t i = 0; space_->has_mmu() && i < span_count(); ++i) {
    for (std::uint32_t page = spans_[i].first; page < spans_[i].end(); ++page) {
      const std::uint32_t end = space_->next_mapped(page, spans_[i].end());
      if (end > page) {
        space_->release_span({page, end - page});
      }
      page = end;
    }
  }
  MODMEM_ASSERT(account_->held == 0 && occupied_ == 0 && live_blocks_ == 0 && strays_ == 0);
  fixed_ = false;
  premapped_ = 0;
  span_count_ = 0;
  space_ = nullptr;
  descriptors_->drop_spare();
}

// Makes a page that holds live blocks `heir`'s.
void ElasticHeap::hand_over(std::uint32_t page, ElasticHeap& heir) {
  FrameInfo& notes = info(page);
  const std::uint32_t largest = notes.largest_hole;
  const bool whole = notes.descriptor == FrameInfo::kNone;
  const std::uint32_t granules = whole ? kPageGranules : descriptor(notes).occupied_count();
  const std::uint32_t blocks = whole ? 0 : descriptor(notes).start_count();
  bins_.update(*space_, page, notes, 0);
  strays_ -= is_stray(page) ? 1 : 0;
  occupied_ -= granules;
  live_blocks_ -= blocks;
  space_->hand_over(page, heir.id_, *account_, *heir.account_);
  heir.bins_.update(*space_, page, notes, largest);
  heir.strays_ += heir.is_stray(page) ? 1 : 0;
  heir.occupied_ += granules;
  heir.live_blocks_ += blocks;
}

}  // namespace modmem
