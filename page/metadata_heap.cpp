#include "page/metadata_heap.hpp"

#include <new>

#include "base/bits.hpp"
#include "base/check.hpp"

namespace modmem {

bool MetadataHeap::boot(AddressSpace& space, HeapId id, PageAccount& account,
                        std::size_t arena_bytes, MetadataArena& arena) {
  space_ = &space;
  id_ = id;
  account_ = &account;
  // A part of a page must hold its notes and a chunk, or it is of no use.
  std::size_t bytes =
      align_down(arena_bytes < kReachBytes ? arena_bytes : kReachBytes, kChunkBytes);
  const std::size_t rest = bytes % config::kPageBytes;
  if (rest != 0 && rest <= kNoteChunks * kChunkBytes) {
    bytes -= rest;
  }
  arena_units_ = static_cast<std::uint32_t>(bytes / kUnitBytes);
  arena_pages_ = static_cast<std::uint32_t>(divide_up(bytes, config::kPageBytes));
  last_arena_chunks_ = static_cast<std::uint32_t>(bytes % config::kPageBytes / kChunkBytes);
  if (arena_pages_ != 0 && last_arena_chunks_ == 0) {
    last_arena_chunks_ = kChunksPerPage;
  }
  const std::uint32_t frames = space.pool().frames();
  const std::uint32_t nameable = kMostPages - arena_pages_;
  end_ = arena_pages_ + (frames < nameable ? frames : nameable);
  arena_ = bytes != 0 ? arena.take<std::byte>(bytes) : nullptr;
  directory_ = arena.take<std::uint16_t>(end_ - arena_pages_);
  if (directory_ == nullptr || (bytes != 0 && arena_ == nullptr)) {
    return false;
  }
  for (std::uint32_t i = 0; i < end_ - arena_pages_; ++i) {
    directory_[i] = FrameInfo::kNone;
  }
  for (std::uint32_t page = 0; page < arena_pages_; ++page) {
    start_page(page);
  }
  return true;
}

void MetadataHeap::shutdown() {
  for (std::uint32_t page = arena_pages_; page < end_; ++page) {
    if (exists(page)) {
      remove_page(page);
    }
  }
  free_ = 0;
  used_ = 0;
  room_.fill(0);
  held_back_ = 0;
  for (std::uint32_t page = 0; page < arena_pages_; ++page) {
    start_page(page);
  }
  spare_ = kNoSpare;
  use_ = 0;
}

void MetadataHeap::note_use(std::ptrdiff_t bytes) {
  use_ += static_cast<std::size_t>(bytes);
  peak_use_ = use_ > peak_use_ ? use_ : peak_use_;
}

// The first of `count` free neighbours in the page, kNoChunk where there are none.
MetadataHeap::Chunk MetadataHeap::find(std::uint32_t page, std::uint32_t count) const {
  const std::uint32_t chunks = chunks_in(page);
  const std::uint32_t first = used_in(page).next_clear_run(0, chunks, count);
  return first != chunks ? static_cast<Chunk>(page * kChunksPerPage + first) : kNoChunk;
}

void MetadataHeap::start_page(std::uint32_t page) {
  auto* first = reinterpret_cast<Notes*>(page_at(page));
  for (std::uint32_t i = kNoteChunks; i < kChunksPerPage; ++i) {
    new (first + i) Notes();
  }
  auto* words = reinterpret_cast<BitmapView::Word*>(first);
  for (std::uint32_t i = 0; i < BitmapView::words_for(kChunksPerPage); ++i) {
    new (words + i) BitmapView::Word(0);
  }
  used_in(page).set_range(0, kNoteChunks);
  if (chunks_in(page) > kNoteChunks) {
    room().set(page);
  }
  free_ += chunks_in(page) - kNoteChunks;
}

// The number of a new page, `end_` where none can be had.
std::uint32_t MetadataHeap::add_page() {
  // Free unless pages with lower numbers are; then a later one is.
  std::uint32_t page = arena_pages_ + pool_pages_;
  if (page == end_) {
    return end_;
  }
  while (exists(page)) {
    page = page + 1 < end_ ? page + 1 : arena_pages_;
  }
  const std::optional<std::uint32_t> reserved = space_->reserve_page();
  if (!reserved) {
    return end_;
  }
  if (!space_->map(*reserved, 1, id_, *account_)) {
    space_->release_span({*reserved, 1});
    return end_;
  }
  directory_[page - arena_pages_] = static_cast<std::uint16_t>(*reserved);
  space_->info(*reserved).reach = static_cast<std::uint16_t>(page);
  if (BlockView* views = space_->blocks()) {
    views->expose(space_->address_of(*reserved), config::kPageBytes);
  }
  start_page(page);
  ++pool_pages_;
  return page;
}

void MetadataHeap::remove_page(std::uint32_t page) {
  const std::uint16_t window_page = directory_[page - arena_pages_];
  directory_[page - arena_pages_] = FrameInfo::kNone;
  room().clear(page);
  free_ -= kChunksPerPage - kNoteChunks;
  --pool_pages_;
  if (BlockView* views = space_->blocks()) {
    views->cover(space_->address_of(window_page), config::kPageBytes);
  }
  space_->unmap(window_page, 1, *account_);
  space_->release_span({window_page, 1});
}

MetadataHeap::Chunk MetadataHeap::take(std::uint32_t count, std::uint8_t store) {
  MODMEM_ASSERT(count > 0 && count <= kChunksPerPage - kNoteChunks);
  Chunk first = kNoChunk;
  const bool may_use = free_ >= count + held_back_;
  // What is in use anyway first: the spare is to stay empty.
  const BitmapView pages = room();
  for (std::uint32_t page = may_use ? pages.next_set(0, end_) : end_;
       page < end_ && first == kNoChunk; page = pages.next_set(page + 1, end_)) {
    first = page != spare_ ? find(page, count) : kNoChunk;
  }
  if (first == kNoChunk) {
    const std::uint32_t page = may_use && spare_ != kNoSpare ? spare_ : add_page();
    if (page == end_) {
      return kNoChunk;
    }
    spare_ = page == spare_ ? kNoSpare : spare_;
    first = find(page, count);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    Notes& taken = notes(static_cast<Chunk>(first + i));
    taken = Notes();
    taken.store = store;
    taken.continues = i != 0;
  }
  const std::uint32_t page = first / kChunksPerPage;
  used_in(page).set_range(first % kChunksPerPage, first % kChunksPerPage + count);
  if (free_in(page) == 0) {
    room().clear(page);
  }
  free_ -= count;
  used_ += count;
  return first;
}

void MetadataHeap::give(Chunk first, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    notes(static_cast<Chunk>(first + i)) = Notes();
  }
  free_ += count;
  used_ -= count;
  const std::uint32_t page = first / kChunksPerPage;
  used_in(page).clear_range(first % kChunksPerPage, first % kChunksPerPage + count);
  room().set(page);
  const std::uint32_t whole = kChunksPerPage - kNoteChunks;
  if (page >= arena_pages_ && free_in(page) == whole) {
    if (spare_ != kNoSpare) {
      remove_page(page);
    } else {
      spare_ = page;
    }
  }
  const bool unused = pool_pages_ == 1 && arena_pages_ == 0;
  if (spare_ != kNoSpare && (unused || free_ - whole >= whole / 2)) {
    drop_spare();
  }
}

