// Pre-mapping: what an owner needs while audio runs is mapped before.
//
// The pages are ready ones of the owner's heap (ElasticHeap::premap()), each with its descriptor;
// records are kept free in the heap's list (SlotStore::keep()). Both are the heap's alone: it lends
// no holes to others while it is premapped, and borrows none as long as a page is ready. Blocks
// that other cores ended come back when else a page would have to be mapped.

#include "memory/memory.hpp"

namespace modmem {

namespace {
constexpr std::uint32_t kAll = UINT32_MAX;
}

// The heap that premap() is for, nullptr where there is none: the owner's own, and that of the
// calling core for the system.
HeapSlot* Memory::heap_to_premap(const Owner& owner) const {
  HeapSlot* slot = nullptr;
  if (&owner == system_) {
    slot = system_heap();
  } else if (owner.heap != kNoHeap) {
    slot = &own_heap(owner);
  }
  return slot != nullptr && slot->kind == HeapKind::elastic ? slot : nullptr;
}

bool Memory::is_premapped(const HeapSlot& slot) {
  return slot.kind == HeapKind::elastic && slot.elastic.premapped() != 0;
}

// Before a request is served: takes back a few of the blocks that other cores ended. That may unmap
// pages, so a premapped heap waits for it until it has no record or no mapped place any more.
void Memory::drain_for(const Route& where) const {
  const HeapSlot* slot = where.slot;
  if (slot == nullptr || !is_premapped(*slot)) {
    drain_locked(kDrainStep);
  } else if (slot->queued_blocks != 0 &&
             (slot->records.free == 0 ||
              !slot->elastic.has_place_mapped(where.bytes, where.alignment))) {
    drain_locked(kAll);
  }
}

bool Memory::premap(Owner& owner, std::uint32_t pages, std::uint32_t blocks) {
  const Call call(*this);
  enter();
  release_all_waiting();
  const std::uint32_t core = calling_core();
  const bool opened = &owner == system_ && open_core_heap(core);
  HeapSlot* slot = heap_to_premap(owner);
  const bool done = slot != nullptr && premap_locked(*slot, owner, pages, blocks);
  if (!done) {
    fail_premap(owner, slot, pages, blocks);
  }
  note_upkeep(Upkeep::premap, &owner, pages, blocks, done);
  if (!done && opened) {
    core_heaps_[core] = nullptr;
    close_heap(*slot);
  }
  verify();
  return done;
}

bool Memory::premap_locked(HeapSlot& slot, const Owner& owner, std::uint32_t pages,
                           std::uint32_t blocks) {
  make_ready(&slot, owner);
  const SlotList before = slot.records;
  const std::uint32_t metadata = metadata_.pages();
  // More records first: without an MMU, their page could take one of the frames that are chosen.
  const bool more = blocks > before.kept || blocks > before.free;
  if (more && !records_.keep(slot.records, blocks)) {
    return false;
  }
  if (!slot.elastic.premap(pages)) {
    records_.keep_as(slot.records, before, metadata);
    return false;
  }
  if (!more) {
    records_.keep(slot.records, blocks);  // fewer: succeeds
  }
  metadata_.drop_spare();
  return true;
}

// Explains why premap() failed: `slot` is nullptr where there is no heap that it could be for.
void Memory::fail_premap(Owner& owner, const HeapSlot* slot, std::uint32_t pages,
                         std::uint32_t blocks) {
  ++owner.failures;
  if (observer_ == nullptr) {
    return;
  }
  Failure failure;
  failure.owner_kind = owner.spec.kind;
  failure.owner_id = owner.spec.id;
  failure.owner_name = owner.spec.name;
  failure.bytes = std::size_t{pages} * config::kPageBytes;
  failure.alignment = config::kPageBytes;
  failure.reason = FailureReason::unsupported;
  if (slot != nullptr) {
    constexpr std::uint32_t kRecords = MetadataHeap::kChunkBytes / sizeof(Record);
    constexpr std::uint32_t kDescriptors = MetadataHeap::kChunkBytes / sizeof(PageDescriptor);
    const std::uint32_t ready = slot->elastic.ready();
    const std::uint32_t more = pages > ready ? pages - ready : 0;
    const std::uint32_t records = blocks > slot->records.free ? blocks - slot->records.free : 0;
    const std::uint32_t metadata =
        pages_for_chunks(records / kRecords + more / kDescriptors + 2 + promised_chunks_);
    const std::uint32_t own = slot->account.unused_guarantee();
    failure.guarantee = {.asked = more + metadata,
                         .metadata = metadata,
                         .guaranteed = pool_.reserved() - own,
                         .held = pool_.taken(),
                         .total = pool_.frames()};
    failure.reason = slot->elastic.explain_premap(pages);
    if (failure.reason == FailureReason::pool && more + metadata <= pool_.free() &&
        more + metadata > pool_.free() - failure.guarantee.guaranteed) {
      failure.reason = FailureReason::guarantee;
    }
    failure.free_bytes = in_frames(pool_.available(slot->account));
  }
  failure.largest_request = largest_for(owner, route({&owner, 1, 0, 0, {}}));
  collect_top_owners(*system_, failure);
  observer_->on_failure(failure);
}

}  // namespace modmem
