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

// True where a place in the page can have that alignment: one beyond the page only the page's start
// can have, and only in some pages.
bool ElasticHeap::may_align(const FrameInfo& page, std::uint32_t alignment) const {
  const std::uint32_t start = page.page * kPageGranules;
  return alignment <= kPageGranules || align(start, alignment) == start;
}

HeapBudget ElasticHeap::budget(std::uint32_t keep) const {
  return budget_of(space_->pool(), *account_, *descriptors_, keep);
}

// Frames and descriptors that claim(start, end, new_block) would take.
HeapBudget ElasticHeap::cost(std::uint32_t start, std::uint32_t end, bool new_block) const {
  const std::uint32_t first = page_of(start);
  const std::uint32_t last = page_of(end - 1);
  const bool partial_end = end % kPageGranules != 0;
  HeapBudget needed;
  needed.frames = space_->unmapped_in(first, last - first + 1);
  if (!space_->is_busy(first) && (new_block || (first == last && partial_end))) {
    ++needed.descriptors;
  }
  if (last != first && !space_->is_busy(last) && partial_end) {
    ++needed.descriptors;
  }
  return needed;
}

// `end`, or the end of its page where no descriptor is left for a page that the granules only
// begin: a whole page needs none. The page is one that they take anyway.
std::uint32_t ElasticHeap::affordable_end(std::uint32_t start, std::uint32_t end, bool new_block,
                                          std::uint32_t descriptors) const {
  const bool whole =
      cost(start, end, new_block).descriptors > descriptors && !space_->is_busy(page_of(end - 1));
  return whole ? (page_of(end - 1) + 1) * kPageGranules : end;
}

// The span `index` with those that follow it without a gap, which one block may lie across; empty
// where it follows another one itself.
Span ElasticHeap::joined_span(std::uint32_t index) const {
  Span joined = spans_[index];
  for (std::uint32_t i = 0; i < span_count_; ++i) {
    if (spans_[i].end() == joined.first) {
      return Span{};
    }
  }
  for (std::uint32_t i = 0; i < span_count_;) {
    if (spans_[i].first == joined.end()) {
      joined.pages += spans_[i].pages;
      i = 0;
    } else {
      ++i;
    }
  }
  return joined;
}

