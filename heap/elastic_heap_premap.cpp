// The part of ElasticHeap that has pages ready before they are needed.
//
// A ready page is mapped, kept empty, and has its descriptor, so that a block can be put there
// without pool, port or metadata. A page keeps its descriptor when it is put to use, also where a
// block takes all of it, and the last block's end makes it ready again. Thus a heap always has
// as many pages with descriptors as were premapped, and what was put to use comes back whole.

#include "base/check.hpp"
#include "heap/elastic_heap_walk.hpp"

namespace modmem {

std::uint32_t ElasticHeap::count_ready(const Span& run) const {
  std::uint32_t count = 0;
  for (std::uint32_t page = run.first; page < run.end(); ++page) {
    count += is_ready(page) ? 1 : 0;
  }
  return count;
}

// As allocate(), but only where that takes no frame and no page of metadata: the same place as
// with the fewest frames otherwise.
void* ElasticHeap::allocate_mapped(std::uint32_t granules, std::uint32_t alignment) {
  if (void* block = allocate_in_hole(granules, alignment, kAll)) {
    return block;
  }
  const std::optional<Place> place =
      find_place(granules, alignment, true, {0, descriptors_->free()});
  return place ? begin_block(*place) : nullptr;
}

bool ElasticHeap::has_place_mapped(std::size_t bytes, std::size_t alignment) const {
  const std::size_t window = std::size_t{space_->window_pages()} * kPageGranules;
  const std::size_t granules = divide_up(bytes, config::kGranuleBytes);
  const std::size_t step = divide_up(alignment, config::kGranuleBytes);
  if (granules > window || step > window) {
    return false;
  }
  return granules <= largest_hole(static_cast<std::uint32_t>(step)) ||
         find_place(static_cast<std::uint32_t>(granules), static_cast<std::uint32_t>(step), true,
                    {0, descriptors_->free()});
}

// Makes a page without a live block ready, unless it lacks a descriptor that only another page of
// metadata would have, or its addresses go with its last block.
bool ElasticHeap::keep_ready(std::uint32_t page) {
  FrameInfo& notes = info(page);
  if (is_stray(page) || (notes.descriptor == FrameInfo::kNone && descriptors_->free() == 0)) {
    return false;
  }
  if (notes.descriptor == FrameInfo::kNone) {
    notes.descriptor = descriptors_->create();
  } else {
    descriptor(notes) = PageDescriptor();
  }
  space_->keep_empty(page);
  ++retained_;
  ++ready_;
  return true;
}

// Of pages that a block was just put on: those that were ready and lie wholly inside of it.
void ElasticHeap::fill_inside(const Span& run) {
  for (std::uint32_t page = run.first; page < run.end(); ++page) {
    if (has_descriptor(page) && descriptor(info(page)).empty()) {
      begin_page(page, 0, kPageGranules);
    }
  }
}

// Unmaps a page that is kept empty.
void ElasticHeap::drop_kept(std::uint32_t page) {
  const FrameInfo& notes = info(page);
  if (notes.descriptor != FrameInfo::kNone) {
    descriptors_->destroy(notes.descriptor);
    --ready_;
  }
  --retained_;
  space_->unmap(page, 1, *account_);
}

// Unmaps ready pages that are too many, those of added spans and of the highest addresses first.
void ElasticHeap::drop_ready() {
  for (std::uint32_t i = span_count(); i-- > 0;) {
    const Span span = spans_[i];
    for (std::uint32_t page = span.end(); page-- > span.first && ready_ > premapped_;) {
      if (is_ready(page)) {
        drop_kept(page);
        release_addresses(page);
      }
    }
  }
}

// A run of free pages of which `more` are not ready, empty where there is none: the one that takes
// the fewest frames, then powers the fewest banks, then lies next to ready or retained pages, then
// in the shortest stretch.
Span ElasticHeap::run_to_premap(std::uint32_t more) const {
  Span run;
  std::uint64_t least = UINT64_MAX;
  for_each_stretch([&](const Stretch& stretch) {
    const std::uint32_t kept = space_->next_kept(stretch.free_first, stretch.free_end);
    const bool apart = kept == stretch.free_end;
    std::uint32_t first = apart ? stretch.free_first : kept;
    std::uint32_t end = first;
    std::uint32_t left = more;
    for (; left > 0 && end < stretch.free_end; ++end) {
      left -= is_ready(end) ? 0 : 1;
    }
    while (left > 0 && first > stretch.free_first) {
      --first;
      left -= is_ready(first) ? 0 : 1;
    }
    if (left == 0) {
      const std::uint32_t pages = end - first;
      const std::uint32_t banks =
          space_->has_mmu() ? 0 : space_->pool().banks_to_power(first, pages);
      // Four figures of at most 16 bits, the first of which counts most.
      std::uint64_t cost = 0;
      const std::uint32_t figures[] = {space_->unmapped_in(first, pages), banks, apart ? 1U : 0U,
                                       stretch.free_end - stretch.free_first};
      for (const std::uint32_t figure : figures) {
        cost = cost << 16 | figure;
      }
      if (cost < least) {
        least = cost;
        run = {first, pages};
      }
    }
    return false;
  });
  return run;
}

bool ElasticHeap::premap(std::uint32_t pages) {
  MODMEM_ASSERT(is_open() && !fixed_);
  if (pages > space_->window_pages()) {
    return false;
  }
  if (pages > ready_) {
    const std::uint32_t more = pages - ready_;
    // Before the run is chosen: without an MMU, a page of descriptors could take one of its frames.
    bool done = descriptors_->reserve(more);
    bool added = false;
    Span run = done ? run_to_premap(more) : Span();
    if (done && run.pages == 0 && add_span(more * kPageGranules, 1)) {
      added = true;
      run = run_to_premap(more);
    }
    const std::uint32_t fresh = space_->unmapped_in(run.first, run.pages);
    done = run.pages != 0 && space_->map(run.first, run.pages, id_, *account_);
    for (std::uint32_t page = run.first; done && page < run.end(); ++page) {
      FrameInfo& notes = info(page);
      notes.descriptor =
          notes.descriptor == FrameInfo::kNone ? descriptors_->create() : notes.descriptor;
      space_->keep_empty(page);
    }
    if (!done && added) {
      space_->release_span(spans_[--span_count_]);
    }
    descriptors_->trim();
    if (!done) {
      return false;
    }
    retained_ += fresh;
    ready_ = static_cast<std::uint16_t>(pages);
  }
  premapped_ = static_cast<std::uint16_t>(pages);
  drop_ready();
  return true;
}

FailureReason ElasticHeap::explain_premap(std::uint32_t pages) const {
  const PagePool& pool = space_->pool();
  const std::uint32_t more = pages > ready_ ? pages - ready_ : 0;
  if (more > budget(0).frames) {
    return explain_shortage(pool, *account_, std::size_t{more} * config::kPageBytes, 0);
  }
  const bool may_add = space_->has_mmu() && span_count_ < kMaxSpans;
  const bool is_there =
      run_to_premap(more).pages != 0 || (may_add && more <= space_->largest_gap());
  return more != 0 && !is_there ? FailureReason::fragmentation : FailureReason::pool;
}

}  // namespace modmem
