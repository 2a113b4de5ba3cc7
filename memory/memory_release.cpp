// Pointers: whose they are, through either alias or a stand-in, and how blocks end.

#include "memory/memory.hpp"

namespace modmem {

// The memory whose window `pointer` lies in; the SRAM's where it lies in none.
const AddressSpace& Memory::space_of(const void* pointer) const {
  for (const SideMemory* side : {&low_power_, &l3_}) {
    if (side->slot != nullptr && side->space.page_of(pointer)) {
      return side->space;
    }
  }
  return space_;
}

// The byte of a window that an address given by a user stands for.
const void* Memory::in_window(const void* pointer) const {
  return views_ != nullptr ? views_->block_of(pointer) : pointer;
}

HeapSlot* Memory::slot_of(const void* pointer) const {
  const AddressSpace& space = space_of(pointer);
  const std::optional<std::uint32_t> page = space.page_of(pointer);
  const HeapId id = page ? space.heap_of(*page) : kNoHeap;
  return id == kNoHeap || id == kMetadataHeap ? nullptr : &heap_at(id);
}

// The memories have numbers, by which records name them.
std::uint32_t Memory::number_of(const AddressSpace& space) const {
  return &space == &space_ ? 0 : &space == &low_power_.space ? 1 : 2;
}

const AddressSpace& Memory::space_of(const Record& record) const {
  return record.memory == 0 ? space_ : record.memory == 1 ? low_power_.space : l3_.space;
}

// O(blocks that start in the page).
std::uint32_t Memory::page_of(const Record& record) const {
  const Record* at = &record;
  while (!at->last) {
    at = &records_[at->page_next];
  }
  return at->page_next;
}

HeapSlot& Memory::heap_of(const Record& record) const {
  return heap_at(space_of(record).heap_of(page_of(record)));
}

std::byte* Memory::block_of(const Record& record) const {
  return space_of(record).address_of(page_of(record)) + record.place * Record::kPlaceBytes;
}

// The block through the alias that its owner got.
void* Memory::handed_out(const Record& record) const {
  const AddressSpace& space = space_of(record);
  std::byte* block = block_of(record);
  if (views_ != nullptr) {
    block = views_->user_of(block);
  }
  return record.uncached != 0 ? space.to_uncached(block) : block;
}

PointerStatus Memory::status_of(const void* pointer) const {
  if (const HeapSlot* slot = slot_of(pointer)) {
    const PointerStatus status = slot->heap->status(pointer);
    // For its user, a block that waits for its core has ended.
    if (status == PointerStatus::live && slot->queued_blocks != 0) {
      // Nor does it live on where it has no record any more, as its heap is about to go.
      const std::uint16_t handle = find_record(pointer);
      const bool ended = handle == SlotStore::kNone || is_queued(records_[handle]);
      return ended ? PointerStatus::not_live : status;
    }
    return status;
  }
  // Nothing lives where no frame lies: what did went with its page, or with its heap.
  const AddressSpace& space = space_of(pointer);
  const std::optional<std::uint32_t> page = space.page_of(pointer);
  return page && !space.is_mapped(*page) ? PointerStatus::not_live : PointerStatus::foreign;
}

// Record of the block that starts at `pointer`, kNone where it has none.
std::uint16_t Memory::find_record(const void* pointer) const {
  const AddressSpace& space = space_of(pointer);
  const std::uint16_t place = Record::place_of(space.to_cached(pointer));
  std::uint16_t handle = space.info(*space.page_of(pointer)).records;
  while (handle != SlotStore::kNone && records_[handle].place != place) {
    const Record& record = records_[handle];
    handle = record.last != 0 ? std::uint16_t{SlotStore::kNone} : record.page_next;
  }
  return handle;
}

// Takes the record out of its page's list.
void Memory::unlink_from_page(std::uint16_t handle) const {
  const Record& record = records_[handle];
  std::uint16_t& first = space_of(record).info(page_of(record)).records;
  if (first == handle) {
    first = record.last != 0 ? SlotStore::kNone : record.page_next;
  } else {
    std::uint16_t before = first;
    while (records_[before].page_next != handle || records_[before].last != 0) {
      before = records_[before].page_next;
    }
    records_[before].page_next = record.page_next;
    records_[before].last = record.last;
  }
}

void Memory::unlink_from_owner(const Record& record) {
  Owner& owner = owners_[record.owner];
  if (record.newer != SlotStore::kNone) {
    records_[record.newer].older = record.older;
  } else {
    owner.newest = record.older;
  }
  if (record.older != SlotStore::kNone) {
    records_[record.older].newer = record.newer;
  }
}

void Memory::drop_record(std::uint16_t handle, HeapSlot& slot) {
  unlink_from_page(handle);
  unlink_from_owner(records_[handle]);
  records_.destroy(slot.records, handle);
}

void Memory::fault(const void* pointer, PointerStatus status, const Owner* owner) {
  if (observer_ == nullptr) {
    return;
  }
  const HeapReport heap = locate(pointer);
  const Owner* about = owner != nullptr ? owner : heap.owner;
  Fault fault;
  fault.pointer = pointer;
  fault.status = status;
  fault.heap = heap.name != nullptr ? heap.name : "";
  if (about != nullptr) {
    fault.owner_kind = about->spec.kind;
    fault.owner_id = about->spec.id;
    fault.owner_name = about->spec.name;
  }
  observer_->on_fault(fault);
}

PointerStatus Memory::free(void* pointer, const Owner* owner) {
  if (pointer == nullptr) {
    return PointerStatus::live;
  }
  const LockGuard guard(*port_);
  enter();
  const HeapSlot* slot = slot_of(in_window(pointer));
  if (slot == nullptr || !is_premapped(*slot)) {
    drain_locked(kDrainStep);
  }
  const PointerStatus status = free_locked(pointer, owner, true);
  verify();
  return status;
}

// Drops what this core's cache has of memory that nobody uses any more: written back later, it
// would overwrite what is there then. A line that goes beyond it is also somebody else's, and
// stays.
void Memory::drop_lines(const HeapSlot& slot, std::byte* start, std::size_t bytes) const {
  const std::size_t line = config_.cache_line_bytes;
  const auto first = reinterpret_cast<std::uintptr_t>(start);
  const std::size_t before = align_up(first, line) - first;
  const std::size_t behind = (first + bytes) % line;
  if (before + behind < bytes) {
    slot.space->port().cache_invalidate(start + before, bytes - before - behind);
  }
}

// What `pointer` is to somebody who names `owner`, or nobody.
PointerStatus Memory::status_for(const void* pointer, const Owner* owner) const {
  const PointerStatus status = status_of(pointer);
  if (status != PointerStatus::live) {
    return status;
  }
  const Record& record = records_[find_record(pointer)];
  const bool others = owner != nullptr ? record.owner != owner->handle : record.kept != 0;
  return others ? PointerStatus::foreign : PointerStatus::live;
}

// `noted`: as a call of its own, which the recorder hears of.
PointerStatus Memory::free_locked(void* pointer, const Owner* owner, bool noted) {
  const void* given = in_window(pointer);
  const PointerStatus status = status_for(given, owner);
  if (status != PointerStatus::live) {
    fault(pointer, status, owner);
    return status;
  }
  const std::uint16_t handle = find_record(given);
  if (noted && recorder_ != nullptr) {
    note_free(records_[handle], given);
  }
  const AddressSpace& space = space_of(given);
  const bool pinned = space.info(*space.page_of(given)).pinned;
  end_block(handle);
  if (pinned) {
    settle_pins();
  }
  return status;
}

// Ends the block of that record for its user and its owner, and its memory's use, now or when the
// core of its heap gets to it.
void Memory::end_block(std::uint16_t handle) {
  const Record& record = records_[handle];
  HeapSlot& slot = heap_of(record);
  std::byte* block = block_of(record);
  drop_lines(slot, block, slot.heap->usable_size(block));
  take_back(block, record.bytes);
  Owner& owner = owners_[record.owner];
  uncharge(owner, slot, record.bytes);
  if (record.uncached == 0 && is_of_another_core(slot)) {
    queue(handle, slot);
    return;
  }
  drop_record(handle, slot);
  make_ready(&slot, owner);
  slot.heap->free(block);
}

PointerStatus Memory::status(const void* pointer) const {
  const LockGuard guard(*port_);
  return status_for(in_window(pointer), nullptr);
}

bool Memory::is_mapped(const void* address) const {
  const LockGuard guard(*port_);
  const void* byte = in_window(address);
  const AddressSpace& space = space_of(byte);
  const std::optional<std::uint32_t> page = space.page_of(byte);
  return page && space.is_mapped(*page);
}

std::size_t Memory::usable_size(const void* pointer) const {
  const LockGuard guard(*port_);
  const void* block = in_window(pointer);
  if (status_of(block) != PointerStatus::live) {
    return 0;
  }
  // Of a block that a view watches, the user may touch no more than he asked for.
  return views_ != nullptr ? records_[find_record(block)].bytes
                           : slot_of(block)->heap->usable_size(block);
}

}  // namespace modmem
