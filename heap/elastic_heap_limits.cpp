// The part of ElasticHeap that tells how much could be had at most, and why it is no more.

#include "heap/elastic_heap_walk.hpp"

namespace modmem {

// Where a block that starts at `start` could end at most.
std::uint32_t ElasticHeap::furthest_end(const Stretch& stretch, std::uint32_t start,
                                        const HeapBudget& most) const {
  const std::uint32_t last = page_of(stretch.end - 1) + 1;
  const std::uint32_t pages_end = end_within(*space_, page_of(start), last, most.frames);
  const std::uint32_t end = pages_end == last ? stretch.end : pages_end * kPageGranules;
  // The last page is whole, or has a descriptor already; the first may lack one.
  return end > start && cost(stretch, {start, end}).descriptors <= most.descriptors ? end : start;
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
  const auto look = [&](const Stretch& stretch) {
    const auto consider = [&](std::uint32_t start) {
      if (start >= stretch.begin && start < stretch.end) {
        const std::uint32_t size = furthest_end(stretch, start, most) - start;
        largest = size > largest ? size : largest;
      }
      return false;
    };
    consider(align(stretch.begin, alignment));
    for_each_kept_start(stretch, alignment, consider);
    consider(align(furthest_start(stretch, most), alignment));
    return false;
  };
  for_each_stretch(look);
  for_each_joint(1, kAll, look);
  // A span that is not there yet.
  if (space_->has_mmu() && !fixed_ && !options_.one_span && span_count_ < kMaxSpans &&
      most.descriptors > 0) {
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
