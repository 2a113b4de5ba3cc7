// Owners: accounts come and go, and charges run up the tree.

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

Owner* Memory::create_owner(Owner& parent, const OwnerSpec& spec, const HeapSpec& heap) {
  const Call call(*this);
  enter();
  const HeapSpec chosen = heap_for(parent, spec, heap);
  Owner* owner = create_owner_locked(parent, spec, chosen);
  if (owner == nullptr && release_all_waiting() != 0) {
    owner = create_owner_locked(parent, spec, chosen);
  }
  note_owner(owner, parent, spec, heap);
  verify();
  if (owner == nullptr) {
    fail_owner(parent, spec, chosen);
  }
  return owner;
}

// The heap that a new owner is to have: as asked for, or else as the policy says.
HeapSpec Memory::heap_for(const Owner& parent, const OwnerSpec& spec, const HeapSpec& heap) const {
  HeapSpec chosen = heap;
  // What is below a private heap is served there, and the parts of a module in the module's heap.
  const bool is_served = keeper_of(parent) != nullptr || parent.spec.kind == OwnerKind::module;
  if (chosen.kind == HeapKind::none && !is_served) {
    chosen = heap_of_role(heap_kind_of(spec.kind));
  }
  // A guarantee and a limit in frames are those of a heap of one's own.
  const bool in_frames = spec.guarantee != 0 || heap.frame_limit != PageAccount::kNoLimit;
  if (chosen.kind == HeapKind::none && in_frames && is_served_by_own_heap(parent, spec.kind)) {
    chosen = heap_of_role(HeapKind::elastic);
  }
  if (chosen.kind == HeapKind::none && heap.isolated) {
    chosen = heap_of_role(HeapKind::elastic);
  }
  chosen.isolated = heap.isolated;
  chosen.readable = heap.readable;
  chosen.frame_limit = heap.frame_limit;
  chosen.retained_pages = heap.retained_pages;
  chosen.retained_us = heap.retained_us;
  return chosen;
}

// The heap that the policy gives an owner of that kind; none where another one's serves it.
HeapKind Memory::heap_kind_of(OwnerKind kind) const {
  return kind == OwnerKind::pipeline ? policy_->pipeline
         : kind == OwnerKind::module ? policy_->module
         : kind == OwnerKind::heap   ? policy_->own
                                     : HeapKind::none;
}

Owner* Memory::create_owner_locked(Owner& parent, const OwnerSpec& spec, const HeapSpec& heap) {
  make_ready(place(Place::owner, parent), parent);
  const bool in_frames = spec.guarantee != 0 || heap.frame_limit != PageAccount::kNoLimit;
  const std::uint32_t promised = promised_accounts(&parent);
  const bool has_core = spec.core == OwnerSpec::kNearest || spec.core < cores();
  if ((in_frames && heap.kind == HeapKind::none) || !has_core || !can_isolate(spec, heap) ||
      passes_limit(parent, spec)) {
    return nullptr;
  }
  const std::uint16_t handle =
      owners_.live() + promised < config_.max_owners ? owners_.create() : SlotStore::kNone;
  if (handle == SlotStore::kNone) {
    return nullptr;
  }
  Owner& owner = owners_[handle];
  owner.spec = spec;
  owner.spec.core = core_for(parent, spec);
  owner.handle = handle;
  owner.parent = &parent;
  if (heap.kind != HeapKind::none) {
    const HeapSlot* slot = open_heap(heap, owner, spec.name, space_);
    if (slot == nullptr) {
      end_owner(owner);
      return nullptr;
    }
    owner.heap = slot->id();
    if (heap.kind == HeapKind::elastic) {
      open_core_heap(owner.spec.core);  // which inherits pages of the owner's that others live in
    }
  }
  Owner** last = &parent.first_child;
  while (*last != nullptr) {
    last = &(*last)->next_sibling;
  }
  *last = &owner;
  Reservation* reservation = reservation_for(parent);
  if (reservation != nullptr && reservation->accounts != 0) {
    --reservation->accounts;
  }
  return &owner;
}

