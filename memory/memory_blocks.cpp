// Blocks: requests are served, recorded, and resized.

#include <cstring>

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

bool Memory::well_formed(const Request& request) const {
  return request.bytes != 0 && (request.alignment == 0 || is_power_of_two(request.alignment)) &&
         (request.owner == nullptr || lives(*request.owner));
}

void* Memory::allocate(const Request& request) {
  const Call call(*this);
  enter();
  void* block = allocate_locked(request);
  if (recorder() != nullptr) {
    note_allocation(request, block);
  }
  verify();
  return block;
}

void* Memory::allocate_zeroed(const Request& request) {
  void* block = allocate(request);
  if (block != nullptr) {
    zero(block, request.bytes);
  }
  return block;
}

void* Memory::allocate_locked(const Request& request) {
  if (!well_formed(request)) {
    return nullptr;
  }
  const Route where = route_opened(request);
  drain_for(where);
  if (is_refused(request)) {
    fail(request, where, FailureReason::injected);
    return nullptr;
  }
  void* block = serve(request, where);
  if (block == nullptr && take_back_ended()) {
    block = serve(request, where);
  }
  if (block == nullptr) {
    fail(request, where);
  }
  return block;
}

// A block for a well-formed request, nullptr where there is none; explains nothing.
void* Memory::serve(const Request& request, const Route& where) {
  make_ready(where.slot, owner_of(request));
  if (where.slot == nullptr || request.bytes > room_below_limits(owner_of(request))) {
    return nullptr;
  }
  const bool may = may_borrow(owner_of(request), request.bytes, where);
  const bool early = may && is_tight(*where.slot);
  void* block = nullptr;
  if (early) {
    block = put(request, where, true);
    block = block != nullptr ? block : borrow(request, where);
  }
  block = block != nullptr ? block : put(request, where, false);
  return block == nullptr && may && !early ? borrow(request, where) : block;
}

// The same in the heap of the route, or in the holes of its pages only, which is an elastic one
// then.
void* Memory::put(const Request& request, const Route& where, bool in_holes) {
  HeapSlot& slot = *where.slot;
  void* result = nullptr;
  // The record first: its page is not to take what the block was promised.
  if (records_.reserve(slot.records, 1)) {
    void* block = in_holes ? slot.elastic.allocate_in_holes(where.bytes, where.alignment)
                           : slot.heap->allocate(where.bytes, where.alignment);
    if (block != nullptr &&
        hand_out(static_cast<std::byte*>(block), request.bytes, where.alignment) == nullptr) {
      slot.heap->free(block);
      block = nullptr;
    }
    result = block != nullptr ? commit(request, where, block, request.bytes) : nullptr;
  }
  records_.trim(slot.records);
  return result;
}

// Whether another frame for the heap is to be avoided where a hole will do: one more bank would
// have to power up for it, or half of the pool is taken (docs/decisions/0016: why half). Not the
// first page of a heap while there is more, without which all of a small owner would live with
// others; nor frames that are guaranteed to the heap or ready in it, which are there to be taken.
bool Memory::is_tight(const HeapSlot& slot) const {
  const std::uint32_t spare = pool_.free() - pool_.reserved();
  const bool half_taken = spare < pool_.frames() / 2;
  return slot.account.unused_guarantee() == 0 && slot.elastic.ready() == 0 &&
         (half_taken || (slot.account.held != 0 && pool_.powered_free() == 0));
}

// Whether a request may go into the holes of another heap than its own.
bool Memory::may_borrow(const Owner& owner, std::size_t bytes, const Route& where) const {
  return policy_->lends && where.slot != nullptr && where.slot->kind == HeapKind::elastic &&
         where.slot->space == &space_ && keeper_of(owner) == nullptr &&
         bytes <= room_below_limits(owner);
}

// A heap with a guarantee, or for which something is reserved, lends nothing: when it ends, its
// frames are to be there for others that are guaranteed them, not under guests. A premapped one
// keeps its room for its own.
bool Memory::may_lend(const HeapSlot& slot, const Route& where) const {
  return &slot != where.slot && slot.kind == HeapKind::elastic && slot.space == &space_ &&
         slot.owner->spec.guarantee == 0 && reservation_for(*slot.owner) == nullptr &&
         !is_private(slot.owner->spec.kind) && heir_of(slot) != nullptr && !is_premapped(slot) &&
         // Whole lines may lie in a heap of any core; others in those of their own.
         (cores() == 1 || slot.core == where.slot->core || where.unit == config_.cache_line_bytes);
}

// A block in a hole of a page of another heap, oldest first: the system's, which lives longest, is
// the oldest.
void* Memory::borrow(const Request& request, const Route& where) {
  void* block = nullptr;
  for (std::uint16_t at = first_heap_; at != SlotStore::kNone && block == nullptr;
       at = heaps_[at].next) {
    HeapSlot& slot = heaps_[at];
    if (may_lend(slot, where) && slot.elastic.largest_in_holes(where.alignment) >= where.bytes) {
      Route lent = where;
      lent.slot = &slot;
      block = put(request, lent, true);
    }
  }
  return block;
}

