// The part of ElasticHeap that looks beyond single pages: stretches of free granules, what it costs
// to use them, and how much could be had at most.

#include "base/check.hpp"
#include "heap/elastic_heap_walk.hpp"

namespace modmem {

// True where a place in the page can have that alignment: one beyond the page only the page's start
// can have, and only in some pages.
bool ElasticHeap::may_align(const FrameInfo& page, std::uint32_t alignment) const {
  const std::uint32_t start = page.page * kPageGranules;
  return alignment <= kPageGranules || align(start, alignment) == start;
}

// The tightest joint that holds the block, of those that so many tries find. It takes no frame.
std::optional<ElasticHeap::Place> ElasticHeap::find_joint(std::uint32_t granules,
                                                          std::uint32_t alignment,
                                                          std::uint32_t tries) const {
  std::optional<Place> best;
  std::uint32_t tightest = UINT32_MAX;
  for_each_joint(granules, tries, [&](const Stretch& joint) {
    const std::uint32_t start = align(joint.begin, alignment);
    if (joint.end - joint.begin < tightest && start + granules <= joint.end) {
      tightest = joint.end - joint.begin;
      best = Place{start, start + granules};
    }
  });
  return best;
}

// The place that takes the fewest frames, then powers the fewest banks, then lies in the shortest
// stretch. Where the search is not thorough, it looks at the first few stretches, and where none of
// these fits, at the first run of free pages that surely does; with an MMU it may miss others.
std::optional<ElasticHeap::Place> ElasticHeap::find_place(std::uint32_t granules,
                                                          std::uint32_t alignment, bool thorough,
                                                          const HeapBudget& most) const {
  if (std::optional<Place> joint = find_joint(granules, alignment, thorough ? kAll : kTries)) {
    return joint;
  }
  struct Candidate {
    std::uint32_t frames = UINT32_MAX;
    std::uint32_t banks = 0;
    std::uint32_t size = 0;
    Place place;
  };
  Candidate best;
  // Whether no other place of the stretch can be better.
  const auto consider = [&](const Stretch& stretch, std::uint32_t start) {
    if (start < stretch.begin || start > stretch.end - granules) {
      return false;
    }
    Place place{start, start + granules};
    HeapBudget needed = cost(stretch, place);
    const std::uint32_t last = page_of(place.end - 1);
    if (needed.descriptors > most.descriptors && stretch.has_free(last)) {
      // A whole page needs no descriptor. The page is one that the block takes anyway.
      place.end = (last + 1) * kPageGranules;
      needed = cost(stretch, place);
    }
    if (needed.frames > best.frames || !most.covers(needed)) {
      return false;
    }
    const std::uint32_t pages = last - page_of(start) + 1;
    const std::uint32_t banks =
        space_->has_mmu() ? 0 : space_->pool().banks_to_power(page_of(start), pages);
    const Candidate candidate{needed.frames, banks, stretch.end - stretch.begin, place};
    if (candidate.frames < best.frames || candidate.banks < best.banks ||
        (candidate.banks == best.banks && candidate.size < best.size)) {
      best = candidate;
    }
    return needed.frames == 0;
  };
  std::uint32_t left = thorough || !space_->has_mmu() ? kAll : kTries;
  std::uint32_t looked_at = 0;  // pages, in the span of the last one
  const auto look = [&](const Stretch& stretch) {
    looked_at = stretch.free_end;
    const std::uint32_t size = stretch.end - stretch.begin;
    const std::uint32_t least = least_frames(stretch, granules);
    const bool may_be_best = least < best.frames || (least == best.frames && size < best.size) ||
                             (least == best.frames && !space_->has_mmu());
    if (size >= granules && may_be_best && !consider(stretch, align(stretch.begin, alignment)) &&
        !for_each_kept_start(stretch, alignment,
                             [&](std::uint32_t start) { return consider(stretch, start); })) {
      // Right before the block behind.
      consider(stretch, align_back(stretch.end - granules, alignment));
    }
    return --left == 0;
  };
  for_each_stretch(look);
  if (best.frames == UINT32_MAX && left == 0) {
    look_at_long_run(looked_at, granules, alignment, look);
  }
  return best.frames != UINT32_MAX ? std::optional<Place>(best.place) : std::nullopt;
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

void* ElasticHeap::allocate_in_stretch(std::uint32_t granules, std::uint32_t alignment,
                                       bool thorough) {
  if (descriptors_->free() >= 2) [[likely]] {
    return place_in_stretch(granules, alignment, thorough);
  }
  // Before the pages are chosen: without an MMU, a page of descriptors could take one of them.
  // Whether this works out is seen from the budget.
  const std::uint32_t pages = descriptors_->pages();
  descriptors_->reserve(2);
  const bool reserved = descriptors_->pages() != pages;
  void* block = place_in_stretch(granules, alignment, thorough);
  descriptors_->trim();
  if (block == nullptr && reserved) {
    // The frame that went for descriptors may be the one that is missing.
    block = place_in_stretch(granules, alignment, thorough);
  }
  return block;
}

// Puts a block where find_place() says, if need be in a new span.
void* ElasticHeap::place_in_stretch(std::uint32_t granules, std::uint32_t alignment,
                                    bool thorough) {
  std::optional<Place> place = find_place(granules, alignment, thorough, budget(0));
  bool added = false;
  if (!place && add_span(granules, alignment)) {
    added = true;
    place = find_place(granules, alignment, thorough, budget(0));
  }
  void* block = place ? begin_block(*place) : nullptr;
  if (block == nullptr && added) {
    space_->release_span(spans_[--span_count_]);
  }
  return block;
}

// A new block right behind the pages in use, from the hole at their end on, where these pages are
// one run from the start of the only span on, as they mostly are. There is one stretch then, and
// find_place() would choose its start: no place takes more of the hole, and where that takes no
// frame, or no page is kept, none takes fewer. nullptr where it is not sure that this is so.
void* ElasticHeap::append(std::uint32_t granules) {
  const Span& span = spans_[0];
  const std::uint32_t behind = span.first + (account_->held - retained_);
  if (span_count_ != 1 || strays_ != 0 || ready_ != 0 || !space_->has_mmu() ||
      descriptors_->free() < 2 || space_->next_not_busy(span.first, span.end()) != behind) {
    return nullptr;
  }
  const std::uint32_t hole = behind > span.first ? tail_hole(behind - 1) : 0;
  const Place place{behind * kPageGranules - hole, behind * kPageGranules - hole + granules};
  const std::uint32_t last = page_of(place.end - 1);
  const Span fresh{behind, last + 1 - behind};
  if (hole >= granules || last >= span.end() || find_joint(granules, 1, kTries) ||
      (retained_ != 0 && space_->unmapped_in(fresh.first, fresh.pages) != 0)) {
    return nullptr;
  }
  if (!map_pages(fresh)) {
    return nullptr;
  }
  const std::uint32_t to = place.end - last * kPageGranules;
  if (hole != 0) {
    occupy(behind - 1, kPageGranules - hole, kPageGranules);
  } else if (last != behind) {
    begin_page(behind, 0, kPageGranules);
  }
  if (to != kPageGranules || (hole == 0 && last == behind)) {
    begin_page(last, 0, to);
  }
  occupied_ += granules;
  return note_block(place);
}

// A new block at `place`; nullptr where claim() fails.
void* ElasticHeap::begin_block(const Place& place) {
  return claim(place.begin, place.end, true) ? note_block(place) : nullptr;
}

// Notes that a block starts at `place`, whose granules are occupied.
inline void* ElasticHeap::note_block(const Place& place) {
  const std::uint32_t page = page_of(place.begin);
  FrameInfo& notes = info(page);
  descriptor(notes).set_start(place.begin % kPageGranules);
  // Only the last block of a page reaches on; one that ends in the page leaves that as it is.
  if (page_of(place.end) != page) {
    notes.reach = static_cast<std::uint16_t>(page_of(place.end - 1) - page);
  }
  ++live_blocks_;
  return address_of(place.begin);
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
  const auto put = [&] {
    return free_end(start, end) == end && begin_block({start, end}) != nullptr;
  };
  const bool done = put();
  descriptors_->trim();
  return done || (reserved && put());
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

}  // namespace modmem