// Explains why there is no room for another owner.
void Memory::fail_owner(Owner& parent, const OwnerSpec& spec, const HeapSpec& heap) {
  ++parent.failures;
  if (observer_ == nullptr) {
    return;
  }
  const std::size_t free = std::size_t{pool_.free()} * config::kPageBytes;
  const std::size_t reserved = std::size_t{pool_.reserved()} * config::kPageBytes;
  Failure failure;
  failure.owner_kind = spec.kind;
  failure.owner_id = spec.id;
  failure.owner_name = spec.name;
  // What it takes of the pool is its guarantee, the pages of a fixed region, or a page for its
  // record; a heap of slots and a region that grows take addresses.
  const bool is_fixed = heap.kind == HeapKind::region && !heap.grows;
  const std::size_t fixed = is_fixed ? heap.bytes : config::kPageBytes;
  const std::size_t taken = spec.guarantee != 0 ? spec.guarantee : fixed;
  failure.bytes = spec.guarantee == 0 && heap.bytes != 0 ? heap.bytes : taken;
  failure.alignment = config::kPageBytes;
  const bool in_frames = spec.guarantee != 0 || heap.frame_limit != PageAccount::kNoLimit;
  const bool over_limit =
      passes_limit(parent, spec) || divide_up(taken, config::kPageBytes) > heap.frame_limit;
  const bool too_many = owners_.live() + promised_accounts(&parent) >= config_.max_owners ||
                        heaps_.live() >= config_.max_heaps;
  const bool unsupported = (in_frames && heap.kind == HeapKind::none) ||
                           (heap.grows && !space_.has_mmu()) || !can_isolate(spec, heap) ||
                           (spec.core != OwnerSpec::kNearest && spec.core >= cores());
  if (too_many || (!unsupported && over_limit)) {
    failure.reason = FailureReason::limit;
  } else if (unsupported) {
    failure.reason = FailureReason::unsupported;
  } else if (spec.guarantee != 0 && !can_guarantee(&parent, spec.guarantee, failure.guarantee)) {
    const GuaranteeFigures& figures = failure.guarantee;
    failure.reason = figures.within != nullptr || figures.asked <= figures.total - figures.held
                         ? FailureReason::guarantee
                         : FailureReason::pool;
  } else if (taken <= free - reserved) {
    failure.reason = FailureReason::fragmentation;  // of the window: no span is left
  } else {
    failure.reason = taken <= free ? FailureReason::guarantee : FailureReason::pool;
  }
  failure.free_bytes = free - reserved;
  failure.largest_request = largest_for(parent, route({&parent, 1, 0, 0, {}}));
  collect_top_owners(*system_, failure);
  observer_->on_failure(failure);
}

void Memory::unlink(Owner& owner) {
  if (owner.parent == nullptr) {
    return;
  }
  Owner** link = &owner.parent->first_child;
  while (*link != &owner) {
    link = &(*link)->next_sibling;
  }
  *link = owner.next_sibling;
}

// An owner that lives knows its handle; one that has ended knows none, nor does a place that never
// was one, but by chance.
bool Memory::lives(const Owner& owner) const {
  const std::uint16_t handle = owners_.handle_of(&owner);
  return handle != SlotStore::kNone && owner.handle == handle;
}

bool Memory::is_owner(const Owner* owner) const {
  const Call call(*this);
  return owner != nullptr && lives(*owner);
}

void Memory::end_owner(Owner& owner) {
  if (has_waiting()) {
    release_waiting_of(owner);
  }
  drop_reservation(owner);
  const std::uint16_t handle = owner.handle;
  owner.handle = SlotStore::kNone;
  owners_.destroy(handle);
}

void Memory::report_leak(const Leak& leak) {
  const Call call(*this);
  if (observer_ != nullptr) {
    observer_->on_leak(leak);
  }
}