// Bytes of the largest block that borrow() would find.
std::size_t Memory::largest_to_borrow(const Owner& owner, const Route& where) const {
  std::size_t largest = 0;
  if (!may_borrow(owner, 0, where)) {
    return largest;
  }
  for (std::uint16_t at = first_heap_; at != SlotStore::kNone; at = heaps_[at].next) {
    HeapSlot& slot = heaps_[at];
    if (may_lend(slot, where) && records_.reserve(slot.records, 1)) {
      const std::size_t here = slot.elastic.largest_in_holes(where.alignment);
      largest = here > largest ? here : largest;
      records_.trim(slot.records);
    }
  }
  return where.room(largest);
}

std::byte* Memory::hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) {
  return views() != nullptr ? views()->hand_out(block, bytes, alignment) : block;
}

void Memory::take_back(std::byte* block, std::size_t bytes) {
  if (views() != nullptr) {
    views()->take_back(block, bytes);
  }
}

bool Memory::resize_view(std::byte* block, std::size_t old_bytes, std::size_t bytes) {
  return views() == nullptr || views()->resize(block, old_bytes, bytes);
}

// Notes and charges a block that the heap has given and that was handed out.
void* Memory::commit(const Request& request, const Route& where, void* block, std::size_t bytes) {
  Owner& owner = owner_of(request);
  const std::uint16_t handle = records_.create(where.slot->records);  // reserved by the caller
  const AddressSpace& space = *where.slot->space;
  const std::uint32_t page = *space.page_of(block);
  FrameInfo& notes = space.info(page);
  Record& record = records_[handle];
  record.site = sites_.number_of(request.site);
  record.set_place(static_cast<std::byte*>(block));
  record.set_bytes(bytes);
  record.owner = owner.handle;
  record.set_memory(number_of(space));
  record.set_alignment(where.alignment);
  record.uncached = where.uncached ? 1 : 0;
  record.kept = (request.flags & flag::kKept) != 0 ? 1 : 0;
  record.last = notes.records == SlotStore::kNone ? 1 : 0;
  record.page_next = record.last ? static_cast<std::uint16_t>(page) : notes.records;
  notes.records = handle;
  record.older = owner.newest;
  if (owner.newest != SlotStore::kNone) {
    records_[owner.newest].newer = handle;
  }
  owner.newest = handle;
  ++owner.allocations;
  ++where.slot->allocations;
  charge(owner, *where.slot, bytes);
  if (where.uncached) {
    // Lines that a former user left dirty must not be written over what comes through the other
    // alias.
    const std::size_t usable = where.slot->heap->usable_size(block);
    const internal::OpenBlock open(*where.slot, block, usable);
    space.port().cache_invalidate(static_cast<std::byte*>(block), usable);
  }
  if (has_guards()) {
    fill_guard({.slot = where.slot,
                .space = &space,
                .block = static_cast<std::byte*>(block),
                .page = page,
                .handle = handle});
  }
  return handed_out(record, static_cast<std::byte*>(block));
}

Range Memory::allocate_range(const Request& request, std::size_t preferred, std::size_t step) {
  const Call call(*this);
  enter();
  const Range range = allocate_range_locked(request, preferred, step);
  note_range(request, range, preferred, step);
  verify();
  return range;
}

// The largest request that leaves the headroom to others: of the pool, or of a fixed arena, whose
// blocks take nothing out of the pool.
std::size_t Memory::largest_over_headroom(const Route& where) const {
  const HeapSlot& slot = *where.slot;
  if (config_.headroom_divisor == 0) {
    return slot.heap->largest_request(where.alignment);
  }
  if (slot.kind != HeapKind::fixed) {
    const std::uint32_t frames = slot.space->pool().frames();
    return slot.heap->largest_request(where.alignment, frames / config_.headroom_divisor);
  }
  const std::size_t largest = slot.heap->largest_request(where.alignment);
  const std::size_t headroom =
      std::size_t{slot.account.held} * config::kPageBytes / config_.headroom_divisor;
  const std::size_t free = slot.heap->free_bytes();
  const std::size_t over = free > headroom ? free - headroom : 0;
  return largest < over ? largest : over;
}