// Calls visit(stretch) for every maximal run of free granules that touches more than
// one page or a whole page, but for runs without a free page that are surely shorter than
// `shortest`.
template <typename Visit>
void ElasticHeap::for_each_stretch(std::uint32_t shortest, Visit visit) const {
  for (std::uint32_t i = 0; i < span_count_; ++i) {
    const Span span = joined_span(i);
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

// Calls visit(start) for the places in the stretch that a search has to look at: right behind the
// block before, and at the pages kept empty, which cost nothing. A place between two of these costs
// no less than one of them, or than the last place of the stretch.
template <typename Visit>
void ElasticHeap::for_each_start(const Stretch& stretch, std::uint32_t alignment,
                                 Visit visit) const {
  visit(align(stretch.begin, alignment));
  if (fixed_ || retained_ == 0) {
    return;
  }
  const std::uint32_t last = stretch.end / kPageGranules;
  std::uint32_t kept = space_->next_kept(page_of(stretch.begin + kPageGranules - 1), last);
  while (kept < last) {
    visit(align(kept * kPageGranules, alignment));
    visit(align_back(kept * kPageGranules, alignment));
    kept = space_->next_kept(space_->kept_run_end(kept, last), last);
  }
}

std::optional<ElasticHeap::Stretch> ElasticHeap::find_stretch(std::uint32_t granules,
                                                              std::uint32_t alignment) const {
  const HeapBudget most = budget(0);
  struct Candidate {
    std::uint32_t frames, banks, size;
    Stretch place;
  };
  std::optional<Candidate> best;
  for_each_stretch(granules, [&](const Stretch& stretch) {
    if (stretch.end - stretch.begin < granules) {
      return;
    }
    const auto consider = [&](std::uint32_t start) {
      if (start < stretch.begin || start > stretch.end - granules) {
        return;
      }
      const std::uint32_t end = affordable_end(start, start + granules, true, most.descriptors);
      const HeapBudget needed = cost(start, end, true);
      if (!most.covers(needed)) {
        return;
      }
      const std::uint32_t first = page_of(start);
      const std::uint32_t pages = page_of(end - 1) - first + 1;
      const std::uint32_t banks =
          space_->has_mmu() ? 0 : space_->pool().banks_to_power(first, pages);
      const Candidate candidate{needed.frames, banks, stretch.end - stretch.begin, {start, end}};
      const bool better = !best || candidate.frames < best->frames ||
                          (candidate.frames == best->frames &&
                           (candidate.banks < best->banks ||
                            (candidate.banks == best->banks && candidate.size < best->size)));
      if (better) {
        best = candidate;
      }
    };
    for_each_start(stretch, alignment, consider);
    consider(align_back(stretch.end - granules, alignment));  // right before the block behind
  });
  return best ? std::optional<Stretch>(best->place) : std::nullopt;
}

bool ElasticHeap::add_span(std::uint32_t granules, std::uint32_t alignment) {
  if (fixed_ || options_.one_span || !space_->has_mmu() || span_count_ == kMaxSpans) {
    return false;
  }
  const auto pages = static_cast<std::uint32_t>(divide_up(granules, kPageGranules));
  const std::uint32_t slack = alignment > kPageGranules ? alignment / kPageGranules - 1 : 0;
  if (descriptors_->free() == 0 || pages > budget(0).frames) {
    return false;  // not worth a span
  }
  const std::uint32_t needed = pages + slack;
  const std::uint32_t share = span_share(*space_, options_, span_count_);
  const std::optional<Span> span = space_->reserve_span(needed > share ? needed : share, needed);
  if (span) {
    spans_[span_count_++] = *span;
  }
  return span.has_value();
}

void* ElasticHeap::allocate_in_stretch(std::uint32_t granules, std::uint32_t alignment) {
  // Before the pages are chosen: without an MMU, a page of descriptors could take one of them.
  // Whether this works out is seen from the budget.
  const std::uint32_t pages = descriptors_->pages();
  descriptors_->reserve(2);
  const bool reserved = descriptors_->pages() != pages;
  void* block = place_in_stretch(granules, alignment);
  descriptors_->trim();
  if (block == nullptr && reserved) {
    // The frame that went for descriptors may be the one that is missing.
    block = place_in_stretch(granules, alignment);
  }
  return block;
}

// Puts a block where find_stretch() says, if need be in a new span.
void* ElasticHeap::place_in_stretch(std::uint32_t granules, std::uint32_t alignment) {
  std::optional<Stretch> place = find_stretch(granules, alignment);
  bool added = false;
  if (!place && add_span(granules, alignment)) {
    added = true;
    place = find_stretch(granules, alignment);
  }
  if (!place || !claim(place->begin, place->end, true)) {
    if (added) {
      space_->release_span(spans_[--span_count_]);
    }
    return nullptr;
  }
  begin_block(place->begin, place->end);
  return address_of(place->begin);
}

// Makes the granules [start, end), occupied just now, a block.
void ElasticHeap::begin_block(std::uint32_t start, std::uint32_t end) {
  const std::uint32_t page = page_of(start);
  descriptor(info(page)).set_start(start % kPageGranules);
  // Only the last block of a page reaches on; one that ends in the page leaves that as it is.
  if (page_of(end) != page) {
    info(page).reach = static_cast<std::uint16_t>(page_of(end - 1) - page);
  }
  ++live_blocks_;
}

bool ElasticHeap::allocate_at(std::byte* pointer, std::size_t bytes) {
  const std::optional<std::uint32_t> page = space_->page_of(pointer);
  const std::size_t window = std::size_t{space_->window_pages()} * kPageGranules;
  const std::size_t granules = divide_up(bytes, config::kGranuleBytes);
  if (!page || (space_->has_mmu() && !owns_page(*page)) ||
      address_of(granule_of(pointer)) != pointer || granules > window - granule_of(pointer)) {
    return false;
  }
  const std::uint32_t start = granule_of(pointer);
  const std::uint32_t end = start + static_cast<std::uint32_t>(granules);
  // As in allocate_in_stretch().
  const std::uint32_t pages = descriptors_->pages();
  descriptors_->reserve(2);
  const bool reserved = descriptors_->pages() != pages;
  bool claimed = free_end(start, end) == end && claim(start, end, true);
  descriptors_->trim();
  if (!claimed && reserved) {
    claimed = free_end(start, end) == end && claim(start, end, true);
  }
  if (claimed) {
    begin_block(start, end);
  }
  return claimed;
}

void ElasticHeap::split(std::byte* pointer, std::size_t bytes) {
  const std::uint32_t start = granule_of(pointer);
  const std::uint32_t second = start + static_cast<std::uint32_t>(bytes / config::kGranuleBytes);
  MODMEM_ASSERT(do_status(pointer) == PointerStatus::live && second > start &&
                page_of(second) == page_of(start) && second < block_at(start).end);
  // The page's reach is that of its last block, now the second one if it was this one.
  descriptor(info(page_of(second))).set_start(second % kPageGranules);
  ++live_blocks_;
}

// Where a block that starts at `start` could end at most.
std::uint32_t ElasticHeap::furthest_end(const Stretch& stretch, std::uint32_t start,
                                        const HeapBudget& most) const {
  const std::uint32_t last = page_of(stretch.end - 1) + 1;
  const std::uint32_t pages_end = end_within(*space_, page_of(start), last, most.frames);
  const std::uint32_t end = pages_end == last ? stretch.end : pages_end * kPageGranules;
  // The last page is whole, or has a descriptor already; the first may lack one.
  return end > start && cost(start, end, true).descriptors <= most.descriptors ? end : start;
}

// Where a block that ends with the stretch could start at least.
std::uint32_t ElasticHeap::furthest_start(const Stretch& stretch, const HeapBudget& most) const {
  const std::uint32_t first = page_of(stretch.begin);
  const std::uint32_t last = page_of(stretch.end - 1) + 1;
  const std::uint32_t pages_start = start_within(*space_, first, last, most.frames);
  if (pages_start == last) {
    return stretch.end;
  }
  return pages_start == first ? stretch.begin : pages_start * kPageGranules;
}

std::uint32_t ElasticHeap::largest_in_stretches(std::uint32_t alignment,
                                                const HeapBudget& most) const {
  std::uint32_t largest = 0;
  for_each_stretch(0, [&](const Stretch& stretch) {
    const auto consider = [&](std::uint32_t start) {
      if (start >= stretch.begin && start < stretch.end) {
        const std::uint32_t size = furthest_end(stretch, start, most) - start;
        largest = size > largest ? size : largest;
      }
    };
    for_each_start(stretch, alignment, consider);
    consider(align(furthest_start(stretch, most), alignment));
  });
  // A span that is not there yet.
  if (!fixed_ && !options_.one_span && span_count_ < kMaxSpans && most.descriptors > 0) {
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
  // As allocate() does.
  const std::uint32_t pages = descriptors_->pages();
  descriptors_->reserve(2);
  const bool reserved = descriptors_->pages() != pages;
  std::uint32_t largest = largest_in_stretches(step, budget(keep));
  descriptors_->trim();
  if (reserved) {
    const std::uint32_t without = largest_in_stretches(step, budget(keep));
    largest = without > largest ? without : largest;
  }
  const std::uint32_t hole = largest_hole(step);
  largest = hole > largest ? hole : largest;
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
  const std::size_t holes = std::size_t{account_->held} * kPageGranules - occupied_;
  return explain_shortage(space_->pool(), *account_, bytes, holes * config::kGranuleBytes);
}

}  // namespace modmem