std::size_t Memory::destroy_owner(Owner& owner) {
  const Call call(*this);
  enter();
  note_owner_end(owner, OwnerEnd::destroyed);
  const std::size_t leaks = destroy_owner_locked(owner, true, true);
  verify();
  return leaks;
}

bool Memory::destroy_empty_owner(Owner& owner) {
  const Call call(*this);
  enter();
  if (owner.tree != 0) {
    return false;
  }
  note_owner_end(owner, OwnerEnd::destroyed_empty);
  destroy_owner_locked(owner, true, true);
  verify();
  return true;
}

void Memory::release_owner(Owner& owner) {
  const Call call(*this);
  enter();
  note_owner_end(owner, OwnerEnd::released);
  destroy_owner_locked(owner, false, false);
  verify();
}

// Whether what the owner itself holds, and what its descendants hold, is called a leak.
std::size_t Memory::destroy_owner_locked(Owner& owner, bool own_leaks, bool others_leaks) {
  MODMEM_ASSERT(&owner != system_);
  HeapSlot* slot = owner.heap != kNoHeap ? &heap_at(owner.heap) : nullptr;
  if (!own_leaks && others_leaks) {
    drop_blocks(owner, false, slot);
  }
  const std::size_t count = destroy_tree(owner, slot, others_leaks);
  if (slot != nullptr) {
    close_heap(*slot);
  }
  unlink(owner);
  end_owner(owner);
  return count;
}

// Ends the descendants, and the blocks of all of them. Blocks on `closing`, a heap that is about to
// be closed as a whole, lose only their records; that of the owner, or of one above it.
std::size_t Memory::destroy_tree(Owner& owner, HeapSlot* closing, bool leaks) {
  std::size_t count = 0;
  while (owner.first_child != nullptr) {
    Owner& child = *owner.first_child;
    HeapSlot* slot = child.heap != kNoHeap ? &heap_at(child.heap) : nullptr;
    count += destroy_tree(child, slot != nullptr ? slot : closing, leaks);
    if (slot != nullptr) {
      close_heap(*slot);
    }
    owner.first_child = child.next_sibling;
    end_owner(child);
  }
  if (!leaks && closing != nullptr && closing->guests == 0 && owner.outside == 0 &&
      views() == nullptr && !has_guards()) {
    forget_blocks(owner, *closing);
    return count;
  }
  return count + drop_blocks(owner, leaks, closing);
}

// Takes what the owner holds, all of it on `closing`, off the accounts. Its records go with the
// heap's.
void Memory::forget_blocks(Owner& owner, HeapSlot& closing) {
  const std::size_t bytes = owner.own;
  for (Owner* at = &owner; at != nullptr; at = at->parent) {
    at->tree -= bytes;
  }
  closing.live_bytes -= bytes;
  owner.own = 0;
  owner.newest = SlotStore::kNone;
}

// Drops what this core's cache has of a heap's pages.
void Memory::drop_pages(const HeapSlot& slot) const {
  const AddressSpace& space = *slot.space;
  const std::uint32_t end = space.window_pages();
  for (std::uint32_t page = space.next_mapped(0, end); page < end;
       page = space.next_mapped(page + 1, end)) {
    if (space.heap_of(page) == slot.id()) {
      space.port().cache_invalidate(space.address_of(page), config::kPageBytes);
    }
  }
}

std::size_t Memory::release_all(Owner& owner) {
  const Call call(*this);
  enter();
  note_upkeep(Upkeep::release_all, &owner);
  const std::size_t count = drop_blocks(owner, false, nullptr);
  verify();
  return count;
}

