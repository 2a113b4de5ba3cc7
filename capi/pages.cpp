// sof/lib/vpage.h: whole pages, from an elastic heap of their own that the first request makes.
// Those of a domain come from the domain's heap.

#include "capi/pages.hpp"

#include <sof/lib/vpage.h>

#include "capi/request.hpp"

namespace modmem {

namespace {

// No other owner's name lies there.
constexpr char kName[] = "pages";

Owner* known_owner(const CSystem& system, const Owner& maker) {
  const LockGuard guard(system.port());
  return pages_below(maker);
}

Owner* pages_owner(const CSystem& system) {
  Owner& maker = caller(system.memory);
  if (Owner* owner = known_owner(system, maker)) {
    return owner;
  }
  const HeapKind kind = &maker == &system.memory.system() ? HeapKind::elastic : HeapKind::none;
  Owner* made =
      system.memory.create_owner(maker, {.kind = OwnerKind::heap, .name = kName}, {.kind = kind});
  if (made == nullptr) {
    return nullptr;
  }
  // Two threads may both have made one; both take the first one.
  Owner* first = known_owner(system, maker);
  if (first != made) {
    system.memory.destroy_owner(*made);
  }
  return first;
}

// Whose `pages` are, where they are the caller's to free: the system frees those of domains, too.
// nullptr where nobody has asked for pages there.
const Owner* owner_for_free(const CSystem& system, const void* pages) {
  const Owner& maker = caller(system.memory);
  const LockGuard guard(system.port());
  const Owner* holder =
      &maker == &system.memory.system() ? system.memory.locate(pages).owner : nullptr;
  const Owner* below = holder != nullptr ? pages_below(*holder) : nullptr;
  return below != nullptr ? below : pages_below(maker);
}

}  // namespace

bool is_pages(const Owner& owner) { return owner.spec.name == kName; }

Owner* pages_below(const Owner& maker) {
  Owner* owner = maker.first_child;  // the oldest first
  while (owner != nullptr && !is_pages(*owner)) {
    owner = owner->next_sibling;
  }
  return owner;
}

}  // namespace modmem

using modmem::CSystem;
using modmem::Owner;

void* vpage_alloc(unsigned int pages) {
  constexpr std::size_t kPage = modmem::config::kPageBytes;
  CSystem* system = pages != 0 ? modmem::booted() : nullptr;
  Owner* owner = system != nullptr ? modmem::pages_owner(*system) : nullptr;
  if (owner == nullptr) {
    return nullptr;
  }
  // As many as a size can't say are more than there are: Memory refuses them, and explains.
  const std::size_t count = pages;
  const std::size_t bytes = count <= SIZE_MAX / kPage ? count * kPage : SIZE_MAX;
  return modmem::allocate({"vpage_alloc", MODMEM_CALLER, owner, 0, bytes, kPage});
}

void vpage_free(void* ptr) {
  CSystem* system = ptr != nullptr ? modmem::booted() : nullptr;
  if (system == nullptr) {
    return;
  }
  const Owner* owner = modmem::owner_for_free(*system, ptr);
  const modmem::PointerStatus status = owner != nullptr
                                           ? system->memory.free(ptr, owner, MODMEM_CALLER)
                                           : modmem::PointerStatus::foreign;
  if (status != modmem::PointerStatus::live && !is_in_callers_heap(*system, ptr)) {
    report_strange(*system, "vpage_free", ptr, MODMEM_CALLER, true);
  } else if (status != modmem::PointerStatus::live) {
    modmem::report_misuse({.kind = modmem::fault_kind(status),
                           .function = "vpage_free",
                           .pointer = ptr,
                           .site = MODMEM_CALLER,
                           .fatal = true});
  }
}
