#include "page/metadata_store.hpp"

#include "base/bits.hpp"
#include "base/check.hpp"
#include "modmem/config.hpp"

namespace modmem {

// A page of the store uses its FrameInfo thus: `reach` counts live slots, `records` heads the list
// of free slots, each of which holds the number of the next.

bool SlotStore::boot(AddressSpace& space, HeapId id, PageAccount& account, std::size_t slot_bytes,
                     std::size_t most, MetadataArena& arena) {
  space_ = &space;
  id_ = id;
  account_ = &account;
  slot_bytes_ = static_cast<std::uint32_t>(slot_bytes);
  slots_per_page_ = static_cast<std::uint32_t>(config::kPageBytes / slot_bytes);
  const std::size_t wanted = divide_up(most, slots_per_page_);
  const std::size_t nameable = kNone / slots_per_page_;  // all handles are below kNone
  const std::size_t pages = wanted < nameable ? wanted : nameable;
  const std::size_t frames = space.pool().frames();
  directory_size_ = static_cast<std::uint32_t>(pages < frames ? pages : frames);
  directory_ = arena.take<std::uint16_t>(directory_size_);
  if (directory_ == nullptr) {
    return false;
  }
  for (std::uint32_t i = 0; i < directory_size_; ++i) {
    directory_[i] = FrameInfo::kNone;
  }
  return true;
}

void SlotStore::shutdown() {
  for (std::uint32_t index = 0; index < directory_size_; ++index) {
    if (directory_[index] != FrameInfo::kNone) {
      remove_page(index);
    }
  }
  live_ = 0;
  free_ = 0;
  spare_ = kNoSpare;
  ahead_ = false;
}

void* SlotStore::at(Handle handle) const {
  MODMEM_ASSERT(handle != kNone && handle / slots_per_page_ < directory_size_);
  const std::uint16_t page = directory_[handle / slots_per_page_];
  MODMEM_ASSERT(page != FrameInfo::kNone);
  return space_->to_uncached(space_->address_of(page)) +
         std::size_t{handle % slots_per_page_} * slot_bytes_;
}

SlotStore::Handle SlotStore::handle_of(const void* address) const {
  const std::optional<std::uint32_t> page = space_->page_of(address);
  if (!page) {
    return kNone;
  }
  const auto byte = reinterpret_cast<std::uintptr_t>(address) % config::kPageBytes;
  const std::size_t slot = byte / slot_bytes_;
  for (std::uint32_t index = 0; index < directory_size_; ++index) {
    if (directory_[index] == *page && slot < slots_per_page_) {
      const auto handle = static_cast<Handle>(std::size_t{index} * slots_per_page_ + slot);
      return at(handle) == address ? handle : kNone;
    }
  }
  return kNone;
}

bool SlotStore::add_page() {
  std::uint32_t index = 0;
  while (index < directory_size_ && directory_[index] != FrameInfo::kNone) {
    ++index;
  }
  if (index == directory_size_) {
    return false;
  }
  const std::optional<std::uint32_t> page = space_->reserve_page();
  if (!page) {
    return false;
  }
  if (!space_->map(*page, 1, id_, *account_)) {
    space_->release_span({*page, 1});
    return false;
  }
  directory_[index] = static_cast<std::uint16_t>(*page);
  if (BlockView* views = space_->blocks()) {
    views->expose(space_->address_of(*page), config::kPageBytes);
  }
  FrameInfo& notes = info(index);
  notes.reach = 0;
  notes.records = kEndOfList;
  for (std::uint32_t slot = slots_per_page_; slot-- > 0;) {
    const auto handle = static_cast<Handle>(index * slots_per_page_ + slot);
    *static_cast<std::uint16_t*>(at(handle)) = notes.records;
    notes.records = static_cast<std::uint16_t>(slot);
  }
  free_ += slots_per_page_;
  ++pages_;
  spare_ = index;
  return true;
}

void SlotStore::remove_page(std::uint32_t index) {
  const std::uint16_t page = directory_[index];
  directory_[index] = FrameInfo::kNone;
  free_ -= slots_per_page_;
  --pages_;
  if (BlockView* views = space_->blocks()) {
    views->cover(space_->address_of(page), config::kPageBytes);
  }
  space_->unmap(page, 1, *account_);
  space_->release_span({page, 1});
}

SlotStore::Handle SlotStore::take() {
  if (!reserve(1)) {
    return kNone;
  }
  std::uint32_t index = 0;
  while (directory_[index] == FrameInfo::kNone || info(index).records == kEndOfList) {
    ++index;  // ends: some page has a free slot
  }
  FrameInfo& notes = info(index);
  const auto handle = static_cast<Handle>(index * slots_per_page_ + notes.records);
  notes.records = *static_cast<std::uint16_t*>(at(handle));
  if (spare_ == index) {
    spare_ = kNoSpare;
    ahead_ = false;
  }
  ++notes.reach;
  ++live_;
  --free_;
  return handle;
}

void SlotStore::give(Handle handle) {
  const std::uint32_t index = handle / slots_per_page_;
  FrameInfo& notes = info(index);
  MODMEM_ASSERT(notes.reach > 0);
  *static_cast<std::uint16_t*>(at(handle)) = notes.records;
  notes.records = static_cast<std::uint16_t>(handle % slots_per_page_);
  --notes.reach;
  --live_;
  ++free_;
  if (notes.reach == 0) {
    if (spare_ != kNoSpare) {
      remove_page(index);
    } else {
      spare_ = index;
    }
  }
  if (spare_ != kNoSpare && (live_ == 0 || free_ - slots_per_page_ >= slots_per_page_ / 2)) {
    drop_spare();
  }
}

bool SlotStore::reserve(std::uint32_t count) {
  MODMEM_ASSERT(count <= slots_per_page_);
  if (free_ >= count) {
    return true;
  }
  ahead_ = add_page();
  return ahead_;
}

void SlotStore::trim() {
  if (ahead_) {
    drop_spare();
  }
}

void SlotStore::drop_spare() {
  if (spare_ != kNoSpare) {
    remove_page(spare_);
  }
  spare_ = kNoSpare;
  ahead_ = false;
}

bool SlotStore::check() const {
  std::uint32_t live = 0;
  std::uint32_t pages = 0;
  for (std::uint32_t index = 0; index < directory_size_; ++index) {
    if (directory_[index] == FrameInfo::kNone) {
      continue;
    }
    ++pages;
    if (!space_->is_busy(directory_[index]) || info(index).heap != id_) {
      return false;
    }
    std::uint32_t free = 0;
    for (std::uint16_t slot = info(index).records; slot != kEndOfList && free <= slots_per_page_;
         ++free) {
      const auto handle = static_cast<Handle>(index * slots_per_page_ + slot);
      slot = *static_cast<std::uint16_t*>(at(handle));
    }
    if (free + info(index).reach != slots_per_page_) {
      return false;
    }
    live += info(index).reach;
    if (info(index).reach == 0 && index != spare_) {
      return false;
    }
  }
  return live == live_ && pages == pages_ && free_ == pages * slots_per_page_ - live;
}

}  // namespace modmem