void MetadataHeap::drop_spare() {
  if (spare_ != kNoSpare) {
    remove_page(spare_);
  }
  spare_ = kNoSpare;
}

// The number of the page that `address`, which may be any, may lie in; `end_` where it is in none.
std::uint32_t MetadataHeap::page_near(const void* address) const {
  const std::uintptr_t in_arena =
      reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(arena_);
  if (in_arena < arena_bytes()) {
    return static_cast<std::uint32_t>(in_arena / config::kPageBytes);
  }
  const std::size_t in_window = space_->offset_of(address);
  const FrameInfo* notes =
      in_window < space_->window_bytes()
          ? space_->find_info(static_cast<std::uint32_t>(in_window / config::kPageBytes), id_)
          : nullptr;
  return notes != nullptr ? notes->reach : end_;
}

std::uint32_t MetadataHeap::unit_of(const void* address, std::uint8_t store) const {
  const std::uint32_t page = page_near(address);
  if (page == end_) {
    return kNoUnit;
  }
  // Not so through the other alias.
  const std::uintptr_t offset =
      reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(page_at(page));
  if (offset >= chunks_in(page) * kChunkBytes) {
    return kNoUnit;
  }
  const auto chunk =
      static_cast<Chunk>(page * kChunksPerPage + static_cast<std::uint32_t>(offset / kChunkBytes));
  if (offset % kUnitBytes != 0 || offset < kNoteChunks * kChunkBytes ||
      notes(chunk).store != store) {
    return kNoUnit;
  }
  return page * (kChunksPerPage * kUnitsPerChunk) + static_cast<std::uint32_t>(offset / kUnitBytes);
}

bool MetadataHeap::check() const {
  std::uint32_t free = 0;
  std::uint32_t pages = 0;
  for (std::uint32_t page = 0; page < end_; ++page) {
    if (!exists(page)) {
      if (room().test(page)) {
        return false;
      }
      continue;
    }
    std::uint32_t here = 0;
    for (std::uint32_t i = kNoteChunks; i < chunks_in(page); ++i) {
      const bool is_free =
          notes(static_cast<Chunk>(page * kChunksPerPage + i)).store == Notes::kFree;
      if (is_free == used_in(page).test(i)) {
        return false;
      }
      here += is_free ? 1 : 0;
    }
    if (room().test(page) != (here != 0)) {
      return false;
    }
    free += here;
    if (page < arena_pages_) {
      continue;
    }
    ++pages;
    const std::uint16_t window_page = directory_[page - arena_pages_];
    const bool empty = here == kChunksPerPage - kNoteChunks;
    if (!space_->is_busy(window_page) || space_->heap_of(window_page) != id_ ||
        space_->info(window_page).reach != page || empty != (page == spare_)) {
      return false;
    }
  }
  return free == free_ && pages == pool_pages_ && use_ <= peak_use_;
}

}  // namespace modmem
