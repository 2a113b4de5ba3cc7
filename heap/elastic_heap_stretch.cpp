// The part of ElasticHeap that looks beyond single pages: stretches of free granules, what it costs
// to use them, and how much could be had at most.

#include "base/check.hpp"
#include "heap/elastic_heap.hpp"

namespace modmem {

namespace {
constexpr std::uint32_t kNowhere = UINT32_MAX;
constexpr std::uint32_t page_of(std::uint32_t granule) { return granule / kPageGranules; }
}  // namespace

// `granule` moved up (down) to where the address is a multiple of `alignment` granules; kNowhere
// where that is below the window.
std::uint32_t ElasticHeap::align(std::uint32_t granule, std::uint32_t alignment) const {
  const auto window = reinterpret_cast<std::uintptr_t>(space_->address_of(0));
  const std::size_t base = window / config::kGranuleBytes;
  return static_cast<std::uint32_t>(align_up(base + granule, alignment) - base);
}

std::uint32_t ElasticHeap::align_back(std::uint32_t granule, std::uint32_t alignment) const {
  const auto window = reinterpret_cast<std::uintptr_t>(space_->address_of(0));
  const std::size_t base = window / config::kGranuleBytes;
  const std::size_t down = align_down(base + granule, alignment);
  return down < base ? kNowhere : static_cast<std::uint32_t>(down - base);
}

ElasticHeap::Budget ElasticHeap::budget(std::uint32_t keep) const {
  const std::uint32_t available = space_->pool().available(*account_);
  const std::uint32_t spare = space_->pool().free() - space_->pool().reserved();
  // What is guaranteed to this heap is not held back by `keep`, which is for owners without.
  const std::uint32_t guaranteed = account_->unused_guarantee();
  std::uint32_t most = guaranteed + (spare > keep ? spare - keep : 0);
  most = most < available ? most : available;
  return {keep == 0 ? available : most, descriptors_->free()};
}

// Frames and descriptors that claim(start, end, new_block) would take.
ElasticHeap::Budget ElasticHeap::cost(std::uint32_t start, std::uint32_t end,
                                      bool new_block) const {
  const std::uint32_t first = page_of(start);
  const std::uint32_t last = page_of(end - 1);
  const bool partial_end = end % kPageGranules != 0;
  Budget needed;
  needed.frames = space_->unmapped_in(first, last - first + 1);
  if (!space_->is_busy(first) && (new_block || (first == last && partial_end))) {
    ++needed.descriptors;
  }
  if (last != first && !space_->is_busy(last) && partial_end) {
    ++needed.descriptors;
  }
  return needed;
}

// Calls visit(stretch, free_pages) for every maximal run of free granules that touches more than
// one page or a whole page, but for runs without a free page that are surely shorter than
// `shortest`.
template <typename Visit>
void ElasticHeap::for_each_stretch(std::uint32_t shortest, Visit visit) const {
  for (std::uint32_t i = 0; i < span_count_; ++i) {
    const Span span = spans_[i];
    std::uint32_t page = span.first;
    while (page < span.end()) {
      const std::uint32_t run_end = space_->free_run_end(page, span.end(), id_);
      const std::uint32_t before = page > span.first ? tail_hole(page - 1) : 0;
      const std::uint32_t after = run_end < span.end() ? head_hole(run_end) : 0;
      // A hole that does not reach the next page is the bins' business.
      if (run_end > page || (before != 0 && after != 0)) {
        visit(Stretch{page * kPageGranules - before, run_end * kPageGranules + after});
      }
      page = run_end + 1;
      if (shortest > 2 * kPageGranules) {
        page = space_->next_not_busy(page < span.end() ? page : span.end(), span.end());
      }
    }
  }
}

std::optional<std::uint32_t> ElasticHeap::find_stretch(std::uint32_t granules,
                                                       std::uint32_t alignment) const {
  const Budget most = budget(0);
  struct Candidate {
    std::uint32_t frames, banks, size, start;
  };
  std::optional<Candidate> best;
  for_each_stretch(granules, [&](const Stretch& stretch) {
    if (stretch.end - stretch.begin < granules) {
      return;
    }
    // Right behind the block before, or right before the block behind.
    const std::uint32_t low = align(stretch.begin, alignment);
    const std::uint32_t high = align_back(stretch.end - granules, alignment);
    for (const std::uint32_t start : {low, high}) {
      if (start < stretch.begin || start > stretch.end - granules) {
        continue;
      }
      const Budget needed = cost(start, start + granules, true);
      if (needed.frames > most.frames || needed.descriptors > most.descriptors) {
        continue;
      }
      const std::uint32_t first = page_of(start);
      const std::uint32_t pages = page_of(start + granules - 1) - first + 1;
      const std::uint32_t banks =
          space_->has_mmu() ? 0 : space_->pool().banks_to_power(first, pages);
      const Candidate candidate{needed.frames, banks, stretch.end - stretch.begin, start};
      const bool better = !best || candidate.frames < best->frames ||
                          (candidate.frames == best->frames &&
                           (candidate.banks < best->banks ||
                            (candidate.banks == best->banks && candidate.size < best->size)));
      if (better) {
        best = candidate;
      }
    }
  });
  return best ? std::optional<std::uint32_t>(best->start) : std::nullopt;
}

bool ElasticHeap::add_span(std::uint32_t granules, std::uint32_t alignment) {
  if (fixed_ || !space_->has_mmu() || span_count_ == kMaxSpans) {
    return false;
  }
  const auto pages = static_cast<std::uint32_t>(divide_up(granules, kPageGranules));
  const std::uint32_t slack = alignment > kPageGranules ? alignment / kPageGranules - 1 : 0;
  if (cost(0, granules, true).descriptors > descriptors_->free() || pages > budget(0).frames) {
    return false;  // not worth a span
  }
  const std::uint32_t needed = pages + slack;
  const std::optional<Span> span =
      space_->reserve_span(needed > span_pages_ ? needed : span_pages_, needed);
  if (span) {
    spans_[span_count_++] = *span;
  }
  return span.has_value();
}

void* ElasticHeap::allocate_in_stretch(std::uint32_t granules, std::uint32_t alignment) {
  // Before the pages are chosen: without an MMU, a page of descriptors could take one of them.
  // Whether this works out is seen from the budget.
  descriptors_->reserve(2);
  std::optional<std::uint32_t> start = find_stretch(granules, alignment);
  bool added = false;
  if (!start && add_span(granules, alignment)) {
    added = true;
    start = find_stretch(granules, alignment);
  }
  const bool claimed = start && claim(*start, *start + granules, true);
  if (!claimed && added) {
    space_->release_span(spans_[--span_count_]);
  }
  void* block = nullptr;
  if (claimed) {
    const std::uint32_t page = page_of(*start);
    const std::uint32_t last = page_of(*start + granules - 1);
    descriptor(info(page)).set_start(*start % kPageGranules);
    // Only the last block of a page reaches on; one that ends in the page leaves that as it is.
    if (last != page || (*start + granules) % kPageGranules == 0) {
      info(page).reach = static_cast<std::uint16_t>(last - page);
    }
    ++live_blocks_;
    block = address_of(*start);
  }
  descriptors_->trim();
  return block;
}

// Where a block that starts at `start` could end at most.
std::uint32_t ElasticHeap::furthest_end(const Stretch& stretch, std::uint32_t start,
                                        const Budget& most) const {
  std::uint32_t end = start;
  std::uint32_t frames = 0;
  while (end < stretch.end) {
    const std::uint32_t page = page_of(end);
    frames += space_->is_mapped(page) ? 0 : 1;
    if (frames > most.frames) {
      break;
    }
    const std::uint32_t page_end = (page + 1) * kPageGranules;
    end = page_end < stretch.end ? page_end : stretch.end;
  }
  if (end > start && cost(start, end, true).descriptors > most.descriptors) {
    end = end / kPageGranules * kPageGranules;  // a whole last page needs none
    if (end > start && cost(start, end, true).descriptors > most.descriptors) {
      end = start;
    }
  }
  return end > start ? end : start;
}

// Where a block that ends with the stretch could start at least.
std::uint32_t ElasticHeap::furthest_start(const Stretch& stretch, const Budget& most) const {
  std::uint32_t start = stretch.end;
  std::uint32_t frames = 0;
  while (start > stretch.begin) {
    const std::uint32_t page = page_of(start - 1);
    frames += space_->is_mapped(page) ? 0 : 1;
    if (frames > most.frames) {
      break;
    }
    const std::uint32_t page_start = page * kPageGranules;
    start = page_start > stretch.begin ? page_start : stretch.begin;
  }
  return start;
}

std::uint32_t ElasticHeap::largest_in_stretches(std::uint32_t alignment, const Budget& most) const {
  std::uint32_t largest = 0;
  for_each_stretch(0, [&](const Stretch& stretch) {
    const std::uint32_t low = align(stretch.begin, alignment);
    if (low < stretch.end) {
      const std::uint32_t size = furthest_end(stretch, low, most) - low;
      largest = size > largest ? size : largest;
    }
    const std::uint32_t high = align(furthest_start(stretch, most), alignment);
    if (high < stretch.end && stretch.end - high > largest &&
        cost(high, stretch.end, true).descriptors <= most.descriptors) {
      largest = stretch.end - high;
    }
  });
  // A span that is not there yet.
  if (!fixed_ && span_count_ < kMaxSpans && most.descriptors > 0) {
    const std::uint32_t slack = alignment > kPageGranules ? alignment / kPageGranules - 1 : 0;
    const std::uint32_t gap = space_->largest_gap();
    std::uint32_t pages = gap > slack ? gap - slack : 0;
    pages = pages < most.frames ? pages : most.frames;
    largest = pages * kPageGranules > largest ? pages * kPageGranules : largest;
  }
  return largest;
}

std::size_t ElasticHeap::do_largest_request(std::size_t alignment, std::uint32_t keep) const {
  const std::size_t aligned = divide_up(alignment, config::kGranuleBytes);
  if (aligned > std::size_t{space_->window_pages()} * kPageGranules) {
    return 0;
  }
  const auto step = static_cast<std::uint32_t>(aligned);
  descriptors_->reserve(2);  // as allocate() does
  std::uint32_t largest = largest_in_stretches(step, budget(keep));
  descriptors_->trim();
  if (step <= kPageGranules) {
    for (std::uint32_t classes = bins_.map(); classes != 0; classes &= classes - 1) {
      const auto size_class = static_cast<std::uint32_t>(std::countr_zero(classes));
      for (std::uint16_t frame = bins_.head(size_class); frame != FrameInfo::kNone;
           frame = space_->frame_info(frame).bin_next) {
        const std::uint32_t fit = descriptor(space_->frame_info(frame)).largest_fit(step);
        largest = fit > largest ? fit : largest;
      }
    }
  }
  return std::size_t{largest} * config::kGranuleBytes;
}

std::size_t ElasticHeap::do_free_bytes() const {
  const std::size_t holes = std::size_t{account_->held} * kPageGranules - occupied_;
  const std::size_t frames = fixed_ ? 0 : space_->pool().available(*account_);
  return holes * config::kGranuleBytes + frames * config::kPageBytes;
}

FailureReason ElasticHeap::do_explain(std::size_t bytes, std::size_t alignment) const {
  const std::size_t largest = do_largest_request(alignment, 0);
  if (bytes <= largest) {
    return FailureReason::none;
  }
  if (alignment > config::kGranuleBytes && bytes <= do_largest_request(1, 0)) {
    return FailureReason::alignment;
  }
  if (bytes <= do_free_bytes()) {
    return FailureReason::fragmentation;
  }
  if (fixed_) {
    return FailureReason::pool;
  }
  // What would be there without the heap's limit, and without the guarantees of others?
  const PagePool& pool = space_->pool();
  const std::size_t holes =
      (std::size_t{account_->held} * kPageGranules - occupied_) * config::kGranuleBytes;
  const std::size_t others = pool.reserved() - account_->unused_guarantee();
  const std::size_t unreserved = holes + (pool.free() - others) * config::kPageBytes;
  if (bytes <= unreserved) {
    return FailureReason::limit;
  }
  return bytes <= holes + pool.free() * config::kPageBytes ? FailureReason::guarantee
                                                           : FailureReason::pool;
}

}  // namespace modmem
