// Blocks: requests are routed by the policy, recorded, explained where they fail, and found again.

#include <cstring>

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

// --- routing ---

Owner& Memory::owner_of(const Request& request) const {
  return request.owner != nullptr ? *request.owner : *system_;
}

HeapSlot* Memory::place(Place place, const Owner& owner) const {
  switch (place) {
    case Place::lp:
      if (low_power_.slot != nullptr) {
        return low_power_.slot;
      }
      [[fallthrough]];  // a wish, and not one that this platform can grant
    case Place::any:
    case Place::owner:
      for (const Owner* at = &owner; at != nullptr; at = at->parent) {
        if (at->heap != kNoHeap) {
          return &heaps_[number(at->heap)];
        }
      }
      return system_heap_;
    case Place::system:
      return system_heap_;
    case Place::shared:
      return shared_heap_;
    case Place::slots:
      return slots_heap_;
    case Place::l3:
      return l3_.slot;
  }
  return nullptr;
}

// The private heap, region or heap of slots that serves the owner, whatever flags say; nullptr
// where the policy decides.
const Owner* Memory::keeper_of(const Owner& owner) {
  const Owner* at = &owner;
  while (at != nullptr && !is_private(at->spec.kind)) {
    at = at->parent;
  }
  return at;
}

Memory::Route Memory::route(const Request& request) const {
  const Owner* keeper = keeper_of(owner_of(request));
  if (keeper != nullptr && keeper->spec.kind == OwnerKind::slots) {
    // Its slots have their own sizes and alignments: no policy rounds for it.
    return {.slot = &own_heap(*keeper),
            .bytes = request.bytes,
            .alignment = request.alignment != 0 ? request.alignment : 1};
  }
  const PolicyRow& base = policy_->unflagged;
  Place where = keeper != nullptr ? Place::owner : Place::any;
  bool lines = base.whole_lines;
  bool dma = base.dma_aligned;
  Route route;
  route.uncached = base.uncached;
  for (const PolicyRow& row : policy_->rows) {
    if ((request.flags & row.flag) == 0) {
      continue;
    }
    // Low-power memory is a wish: where there is none, the next row decides.
    if (where == Place::any && (row.place != Place::lp || low_power_.slot != nullptr)) {
      where = row.place;
    }
    lines = lines || row.whole_lines;
    dma = dma || row.dma_aligned;
    route.uncached = route.uncached || row.uncached;
  }
  route.slot = place(where == Place::any ? base.place : where, owner_of(request));
  // L3 is reached through the cache of the primary core, and not otherwise.
  if (route.slot != nullptr && route.slot == l3_.slot &&
      (route.uncached || port_->core_id() != kPrimaryCore)) {
    route.slot = nullptr;
    route.unsupported = true;
  }
  route.alignment =
      request.alignment > config::kGranuleBytes ? request.alignment : config::kGranuleBytes;
  // What is reached past the cache shares no line with what is reached through it, in any policy.
  if (lines || route.uncached) {
    route.unit = config_.cache_line_bytes;
    route.alignment = route.alignment > route.unit ? route.alignment : route.unit;
  }
  if (dma && route.alignment < config_.dma_alignment) {
    route.alignment = config_.dma_alignment;
  }
  // Rounding must not wrap; no heap has as much as is cut off here.
  constexpr std::size_t kMost = SIZE_MAX - config::kPageBytes;
  route.bytes = align_up(request.bytes < kMost ? request.bytes : kMost, route.unit);
  return route;
}

// --- allocation ---

bool Memory::well_formed(const Request& request) const {
  return request.bytes != 0 && (request.alignment == 0 || is_power_of_two(request.alignment));
}

void* Memory::allocate(const Request& request) {
  const LockGuard guard(*port_);
  enter();
  void* block = allocate_locked(request);
  verify();
  return block;
}

void* Memory::allocate_zeroed(const Request& request) {
  void* block = allocate(request);
  if (block != nullptr) {
    std::memset(block, 0, request.bytes);
  }
  return block;
}

void* Memory::allocate_locked(const Request& request) {
  if (!well_formed(request)) {
    return nullptr;
  }
  const Route where = route(request);
  if (is_refused(request)) {
    fail(request, where, FailureReason::injected);
    return nullptr;
  }
  void* block = serve(request, where);
  if (block == nullptr) {
    fail(request, where);
  }
  return block;
}

