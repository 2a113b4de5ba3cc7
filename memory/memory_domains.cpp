// Domains: owners whose heap is closed to access while they are not entered, and grants.

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "base/bits.hpp"
#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

// Whether a heap for `spec` could be what is asked for on this platform.
bool Memory::can_isolate(const OwnerSpec& spec, const HeapSpec& heap) const {
  return heap.isolated ? (spec.kind == OwnerKind::heap && heap.kind == HeapKind::elastic &&
                          port_->can_close_pages())
                       : !heap.readable;
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
  const Call call(*this);
  return domain_ != SlotStore::kNone ? &owners_[domain_] : nullptr;
}

Owner* Memory::enter_domain(Owner* domain) {
  const Call call(*this);
  Owner* before = domain_ != SlotStore::kNone ? &owners_[domain_] : nullptr;
  const std::uint16_t entered = domain_heap(domain) != nullptr ? domain->handle : SlotStore::kNone;
  if (entered != domain_) {
    domain_ = entered;
    settle_access();
  }
  return before;
}

// Has the heap of each domain, and its pages, as the domain that is entered may reach them now.
// What is closed comes first, so that at no moment more is open than before or afterwards.
void Memory::settle_access() {
  const Owner* entered = domain_ != SlotStore::kNone ? &owners_[domain_] : nullptr;
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    HeapSlot& slot = heaps_[handle];
    if (slot.isolated) {
      slot.account.access =
          entered == nullptr ? slot.common_access() : access_locked(*entered, slot);
    }
  }
  const std::uint32_t end = space_.window_pages();
  for (const bool opens : {false, true}) {
    for (std::uint32_t page = space_.next_mapped(0, end); page < end;
         page = space_.next_mapped(page + 1, end)) {
      const FrameInfo& notes = space_.info(page);
      if (number(notes.heap) < kMaxHeaps) {
        const Access access = heap_at(notes.heap).account.access;
        if ((access > notes.access) == opens) {
          space_.set_access(page, access);
        }
      }
    }
  }
}

// --- grants ---

// Where the grant to `domain` is linked from, or, where there is none, the list's end.
std::uint16_t& Memory::link_to_grant(std::uint16_t domain, std::uint16_t of) {
  std::uint16_t* link = &first_grant_;
  while (*link != SlotStore::kNone &&
         (grants_[*link].domain != domain || grants_[*link].of != of)) {
    link = &grants_[*link].next;
  }
  return *link;
}

void Memory::drop_grant(std::uint16_t& link) {
  const std::uint16_t handle = link;
  link = grants_[handle].next;
  grants_.destroy(handle);
}

Access Memory::access_locked(const Owner& domain, const HeapSlot& slot) const {
  if (slot.owner == &domain) {
    return Access::open;
  }
  std::uint16_t handle = first_grant_;
  while (handle != SlotStore::kNone &&
         (grants_[handle].domain != domain.handle || grants_[handle].of != slot.owner->handle)) {
    handle = grants_[handle].next;
  }
  const Access common = slot.common_access();
  return handle != SlotStore::kNone ? std::max(common, grants_[handle].access) : common;
}

Access Memory::access(const Owner& domain, const Owner& of) const {
  const Call call(*this);
  const HeapSlot* slot = domain_heap(&of);
  return slot != nullptr ? access_locked(domain, *slot) : Access::open;
}

bool Memory::grant(const Owner& domain, const Owner& of, Access access) {
  const Call call(*this);
  enter();
  if (&domain == &of || domain_heap(&domain) == nullptr || domain_heap(&of) == nullptr) {
    return false;
  }
  std::uint16_t& link = link_to_grant(domain.handle, of.handle);
  if (access == Access::closed) {
    if (link != SlotStore::kNone) {
      drop_grant(link);
    }
  } else {
    if (link == SlotStore::kNone) {
      set_metadata_aside(nullptr);
      link = grants_.create();
    }
    if (link == SlotStore::kNone) {
      return false;
    }
    Grant& grant = grants_[link];
    grant = {.domain = domain.handle, .of = of.handle, .access = access, .next = grant.next};
  }
  if (domain_ == domain.handle) {
    settle_access();
  }
  verify();
  return true;
}

