#include "heap/elastic_heap.hpp"

#include "base/check.hpp"

namespace modmem {

bool ElasticHeap::open(AddressSpace& space, MetadataStore<PageDescriptor>& descriptors, HeapId id,
                       PageAccount& account, const ElasticHeapOptions& options) {
  MODMEM_ASSERT(!is_open());
  const bool fixed = options.fixed_pages != 0;
  const std::uint32_t pages = fixed ? options.fixed_pages : options.span_pages;
  std::optional<Span> span;
  if (fixed && !space.has_mmu()) {
    if (const std::optional<Frame> run = space.pool().find_run(pages, 1)) {
      span = Span{number(*run), pages};
    }
  } else {
    const bool exact = fixed || options.one_span;
    const std::uint32_t wanted = exact || !space.has_mmu() ? pages : span_share(space, options, 0);
    span = space.reserve_span(wanted, exact ? pages : 1);
  }
  if (!span) {
    return false;
  }
  if (fixed) {
    if (!space.map(span->first, pages, id, account)) {
      space.release_span(*span);
      return false;
    }
    for (std::uint32_t page = span->first; page < span->end(); ++page) {
      space.keep_empty(page);
    }
  }
  space_ = &space;
  descriptors_ = &descriptors;
  account_ = &account;
  id_ = id;
  fixed_ = fixed;
  options_ = options;
  retained_limit_ = fixed ? pages : options.retained_pages;
  retained_ = fixed ? pages : 0;
  premapped_ = 0;
  ready_ = 0;
  strays_ = 0;
  spans_[0] = *span;
  span_count_ = 1;
  bins_ = PageBins();
  occupied_ = 0;
  live_blocks_ = 0;
  return true;
}

// Pages of the heap's span number `index`, where it is the heap that chooses.
std::uint32_t ElasticHeap::span_share(const AddressSpace& space, const ElasticHeapOptions& options,
                                      std::uint32_t index) {
  const std::uint32_t gap = space.largest_gap();
  const std::uint32_t doubled = (gap / options.span_divisor + 1) << index;
  const std::uint32_t share = doubled < gap / 4 + 1 ? doubled : gap / 4 + 1;
  // span_pages is what a heap starts with: one that grows must reach every frame in its few spans.
  return index == 0 && share > options.span_pages ? options.span_pages : share;
}

void ElasticHeap::close() {
  fixed_ = false;
  do_release_all();
  for (std::uint32_t i = 0; i < span_count(); ++i) {
    space_->release_span(spans_[i]);
  }
  span_count_ = 0;
  space_ = nullptr;
  descriptors_->drop_spare();
}

bool ElasticHeap::owns_page(std::uint32_t page) const {
  if (space_->is_mapped(page)) {
    return info(page).heap == id_;
  }
  return space_->has_mmu() && in_spans(page);
}

bool ElasticHeap::in_spans(std::uint32_t page) const {
  for (std::uint32_t i = 0; i < span_count(); ++i) {
    if (spans_[i].contains(page)) {
      return true;
    }
  }
  return false;
}

// --- pages and blocks ---

ElasticHeap::Block ElasticHeap::block_at(std::uint32_t granule) const {
  const std::uint32_t page = granule / kPageGranules;
  const FrameInfo& first = info(page);
  const std::uint32_t end = descriptor(first).block_end(granule % kPageGranules + 1);
  if (end < kPageGranules || first.reach == 0) {
    return {granule, page * kPageGranules + end};
  }
  const std::uint32_t last = page + first.reach;
  const std::uint32_t end_in_last =
      has_descriptor(last) ? descriptor(info(last)).block_end(0) : kPageGranules;
  return {granule, last * kPageGranules + end_in_last};
}

// The place of `pointer`, where that is the start of a live block; else its `notes` are nullptr.
inline ElasticHeap::Start ElasticHeap::start_at(const void* pointer) const {
  const std::size_t offset = space_->offset_of(pointer);
  if (offset >= space_->window_bytes()) {
    return {};
  }
  const auto page = static_cast<std::uint32_t>(offset / config::kPageBytes);
  FrameInfo* notes = space_->find_info(page, id_);
  const auto granule =
      static_cast<std::uint32_t>(offset % config::kPageBytes / config::kGranuleBytes);
  if (notes == nullptr || notes->descriptor == FrameInfo::kNone ||
      offset % config::kGranuleBytes != 0) {
    return {};
  }
  PageDescriptor& blocks = descriptor(*notes);
  return blocks.is_start(granule) ? Start{notes, &blocks, page, granule} : Start{};
}

PointerStatus ElasticHeap::do_status(const void* pointer) const {
  return start_at(pointer).notes != nullptr ? PointerStatus::live : why_not_live(pointer);
}

PointerStatus ElasticHeap::why_not_live(const void* pointer) const {
  const std::optional<std::uint32_t> page = space_->page_of(pointer);
  if (!page || !owns_page(*page)) {
    return PointerStatus::foreign;
  }
  if (!space_->is_busy(*page)) {
    return PointerStatus::not_live;
  }
  const bool inside = !has_descriptor(*page) ||
                      descriptor(info(*page)).is_occupied(granule_of(pointer) % kPageGranules);
  return inside ? PointerStatus::interior : PointerStatus::not_live;
}

std::size_t ElasticHeap::do_usable_size(const void* pointer) const {
  if (do_status(pointer) != PointerStatus::live) {
    return 0;
  }
  const Block block = block_at(granule_of(pointer));
  return std::size_t{block.end - block.start} * config::kGranuleBytes;
}

// The granules beside a block, in a line that it shares with them, lie in pages that are not the
// block's alone, which have descriptors.
ElasticHeap::Lines ElasticHeap::own_lines(const std::byte* block, std::size_t line) const {
  const auto granules = static_cast<std::uint32_t>(divide_up(line, config::kGranuleBytes));
  const auto start =
      static_cast<std::uint32_t>((block - address_of(0)) / std::ptrdiff_t{config::kGranuleBytes});
  const std::uint32_t page_start = start & ~(kPageGranules - 1);
  const FrameInfo* notes = &info(start / kPageGranules);
  const PageDescriptor* blocks = &descriptor(*notes);
  std::uint32_t first = start & ~(granules - 1);
  if (first != start && blocks->is_any_occupied(first % kPageGranules, start % kPageGranules)) {
    first += granules;
  }
  std::uint32_t end = page_start + blocks->block_end(start % kPageGranules + 1);
  if (end == page_start + kPageGranules && notes->reach != 0) {
    end += (notes->reach - 1U) * kPageGranules;
    notes = &info(end / kPageGranules);
    blocks = notes->descriptor != FrameInfo::kNone ? &descriptor(*notes) : nullptr;
    end += blocks != nullptr ? blocks->block_end(0) : kPageGranules;
  }
  std::uint32_t last = (end + granules - 1) & ~(granules - 1);
  if (last != end && blocks->is_any_occupied(end % kPageGranules, (last - 1) % kPageGranules + 1)) {
    last -= granules;
  }
  return {address_of(first), address_of(last)};
}

// --- allocation ---

inline void* ElasticHeap::put_in_page(std::uint32_t page, FrameInfo& notes, PageDescriptor& blocks,
                                      const PageDescriptor::Fit& fit, std::uint32_t granules) {
  blocks.put(fit.start, fit.start + granules);
  notes.free = static_cast<std::uint8_t>(notes.free - granules);
  bins_.update(*space_, page, notes, fit.largest_after);
  occupied_ += granules;
  ++live_blocks_;
  return address_of(page * kPageGranules + fit.start);
}

// Whether a page that fits is left for the next of its class, which fits as well: where places are
// random.
inline bool ElasticHeap::may_pass_over(const FrameInfo& notes, std::uint32_t granules,
                                       std::uint32_t left) const {
  return space_->random().next() && left > 1 && notes.bin_next != FrameInfo::kNone &&
         info(notes.bin_next).largest_hole >= granules;
}

void* ElasticHeap::do_allocate(std::size_t bytes, std::size_t alignment) {
  MODMEM_ASSERT(is_open() && bytes > 0 && is_power_of_two(alignment));
  if (bytes > config::kPageBytes || alignment > config::kGranuleBytes) [[unlikely]] {
    return allocate_elsewhere(bytes, alignment, false);
  }
  // In the page whose largest hole is the tightest, as far as its class tells. Where none of the
  // first kTries of the own class fits, one of the next class that has pages does.
  const auto granules =
      static_cast<std::uint32_t>((bytes + config::kGranuleBytes - 1) / config::kGranuleBytes);
  const std::uint32_t own = PageBins::class_of(granules);
  for (std::uint32_t classes = bins_.map() >> own << own; classes != 0; classes &= classes - 1) {
    std::uint32_t page = bins_.head(static_cast<std::uint32_t>(std::countr_zero(classes)));
    std::uint32_t left = kTries;
    do {
      FrameInfo& notes = info(page);
      if (notes.largest_hole >= granules && !may_pass_over(notes, granules, left)) [[likely]] {
        PageDescriptor& blocks = descriptor(notes);
        if (notes.free != notes.largest_hole) [[unlikely]] {
          return put_in_tight_hole(page, notes, blocks, granules);
        }
        const std::uint32_t rest = notes.free - granules;  // of the page's one hole
        std::uint32_t start = blocks.only_hole_start(notes.free);
        start += space_->random().next() ? rest : 0;
        return put_in_page(page, notes, blocks, {start, rest}, granules);
      }
      page = notes.bin_next;
    } while (page != FrameInfo::kNone && --left > 0);
  }
  return allocate_elsewhere(bytes, alignment, false);
}

void* ElasticHeap::put_in_tight_hole(std::uint32_t page, FrameInfo& notes, PageDescriptor& blocks,
                                     std::uint32_t granules) {
  return put_in_page(page, notes, blocks, blocks.tight_hole(granules, notes.largest_hole),
                     granules);
}

void* ElasticHeap::do_allocate_thriftily(std::size_t bytes, std::size_t alignment) {
  return allocate_elsewhere(bytes, alignment, true);
}

void* ElasticHeap::allocate_elsewhere(std::size_t bytes, std::size_t alignment, bool thriftily) {
  const std::size_t window = std::size_t{space_->window_pages()} * kPageGranules;
  const std::size_t wanted = divide_up(bytes, config::kGranuleBytes);
  const std::size_t aligned = divide_up(alignment, config::kGranuleBytes);
  if (wanted > window || aligned > window) {
    return nullptr;
  }
  const auto granules = static_cast<std::uint32_t>(wanted);
  const auto step = static_cast<std::uint32_t>(aligned);
  if (premapped_ != 0) {
    if (void* block = allocate_mapped(granules, step)) {
      return block;
    }
  }
  if (!thriftily) {
    void* block = step > 1 ? allocate_in_hole(granules, step, kTries) : append(granules);
    if (block == nullptr) {
      block = allocate_in_stretch(granules, step, false);
    }
    if (block != nullptr) {
      return block;
    }
  }
  // Nothing else is left, or frames are to be saved: a hole or a joint may be there that the
  // bounded searches passed over.
  void* block = allocate_in_hole(granules, step, kAll);
  return block != nullptr ? block : allocate_in_stretch(granules, step, true);
}

void* ElasticHeap::allocate_in_hole(std::uint32_t granules, std::uint32_t alignment,
                                    std::uint32_t tries) {
  if (granules > kPageGranules) {
    return nullptr;
  }
  const std::uint32_t own = PageBins::class_of(granules);
  for (std::uint32_t classes = bins_.map() >> own << own; classes != 0; classes &= classes - 1) {
    std::uint32_t page = bins_.head(static_cast<std::uint32_t>(std::countr_zero(classes)));
    for (std::uint32_t left = tries; page != FrameInfo::kNone && left > 0; --left) {
      FrameInfo& notes = info(page);
      if (notes.largest_hole >= granules && may_align(notes, alignment)) {
        PageDescriptor& blocks = descriptor(notes);
        const PageDescriptor::Fit fit = blocks.best_hole(granules, within_page(alignment));
        if (fit.start < kPageGranules) {
          return put_in_page(page, notes, blocks, fit, granules);
        }
      }
      page = notes.bin_next;
    }
  }
  return nullptr;
}

// --- release ---

PointerStatus ElasticHeap::do_free(void* pointer) {
  const Start start = start_at(pointer);
  if (start.notes == nullptr) [[unlikely]] {
    return why_not_live(pointer);
  }
  FrameInfo& notes = *start.notes;
  const std::uint32_t end = start.blocks->end_of_block(start.granule);
  if (end == kPageGranules && notes.reach != 0) [[unlikely]] {
    return free_reaching(start.page, start.granule);
  }
  start.blocks->clear_start(start.granule);
  --live_blocks_;
  vacate_in_page(start.page, notes, *start.blocks, start.granule, end);
  return PointerStatus::live;
}

}  // namespace modmem
