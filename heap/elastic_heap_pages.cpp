// The part of ElasticHeap that puts pages to use and takes them out of it.

#include "base/check.hpp"
#include "heap/elastic_heap.hpp"

namespace modmem {

// Occupies the free granules [start, end): as a new block, or as more of the block that ends at
// `start`. Returns false, with nothing changed, exactly when frames are not to be had or too few
// descriptors are free; callers reserve those first.
bool ElasticHeap::claim(std::uint32_t start, std::uint32_t end, bool new_block) {
  const std::uint32_t first = start / kPageGranules;
  const std::uint32_t last = (end - 1) / kPageGranules;
  const std::uint32_t from = start % kPageGranules;
  const std::uint32_t to = end - last * kPageGranules;
  const bool first_fresh = !space_->is_busy(first);
  const bool last_fresh = last == first ? first_fresh : !space_->is_busy(last);
  // A page that lies wholly inside of the block needs no descriptor, and one that is ready has one.
  const bool first_noted = first_fresh && (new_block || (first == last && to < kPageGranules));
  const bool last_noted = last != first && last_fresh && to < kPageGranules;
  const std::uint32_t needed =
      (first_noted && !is_ready(first) ? 1U : 0U) + (last_noted && !is_ready(last) ? 1U : 0U);
  if (descriptors_->free() < needed) {
    return false;
  }
  const std::uint32_t map_first = first_fresh ? first : first + 1;
  const std::uint32_t map_end = last_fresh ? last + 1 : last;
  const Span run{map_first, map_first < map_end ? map_end - map_first : 0};
  const std::uint32_t ready = ready_in(run);
  if (run.pages != 0 && !map_pages(run)) {
    return false;
  }
  ready_ = static_cast<std::uint16_t>(ready_ - ready);
  // From here on nothing can fail.
  const std::uint32_t first_to = first == last ? to : kPageGranules;
  if (first_noted) {
    begin_page(first, from, first_to);
  } else if (!first_fresh) {
    occupy(first, from, first_to);
  }
  if (last_noted) {
    begin_page(last, 0, to);
  } else if (last != first && !last_fresh) {
    occupy(last, 0, to);
  }
  if (ready != 0) {
    fill_inside(run);
  }
  occupied_ += end - start;
  return true;
}

// Puts a run of free pages to use; those that were kept are mapped already.
bool ElasticHeap::map_pages(const Span& run) {
  const std::uint32_t held = account_->held;
  if (!space_->map(run.first, run.pages, id_, *account_)) {
    return false;
  }
  retained_ -= run.pages - (account_->held - held);
  return true;
}

// Occupies the granules [from, to) of a page that is mapped and has nothing in it yet: it has a
// descriptor only if it was ready.
void ElasticHeap::begin_page(std::uint32_t page, std::uint32_t from, std::uint32_t to) {
  FrameInfo& notes = info(page);
  if (notes.descriptor == FrameInfo::kNone) {
    notes.descriptor = descriptors_->create();
  }
  descriptor(notes).occupy(from, to);
  notes.free = static_cast<std::uint8_t>(kPageGranules - (to - from));
  bins_.update(*space_, page, notes, from > kPageGranules - to ? from : kPageGranules - to);
}

// Occupies the free granules [from, to) of a page in use.
void ElasticHeap::occupy(std::uint32_t page, std::uint32_t from, std::uint32_t to) {
  FrameInfo& notes = info(page);
  if (notes.descriptor == FrameInfo::kNone) {
    return;  // inside of a block: nothing is free there
  }
  PageDescriptor& blocks = descriptor(notes);
  blocks.occupy(from, to);
  // Where there was one hole and an end of the page is taken, one hole is left.
  const bool one_hole = notes.free == notes.largest_hole && (from == 0 || to == kPageGranules);
  notes.free = static_cast<std::uint8_t>(notes.free - (to - from));
  bins_.update(*space_, page, notes, one_hole ? notes.free : blocks.largest_hole());
}

// Frees the occupied granules [start, end), which hold no start any more.
void ElasticHeap::vacate(std::uint32_t start, std::uint32_t end) {
  while (start < end) {
    const std::uint32_t page = page_of(start);
    const std::uint32_t base = page * kPageGranules;
    const std::uint32_t from = start - base;
    const std::uint32_t to = end - base < kPageGranules ? end - base : kPageGranules;
    start = base + to;
    if (from == 0 && to == kPageGranules) {
      occupied_ -= kPageGranules;
      release_page(page);
    } else {
      FrameInfo& notes = info(page);
      vacate_in_page(page, notes, descriptor(notes), from, to);
    }
  }
}

// Ends the last block of `page`, which starts at `granule` and goes on behind the page.
PointerStatus ElasticHeap::free_reaching(std::uint32_t page, std::uint32_t granule) {
  FrameInfo& notes = info(page);
  PageDescriptor& blocks = descriptor(notes);
  const std::uint32_t last = page + notes.reach;
  notes.reach = 0;
  --live_blocks_;
  blocks.clear_start(granule);
  vacate_in_page(page, notes, blocks, granule, kPageGranules);
  while (++page < last) {
    occupied_ -= kPageGranules;
    release_page(page);
  }
  FrameInfo& last_notes = info(last);
  if (last_notes.descriptor == FrameInfo::kNone) {
    occupied_ -= kPageGranules;
    release_page(last);
  } else {
    PageDescriptor& end = descriptor(last_notes);
    vacate_in_page(last, last_notes, end, 0, end.block_end(0));
  }
  return PointerStatus::live;
}

// Takes a page without a live block out of use.
void ElasticHeap::release_page(std::uint32_t page) {
  FrameInfo& notes = info(page);
  bins_.update(*space_, page, notes, 0);
  notes.free = 0;
  notes.reach = 0;
  if (ready_ < premapped_ && keep_ready(page)) {
    return;
  }
  if (notes.descriptor != FrameInfo::kNone) {
    descriptors_->destroy(notes.descriptor);
    notes.descriptor = FrameInfo::kNone;
  }
  // A span that was added for a large request keeps none: it goes with its last page.
  if (retained_ - ready_ < retained_limit_ && spans_[0].contains(page)) {
    space_->keep_empty(page, options_.retained_us != 0);
    ++retained_;
    return;
  }
  space_->unmap(page, 1, *account_);
  release_addresses(page);
}

// Gives back the addresses that are of no use without the page, which is not mapped any more: those
// of a span that was added, or of a stray.
void ElasticHeap::release_addresses(std::uint32_t page) {
  for (std::uint32_t i = 0; i < span_count(); ++i) {
    const Span span = spans_[i];
    if (span.contains(page)) {
      if (i != 0 && space_->next_mapped(span.first, span.end()) == span.end()) {
        space_->release_span(span);
        spans_[i] = spans_[--span_count_];
      }
      return;
    }
  }
  space_->release_span({page, 1});
  --strays_;
}

void ElasticHeap::give_back_kept(std::uint64_t time_us) {
  if (fixed_ || retained_ == 0 || options_.retained_us == 0) {
    return;
  }
  // Pages are kept in the first span alone, which stays; without an MMU that is the window.
  const std::uint32_t end = spans_[0].end();
  for (std::uint32_t page = space_->next_kept(spans_[0].first, end); page < end;
       page = space_->next_kept(page + 1, end)) {
    if (info(page).heap == id_ && !is_ready(page) &&
        info(page).empty_for(time_us) >= options_.retained_us / FrameInfo::kTimeUnitUs) {
      --retained_;
      space_->unmap(page, 1, *account_);
    }
  }
}

void ElasticHeap::do_release_all() {
  const std::uint32_t retained_limit = retained_limit_;
  retained_limit_ = fixed_ ? retained_limit : 0;
  premapped_ = 0;
  // Backwards, as release_page() may replace the span at hand by the last one.
  for (std::uint32_t i = span_count(); i-- > 0;) {
    release_pages_of(spans_[i]);
  }
  if (strays_ > 0) {
    release_pages_of({0, space_->window_pages()});
  }
  retained_limit_ = retained_limit;
  occupied_ = 0;
  live_blocks_ = 0;
}

void ElasticHeap::release_pages_of(const Span& span) {
  for (std::uint32_t page = space_->next_mapped(span.first, span.end()); page < span.end();
       page = space_->next_mapped(page + 1, span.end())) {
    if (info(page).heap != id_) {
      continue;  // others' strays; without an MMU, the window is shared
    }
    if (!info(page).empty) {
      release_page(page);
    } else if (!fixed_) {
      drop_kept(page);
      release_addresses(page);
    }
  }
}

}  // namespace modmem
