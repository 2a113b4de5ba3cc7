#include "heap/elastic_heap.hpp"

#include "base/check.hpp"

namespace modmem {

namespace {
constexpr std::uint32_t kAll = UINT32_MAX;
}

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
  return share < options.span_pages ? share : options.span_pages;
}

void ElasticHeap::close() {
  fixed_ = false;
  do_release_all();
  for (std::uint32_t i = 0; i < span_count_; ++i) {
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
  for (std::uint32_t i = 0; i < span_count_; ++i) {
    if (spans_[i].contains(page)) {
      return true;
    }
  }
  return false;
}

// --- pages and blocks ---

bool ElasticHeap::has_descriptor(std::uint32_t page) const {
  return space_->is_busy(page) && info(page).heap == id_ &&
         info(page).descriptor != FrameInfo::kNone;
}

std::uint32_t ElasticHeap::tail_hole(std::uint32_t page) const {
  return has_descriptor(page) ? kPageGranules - descriptor(info(page)).tail_hole_start() : 0;
}

std::uint32_t ElasticHeap::head_hole(std::uint32_t page) const {
  return has_descriptor(page) ? descriptor(info(page)).head_hole() : 0;
}

void ElasticHeap::refresh_bin(std::uint32_t page) {
  bins_.update(*space_, space_->frame_of(page), descriptor(info(page)).largest_hole());
}

std::byte* ElasticHeap::address_of(std::uint32_t granule) const {
  return space_->address_of(0) + std::size_t{granule} * config::kGranuleBytes;
}

std::uint32_t ElasticHeap::granule_of(const void* pointer) const {
  return static_cast<std::uint32_t>(
      static_cast<std::size_t>(space_->to_cached(pointer) - space_->address_of(0)) /
      config::kGranuleBytes);
}

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

PointerStatus ElasticHeap::do_status(const void* pointer) const {
  const std::optional<std::uint32_t> page = space_->page_of(pointer);
  if (!page || !owns_page(*page)) {
    return PointerStatus::foreign;
  }
  if (!space_->is_busy(*page)) {
    return PointerStatus::not_live;
  }
  if (!has_descriptor(*page)) {
    return PointerStatus::interior;
  }
  const std::uint32_t granule = granule_of(pointer) % kPageGranules;
  const PageDescriptor& blocks = descriptor(info(*page));
  if (!blocks.is_occupied(granule)) {
    return PointerStatus::not_live;
  }
  const bool at_granule = space_->to_cached(pointer) == address_of(granule_of(pointer));
  return at_granule && blocks.is_start(granule) ? PointerStatus::live : PointerStatus::interior;
}

std::size_t ElasticHeap::do_usable_size(const void* pointer) const {
  if (do_status(pointer) != PointerStatus::live) {
    return 0;
  }
  const Block block = block_at(granule_of(pointer));
  return std::size_t{block.end - block.start} * config::kGranuleBytes;
}

// --- allocation ---

void* ElasticHeap::do_allocate(std::size_t bytes, std::size_t alignment) {
  MODMEM_ASSERT(is_open() && bytes > 0 && is_power_of_two(alignment));
  const std::size_t window = std::size_t{space_->window_pages()} * kPageGranules;
  const std::size_t wanted = divide_up(bytes, config::kGranuleBytes);
  const std::size_t aligned = divide_up(alignment, config::kGranuleBytes);
  if (wanted > window || aligned > window) {
    return nullptr;
  }
  const auto granules = static_cast<std::uint32_t>(wanted);
  const auto step = static_cast<std::uint32_t>(aligned);
  void* block = allocate_in_hole(granules, step, kOwnClassTries);
  if (block == nullptr) {
    block = allocate_in_stretch(granules, step);
  }
  if (block == nullptr) {
    // Nothing else is left: a hole may be there that the bounded search passed over.
    block = allocate_in_hole(granules, step, kAll);
  }
  return block;
}

void* ElasticHeap::allocate_in_hole(std::uint32_t granules, std::uint32_t alignment,
                                    std::uint32_t tries) {
  if (granules > kPageGranules) {
    return nullptr;
  }
  const std::uint32_t own = PageBins::class_of(granules);
  for (std::uint32_t classes = bins_.map() >> own << own; classes != 0; classes &= classes - 1) {
    const auto size_class = static_cast<std::uint32_t>(std::countr_zero(classes));
    std::uint32_t left = tries;
    for (std::uint16_t frame = bins_.head(size_class); frame != FrameInfo::kNone && left > 0;
         frame = space_->frame_info(frame).bin_next, --left) {
      const FrameInfo& page = space_->frame_info(frame);
      if (page.largest_hole < granules || !may_align(page, alignment)) {
        continue;
      }
      if (void* block = place_in_hole(frame, granules, within_page(alignment))) {
        return block;
      }
    }
  }
  return nullptr;
}

void* ElasticHeap::place_in_hole(std::uint16_t frame, std::uint32_t granules,
                                 std::uint32_t alignment) {
  FrameInfo& page = space_->frame_info(frame);
  PageDescriptor& blocks = descriptor(page);
  const PageDescriptor::Fit fit = blocks.best_hole(granules, alignment);
  if (fit.start == kPageGranules) {
    return nullptr;
  }
  const std::uint32_t end = fit.start + granules;
  blocks.occupy(fit.start, end);
  blocks.set_start(fit.start);
  if (end == kPageGranules) {
    page.reach = 0;
  }
  bins_.update(*space_, frame, fit.largest_after);
  occupied_ += granules;
  ++live_blocks_;
  return address_of(std::uint32_t{page.page} * kPageGranules + fit.start);
}

// Occupies the free granules [start, end): as a new block, or as more of the block that ends at
// `start`. Returns false, with nothing changed, exactly when frames are not to be had or too few
// descriptors are free; callers reserve those first.
bool ElasticHeap::claim(std::uint32_t start, std::uint32_t end, bool new_block) {
  const std::uint32_t first = start / kPageGranules;
  const std::uint32_t last = (end - 1) / kPageGranules;
  const std::uint32_t map_first = space_->is_busy(first) ? first + 1 : first;
  const std::uint32_t map_end = space_->is_busy(last) ? last : last + 1;
  if (descriptors_->free() < cost(start, end, new_block).descriptors) {
    return false;
  }
  if (map_first < map_end) {
    const std::uint32_t pages = map_end - map_first;
    const std::uint32_t kept = pages - space_->unmapped_in(map_first, pages);
    if (!space_->map(map_first, pages, id_, *account_)) {
      return false;
    }
    retained_ -= kept;
  }
  // From here on nothing can fail.
  if (map_first < map_end && map_first == first &&
      (new_block || (first == last && end % kPageGranules != 0))) {
    info(first).descriptor = descriptors_->create();
  }
  if (map_first < map_end && map_end == last + 1 && last != first && end % kPageGranules != 0) {
    info(last).descriptor = descriptors_->create();
  }
  for (const std::uint32_t page : {first, last}) {
    if (has_descriptor(page)) {
      const std::uint32_t base = page * kPageGranules;
      const std::uint32_t from = start > base ? start - base : 0;
      const std::uint32_t to = end - base < kPageGranules ? end - base : kPageGranules;
      descriptor(info(page)).occupy(from, to);
      refresh_bin(page);
    }
  }
  occupied_ += end - start;
  return true;
}

// --- release ---

PointerStatus ElasticHeap::do_free(void* pointer) {
  const PointerStatus what = do_status(pointer);
  if (what != PointerStatus::live) {
    return what;
  }
  const Block block = block_at(granule_of(pointer));
  FrameInfo& first = info(block.start / kPageGranules);
  descriptor(first).clear_start(block.start % kPageGranules);
  if (block.end / kPageGranules != block.start / kPageGranules) {
    first.reach = 0;  // it was the last block of its page
  }
  --live_blocks_;
  vacate(block.start, block.end);
  return what;
}

// Frees the occupied granules [start, end), which hold no start any more.
void ElasticHeap::vacate(std::uint32_t start, std::uint32_t end) {
  occupied_ -= end - start;
  while (start < end) {
    const std::uint32_t page = start / kPageGranules;
    const std::uint32_t base = page * kPageGranules;
    const std::uint32_t from = start - base;
    const std::uint32_t to = end - base < kPageGranules ? end - base : kPageGranules;
    start = base + to;
    if (from == 0 && to == kPageGranules) {
      release_page(page);
      continue;
    }
    FrameInfo& notes = info(page);
    PageDescriptor& blocks = descriptor(notes);
    blocks.vacate(from, to);
    const std::uint32_t hole_start = blocks.hole_start(from);
    const std::uint32_t hole = blocks.hole_end(from) - hole_start;
    if (hole == kPageGranules) {
      release_page(page);
    } else if (hole > notes.largest_hole) {
      bins_.update(*space_, space_->frame_of(page), hole);
    }
  }
}

// Takes a page without a live block out of use.
void ElasticHeap::release_page(std::uint32_t page) {
  FrameInfo& notes = info(page);
  bins_.update(*space_, space_->frame_of(page), 0);
  if (notes.descriptor != FrameInfo::kNone) {
    descriptors_->destroy(notes.descriptor);
    notes.descriptor = FrameInfo::kNone;
  }
  notes.reach = 0;
  // A span that was added for a large request keeps none: it goes with its last page.
  if (retained_ < retained_limit_ && spans_[0].contains(page)) {
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
  for (std::uint32_t i = 0; i < span_count_; ++i) {
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
    if (info(page).heap == id_ &&
        info(page).empty_for(time_us) >= options_.retained_us / FrameInfo::kTimeUnitUs) {
      --retained_;
      space_->unmap(page, 1, *account_);
    }
  }
}

void ElasticHeap::do_release_all() {
  const std::uint32_t retained_limit = retained_limit_;
  retained_limit_ = fixed_ ? retained_limit : 0;
  // Backwards, as release_page() may replace the span at hand by the last one.
  for (std::uint32_t i = span_count_; i-- > 0;) {
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
      --retained_;
      space_->unmap(page, 1, *account_);
    }
  }
}

void ElasticHeap::do_frame_moved(std::uint16_t /*from*/, std::uint16_t to) {
  bins_.frame_moved(*space_, to);
}

// --- resize ---

bool ElasticHeap::do_resize(void* pointer, std::size_t bytes) {
  if (do_status(pointer) != PointerStatus::live) {
    return false;
  }
  const std::size_t window = std::size_t{space_->window_pages()} * kPageGranules;
  const std::size_t wanted = divide_up(bytes, config::kGranuleBytes);
  const Block block = block_at(granule_of(pointer));
  if (wanted > window - block.start) {
    return false;
  }
  const std::uint32_t new_end = block.start + static_cast<std::uint32_t>(wanted);
  return new_end <= block.end ? shrink(block, new_end) : grow(block, new_end);
}

bool ElasticHeap::shrink(const Block& block, std::uint32_t new_end) {
  const std::uint32_t last = (new_end - 1) / kPageGranules;
  if (new_end == block.end) {
    return true;
  }
  if (!has_descriptor(last) && new_end % kPageGranules != 0) {
    // The page lay wholly inside the block and now gets a hole. Those behind it go first: the
    // descriptor may need a frame of theirs. Without one the block keeps the page.
    const std::uint32_t page_end = (last + 1) * kPageGranules;
    if (page_end < block.end) {
      return shrink(block, page_end) && shrink({block.start, page_end}, new_end);
    }
    const std::uint16_t handle = descriptors_->create();
    if (handle == FrameInfo::kNone) {
      return true;
    }
    info(last).descriptor = handle;
    descriptor(info(last)).occupy(0, kPageGranules);
  }
  const std::uint32_t first = block.start / kPageGranules;
  if (block.end / kPageGranules != first) {  // else the reach is that of a block behind
    info(first).reach = static_cast<std::uint16_t>(last - first);
  }
  vacate(new_end, block.end);
  return true;
}

// End of the free granules that start at `granule`, at most `last`. A stray's end is an end.
std::uint32_t ElasticHeap::free_end(std::uint32_t granule, std::uint32_t last) const {
  while (granule < last) {
    const std::uint32_t page = granule / kPageGranules;
    const std::uint32_t base = page * kPageGranules;
    std::uint32_t end = base + kPageGranules;
    if (page >= space_->window_pages() || (space_->has_mmu() && !owns_page(page))) {
      break;
    }
    const bool stray = is_stray(page);
    if (!space_->is_free_for(page, id_)) {
      if (!has_descriptor(page)) {
        break;
      }
      end = base + descriptor(info(page)).hole_end(granule - base);
    } else if (fixed_ && !spans_[0].contains(page)) {
      break;
    }
    if (end == granule) {
      break;
    }
    granule = end;
    if (granule % kPageGranules != 0 || stray) {
      break;
    }
  }
  return granule < last ? granule : last;
}

bool ElasticHeap::grow(const Block& block, std::uint32_t new_end) {
  // Before the pages are looked at: without an MMU, a page of descriptors could take one of them.
  const std::uint32_t pages = descriptors_->pages();
  if (cost(block.end, new_end, false).descriptors > descriptors_->free()) {
    descriptors_->reserve(1);
  }
  const bool reserved = descriptors_->pages() != pages;
  const bool grown = extend(block, new_end);
  descriptors_->trim();
  return grown || (reserved && extend(block, new_end));
}

// Occupies what lies behind the block up to `new_end`, or up to the end of that page where no
// descriptor is left for it.
bool ElasticHeap::extend(const Block& block, std::uint32_t new_end) {
  const std::uint32_t end = affordable_end(block.end, new_end, false, descriptors_->free());
  if (free_end(block.end, end) != end || !claim(block.end, end, false)) {
    return false;
  }
  const std::uint32_t first = block.start / kPageGranules;
  if (end / kPageGranules != first) {  // else the reach is that of a block behind
    info(first).reach = static_cast<std::uint16_t>((end - 1) / kPageGranules - first);
  }
  return true;
}

}  // namespace modmem
