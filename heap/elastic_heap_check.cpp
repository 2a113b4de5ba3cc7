// The part of ElasticHeap that looks at itself.

#include "heap/elastic_heap.hpp"

namespace modmem {

HeapStats ElasticHeap::do_stats() const {
  return stats_of(*account_, std::size_t{occupied_} * config::kGranuleBytes, live_blocks_);
}

bool ElasticHeap::check_bins() const {
  for (std::uint32_t size_class = 0; size_class < PageBins::kClasses; ++size_class) {
    if ((bins_.map() >> size_class & 1U) == 0) {
      continue;
    }
    std::uint16_t before = FrameInfo::kNone;
    std::uint32_t length = 0;
    for (std::uint16_t page = bins_.head(size_class); page != FrameInfo::kNone;) {
      const FrameInfo* notes = space_->find_info(page, id_);
      if (notes == nullptr || notes->bin_prev != before || notes->largest_hole == 0 ||
          PageBins::class_of(notes->largest_hole) != size_class || ++length > account_->held) {
        return false;
      }
      before = page;
      page = notes->bin_next;
    }
    if (length == 0) {
      return false;
    }
  }
  return true;
}

bool ElasticHeap::check_page(std::uint32_t page, Totals& totals) const {
  const FrameInfo& notes = info(page);
  ++totals.pages;
  totals.strays += is_stray(page) ? 1 : 0;
  if (notes.empty) {
    ++totals.kept;
    totals.ready += has_descriptor(page) ? 1 : 0;
    return (!has_descriptor(page) || descriptor(notes).empty()) && notes.largest_hole == 0 &&
           notes.free == 0;
  }
  if (notes.descriptor == FrameInfo::kNone) {
    totals.occupied += kPageGranules;
    // Lies inside a block: one that reached here from an earlier page.
    return page < totals.reached && notes.largest_hole == 0 && notes.free == 0 && notes.reach == 0;
  }
  const PageDescriptor& blocks = descriptor(notes);
  if (!blocks.check() || blocks.empty() || blocks.largest_hole() != notes.largest_hole ||
      blocks.occupied_count() + notes.free != kPageGranules ||
      (blocks.is_occupied(0) && !blocks.is_start(0)) != (page < totals.reached)) {
    return false;
  }
  totals.occupied += blocks.occupied_count();
  totals.blocks += blocks.start_count();
  if (notes.reach != 0) {
    if (blocks.tail_hole_start() != kPageGranules || blocks.start_count() == 0) {
      return false;
    }
    totals.reached = page + notes.reach + 1;
  }
  return true;
}

bool ElasticHeap::do_check(CheckDepth depth) const {
  if (!is_open()) {
    return true;
  }
  if (ready_ > premapped_ || ready_ > retained_ || retained_ - ready_ > retained_limit_ ||
      account_->held < retained_ || occupied_ > std::uint64_t{account_->held} * kPageGranules ||
      live_blocks_ > occupied_ || (live_blocks_ == 0) != (occupied_ == 0)) {
    return false;
  }
  if (depth == CheckDepth::cheap) {
    return true;
  }
  Totals totals;
  // In order of addresses, which the spans are not in: blocks are followed from page to page.
  const std::uint32_t last = space_->window_pages();
  for (std::uint32_t page = space_->next_mapped(0, last); page < last;
       page = space_->next_mapped(page + 1, last)) {
    if (info(page).heap == id_ && !check_page(page, totals)) {
      return false;
    }
  }
  return totals.pages == account_->held && totals.kept == retained_ && totals.ready == ready_ &&
         totals.strays == strays_ && totals.occupied == occupied_ &&
         totals.blocks == live_blocks_ && check_bins();
}

}  // namespace modmem
