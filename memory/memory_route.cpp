// Where a request goes, and why it fails there.

#include "memory/memory.hpp"

namespace modmem {

Owner& Memory::owner_of(const Request& request) const {
  return request.owner != nullptr ? *request.owner : *system_;
}

HeapSlot* Memory::place(Place place, const Owner& owner) const {
  switch (place) {
    case Place::lp:
      if (low_power_heap() != nullptr) {
        return low_power_heap();
      }
      [[fallthrough]];  // a wish, and not one that this platform can grant
    case Place::any:
    case Place::owner:
      for (const Owner* at = &owner; at != system_; at = at->parent) {
        if (at->heap != kNoHeap) {
          return &heap_at(at->heap);
        }
      }
      return system_heap();
    case Place::system:
      return system_heap();
    case Place::shared:
      return shared_heap_;
    case Place::slots:
      return slots_heap_;
    case Place::l3:
      return l3_heap();
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

// Whether the owner is a domain, or below one.
bool Memory::is_in_domain(const Owner& owner) const {
  const Owner* at = &owner;
  while (at != nullptr && domain_heap(at) == nullptr) {
    at = at->parent;
  }
  return at != nullptr;
}

Memory::Route Memory::route(const Request& request) const {
  const Owner& owner = owner_of(request);
  const Owner* keeper = keeper_of(owner);
  if (keeper != nullptr && keeper->spec.kind == OwnerKind::slots) {
    // Its slots have their own sizes and alignments: no policy rounds for it.
    return {.slot = &own_heap(*keeper),
            .bytes = request.bytes,
            .alignment = request.alignment != 0 ? request.alignment : 1};
  }
  if (keeper != nullptr && (request.flags & flag::kKernel) != 0 &&
      (keeper != &owner || is_in_domain(owner))) {
    // What a module takes for the kernel is never where that module can write.
    keeper = nullptr;
  }
  const Intent intent = intent_of(request.flags, keeper);
  HeapSlot* slot = place(intent.place, owner);
  // L3 is reached through the cache of the primary core, and not otherwise.
  if (slot != nullptr && slot == l3_heap() && (intent.uncached || calling_core() != kPrimaryCore)) {
    slot = nullptr;
  }
  // What one core writes back must not take another's bytes with it: blocks share lines only where
  // all of their heap are one core's.
  const bool for_all_cores = cores() > 1 && slot != nullptr && slot != l3_heap() &&
                             (slot->core == HeapSlot::kAnyCore || is_of_another_core(*slot));
  return rounded(request, intent, slot, for_all_cores);
}

// What the flags say, of a request that `keeper`, which may be nullptr, serves.
Memory::Intent Memory::intent_of(Flags flags, const Owner* keeper) const {
  const PolicyRow& base = policy_->unflagged;
  Place where = keeper != nullptr ? Place::owner : Place::any;
  // A region's blocks are whole lines anyway; so are their stand-ins then.
  Intent intent{
      .lines = base.whole_lines || (keeper != nullptr && keeper->spec.kind == OwnerKind::region),
      .dma = base.dma_aligned,
      .uncached = base.uncached};
  for (const PolicyRow& row : policy_->rows) {
    if ((flags & row.flag) == 0) {
      continue;
    }
    // Low-power memory is a wish: where there is none, the next row decides.
    if (where == Place::any && (row.place != Place::lp || low_power_heap() != nullptr)) {
      where = row.place;
    }
    intent.lines = intent.lines || row.whole_lines;
    intent.dma = intent.dma || row.dma_aligned;
    intent.uncached = intent.uncached || row.uncached;
  }
  intent.place = where == Place::any ? base.place : where;
  return intent;
}

Memory::Route Memory::rounded(const Request& request, const Intent& intent, HeapSlot* slot,
                              bool for_all_cores) const {
  Route route{.slot = slot, .uncached = intent.uncached};
  route.alignment =
      request.alignment > config::kGranuleBytes ? request.alignment : config::kGranuleBytes;
  // What is reached past the cache shares no line with what is reached through it, in any policy.
  if (intent.lines || for_all_cores || route.uncached) {
    route.unit = config_.cache_line_bytes;
    route.alignment = route.alignment > route.unit ? route.alignment : route.unit;
  }
  if (intent.dma && route.alignment < config_.dma_alignment) {
    route.alignment = config_.dma_alignment;
  }
  route.guard = has_guards() ? guard_bytes(slot) : 0;
  // Rounding must not wrap; no heap has as much as is cut off here.
  constexpr std::size_t kMost = SIZE_MAX - 3 * config::kPageBytes;
  route.bytes = align_up((request.bytes < kMost ? request.bytes : kMost) + route.guard, route.unit);
  return route;
}

// --- failures ---

std::size_t Memory::largest_for(const Owner& owner, const Route& where) const {
  if (where.slot == nullptr) {
    return 0;
  }
  make_ready(where.slot, owner);
  const bool recordable = records_.reserve(where.slot->records, 1);
  std::size_t fits =
      recordable ? where.room(where.slot->heap->largest_request(where.alignment)) : 0;
  records_.trim(where.slot->records);
  const std::size_t borrowed = largest_to_borrow(owner, where);
  fits = borrowed > fits ? borrowed : fits;
  const std::size_t room = room_below_limits(owner);
  return fits < room ? fits : room;
}

std::size_t Memory::largest_request(const Request& request) const {
  const Call call(*this);
  Request any = request;
  any.bytes = 1;
  take_back_ended();  // as a request does that would fail else
  note_upkeep(Upkeep::probe, &owner_of(request), request.flags,
              static_cast<std::uint32_t>(request.alignment));
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
  failure.reason = FailureReason::unsupported;  // where there is no heap for it
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
  if (failure.reason == FailureReason::guarantee && where.slot != nullptr) {
    const PagePool& pool = where.slot->space->pool();
    const std::uint32_t own = where.slot->account.unused_guarantee();
    failure.guarantee = {
        .asked = static_cast<std::uint32_t>(divide_up(where.bytes, config::kPageBytes)),
        .guaranteed = pool.reserved() - own,
        .held = pool.taken(),
        .total = pool.frames()};
  }
  failure.free_bytes = where.slot != nullptr ? where.slot->heap->free_bytes() : 0;
  failure.largest_request = largest_for(owner, where);
  collect_top_owners(*system_, failure);
  note_failure(owner, failure);
  observer_->on_failure(failure);
}

}  // namespace modmem