// A block for a well-formed request, nullptr where there is none; explains nothing.
void* Memory::serve(const Request& request, const Route& where) {
  void* block = nullptr;
  set_metadata_aside(where.slot);
  // The record first: its page is not to take what the block was promised.
  if (where.slot != nullptr && request.bytes <= room_below_limits(owner_of(request)) &&
      records_.reserve(1)) {
    block = where.slot->heap->allocate(where.bytes, where.alignment);
  }
  if (block != nullptr && hand_out(*where.slot, static_cast<std::byte*>(block), request.bytes,
                                   where.alignment) == nullptr) {
    where.slot->heap->free(block);
    block = nullptr;
  }
  void* result = block != nullptr ? commit(request, where, block, request.bytes) : nullptr;
  records_.trim();
  return result;
}

std::byte* Memory::hand_out(const HeapSlot& slot, std::byte* block, std::size_t bytes,
                            std::size_t alignment) {
  BlockView* views = slot.space->port().blocks();
  return views != nullptr ? views->hand_out(block, bytes, alignment) : block;
}

void Memory::take_back(const HeapSlot& slot, std::byte* block, std::size_t bytes) {
  if (BlockView* views = slot.space->port().blocks()) {
    views->take_back(block, bytes);
  }
}

// Notes and charges a block that the heap has given and that was handed out.
void* Memory::commit(const Request& request, const Route& where, void* block, std::size_t bytes) {
  Owner& owner = owner_of(request);
  const std::uint16_t handle = records_.create();  // reserved by the caller
  const AddressSpace& space = *where.slot->space;
  FrameInfo& page = space.info(*space.page_of(block));
  Record& record = records_[handle];
  record.site = request.site;
  record.place = static_cast<std::uint32_t>(
      static_cast<std::size_t>(static_cast<std::byte*>(block) - space.address_of(0)) /
      Record::kPlaceBytes);
  record.bytes = static_cast<std::uint32_t>(bytes);
  record.owner = owner.handle;
  record.heap = where.slot->id();
  record.alignment_log2 = static_cast<std::uint8_t>(std::countr_zero(where.alignment));
  record.uncached = where.uncached;
  record.page_next = page.records;
  page.records = handle;
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
    space.port().cache_invalidate(static_cast<std::byte*>(block),
                                  where.slot->heap->usable_size(block));
  }
  return handed_out(record);
}

Range Memory::allocate_range(const Request& request, std::size_t preferred, std::size_t step) {
  const LockGuard guard(*port_);
  enter();
  const Range range = allocate_range_locked(request, preferred, step);
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
  const Route where = route(request);
  if (is_refused(request)) {
    fail(request, where, FailureReason::injected);
    return {};
  }
  std::size_t chosen = request.bytes;
  set_metadata_aside(where.slot);
  if (where.slot != nullptr && records_.reserve(1)) {
    const std::size_t room = room_below_limits(owner_of(request));
    std::size_t most = align_down(largest_over_headroom(where), where.unit);
    records_.trim();
    most = most < preferred ? most : preferred;
    most = most < room ? most : room;
    if (most > chosen) {
      chosen += (most - chosen) / step * step;
    }
  }
  Request exact = request;
  exact.bytes = chosen;
  void* block = serve(exact, route(exact));
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
  const LockGuard guard(*port_);
  enter();
  const void* block = in_window(pointer);
  const PointerStatus status = status_of(block);
  if (status != PointerStatus::live) {
    fault(pointer, status, request.owner);
    return nullptr;
  }
  if (!well_formed(request)) {
    return nullptr;
  }
  Record& record = records_[find_record(block)];
  Request own = request;
  own.owner = &owners_[record.owner];
  if (resize_in_place(record, own, route(own))) {
    verify();
    return handed_out(record);
  }
  const std::size_t old_bytes = record.bytes;
  void* moved = allocate_locked(own);
  if (moved != nullptr) {
    if ((request.flags & flag::kNoCopy) == 0) {
      std::memcpy(moved, handed_out(record), old_bytes < request.bytes ? old_bytes : request.bytes);
    }
    free_locked(pointer, nullptr);
  }
  verify();
  return moved;
}

