// The part of SlotHeap that looks for places: which free units a request could get, what they cost,
// and how much could be had at most.

#include "base/check.hpp"
#include "heap/slot_heap.hpp"

namespace modmem {

HeapBudget SlotHeap::budget(std::uint32_t keep) const {
  return budget_of(space_->pool(), *account_, *descriptors_, keep);
}

// Frames and descriptors that claim() would take.
HeapBudget SlotHeap::cost(const Bundle& bundle, const Run& place) const {
  const std::uint32_t first = bundle.page_of(place.begin);
  const std::uint32_t last = bundle.page_of(place.end - 1);
  HeapBudget needed;
  needed.frames = space_->unmapped_in(first, last - first + 1);
  for (std::uint32_t page = first; page <= last; page += last > first ? last - first : 1) {
    if (!is_used(page) && part_on(bundle, place, page).size() < bundle.page_units) {
      needed.descriptors += bundle.page_descriptors();
    }
  }
  return needed;
}

// `place` so that it needs no descriptor: from the start of its first page and up to the end of its
// last one, where these are not mapped. It needs no more frames than before.
SlotHeap::Run SlotHeap::widened(const Bundle& bundle, Run place) const {
  const std::uint32_t first = bundle.page_of(place.begin);
  if (!is_used(first)) {
    place = {bundle.first_unit(first), bundle.first_unit(first) + place.size()};
  }
  if (!is_used(bundle.page_of(place.end - 1))) {
    place.end = bundle.page_end(place.end - 1);
  }
  return place;
}

// --- free units ---

// First free unit at or after `unit`; the number of units where there is none.
std::uint32_t SlotHeap::next_free(const Bundle& bundle, std::uint32_t unit) const {
  while (unit < bundle.units()) {
    const std::uint32_t page = bundle.page_of(unit);
    if (space_->is_free_for(page, id_)) {
      return unit;
    }
    const std::uint32_t base = bundle.first_unit(page);
    const std::uint32_t found =
        has_descriptor(page) ? slots_on(bundle, page).next_free(unit - base) : bundle.page_units;
    unit = base + found;
    if (found < bundle.page_units) {
      break;
    }
  }
  return unit;
}

// First unit at or after `unit` that is not free; the number of units where there is none.
std::uint32_t SlotHeap::next_used(const Bundle& bundle, std::uint32_t unit) const {
  while (unit < bundle.units()) {
    const std::uint32_t page = bundle.page_of(unit);
    const std::uint32_t base = bundle.first_unit(page);
    std::uint32_t found = bundle.page_units;
    if (!space_->is_free_for(page, id_)) {
      found = has_descriptor(page) ? slots_on(bundle, page).next_used(unit - base) : unit - base;
    }
    unit = base + found;
    if (found < bundle.page_units) {
      break;
    }
  }
  return unit;
}

// Calls visit(run) for every maximal run of free units, until it returns false.
template <typename Visit>
void SlotHeap::for_each_run(const Bundle& bundle, Visit visit) const {
  std::uint32_t unit = next_free(bundle, 0);
  while (unit < bundle.units()) {
    const std::uint32_t end = next_used(bundle, unit);
    unit = visit(Run{unit, end}) ? next_free(bundle, end) : bundle.units();
  }
}

// First (last) unit at or after (before) `unit` where a slot starts whose address is a multiple of
// `alignment`; kNowhere where none is. Slot size and alignment are powers of two, but the bundle
// may start at an address that is a multiple of neither: then no slot may be aligned, or all.
std::uint32_t SlotHeap::first_start(const Bundle& bundle, std::uint32_t unit,
                                    std::size_t alignment) const {
  const auto base = reinterpret_cast<std::uintptr_t>(address_of(bundle, 0));
  const std::size_t slot = bundle.slot_bytes();
  std::size_t offset = align_up(std::size_t{unit} * bundle.unit_bytes, slot);
  if (alignment > slot) {
    offset = align_up(base + offset, alignment) - base;
  }
  const bool aligned = offset % slot == 0 && (base + offset) % alignment == 0;
  const std::size_t start = offset / bundle.unit_bytes;
  return aligned && start < bundle.units() ? static_cast<std::uint32_t>(start) : kNowhere;
}

std::uint32_t SlotHeap::last_start(const Bundle& bundle, std::uint32_t unit,
                                   std::size_t alignment) const {
  const auto base = reinterpret_cast<std::uintptr_t>(address_of(bundle, 0));
  const std::size_t slot = bundle.slot_bytes();
  std::size_t offset = align_down(std::size_t{unit} * bundle.unit_bytes, slot);
  if (alignment > slot) {
    const std::size_t address = align_down(base + offset, alignment);
    if (address < base) {
      return kNowhere;
    }
    offset = address - base;
  }
  const bool aligned = offset % slot == 0 && (base + offset) % alignment == 0;
  return aligned ? static_cast<std::uint32_t>(offset / bundle.unit_bytes) : kNowhere;
}

// --- choosing ---

// The cheapest place in the bundle for so many units, where `most` covers one. Within a run of free
// units the pages that are not mapped lie in one piece, with at most a mapped page at either end: a
// place at one of the ends of the run needs no more frames than any between.
std::optional<SlotHeap::Run> SlotHeap::find(const Bundle& bundle, std::uint32_t units,
                                            std::size_t alignment, const HeapBudget& most,
                                            bool whole_pages) const {
  std::optional<Run> best;
  std::uint32_t best_frames = 0;
  for_each_run(bundle, [&](const Run& run) {
    if (run.size() < units) {
      return true;
    }
    for (const std::uint32_t start : {first_start(bundle, run.begin, alignment),
                                      last_start(bundle, run.end - units, alignment)}) {
      if (start == kNowhere || start < run.begin || start > run.end - units) {
        continue;
      }
      const Run exact{start, start + units};
      const Run place = whole_pages ? widened(bundle, exact) : exact;
      const HeapBudget needed = cost(bundle, place);
      if (most.covers(needed) && (!best || needed.frames < best_frames)) {
        best = place;
        best_frames = needed.frames;
      }
    }
    return !best || best_frames > 0;
  });
  return best;
}

// The place in the bundle for so many units. Descriptors that it needs are reserved then; trim()
// follows.
std::optional<SlotHeap::Run> SlotHeap::choose(const Bundle& bundle, std::uint32_t units,
                                              std::size_t alignment) {
  if (alignment > std::size_t{space_->window_pages()} * config::kPageBytes) {
    return std::nullopt;
  }
  std::optional<Run> place = find(bundle, units, alignment, budget(0), false);
  if (place || bundle.page_descriptors() == 0) {
    return place;
  }
  const std::uint32_t pages = descriptors_->pages();
  descriptors_->reserve(descriptors_for_block(bundle));
  if (descriptors_->pages() != pages) {
    place = find(bundle, units, alignment, budget(0), false);
    if (place) {
      return place;
    }
  }
  // The frame that went for descriptors may be the one that is missing.
  descriptors_->trim();
  return contiguous_ ? find(bundle, units, alignment, budget(0), true) : std::nullopt;
}

// --- how much is left ---

// Units of the largest place in the bundle that `most` covers.
std::uint32_t SlotHeap::largest_in(const Bundle& bundle, std::size_t alignment,
                                   const HeapBudget& most) const {
  std::uint32_t largest = 0;
  for_each_run(bundle, [&](const Run& run) {
    const std::uint32_t first = bundle.page_of(run.begin);
    const std::uint32_t last = bundle.page_of(run.end - 1) + 1;
    const auto consider = [&](std::uint32_t start) {
      if (start == kNowhere || start < run.begin || start >= run.end) {
        return;
      }
      const std::uint32_t pages_end = end_within(*space_, bundle.page_of(start), last, most.frames);
      std::uint32_t end = bundle.first_unit(pages_end);
      end = end < run.end ? end : run.end;
      const std::uint32_t bound = start + most_units(bundle);
      end = end < bound ? end : bound;
      // A contiguous block can have whole pages, which need no descriptor.
      if (end > start && end - start > largest &&
          (contiguous_ || cost(bundle, {start, end}).descriptors <= most.descriptors)) {
        largest = end - start;
      }
    };
    consider(first_start(bundle, run.begin, alignment));
    if (contiguous_) {
      const std::uint32_t page = start_within(*space_, first, last, most.frames);
      if (page < last) {
        consider(first_start(bundle, bundle.first_unit(page > first ? page : first), alignment));
      }
    } else {
      consider(last_start(bundle, run.end - 1, alignment));
    }
    return true;
  });
  return largest;
}

// Bytes of the largest request that the bundle could serve while the pool keeps `keep` more frames.
std::size_t SlotHeap::largest_in(const Bundle& bundle, std::size_t alignment,
                                 std::uint32_t keep) const {
  std::uint32_t units = largest_in(bundle, alignment, budget(keep));
  if (units == 0 && !contiguous_ && bundle.page_descriptors() != 0) {
    // As choose() does.
    const std::uint32_t pages = descriptors_->pages();
    descriptors_->reserve(descriptors_for_block(bundle));
    if (descriptors_->pages() != pages) {
      units = largest_in(bundle, alignment, budget(keep));
    }
    descriptors_->trim();
  }
  return std::size_t{units} * bundle.unit_bytes;
}

// Of each size up to the result, the first bundle that could serve it can do so within `keep`: a
// bundle is never passed over for the frames that it would take.
std::size_t SlotHeap::do_largest_request(std::size_t alignment, std::uint32_t keep) const {
  std::size_t largest = 0;
  if (alignment > std::size_t{space_->window_pages()} * config::kPageBytes) {
    return 0;
  }
  for (std::uint32_t i = 0; i < bundle_count_; ++i) {
    const std::size_t kept = largest_in(bundles_[i], alignment, keep);
    largest = kept > largest ? kept : largest;
    if (keep != 0 && largest_in(bundles_[i], alignment, 0U) > largest) {
      break;
    }
  }
  return largest;
}

// Free slots of mapped pages, and the pages of free slots, as far as there are frames.
std::size_t SlotHeap::do_free_bytes() const {
  std::uint32_t pages = 0;
  for (std::uint32_t i = 0; i < bundle_count_; ++i) {
    const Bundle& bundle = bundles_[i];
    const std::uint32_t step =
        bundle.page_units > bundle.slot_units ? bundle.page_units : bundle.slot_units;
    for_each_run(bundle, [&](const Run& run) {
      const std::uint32_t begin = (run.begin + step - 1) / step * step;
      if (begin < run.end) {
        pages += (run.end - begin) / bundle.page_units;
      }
      return true;
    });
  }
  const std::uint32_t available = space_->pool().available(*account_);
  const std::size_t holes = std::size_t{account_->held} * config::kPageBytes - occupied_;
  return holes + std::size_t{pages < available ? pages : available} * config::kPageBytes;
}

FailureReason SlotHeap::do_explain(std::size_t bytes, std::size_t alignment) const {
  if (bytes <= do_largest_request(alignment, 0)) {
    return FailureReason::none;
  }
  if (alignment > 1 && bytes <= do_largest_request(1, 0)) {
    return FailureReason::alignment;
  }
  const PagePool& pool = space_->pool();
  const std::size_t holes = std::size_t{account_->held} * config::kPageBytes - occupied_;
  const std::size_t memory = holes + std::size_t{pool.available(*account_)} * config::kPageBytes;
  if (bytes > memory) {
    return explain_shortage(pool, *account_, bytes, holes);
  }
  for (std::uint32_t i = 0; i < bundle_count_; ++i) {
    const std::size_t units = largest_in(bundles_[i], 1, kUnlimited);
    if (bytes <= units * bundles_[i].unit_bytes) {
      return FailureReason::pool;  // there are slots, but not the frames or descriptors for them
    }
  }
  return FailureReason::slots;
}

}  // namespace modmem