// Before the heap of a domain ends: ends what it was granted and what was granted of it, leaves it,
// and opens its pages to the library.
void Memory::end_domain(HeapSlot& slot) {
  const std::uint16_t owner = slot.owner->handle;
  for (std::uint16_t* link = &first_grant_; *link != SlotStore::kNone;) {
    const Grant& grant = grants_[*link];
    if (grant.domain == owner || grant.of == owner) {
      drop_grant(*link);
    } else {
      link = &grants_[*link].next;
    }
  }
  domain_ = domain_ == owner ? SlotStore::kNone : domain_;
  slot.isolated = false;
  slot.account.access = Access::open;
  domains_.store(static_cast<std::uint16_t>(domains_.load(std::memory_order_relaxed) - 1),
                 std::memory_order_relaxed);
  settle_access();
}

// Does something with a block for a caller who may not be able to reach it.
template <typename Act>
void Memory::reach(void* block, std::size_t bytes, const Act& act) {
  // Who has a block in a domain has seen the domain begin; that of others may be missed.
  if (domains_.load(std::memory_order_relaxed) == 0) {
    act();
    return;
  }
  const Call call(*this);
  const void* place = in_window(block);
  const internal::OpenBlock open(*slot_of(place), place, bytes);
  act();
}

void Memory::zero(void* block, std::size_t bytes) {
  reach(block, bytes, [=] { std::memset(block, 0, bytes); });
}

void Memory::copy_to(void* block, const void* source, std::size_t bytes) {
  reach(block, bytes, [=] { std::memcpy(block, source, bytes); });
  const Call call(*this);
  maintain(block, bytes, &Port::cache_writeback);
}

void Memory::invalidate(void* block, std::size_t bytes) {
  const Call call(*this);
  maintain(block, bytes, &Port::cache_invalidate);
}

// The lines that start with a block, by the cache of the calling core.
void Memory::maintain(void* block, std::size_t bytes,
                      void (Port::*what)(std::byte* address, std::size_t bytes)) {
  auto* lines = const_cast<std::byte*>(static_cast<const std::byte*>(in_window(block)));
  const std::size_t line_bytes = align_up(bytes, config().cache_line_bytes);
  const internal::OpenBlock open(*slot_of(lines), lines, line_bytes);
  (port_->*what)(lines, line_bytes);
}

// A page is what its heap is, which is what the domain that is entered may do there.
bool Memory::check_domains() const {
  const Owner* entered = domain_ != SlotStore::kNone ? &owners_[domain_] : nullptr;
  std::uint32_t domains = 0;
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    const HeapSlot& slot = heaps_[handle];
    domains += slot.isolated ? 1 : 0;
    const Access expected =
        entered == nullptr ? slot.common_access() : access_locked(*entered, slot);
    if (slot.account.access != expected) {
      return false;
    }
  }
  for (std::uint32_t page = space_.next_mapped(0, space_.window_pages());
       page < space_.window_pages(); page = space_.next_mapped(page + 1, space_.window_pages())) {
    const HeapId heap = space_.heap_of(page);
    const Access expected = number(heap) < kMaxHeaps ? heap_at(heap).account.access : Access::open;
    if (space_.info(page).access != expected) {
      return false;
    }
  }
  return domains == domains_.load(std::memory_order_relaxed) && check_grants();
}

// Grants are of one living domain to another, at most one for each two.
bool Memory::check_grants() const {
  std::uint32_t grants = 0;
  for (std::uint16_t handle = first_grant_; handle != SlotStore::kNone;
       handle = grants_[handle].next) {
    const Grant& grant = grants_[handle];
    for (const std::uint16_t owner : {grant.domain, grant.of}) {
      if (domain_heap(&owners_[owner]) == nullptr) {
        return false;
      }
    }
    for (std::uint16_t other = grant.next; other != SlotStore::kNone; other = grants_[other].next) {
      if (grants_[other].domain == grant.domain && grants_[other].of == grant.of) {
        return false;
      }
    }
    if (grant.domain == grant.of || grant.access == Access::closed) {
      return false;
    }
    ++grants;
  }
  return grants == grants_.live() && grants_.check();
}

}  // namespace modmem
