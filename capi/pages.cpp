// sof/lib/vpage.h: whole pages, from an elastic heap of their own that the first request makes.

#include <sof/lib/vpage.h>

#include "capi/request.hpp"

namespace {

using modmem::CSystem;
using modmem::HeapKind;
using modmem::Owner;
using modmem::OwnerKind;

// The heap of pages; nullptr where nobody has asked for pages yet.
Owner* known_owner(CSystem& system) {
  const modmem::LockGuard guard(system.port());
  return system.pages;
}

Owner* pages_owner(CSystem& system) {
  if (Owner* owner = known_owner(system)) {
    return owner;
  }
  Owner* made =
      system.memory.create_owner(system.memory.system(), {.kind = OwnerKind::heap, .name = "pages"},
                                 {.kind = HeapKind::elastic});
  if (made == nullptr) {
    return nullptr;
  }
  // Two threads may both have made one; the second to get here takes the first one's.
  Owner* first = nullptr;
  {
    const modmem::LockGuard guard(system.port());
    first = system.pages;
    if (first == nullptr) {
      system.pages = made;
    }
  }
  if (first != nullptr) {
    system.memory.destroy_owner(*made);
    return first;
  }
  return made;
}

}  // namespace

void* vpage_alloc(unsigned int pages) {
  constexpr std::size_t kPage = modmem::config::kPageBytes;
  CSystem* system = pages != 0 ? modmem::booted() : nullptr;
  Owner* owner = system != nullptr ? pages_owner(*system) : nullptr;
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
  const Owner* owner = known_owner(*system);
  const modmem::PointerStatus status = owner != nullptr
                                           ? system->memory.free(ptr, owner, MODMEM_CALLER)
                                           : modmem::PointerStatus::foreign;
  if (status != modmem::PointerStatus::live) {
    modmem::report_misuse({.kind = modmem::fault_kind(status),
                           .function = "vpage_free",
                           .pointer = ptr,
                           .site = MODMEM_CALLER,
                           .fatal = true});
  }
}
