// How ElasticHeap walks over free granules: the templates that its search for a place and its
// figures share, so that both see the same.
#pragma once

#include "heap/elastic_heap.hpp"

namespace modmem {

// `granule` moved up (down) to where the address is a multiple of `alignment` granules; kNowhere
// where that is below the window.
inline std::uint32_t ElasticHeap::align(std::uint32_t granule, std::uint32_t alignment) const {
  if (alignment == 1) {
    return granule;
  }
  const auto window = reinterpret_cast<std::uintptr_t>(space_->address_of(0));
  const std::size_t base = window / config::kGranuleBytes;
  return static_cast<std::uint32_t>(align_up(base + granule, alignment) - base);
}

inline std::uint32_t ElasticHeap::align_back(std::uint32_t granule, std::uint32_t alignment) const {
  if (alignment == 1) {
    return granule;
  }
  const auto window = reinterpret_cast<std::uintptr_t>(space_->address_of(0));
  const std::size_t base = window / config::kGranuleBytes;
  const std::size_t down = align_down(base + granule, alignment);
  return down < base ? kNowhere : static_cast<std::uint32_t>(down - base);
}

inline HeapBudget ElasticHeap::budget(std::uint32_t keep) const {
  return budget_of(space_->pool(), *account_, *descriptors_, keep);
}

// Frames and descriptors that a new block at `place` would take.
inline HeapBudget ElasticHeap::cost(const Stretch& stretch, const Place& place) const {
  const std::uint32_t first = page_of(place.begin);
  const std::uint32_t last = page_of(place.end - 1);
  const std::uint32_t from = first > stretch.free_first ? first : stretch.free_first;
  const std::uint32_t to = last + 1 < stretch.free_end ? last + 1 : stretch.free_end;
  HeapBudget needed;
  if (from < to) {
    needed.frames = retained_ == 0 ? to - from : space_->unmapped_in(from, to - from);
  }
  needed.descriptors = stretch.has_free(first) && !is_ready(first) ? 1 : 0;
  if (last != first && stretch.has_free(last) && !is_ready(last) &&
      place.end % kPageGranules != 0) {
    ++needed.descriptors;
  }
  return needed;
}

// No block of so many granules in the stretch takes fewer frames, wherever it lies there.
inline std::uint32_t ElasticHeap::least_frames(const Stretch& stretch,
                                               std::uint32_t granules) const {
  const std::uint32_t free = stretch.free_end - stretch.free_first;
  if (retained_ != 0) {
    return 0;  // kept pages take none
  }
  const std::uint32_t before = stretch.free_first * kPageGranules - stretch.begin;
  const std::uint32_t after = stretch.end - stretch.free_end * kPageGranules;
  const std::uint32_t in_hole = before > after ? before : after;
  const std::uint32_t rest = granules > in_hole ? granules - in_hole : 0;
  const std::uint32_t pages = (rest + kPageGranules - 1) / kPageGranules;
  return pages < free ? pages : free;
}

// The span `index` with those that follow it without a gap, which one block may lie across; empty
// where it follows another one itself.
inline Span ElasticHeap::joined_span(std::uint32_t index) const {
  Span joined = spans_[index];
  if (span_count() == 1) {
    return joined;
  }
  for (std::uint32_t i = 0; i < span_count(); ++i) {
    if (spans_[i].end() == joined.first) {
      return Span{};
    }
  }
  for (std::uint32_t i = 0; i < span_count();) {
    if (spans_[i].first == joined.end()) {
      joined.pages += spans_[i].pages;
      i = 0;
    } else {
      ++i;
    }
  }
  return joined;
}

// The stretch around the free pages [page, run_end) of a span.
inline ElasticHeap::Stretch ElasticHeap::stretch_at(const Span& span, std::uint32_t page,
                                                    std::uint32_t run_end) const {
  const std::uint32_t before = page > span.first ? tail_hole(page - 1) : 0;
  const std::uint32_t after = run_end < span.end() ? head_hole(run_end) : 0;
  return {page * kPageGranules - before, run_end * kPageGranules + after, page, run_end};
}

// Calls visit(stretch) for every maximal run of free granules that has a free page, until it
// returns true. O(window pages / 64 + runs visited).
template <typename Visit>
void ElasticHeap::for_each_stretch(Visit visit) const {
  for (std::uint32_t i = 0; i < span_count(); ++i) {
    const Span span = joined_span(i);
    std::uint32_t page = space_->next_not_busy(span.first, span.end());
    while (page < span.end()) {
      const std::uint32_t run_end = space_->free_run_end(page, span.end(), id_);
      if (run_end == page) {
        ++page;  // without an MMU: another heap keeps it
      } else {
        if (visit(stretch_at(span, page, run_end))) {
          return;
        }
        page = run_end;
      }
      page = space_->next_not_busy(page, span.end());
    }
  }
}

// Calls visit(stretch) for the first run of free pages that holds so many granules wherever they
// have to start, if there is one; in the span of the page `behind`, from there on. With an MMU.
// O(window pages / 64), however many runs are shorter.
template <typename Visit>
void ElasticHeap::look_at_long_run(std::uint32_t behind, std::uint32_t granules,
                                   std::uint32_t alignment, Visit visit) const {
  const std::size_t surely = std::size_t{granules} + alignment - 1;
  const auto pages = static_cast<std::uint32_t>(divide_up(surely, kPageGranules));
  for (std::uint32_t i = 0; i < span_count(); ++i) {
    const Span span = joined_span(i);
    const std::uint32_t from = span.contains(behind) ? behind : span.first;
    const std::uint32_t page = space_->next_not_busy_run(from, span.end(), pages);
    if (page < span.end()) {
      visit(stretch_at(span, page, space_->free_run_end(page, span.end(), id_)));
      return;
    }
  }
}

// Calls visit(stretch) for every run of free granules across the border of two pages that are in
// use, but for those that are shorter than `shortest`: one of the two pages has half of it in one
// hole. Looks at `most` such pages. O(pages looked at).
template <typename Visit>
void ElasticHeap::for_each_joint(std::uint32_t shortest, std::uint32_t most, Visit visit) const {
  const std::uint32_t half = (shortest + 1) / 2;
  if (half >= kPageGranules) {
    return;
  }
  // `before` and `after` are free at the border of the page `second` and the one before it.
  const auto visit_joint = [&](std::uint32_t second, std::uint32_t before, std::uint32_t after) {
    if (before != 0 && after != 0 && before + after >= shortest && in_spans(second - 1) &&
        in_spans(second)) {
      const std::uint32_t border = second * kPageGranules;
      visit(Stretch{border - before, border + after, 0, 0});
    }
  };
  const std::uint32_t least = PageBins::class_of(half);
  for (std::uint32_t classes = bins_.map() >> least << least; classes != 0;
       classes &= classes - 1) {
    std::uint32_t page = bins_.head(static_cast<std::uint32_t>(std::countr_zero(classes)));
    for (; page != FrameInfo::kNone; page = info(page).bin_next) {
      if (most-- == 0) {
        return;
      }
      const PageDescriptor& blocks = descriptor(info(page));
      if (const std::uint32_t after = blocks.head_hole(); after != 0 && page != 0) {
        visit_joint(page, tail_hole(page - 1), after);
      }
      if (const std::uint32_t before = blocks.tail_hole();
          before != 0 && page + 1 < space_->window_pages()) {
        visit_joint(page + 1, before, head_hole(page + 1));
      }
    }
  }
}

// Calls visit(start) for the places at pages kept empty, which cost nothing, until it returns true;
// returns whether it did. Besides these a search has to look at the first and the last place of the
// stretch: one between two of all these costs no less than one of them.
template <typename Visit>
bool ElasticHeap::for_each_kept_start(const Stretch& stretch, std::uint32_t alignment,
                                      Visit visit) const {
  if (fixed_ || retained_ == 0) {
    return false;
  }
  std::uint32_t kept = space_->next_kept(stretch.free_first, stretch.free_end);
  if (kept == stretch.free_first &&
      space_->kept_run_end(kept, stretch.free_end) == stretch.free_end) {
    return false;  // all of them are kept: no place costs less than the first one
  }
  while (kept < stretch.free_end) {
    if (visit(align(kept * kPageGranules, alignment)) ||
        visit(align_back(kept * kPageGranules, alignment))) {
      return true;
    }
    kept = space_->next_kept(space_->kept_run_end(kept, stretch.free_end), stretch.free_end);
  }
  return false;
}

}  // namespace modmem