std::size_t Memory::drop_blocks(Owner& owner, bool leaks, const HeapSlot* closing) {
  std::size_t count = 0;
  for (; owner.newest != SlotStore::kNone; ++count) {
    const std::uint16_t handle = owner.newest;
    const Record& record = records_[handle];
    if (leaks && observer_ != nullptr) {
      observer_->on_leak({owner.spec.kind, owner.spec.id, owner.spec.name, record.bytes,
                          std::size_t{1} << record.alignment_log2, sites_[record.site]});
    }
    const Found found = find(handle);
    HeapSlot& slot = *found.slot;
    if (&slot != closing || slot.guests != 0) {
      end_block(found, {});
      continue;
    }
    if (has_guards()) {
      check_guard(found, &owner);
    }
    take_back(found.block, record.bytes);
    uncharge(owner, slot, record.bytes);
    drop_record(found);
  }
  settle_pins();
  return count;
}

// --- regions ---

void Memory::get_region(Owner& region, bool held) {
  const Call call(*this);
  note_upkeep(Upkeep::get_region, &region, 0, 0, held);
  HeapSlot& slot = own_heap(region);
  slot.region->get();
  slot.held_references += held ? 1 : 0;
}

RegionPut Memory::put_region(Owner& region, bool held) {
  const Call call(*this);
  enter();
  HeapSlot& slot = own_heap(region);
  const std::uint32_t references = slot.region->references();
  if (!held && references == slot.held_references) {
    return RegionPut::refused;
  }
  note_upkeep(Upkeep::put_region, &region, 0, 0, held);
  slot.held_references -= held ? 1 : 0;
  if (references == 1) {
    destroy_owner_locked(region, false, true);
  } else {
    slot.region->put();
  }
  verify();
  return references == 1 ? RegionPut::last : RegionPut::dropped;
}

void Memory::set_interim(Owner& region) {
  const Call call(*this);
  note_upkeep(Upkeep::set_interim, &region);
  own_heap(region).region->set_interim();
}

RegionInfo Memory::region_info(const Owner& region) const {
  const Call call(*this);
  return own_heap(region).region->info();
}

std::byte* Memory::region_base(const Owner& region) const {
  const Call call(*this);
  return own_heap(region).region->base();
}

// --- charges ---

void Memory::charge(Owner& owner, HeapSlot& slot, std::size_t bytes) {
  owner.own += bytes;
  owner.own_peak = owner.own > owner.own_peak ? owner.own : owner.own_peak;
  for (Owner* at = &owner; at != nullptr; at = at->parent) {
    at->tree += bytes;
    at->tree_peak = at->tree > at->tree_peak ? at->tree : at->tree_peak;
  }
  owner.outside += is_outside(owner, slot) ? 1U : 0U;
  slot.guests += is_guest(owner, slot) ? 1U : 0U;
  slot.live_bytes += bytes;
  slot.peak_live_bytes =
      slot.live_bytes > slot.peak_live_bytes ? slot.live_bytes : slot.peak_live_bytes;
}

void Memory::uncharge(Owner& owner, HeapSlot& slot, std::size_t bytes) {
  ++owner.frees;
  ++slot.frees;
  owner.own -= bytes;
  for (Owner* at = &owner; at != nullptr; at = at->parent) {
    MODMEM_ASSERT(at->tree >= bytes);
    at->tree -= bytes;
  }
  owner.outside -= is_outside(owner, slot) ? 1U : 0U;
  slot.guests -= is_guest(owner, slot) ? 1U : 0U;
  slot.live_bytes -= bytes;
}

// Whether the heap is another one than that which goes with the owner, or with one above it. Not of
// those whom the system's serves: that one goes with nobody.
bool Memory::is_outside(const Owner& owner, const HeapSlot& slot) const {
  const Owner* at = &owner;
  while (at != system_ && at->heap == kNoHeap) {
    at = at->parent;
  }
  return at != system_ && at->heap != slot.id();
}

// Whether the owner is neither the heap's nor below that one.
bool Memory::is_guest(const Owner& owner, const HeapSlot& slot) {
  const Owner* at = &owner;
  while (at != nullptr && at != slot.owner) {
    at = at->parent;
  }
  return at == nullptr;
}

}  // namespace modmem
