// Pointers: whose they are, through either alias or a stand-in, and how blocks end.

#include "memory/memory.hpp"

namespace modmem {

// The memory whose window `pointer` lies in; the SRAM's where it lies in none.
const AddressSpace& Memory::space_of(const void* pointer) const {
  for (const SideMemory* side : {&low_power_, &l3_}) {
    if (has_side_memories() && side->slot != nullptr && side->space.page_of(pointer)) {
      return side->space;
    }
  }
  return space_;
}

// The byte of a window that an address given by a user stands for.
const void* Memory::in_window(const void* pointer) const {
  return views() != nullptr ? views()->block_of(pointer) : pointer;
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
  return record.memory == 0 || !has_side_memories() ? space_
         : record.memory == 1                       ? low_power_.space
                                                    : l3_.space;
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
void* Memory::handed_out(const Record& record, std::byte* block) const {
  if (views() != nullptr) {
    block = views()->user_of(block);
  }
  return record.uncached != 0 ? space_of(record).to_uncached(block) : block;
}

// For a live block, `found` is what find() says.
PointerStatus Memory::status_of(const void* pointer, Found* found) const {
  if (const HeapSlot* slot = slot_of(pointer)) {
    const PointerStatus status = slot->heap->status(pointer);
    if (status == PointerStatus::interior && cores() > 1) {
      // For its user, a block that waits for its core has ended, so nothing lives inside of it.
      const std::byte* const inside = space_of(pointer).to_cached(pointer);
      std::uint16_t handle = slot->queue_first;
      for (std::uint32_t left = slot->queued_blocks; left != 0; --left) {
        const std::byte* const block = block_of(records_[handle]);
        if (inside > block && inside < block + slot->heap->usable_size(block)) {
          return PointerStatus::not_live;
        }
        handle = records_[handle].older;
      }
    }
    const bool has_ended = slot->queued_blocks != 0 || has_waiting();
    if (status != PointerStatus::live || (found == nullptr && !has_ended)) {
      return status;
    }
    const Found here = find(pointer);
    if (found != nullptr) {
      *found = here;
    }
    // For its user, a block that waits, for its core or in quarantine, has ended. Nor does it live
    // on where it has no record any more, as its heap is about to go.
    const bool ended =
        has_ended && (here.handle == SlotStore::kNone || is_queued(records_[here.handle]));
    return ended ? PointerStatus::not_live : status;
  }
  // Nothing lives where no frame lies: what did went with its page, or with its heap.
  const AddressSpace& space = space_of(pointer);
  const std::optional<std::uint32_t> page = space.page_of(pointer);
  return page && !space.is_mapped(*page) ? PointerStatus::not_live : PointerStatus::foreign;
}

// The block that starts at `pointer`, in a page of a heap. O(blocks that start in the page).
Memory::Found Memory::find(const void* pointer) const {
  const AddressSpace& space = space_of(pointer);
  Found found{.space = &space, .block = space.to_cached(pointer)};
  found.page = *space.page_of(pointer);
  found.slot = &heap_at(space.heap_of(found.page));
  found.handle = space.info(found.page).records;
  const std::uint16_t place = Record::place_of(found.block);
  while (found.handle != SlotStore::kNone && records_[found.handle].place != place) {
    const Record& record = records_[found.handle];
    found.before = found.handle;
    found.handle = record.last != 0 ? std::uint16_t{SlotStore::kNone} : record.page_next;
  }
  return found;
}

// That of a record. O(blocks that start in the page).
Memory::Found Memory::find(std::uint16_t handle) const { return find(block_of(records_[handle])); }

// Takes the record out of its page's list.
void Memory::unlink_from_page(const Found& found) const {
  const Record& record = records_[found.handle];
  if (found.before == SlotStore::kNone) {
    found.space->info(found.page).records = record.last != 0 ? SlotStore::kNone : record.page_next;
  } else {
    Record& before = records_[found.before];
    before.page_next = record.page_next;
    before.last = record.last;
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

void Memory::drop_record(const Found& found) {
  unlink_from_page(found);
  unlink_from_owner(records_[found.handle]);
  records_.destroy(found.slot->records, found.handle);
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
  const Hardening::Waiting* block = has_waiting() ? waiting_at(in_window(pointer)) : nullptr;
  if (block != nullptr) {
    fault.bytes = records_[block->record].bytes;
    fault.site = sites_[records_[block->record].site];
    fault.freed_at = sites_[block->freed_at];
  }
  observer_->on_fault(fault);
}

PointerStatus Memory::free(void* pointer, const Owner* owner, Site from) {
  if (pointer == nullptr) {
    return PointerStatus::live;
  }
  const Call call(*this);
  enter();
  const HeapSlot* slot = slot_of(in_window(pointer));
  if (slot == nullptr || !is_premapped(*slot)) {
    drain_locked(kDrainStep);
  }
  const PointerStatus status = free_locked(pointer, owner, from, true);
  verify();
  return status;
}

// The lines of a live block that no other block lies in. (Where blocks share lines in a heap of
// slots, which they do on platforms of one core, those are not among them.)
Memory::Lines Memory::lines_of(const HeapSlot& slot, std::byte* block) const {
  const std::size_t line = config_.cache_line_bytes;
  if (slot.slots == nullptr && slot.region == nullptr) {
    return slot.elastic.own_lines(block, line);
  }
  const auto start = reinterpret_cast<std::uintptr_t>(block);
  const std::size_t bytes = slot.heap->usable_size(block);
  return {block + (align_up(start, line) - start), block + bytes - (start + bytes) % line};
}

// Drops what this core's cache has of a live block behind its first `kept` bytes, as nobody uses
// that any more: written back later, it would overwrite what is there then. A line stays as long as
// another block lies in it, and is dropped with the last one.
void Memory::drop_lines(const HeapSlot& slot, std::byte* block, std::size_t kept) const {
  Lines lines = lines_of(slot, block);
  if (kept != 0) {
    const auto start = reinterpret_cast<std::uintptr_t>(block);
    lines.begin = block + (align_up(start + kept, config_.cache_line_bytes) - start);
  }
  if (lines.begin < lines.end) {
    const auto bytes = static_cast<std::size_t>(lines.end - lines.begin);
    const internal::OpenBlock open(slot, lines.begin, bytes);
    slot.space->port().cache_invalidate(lines.begin, bytes);
  }
}

// What `pointer` is to somebody who names `owner`, or nobody.
PointerStatus Memory::status_for(const void* pointer, const Owner* owner, Found& found) const {
  const PointerStatus status = status_of(pointer, &found);
  if (status != PointerStatus::live) {
    return status;
  }
  const Record& record = records_[found.handle];
  if (is_damaged(record)) {
    return PointerStatus::damaged;
  }
  const bool others = owner != nullptr ? record.owner != owner->handle : record.kept != 0;
  return others ? PointerStatus::foreign : PointerStatus::live;
}

// `noted`: as a call of its own, which the recorder hears of.
PointerStatus Memory::free_locked(void* pointer, const Owner* owner, const Site& from, bool noted) {
  const void* given = in_window(pointer);
  Found found;
  const PointerStatus status = status_for(given, owner, found);
  // To end a damaged one is all that can be done with it.
  const bool damaged = status == PointerStatus::damaged && owner == nullptr;
  if (status != PointerStatus::live && !damaged) {
    fault(pointer, status, owner);
    return status;
  }
  if (noted && recorder() != nullptr) {
    note_free(records_[found.handle], given);
  }
  const bool pinned = found.space->info(found.page).pinned;
  Owner& holder = owners_[records_[found.handle].owner];
  end_block(found, from);
  if (pinned) {
    settle_pins();
  }
  if (damaged && holder.own == 0) {
    destroy_owner_locked(holder, false, false);
  }
  return PointerStatus::live;
}

// Ends the block for its user and its owner, and its memory's use, now or when the core of its heap
// gets to it.
void Memory::end_block(const Found& found, const Site& from) {
  const Record& record = records_[found.handle];
  HeapSlot& slot = *found.slot;
  Owner& owner = owners_[record.owner];
  const bool waits_for_core = record.uncached == 0 && is_of_another_core(slot);
  const bool hardened = hardening() != nullptr && !waits_for_core;
  if (hardened) {
    check_guard(found, &owner);
    wipe(found);
  }
  drop_lines(slot, found.block, 0);
  take_back(found.block, record.bytes);
  uncharge(owner, slot, record.bytes);
  if (waits_for_core) {
    queue(found.handle, slot);
    return;
  }
  if (hardened && quarantine(found, owner, from)) {
    return;
  }
  drop_record(found);
  make_ready(&slot, owner);
  slot.heap->free(found.block);
}

PointerStatus Memory::status(const void* pointer) const {
  const Call call(*this);
  Found found;
  return status_for(in_window(pointer), nullptr, found);
}

bool Memory::is_mapped(const void* address) const {
  const Call call(*this);
  const void* byte = in_window(address);
  const AddressSpace& space = space_of(byte);
  const std::optional<std::uint32_t> page = space.page_of(byte);
  return page && space.is_mapped(*page);
}

std::size_t Memory::usable_size(const void* pointer) const {
  const Call call(*this);
  const void* block = in_window(pointer);
  Found found;
  if (status_of(block, &found) != PointerStatus::live || is_damaged(records_[found.handle])) {
    return 0;
  }
  // Of a block that is watched, the user may touch no more than he asked for.
  return views() != nullptr || has_guards() ? records_[found.handle].bytes
                                            : slot_of(block)->heap->usable_size(block);
}

}  // namespace modmem
