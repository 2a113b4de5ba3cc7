// The part of ElasticHeap that makes blocks longer and shorter where they stand.

#include "heap/elastic_heap.hpp"

namespace modmem {

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
    info(last).free = 0;
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
  if (descriptors_->free() == 0 && new_end % kPageGranules != 0 && !is_ready(page_of(new_end))) {
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
  // A page that the block takes as a whole needs no descriptor.
  const std::uint32_t last = page_of(new_end - 1);
  const bool whole = descriptors_->free() == 0 && !space_->is_busy(last) && !is_ready(last);
  const std::uint32_t end = whole ? (last + 1) * kPageGranules : new_end;
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