// Gives the block of `record` the size and the site of `request`, where it can stay.
bool Memory::resize_in_place(Record& record, const Request& request, const Route& where) {
  Owner& owner = *request.owner;
  std::byte* block = block_of(record);
  HeapSlot& slot = *slot_of(block);
  const std::size_t more = request.bytes > record.bytes ? request.bytes - record.bytes : 0;
  const bool aligned = is_power_of_two(where.alignment) &&
                       reinterpret_cast<std::uintptr_t>(block) % where.alignment == 0;
  if (where.slot != &slot || !aligned || where.uncached != record.uncached ||
      more > room_below_limits(owner)) {
    return false;
  }
  BlockView* views = slot.space->port().blocks();
  if (views != nullptr && !views->resize(block, record.bytes, request.bytes)) {
    return false;
  }
  set_metadata_aside(&slot);
  const std::size_t before = slot.heap->usable_size(block);
  if (record.uncached && where.bytes < before) {
    slot.space->port().cache_invalidate(block + where.bytes, before - where.bytes);
  }
  if (!slot.heap->resize(block, where.bytes)) {
    if (views != nullptr) {
      views->resize(block, request.bytes, record.bytes);
    }
    return false;
  }
  const std::size_t after = slot.heap->usable_size(block);
  if (record.uncached && after > before) {
    slot.space->port().cache_invalidate(block + before, after - before);
  }
  uncharge(owner, slot, record.bytes);
  charge(owner, slot, request.bytes);
  // One block all along: no free and no allocation.
  --owner.frees;
  --slot.frees;
  record.bytes = static_cast<std::uint32_t>(request.bytes);
  record.alignment_log2 = static_cast<std::uint8_t>(std::countr_zero(where.alignment));
  record.site = request.site;
  return true;
}

// --- failures ---

std::size_t Memory::largest_for(const Owner& owner, const Route& where) const {
  if (where.slot == nullptr) {
    return 0;
  }
  set_metadata_aside(where.slot);
  const bool recordable = records_.reserve(1);
  const std::size_t fits =
      recordable ? align_down(where.slot->heap->largest_request(where.alignment), where.unit) : 0;
  records_.trim();
  const std::size_t room = room_below_limits(owner);
  return fits < room ? fits : room;
}

std::size_t Memory::largest_request(const Request& request) const {
  const LockGuard guard(*port_);
  Request any = request;
  any.bytes = 1;
  return well_formed(any) ? largest_for(owner_of(request), route(any)) : 0;
}

void Memory::collect_top_owners(const Owner& owner, Failure& failure) const {
  std::size_t at = failure.top_count;
  while (at > 0 && failure.top_owners[at - 1].bytes < owner.own) {
    --at;
  }
  if (at < Failure::kTopOwners && owner.own > 0) {
    failure.top_count += failure.top_count < Failure::kTopOwners ? 1 : 0;
    for (std::size_t i = failure.top_count - 1; i > at; --i) {
      failure.top_owners[i] = failure.top_owners[i - 1];
    }
    failure.top_owners[at] = {owner.spec.kind, owner.spec.id, owner.spec.name, owner.own};
  }
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    collect_top_owners(*child, failure);
  }
}

bool Memory::is_refused(const Request& request) const {
  return observer_ != nullptr && !observer_->on_request(request);
}

// `reason`: where it is not the heap that failed.
void Memory::fail(const Request& request, const Route& where, FailureReason reason) {
  Owner& owner = owner_of(request);
  ++owner.failures;
  if (where.slot != nullptr) {
    ++where.slot->failures;
  }
  if (observer_ == nullptr || (request.flags & flag::kSilent) != 0) {
    return;
  }
  Failure failure;
  failure.owner_kind = owner.spec.kind;
  failure.owner_id = owner.spec.id;
  failure.owner_name = owner.spec.name;
  failure.flags = request.flags;
  failure.bytes = request.bytes;
  failure.alignment = where.alignment;
  failure.site = request.site;
  failure.reason = where.unsupported ? FailureReason::unsupported : FailureReason::pool;
  if (reason != FailureReason::none) {
    failure.reason = reason;
  } else if (request.bytes > room_below_limits(owner)) {
    failure.reason = FailureReason::limit;
  } else if (where.slot != nullptr) {
    const FailureReason why = where.slot->heap->explain(where.bytes, where.alignment);
    // The heap could serve it: then it was the record that found no page.
    const bool others = pool_.free() != 0 && pool_.available(metadata_account_) == 0;
    failure.reason = why != FailureReason::none ? why
                     : others                   ? FailureReason::guarantee
                                                : FailureReason::pool;
  }
  failure.free_bytes = where.slot != nullptr ? where.slot->heap->free_bytes() : 0;
  failure.largest_request = largest_for(owner, where);
  collect_top_owners(*system_, failure);
  observer_->on_failure(failure);
}

