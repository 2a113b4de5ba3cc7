// Memory's invariants.

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

void Memory::enter() const {
  if (port_->on_audio_path()) {
    ++audio_path_calls_;
  }
}

void Memory::verify() const {
  if constexpr (kChecks) {
    MODMEM_ASSERT(check_locked(config::kChecksLevel > 1 ? CheckDepth::deep : CheckDepth::cheap));
    MODMEM_ASSERT(check_accounts());
  }
}

bool Memory::check_owner(const Owner& owner, Sums& sums) const {
  std::size_t own = 0;
  std::uint32_t outside = 0;
  std::uint16_t newer = SlotStore::kNone;
  std::uint16_t next_in_page = SlotStore::kNone;  // behind the newer one
  std::uint32_t page = 0;
  for (std::uint16_t handle = owner.newest; handle != SlotStore::kNone;) {
    const Record& record = records_[handle];
    if (record.owner != owner.handle || record.newer != newer || record.memory > 2) {
      return false;
    }
    const AddressSpace& space = space_of(record);
    // Where blocks came one after the other, so do their records in the page: no need to walk.
    page = handle == next_in_page ? page : page_of(record);
    next_in_page = record.last != 0 ? SlotStore::kNone : record.page_next;
    const HeapId heap = space.heap_of(page);
    if (!space.is_busy(page) || number(heap) >= kMaxHeaps) {
      return false;
    }
    sums.live_by_heap[number(heap)] += record.bytes;
    sums.guests_by_heap[number(heap)] += is_guest(owner, heap_at(heap)) ? 1U : 0U;
    outside += is_outside(owner, heap_at(heap)) ? 1U : 0U;
    ++sums.blocks;
    own += record.bytes;
    newer = handle;
    handle = record.older;
  }
  std::size_t tree = own;
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    if (child->parent != &owner || !check_owner(*child, sums)) {
      return false;
    }
    tree += child->tree;
  }
  return own == owner.own && outside == owner.outside && tree == owner.tree &&
         tree <= owner.spec.limit && owner.own <= owner.own_peak && owner.tree <= owner.tree_peak;
}

bool Memory::check_accounts() const {
  Sums sums;
  if (!check_owner(*system_, sums)) {
    return false;
  }
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    if (sums.live_by_heap[number(heaps_[handle].id())] != heaps_[handle].live_bytes ||
        sums.guests_by_heap[number(heaps_[handle].id())] != heaps_[handle].guests ||
        !check_queue(heaps_[handle])) {
      return false;
    }
    sums.blocks += heaps_[handle].queued_blocks;
  }
  sums.blocks += has_waiting() ? hardening()->count_ : 0;
  return sums.blocks == records_.live() && check_waiting();
}

// Every block has a record that can be found from its address, and as many bytes as that says.
bool Memory::check_records(const Owner& owner) const {
  for (std::uint16_t handle = owner.newest; handle != SlotStore::kNone;
       handle = records_[handle].older) {
    const std::byte* block = block_of(records_[handle]);
    if (find(block).handle != handle ||
        heap_of(records_[handle]).heap->usable_size(block) < records_[handle].bytes) {
      return false;
    }
  }
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    if (!check_records(*child)) {
      return false;
    }
  }
  return true;
}

// The records of the heaps' lists are all that there are.
bool Memory::check_record_lists() const {
  std::uint32_t live = 0;
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    if (!records_.check(heaps_[handle].records, live)) {
      return false;
    }
  }
  return live == records_.live();
}

bool Memory::check_side(const SideMemory& side) {
  return side.slot == nullptr || (side.pool.taken() == side.tables.held + side.slot->account.held &&
                                  side.pool.check() && side.space.check());
}

bool Memory::check(CheckDepth depth) const {
  const Call call(*this);
  return check_locked(depth);
}

bool Memory::check_locked(CheckDepth depth) const {
  std::size_t live = 0;
  std::size_t blocks = 0;
  std::uint32_t pages = metadata_account_.held;  // of the SRAM
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    const HeapSlot& slot = heaps_[handle];
    if (!slot.heap->check(depth) || slot.live_bytes > slot.heap->stats().occupied_bytes) {
      return false;
    }
    live += slot.live_bytes;
    blocks += slot.heap->stats().live_blocks;
    pages += slot.space == &space_ ? slot.account.held : 0;
  }
  if (live != system_->tree || pages != pool_.taken() || pages != space_.mapped_pages() ||
      blocks != records_.live()) {
    return false;
  }
  return depth == CheckDepth::cheap ||
         (check_accounts() && check_guarantees(*system_) && check_side(low_power_) &&
          check_side(l3_) && check_records(*system_) && check_domains() && pool_.check() &&
          space_.check() && descriptors_.check() && check_record_lists() && owners_.check() &&
          heaps_.check() && slot_heaps_.check() && regions_.check() && reservations_.check() &&
          pins_.check() && metadata_.check() && sites_.check());
}

}  // namespace modmem
