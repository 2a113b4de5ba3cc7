// Domains: owners whose heap is closed to access while they are not entered.

#include <cstring>

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

// Whether a heap for `spec` could be what is asked for on this platform.
bool Memory::can_isolate(const OwnerSpec& spec, const HeapSpec& heap) const {
  return !heap.isolated || (spec.kind == OwnerKind::heap && heap.kind == HeapKind::elastic &&
                            port_->can_close_pages());
}

// The owner's own heap where that is isolated and the owner lives, else nullptr.
HeapSlot* Memory::domain_heap(const Owner* owner) const {
  if (owner == nullptr || !lives(*owner) || owner->heap == kNoHeap) {
    return nullptr;
  }
  HeapSlot& slot = heap_at(owner->heap);
  return slot.isolated ? &slot : nullptr;
}

Owner* Memory::entered_domain() const {
  const LockGuard guard(*port_);
  return domain_ != SlotStore::kNone ? &owners_[domain_] : nullptr;
}

Owner* Memory::enter_domain(Owner* domain) {
  const LockGuard guard(*port_);
  HeapSlot* entered = domain_heap(domain);
  Owner* before = domain_ != SlotStore::kNone ? &owners_[domain_] : nullptr;
  HeapSlot* left = domain_heap(before);
  if (left != entered) {
    // First one is closed, so that at no moment two are open.
    if (left != nullptr) {
      left->space->set_closed(left->id(), left->account, true);
    }
    if (entered != nullptr) {
      entered->space->set_closed(entered->id(), entered->account, false);
    }
    domain_ = entered != nullptr ? domain->handle : SlotStore::kNone;
  }
  return before;
}

// Fills a block with zeros, for a caller who may not be able to reach it.
void Memory::zero(void* block, std::size_t bytes) {
  if (domains_ == 0) {
    std::memset(block, 0, bytes);
    return;
  }
  const LockGuard guard(*port_);
  const void* place = in_window(block);
  const internal::OpenBlock open(*slot_of(place), place, bytes);
  std::memset(block, 0, bytes);
}

// A page is closed exactly where its heap is an isolated one whose owner is not entered.
bool Memory::check_domains() const {
  std::uint32_t domains = 0;
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    const HeapSlot& slot = heaps_[handle];
    domains += slot.isolated ? 1 : 0;
    if (slot.account.closed != (slot.isolated && slot.owner->handle != domain_)) {
      return false;
    }
  }
  for (std::uint32_t page = space_.next_mapped(0, space_.window_pages());
       page < space_.window_pages(); page = space_.next_mapped(page + 1, space_.window_pages())) {
    const HeapId heap = space_.heap_of(page);
    const bool closed = number(heap) < kMaxHeaps && heap_at(heap).account.closed;
    if (space_.info(page).closed != closed) {
      return false;
    }
  }
  return domains == domains_;
}

}  // namespace modmem
