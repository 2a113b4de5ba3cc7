#include "page/metadata_store.hpp"

#include "base/bits.hpp"
#include "base/check.hpp"

namespace modmem {

void SlotStore::boot(MetadataHeap& heap, std::size_t slot_bytes, std::size_t target_bytes) {
  heap_ = &heap;
  id_ = heap.add_store();
  const auto units = [](std::size_t bytes) {
    return static_cast<std::uint32_t>(divide_up(bytes, MetadataHeap::kUnitBytes));
  };
  const auto chunks = [](std::size_t bytes) {
    return static_cast<std::uint32_t>(divide_up(bytes, MetadataHeap::kChunkBytes));
  };
  chunks_ = static_cast<std::uint8_t>(chunks(slot_bytes));
  empty_ = 0;
  for (std::uint32_t unit = 0; unit + units(slot_bytes) <= MetadataHeap::kUnitsPerChunk;
       unit += units(slot_bytes)) {
    empty_ = static_cast<std::uint16_t>(empty_ | 1U << unit);
  }
  if (chunks_ > 1) {
    empty_ = 1;
  }
  slots_ = static_cast<std::uint16_t>(std::popcount(empty_));
  target_bytes_ = 0;
  if (target_bytes != slot_bytes) {
    const std::uint32_t per_chunk = MetadataHeap::kUnitsPerChunk / units(target_bytes);
    target_bytes_ = static_cast<std::uint16_t>(
        per_chunk != 0 ? MetadataHeap::kChunkBytes / per_chunk
                       : chunks(target_bytes) * MetadataHeap::kChunkBytes);
  }
  live_ = 0;
}

void SlotStore::push(Chunk& head, Chunk chunk) {
  Notes& pushed = notes(chunk);
  pushed.prev = kNoChunk;
  pushed.next = head;
  if (head != kNoChunk) {
    notes(head).prev = chunk;
  }
  head = chunk;
}

void SlotStore::remove(Chunk& head, Chunk chunk) {
  const Notes& removed = notes(chunk);
  if (removed.next != kNoChunk) {
    notes(removed.next).prev = removed.prev;
  }
  if (removed.prev != kNoChunk) {
    notes(removed.prev).next = removed.next;
  } else {
    head = removed.next;
  }
}

// Takes another chunk, which is the second with room where there is a first: that is filled up
// before it.
bool SlotStore::add_chunk(SlotList& list) {
  const Chunk chunk = heap_->take(chunks_, id_);
  if (chunk == kNoChunk) {
    return false;
  }
  notes(chunk).free_units = empty_;
  if (list.with_room == kNoChunk) {
    push(list.with_room, chunk);
  } else {
    push(notes(list.with_room).next, chunk);
    notes(chunk).prev = list.with_room;
  }
  list.free = static_cast<std::uint16_t>(list.free + slots());
  if (target_bytes_ == 0) {
    heap_->note_use(static_cast<std::ptrdiff_t>(chunks_ * MetadataHeap::kChunkBytes));
  }
  return true;
}

void SlotStore::give_chunk(SlotList& list, Chunk chunk) {
  list.free = static_cast<std::uint16_t>(list.free - slots());
  heap_->give(chunk, chunks_);
  if (target_bytes_ == 0) {
    heap_->note_use(-static_cast<std::ptrdiff_t>(chunks_ * MetadataHeap::kChunkBytes));
  }
}

bool SlotStore::reserve(SlotList& list, std::uint32_t count) {
  const std::uint32_t pages = heap_->pages();
  while (list.free < count && add_chunk(list)) {
    ++ahead_;
  }
  mapped_ahead_ = mapped_ahead_ || heap_->pages() != pages;
  return list.free >= count;
}

// Those that are still empty are among the first: each was put behind the first one at its time.
void SlotStore::give_ahead(SlotList& list) {
  Chunk chunk = list.with_room;
  for (std::uint32_t left = ahead_ + 1U; left > 0 && chunk != kNoChunk; --left) {
    const Chunk next = notes(chunk).next;
    if (notes(chunk).free_units == empty_) {
      remove(list.with_room, chunk);
      give_chunk(list, chunk);
    }
    chunk = next;
  }
  ahead_ = 0;
  if (mapped_ahead_) {
    heap_->drop_spare();  // where it is empty still, it is that page
    mapped_ahead_ = false;
  }
}

bool SlotStore::keep(SlotList& list, std::uint32_t count) {
  MODMEM_ASSERT(ahead_ == 0);
  const SlotList before = list;
  const std::uint32_t pages = heap_->pages();
  const bool done = count <= UINT16_MAX - slots() && reserve(list, count);
  ahead_ = 0;
  mapped_ahead_ = false;
  if (!done) {
    keep_as(list, before, pages);
    return false;
  }
  list.kept = static_cast<std::uint16_t>(count);
  for (Chunk chunk = list.with_room; chunk != kNoChunk && list.free >= count + slots();) {
    const Chunk next = notes(chunk).next;
    if (notes(chunk).free_units == empty_) {
      remove(list.with_room, chunk);
      give_chunk(list, chunk);
    }
    chunk = next;
  }
  return true;
}

void SlotStore::keep_as(SlotList& list, const SlotList& before, std::uint32_t pages) {
  // Those that were taken since are behind the first one, or are all that there are. The last of
  // them is the oldest. It goes first, so that a page that was the spare then is it again.
  std::uint32_t left = (list.free - before.free) / slots();
  Chunk chunk = list.with_room;
  for (std::uint32_t i = before.with_room == kNoChunk ? 1 : 0; i < left; ++i) {
    chunk = notes(chunk).next;
  }
  for (; left > 0; --left) {
    const Chunk previous = notes(chunk).prev;
    remove(list.with_room, chunk);
    give_chunk(list, chunk);
    chunk = previous;
  }
  list.kept = before.kept;
  if (heap_->pages() > pages) {
    heap_->drop_spare();  // where it is empty still, it is one of those that were added
  }
}

SlotStore::Handle SlotStore::take(SlotList& list) {
  if (list.free == 0 && !add_chunk(list)) {
    return kNone;
  }
  const Chunk chunk = list.with_room;
  Notes& here = notes(chunk);
  const auto unit = static_cast<std::uint32_t>(std::countr_zero(here.free_units));
  here.free_units = static_cast<std::uint16_t>(here.free_units & (here.free_units - 1U));
  if (here.free_units == 0) {
    remove(list.with_room, chunk);
    push(list.full, chunk);
  }
  --list.free;
  ++live_;
  if (target_bytes_ != 0) {
    heap_->note_use(target_bytes_);
  }
  return static_cast<Handle>(chunk * MetadataHeap::kUnitsPerChunk + unit);
}

void SlotStore::give(SlotList& list, Handle handle) {
  const auto chunk = static_cast<Chunk>(handle / MetadataHeap::kUnitsPerChunk);
  const std::uint32_t bit = 1U << handle % MetadataHeap::kUnitsPerChunk;
  Notes& here = notes(chunk);
  MODMEM_ASSERT(here.store == id_ && (here.free_units & bit) == 0);
  if (here.free_units == 0) {
    remove(list.full, chunk);
    push(list.with_room, chunk);
  }
  here.free_units = static_cast<std::uint16_t>(here.free_units | bit);
  ++list.free;
  --live_;
  if (target_bytes_ != 0) {
    heap_->note_use(-std::ptrdiff_t{target_bytes_});
  }
  if (here.free_units == empty_ && list.free >= list.kept + slots()) {
    remove(list.with_room, chunk);
    give_chunk(list, chunk);
  }
}

void SlotStore::drop_all(SlotList& list) {
  for (Chunk* head : {&list.with_room, &list.full}) {
    while (*head != kNoChunk) {
      const Chunk chunk = *head;
      *head = notes(chunk).next;
      const auto dropped =
          slots() - static_cast<std::uint32_t>(std::popcount(notes(chunk).free_units));
      live_ = static_cast<std::uint16_t>(live_ - dropped);
      list.free = static_cast<std::uint16_t>(list.free + dropped);
      heap_->note_use(-static_cast<std::ptrdiff_t>(dropped * target_bytes_));
      give_chunk(list, chunk);
    }
  }
  MODMEM_ASSERT(list.free == 0);
  list = SlotList();
}

void SlotStore::splice(SlotList& to, SlotList& from) {
  MODMEM_ASSERT(ahead_ == 0);
  for (Chunk SlotList::*head : {&SlotList::with_room, &SlotList::full}) {
    while (from.*head != kNoChunk) {
      const Chunk chunk = from.*head;
      from.*head = notes(chunk).next;
      push(to.*head, chunk);
    }
  }
  to.free = static_cast<std::uint16_t>(to.free + from.free);
  from = SlotList();
}

SlotStore::Handle SlotStore::handle_of(const void* address) const {
  const std::uint32_t unit = heap_->unit_of(address, id_);
  if (unit == MetadataHeap::kNoUnit) {
    return kNone;
  }
  const std::uint32_t bit = 1U << unit % MetadataHeap::kUnitsPerChunk;
  const auto chunk = static_cast<Chunk>(unit / MetadataHeap::kUnitsPerChunk);
  // Of a slot of several chunks, only the first one is in a list.
  const bool starts = (empty_ & bit) != 0 && (notes(chunk).free_units & bit) == 0;
  return starts && (chunks_ == 1 || !notes(chunk).continues) ? static_cast<Handle>(unit) : kNone;
}

bool SlotStore::check_list(Chunk head, bool full, std::uint32_t& free, std::uint32_t& live) const {
  Chunk prev = kNoChunk;
  for (Chunk chunk = head; chunk != kNoChunk; chunk = notes(chunk).next) {
    const Notes& here = notes(chunk);
    if (here.store != id_ || here.prev != prev || (here.free_units & ~empty_) != 0 ||
        (here.free_units == 0) != full) {
      return false;
    }
    const auto left = static_cast<std::uint32_t>(std::popcount(here.free_units));
    free += left;
    live += slots() - left;
    prev = chunk;
  }
  return true;
}

bool SlotStore::check(const SlotList& list, std::uint32_t& live) const {
  std::uint32_t free = 0;
  const std::uint32_t before = live;
  return check_list(list.with_room, false, free, live) && check_list(list.full, true, free, live) &&
         free == list.free && list.kept <= free + (live - before);
}

}  // namespace modmem
