// The part of SlotHeap that looks at itself.

#include "heap/slot_heap.hpp"

namespace modmem {

HeapStats SlotHeap::do_stats() const { return stats_of(*account_, occupied_, live_blocks_); }

bool SlotHeap::check_page(const Bundle& bundle, std::uint32_t page, Totals& totals) const {
  const FrameInfo& notes = info(page);
  const bool continues = page < totals.reached;
  ++totals.pages;
  if (notes.largest_hole != 0) {
    return false;
  }
  if (notes.descriptor == FrameInfo::kNone) {
    // Lies inside a block: one that starts here, or one that reached here from an earlier page.
    const std::uint32_t unit = bundle.first_unit(page);
    totals.occupied += config::kPageBytes;
    totals.used += bundle.page_units > 1 ? bundle.page_units : (unit % bundle.slot_units == 0);
    totals.blocks += notes.reach != 0 ? 1 : 0;
    totals.reached = notes.reach != 0 ? page + notes.reach : totals.reached;
    return (notes.reach != 0) != continues && notes.bin_next == FrameInfo::kNone &&
           (notes.reach == 0 || unit % bundle.slot_units == 0) &&
           (contiguous_ || notes.reach <= bundle.slot_units);
  }
  const PageSlots slots = slots_on(bundle, page);
  if (!slots.check() || slots.empty() || bundle.page_descriptors() == 0 ||
      (slots.is_used(0) && !slots.is_start(0)) != continues) {
    return false;
  }
  totals.occupied += std::size_t{slots.used_count()} * bundle.unit_bytes;
  totals.used += slots.used_count();
  totals.blocks += slots.start_count();
  if (notes.reach != 0) {
    totals.reached = page + notes.reach;
    return contiguous_ && notes.reach > 1 && slots.start_count() > 0 &&
           slots.is_used(bundle.page_units - 1);
  }
  return contiguous_ || slots.start_count() == slots.used_count();
}

bool SlotHeap::check_bundle(const Bundle& bundle, Totals& totals) const {
  const std::uint32_t end = bundle.first_page + bundle.pages;
  totals.used = 0;
  totals.reached = bundle.first_page;
  for (std::uint32_t page = bundle.first_page; page < end; ++page) {
    if (!is_used(page)) {
      if (page < totals.reached || space_->heap_of(page) == id_) {
        return false;
      }
    } else if (!check_page(bundle, page, totals)) {
      return false;
    }
  }
  return totals.reached <= end && totals.used == bundle.used;
}

bool SlotHeap::do_check(CheckDepth depth) const {
  if (!is_open()) {
    return true;
  }
  if (occupied_ > std::size_t{account_->held} * config::kPageBytes ||
      (live_blocks_ == 0) != (occupied_ == 0)) {
    return false;
  }
  Totals totals;
  for (std::uint32_t i = 0; i < bundle_count_; ++i) {
    const Bundle& bundle = bundles_[i];
    if (bundle.used > bundle.most_used || bundle.most_used > bundle.units() / bundle.slot_units ||
        (depth == CheckDepth::deep && !check_bundle(bundle, totals))) {
      return false;
    }
  }
  return depth == CheckDepth::cheap ||
         (totals.pages == account_->held && totals.occupied == occupied_ &&
          totals.blocks == live_blocks_);
}

}  // namespace modmem
