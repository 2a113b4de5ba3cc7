#include "heap/region.hpp"

#include "base/bits.hpp"
#include "base/check.hpp"
#include "heap/heap_budget.hpp"

namespace modmem {

bool Region::open(AddressSpace& space, MetadataStore<PageDescriptor>& descriptors, HeapId id,
                  PageAccount& account, const RegionOptions& options) {
  MODMEM_ASSERT(!is_open());
  const std::size_t pages = divide_up(options.bytes, config::kPageBytes);
  if (pages == 0 || pages > space.window_pages() || !is_power_of_two(options.block_alignment) ||
      options.block_alignment < kMinBlockAlignment ||
      options.block_alignment > config::kPageBytes || (options.grows && !space.has_mmu())) {
    return false;
  }
  ElasticHeapOptions engine;
  engine.one_span = options.grows;
  (options.grows ? engine.span_pages : engine.fixed_pages) = static_cast<std::uint32_t>(pages);
  if (!heap_.open(space, descriptors, id, account, engine)) {
    return false;
  }
  space_ = &space;
  descriptors_ = &descriptors;
  unit_ = options.block_alignment;
  base_ = space.address_of(heap_.arena().first);
  end_ = base_ + pages * config::kPageBytes;
  interim_ = false;
  references_ = 1;
  do_release_all();
  return true;
}

void Region::close() {
  do_release_all();
  heap_.close();
  references_ = 0;
  interim_ = false;
  base_ = top_ = end_ = nullptr;
}

void Region::get() {
  MODMEM_ASSERT(is_open() && references_ < UINT32_MAX);
  ++references_;
}

bool Region::put() {
  MODMEM_ASSERT(is_open() && references_ > 0);
  if (--references_ > 0) {
    return false;
  }
  close();
  return true;
}

RegionInfo Region::info() const {
  const HeapStats live = do_stats();
  const auto lifetime = static_cast<std::size_t>(top_ - base_);
  RegionInfo info;
  info.bytes = bytes();
  info.mapped_bytes = live.mapped_bytes;
  info.lifetime_bytes = lifetime;
  info.interim_bytes = live.occupied_bytes - (lifetime - buried_bytes_);
  info.freed_bytes = freed_bytes_;
  info.lifetime_blocks = lifetime_blocks_;
  info.interim_blocks = live.live_blocks - lifetime_blocks_;
  info.freed_blocks = freed_blocks_;
  info.references = references_;
  info.grows = grows();
  info.interim = interim_;
  return info;
}

// --- allocation ---

void* Region::do_allocate(std::size_t bytes, std::size_t alignment) {
  MODMEM_ASSERT(is_open() && bytes > 0 && is_power_of_two(alignment));
  if (bytes > this->bytes()) {
    return nullptr;
  }
  const std::size_t rounded = align_up(bytes, unit_);
  return interim_ ? heap_.allocate(rounded, aligned(alignment))
                  : allocate_lifetime(rounded, alignment);
}

void* Region::do_allocate_thriftily(std::size_t bytes, std::size_t alignment) {
  if (!interim_ || bytes > this->bytes()) {
    return do_allocate(bytes, alignment);
  }
  const std::size_t rounded = align_up(bytes, unit_);
  return heap_.allocate_range(rounded, rounded, aligned(alignment), 1, 1).pointer;
}

void* Region::allocate_coherent(std::size_t bytes, std::size_t alignment) {
  auto* block = static_cast<std::byte*>(allocate(bytes, alignment));
  if (block == nullptr) {
    return nullptr;
  }
  space_->port().cache_invalidate(block, usable_size(block));
  return space_->to_uncached(block);
}

// Bytes between `top` and the next multiple of the alignment.
std::size_t Region::gap_for(std::size_t alignment) const {
  return (0 - reinterpret_cast<std::uintptr_t>(top_)) & (aligned(alignment) - 1);
}

void* Region::allocate_lifetime(std::size_t bytes, std::size_t alignment) {
  const std::size_t gap = gap_for(alignment);
  if (gap > left() || bytes > left() - gap) {
    return nullptr;
  }
  // Where no descriptor is left for a page that the block only begins: a whole page needs none.
  const auto begin = static_cast<std::size_t>(top_ - base_) + gap;
  const std::size_t whole = align_up(begin + bytes, config::kPageBytes) - begin;
  if (!put_at_top(gap, bytes) && !put_at_top(gap, whole)) {
    return nullptr;
  }
  ++lifetime_blocks_;
  return base_ + begin;
}

// Puts a block of `bytes` behind a gap; both become part of the lifetime part. Returns false, with
// nothing changed, exactly when a descriptor or a frame is not to be had.
bool Region::put_at_top(std::size_t gap, std::size_t bytes) {
  const std::uint32_t pages = descriptors_->pages();
  if (gap > 0 && !heap_.allocate_at(top_, gap)) {
    return false;
  }
  if (!heap_.allocate_at(top_ + gap, bytes)) {
    if (gap > 0) {
      heap_.free(top_);
      if (descriptors_->pages() > pages) {
        descriptors_->drop_spare();
      }
    }
    return false;
  }
  if (gap > 0) {
    bury(top_, gap);
  }
  top_ += gap + bytes;
  return true;
}

// Takes the live block of the engine at `block`, which is `bytes` long, out of use for good.
void Region::bury(std::byte* block, std::size_t bytes) {
  heap_.split(block, config::kGranuleBytes);
  heap_.free(block);
  ++buried_blocks_;
  buried_bytes_ += bytes;
}

// --- pointers ---

bool Region::is_lifetime(const void* pointer) const {
  const std::byte* cached = space_->to_cached(pointer);
  return base_ <= cached && cached < top_;
}

PointerStatus Region::do_status(const void* pointer) const {
  const PointerStatus what = heap_.status(pointer);
  if (what == PointerStatus::foreign || !is_lifetime(pointer)) {
    return what;
  }
  // Blocks start at multiples of the unit, and what is left of buried ones does not: the first
  // multiple that the engine does not find inside of a block is where this block starts.
  const std::byte* cached = space_->to_cached(pointer);
  const std::byte* line = base_ + align_down(static_cast<std::size_t>(cached - base_), unit_);
  while (heap_.status(line) == PointerStatus::interior) {
    line -= unit_;
  }
  if (heap_.status(line) != PointerStatus::live) {
    return PointerStatus::not_live;
  }
  return line == cached ? PointerStatus::live : PointerStatus::interior;
}

PointerStatus Region::do_free(void* pointer) {
  const PointerStatus what = do_status(pointer);
  if (what != PointerStatus::live) {
    return what;
  }
  if (!is_lifetime(pointer)) {
    return heap_.free(pointer);
  }
  const std::size_t bytes = heap_.usable_size(pointer);
  bury(space_->to_cached(pointer), bytes);
  --lifetime_blocks_;
  ++freed_blocks_;
  freed_bytes_ += bytes;
  return what;
}

std::size_t Region::do_usable_size(const void* pointer) const {
  return do_status(pointer) == PointerStatus::live ? heap_.usable_size(pointer) : 0;
}

bool Region::do_resize(void* pointer, std::size_t bytes) {
  if (do_status(pointer) != PointerStatus::live) {
    return false;
  }
  if (is_lifetime(pointer)) {
    return bytes <= heap_.usable_size(pointer);
  }
  return bytes <= this->bytes() && heap_.resize(pointer, align_up(bytes, unit_));
}

void Region::do_release_all() {
  heap_.release_all();
  top_ = base_;
  lifetime_blocks_ = 0;
  buried_blocks_ = 0;
  buried_bytes_ = 0;
  freed_blocks_ = 0;
  freed_bytes_ = 0;
}

// --- figures ---

// The page of the byte at `offset` from the region's start.
std::uint32_t Region::page_at(std::size_t offset) const {
  return heap_.arena().first + static_cast<std::uint32_t>(offset / config::kPageBytes);
}

// Most bytes that a lifetime block behind `gap`, less than what is left, could have, with the
// descriptors that are free and the frames that the pool has while it keeps `keep` of them.
std::size_t Region::furthest(std::size_t gap, std::uint32_t keep) const {
  const HeapBudget most = budget_of(space_->pool(), account(), *descriptors_, keep);
  const auto top = static_cast<std::size_t>(top_ - base_);
  const std::uint32_t first = page_at(top);
  const std::uint32_t start = page_at(top + gap);
  // One that ends with its last page needs a descriptor for its start alone.
  const bool gap_has_one = gap == 0 || first == start || space_->is_busy(first);
  const std::uint32_t needed = (gap_has_one ? 0U : 1U) + (space_->is_busy(start) ? 0U : 1U);
  const std::uint32_t end = end_within(*space_, first, heap_.arena().end(), most.frames);
  if (needed > most.descriptors || end <= start) {
    return 0;
  }
  return std::size_t{end - page_at(0)} * config::kPageBytes - top - gap;
}

std::size_t Region::do_largest_request(std::size_t alignment, std::uint32_t keep) const {
  if (interim_) {
    return align_down(heap_.largest_request(aligned(alignment), keep), unit_);
  }
  const std::size_t gap = gap_for(alignment);
  if (gap >= left()) {
    return 0;
  }
  // As an allocation does, which has two ways: the frame that descriptors take may be missing.
  const std::uint32_t pages = descriptors_->pages();
  descriptors_->reserve(2);
  const bool reserved = descriptors_->pages() != pages;
  const std::size_t with = furthest(gap, keep);
  descriptors_->trim();
  const std::size_t without = reserved ? furthest(gap, keep) : 0;
  return with > without ? with : without;
}

FailureReason Region::do_explain(std::size_t bytes, std::size_t alignment) const {
  if (bytes <= do_largest_request(alignment, 0)) {
    return FailureReason::none;
  }
  if (alignment > unit_ && bytes <= do_largest_request(1, 0)) {
    return FailureReason::alignment;
  }
  if (bytes <= do_free_bytes()) {
    return FailureReason::fragmentation;
  }
  if (!grows()) {
    return FailureReason::pool;
  }
  const FailureReason why = explain_shortage(space_->pool(), account(), bytes, room_in_frames());
  // The most that it may get is a limit, where more memory would be there.
  return why != FailureReason::pool && bytes > room() ? FailureReason::limit : why;
}

// Bytes that requests could use if all of the region were mapped.
std::size_t Region::room() const {
  return interim_ ? bytes() - heap_.stats().occupied_bytes - buried_blocks_ * config::kGranuleBytes
                  : left();
}

// The same in the frames that it has.
std::size_t Region::room_in_frames() const {
  return room() - (bytes() - heap_.stats().mapped_bytes);
}

std::size_t Region::do_free_bytes() const {
  const std::size_t frames = grows() ? space_->pool().available(account()) : 0;
  const std::size_t most = room_in_frames() + frames * config::kPageBytes;
  return most < room() ? most : room();
}

HeapStats Region::do_stats() const {
  HeapStats stats = heap_.stats();
  stats.occupied_bytes -= buried_bytes_ - buried_blocks_ * config::kGranuleBytes;
  stats.live_blocks -= buried_blocks_;
  return stats;
}

// --- looking at itself ---

// Walks the lifetime part from block to block.
bool Region::check_lifetime() const {
  std::uint32_t live = 0;
  std::uint32_t buried = 0;
  std::size_t bytes = 0;
  const std::byte* at = base_;
  while (at < top_) {
    std::size_t size = heap_.usable_size(at);
    if (size > 0) {
      ++live;
    } else {
      size = config::kGranuleBytes + heap_.usable_size(at + config::kGranuleBytes);
      ++buried;
      bytes += size;
    }
    if (size % unit_ != 0) {
      return false;
    }
    at += size;
  }
  return at == top_ && live == lifetime_blocks_ && buried == buried_blocks_ &&
         bytes == buried_bytes_;
}

bool Region::do_check(CheckDepth depth) const {
  if (!is_open()) {
    return references_ == 0 && heap_.check(depth);
  }
  const HeapStats all = heap_.stats();
  const std::uint32_t lifetime = lifetime_blocks_ + buried_blocks_;
  if (references_ == 0 || top_ < base_ || top_ > end_ ||
      static_cast<std::size_t>(top_ - base_) % unit_ != 0 || all.live_blocks < lifetime ||
      (!interim_ && all.live_blocks != lifetime) || freed_blocks_ > buried_blocks_ ||
      freed_bytes_ > buried_bytes_ || !heap_.check(depth)) {
    return false;
  }
  return depth == CheckDepth::cheap || check_lifetime();
}

}  // namespace modmem