Range Memory::allocate_range_locked(const Request& request, std::size_t preferred,
                                    std::size_t step) {
  if (!well_formed(request) || preferred < request.bytes || step == 0) {
    return {};
  }
  const Route where = route_opened(request);
  if (is_refused(request)) {
    fail(request, where, FailureReason::injected);
    return {};
  }
  std::size_t chosen = request.bytes;
  make_ready(where.slot, owner_of(request));
  if (where.slot != nullptr && records_.reserve(where.slot->records, 1)) {
    const std::size_t room = room_below_limits(owner_of(request));
    std::size_t most = where.room(largest_over_headroom(where));
    if (most < preferred && take_back_ended()) {
      most = where.room(largest_over_headroom(where));
    }
    records_.trim(where.slot->records);
    most = most < preferred ? most : preferred;
    most = most < room ? most : room;
    if (most > chosen) {
      chosen += (most - chosen) / step * step;
    }
  }
  Request exact = request;
  exact.bytes = chosen;
  void* block = serve(exact, route(exact));
  if (block == nullptr && take_back_ended()) {
    block = serve(exact, route(exact));
  }
  if (block == nullptr && chosen > request.bytes) {
    // The platform did not map all of it; less may do.
    chosen = request.bytes;
    block = serve(request, where);
  }
  if (block == nullptr) {
    fail(request, where);
    return {};
  }
  return {block, chosen};
}

void* Memory::reallocate(void* pointer, const Request& request) {
  if (pointer == nullptr) {
    return allocate(request);
  }
  const Call call(*this);
  enter();
  Found found;
  const PointerStatus status = status_for(in_window(pointer), nullptr, found);
  if (status != PointerStatus::live) {
    fault(pointer, status, request.owner);
    return nullptr;
  }
  if (!well_formed(request)) {
    return nullptr;
  }
  const Record& record = records_[found.handle];
  Request own = request;
  own.owner = &owners_[record.owner];
  const event::Block before =
      recorder() != nullptr ? noted(pointer, record.bytes, 0) : event::Block{};
  void* stays = handed_out(record, found.block);
  if (resize_in_place(found, own, route(own))) {
    note_resize(own, stays, before);
    verify();
    return stays;
  }
  const std::size_t old_bytes = record.bytes;
  void* moved = allocate_locked(own);
  if (moved != nullptr) {
    if ((request.flags & flag::kNoCopy) == 0) {
      const void* place = in_window(moved);
      const internal::OpenBlock open_old(*found.slot, found.block, old_bytes);
      const internal::OpenBlock open_new(*slot_of(place), place, request.bytes);
      std::memcpy(moved, stays, old_bytes < request.bytes ? old_bytes : request.bytes);
    }
    free_locked(pointer, nullptr, request.site);
  }
  note_resize(own, moved, before);
  verify();
  return moved;
}

// Gives the block that was found the size and the site of `request`, where it can stay.
bool Memory::resize_in_place(const Found& found, const Request& request, const Route& where) {
  Owner& owner = *request.owner;
  Record& record = records_[found.handle];
  std::byte* block = found.block;
  HeapSlot& slot = *found.slot;
  const std::size_t more = request.bytes > record.bytes ? request.bytes - record.bytes : 0;
  // The address that the user has may be a stand-in's.
  const bool aligned =
      is_power_of_two(where.alignment) &&
      reinterpret_cast<std::uintptr_t>(handed_out(record, block)) % where.alignment == 0 &&
      reinterpret_cast<std::uintptr_t>(block) % where.alignment == 0;
  if (where.slot != &slot || !aligned || where.uncached != (record.uncached != 0) ||
      more > room_below_limits(owner)) {
    return false;
  }
  if (has_guards()) {
    check_guard(found, &owner);
  }
  // The view of what becomes smaller first, of what becomes larger last: it has no say in where
  // there is room.
  const bool grows = request.bytes > record.bytes;
  if (!grows && !resize_view(block, record.bytes, request.bytes)) {
    return false;
  }
  make_ready(&slot, owner);
  const std::size_t before = slot.heap->usable_size(block);
  // What another core's block no longer needs stays with it: only that core may take it back.
  const bool keeps = where.bytes < before && !record.uncached && is_of_another_core(slot);
  if (where.bytes < before && !keeps) {
    drop_lines(slot, block, where.bytes);
  }
  if (!keeps && !slot.heap->resize(block, where.bytes)) {
    return false;
  }
  if (grows && !resize_view(block, record.bytes, request.bytes)) {
    slot.heap->resize(block, before);  // to less: succeeds
    return false;
  }
  const std::size_t after = slot.heap->usable_size(block);
  if (record.uncached && after > before) {
    const internal::OpenBlock open(slot, block + before, after - before);
    slot.space->port().cache_invalidate(block + before, after - before);
  }
  uncharge(owner, slot, record.bytes);
  charge(owner, slot, request.bytes);
  // One block all along: no free and no allocation.
  --owner.frees;
  --slot.frees;
  record.set_bytes(request.bytes);
  record.set_alignment(where.alignment);
  record.site = sites_.number_of(request.site);
  if (has_guards()) {
    fill_guard(found);
  }
  if (found.space->info(found.page).pinned) {
    settle_pins();
  }
  return true;
}

}  // namespace modmem