// --- release ---

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
  return id == kNoHeap || id == kMetadataHeap ? nullptr : &heaps_[number(id)];
}

std::byte* Memory::block_of(const Record& record) const {
  const AddressSpace& space = *heaps_[number(record.heap)].space;
  return space.address_of(0) + std::size_t{record.place} * Record::kPlaceBytes;
}

// The block through the alias that its owner got.
void* Memory::handed_out(const Record& record) const {
  const AddressSpace& space = *heaps_[number(record.heap)].space;
  std::byte* block = block_of(record);
  if (const BlockView* views = space.port().blocks()) {
    block = views->user_of(block);
  }
  return record.uncached ? space.to_uncached(block) : block;
}

PointerStatus Memory::status_of(const void* pointer) const {
  if (const HeapSlot* slot = slot_of(pointer)) {
    return slot->heap->status(pointer);
  }
  // Nothing lives where no frame lies: what did went with its page, or with its heap.
  const AddressSpace& space = space_of(pointer);
  const std::optional<std::uint32_t> page = space.page_of(pointer);
  return page && !space.is_mapped(*page) ? PointerStatus::not_live : PointerStatus::foreign;
}

// Record of the live block that starts at `pointer`.
std::uint16_t Memory::find_record(const void* pointer) const {
  const AddressSpace& space = space_of(pointer);
  const std::byte* block = space.to_cached(pointer);
  std::uint16_t handle = space.info(*space.page_of(pointer)).records;
  while (handle != SlotStore::kNone && block_of(records_[handle]) != block) {
    handle = records_[handle].page_next;
  }
  return handle;
}

void Memory::drop_record(std::uint16_t handle) {
  const Record& record = records_[handle];
  const AddressSpace& space = *heaps_[number(record.heap)].space;
  std::uint16_t* link = &space.info(record.place / Record::kPlacesPerPage).records;
  while (*link != handle) {
    link = &records_[*link].page_next;
  }
  *link = record.page_next;
  Owner& owner = owners_[record.owner];
  if (record.newer != SlotStore::kNone) {
    records_[record.newer].older = record.older;
  } else {
    owner.newest = record.older;
  }
  if (record.older != SlotStore::kNone) {
    records_[record.older].newer = record.newer;
  }
  records_.destroy(handle);
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
  const PointerStatus status = free_locked(pointer, owner);
  verify();
  return status;
}

PointerStatus Memory::free_locked(void* pointer, const Owner* owner) {
  const void* given = in_window(pointer);
  PointerStatus status = status_of(given);
  std::uint16_t handle = SlotStore::kNone;
  if (status == PointerStatus::live) {
    handle = find_record(given);
    if (owner != nullptr && records_[handle].owner != owner->handle) {
      status = PointerStatus::foreign;
    }
  }
  if (status != PointerStatus::live) {
    fault(pointer, status, owner);
    return status;
  }
  HeapSlot& slot = heaps_[number(records_[handle].heap)];
  std::byte* block = slot.space->to_cached(given);
  if (records_[handle].uncached) {
    slot.space->port().cache_invalidate(block, slot.heap->usable_size(block));
  }
  take_back(slot, block, records_[handle].bytes);
  uncharge(owners_[records_[handle].owner], slot, records_[handle].bytes);
  drop_record(handle);
  slot.heap->free(block);
  return status;
}

std::size_t Memory::usable_size(const void* pointer) const {
  const LockGuard guard(*port_);
  const void* block = in_window(pointer);
  const HeapSlot* slot = slot_of(block);
  const std::size_t bytes = slot != nullptr ? slot->heap->usable_size(block) : 0;
  // Of a block that a view watches, the user may touch no more than he asked for.
  return bytes != 0 && views_ != nullptr ? records_[find_record(block)].bytes : bytes;
}

}  // namespace modmem
