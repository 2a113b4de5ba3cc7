// sof/lib/vpage.h: whole pages, from an elastic heap of their own that the first request makes.

#include <sof/lib/vpage.h>

#include "capi/request.hpp"

namespace {

using modmem::CSystem;
using modmem::HeapKind;
using modmem::Owner;
using modmem::OwnerKind;

Owner* pages_owner(CSystem& system) {
  Owner* owner = system.pages.load(std::memory_order_acquire);
  if (owner != nullptr) {
    return owner;
  }
  Owner* made =
      system.memory.create_owner(system.memory.system(), {.kind = OwnerKind::heap, .name = "pages"},
                                 {.kind = HeapKind::elastic});
  if (made == nullptr) {
    return nullptr;
  }
  // Two threads may both have made one; the second to get here takes the first one's.
  if (!system.pages.compare_exchange_strong(owner, made, std::memory_order_acq_rel)) {
    system.memory.destroy_owner(*made);
    return owner;
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
  return modmem::allocate(
      {"vpage_alloc", MODMEM_CALLER, owner, 0, std::size_t{pages} * kPage, kPage});
}

void vpage_free(void* ptr) {
  CSystem* system = ptr != nullptr ? modmem::booted() : nullptr;
  if (system == nullptr) {
    return;
  }
  const Owner* owner = system->pages.load(std::memory_order_acquire);
  const modmem::PointerStatus status =
      owner != nullptr ? system->memory.free(ptr, owner) : modmem::PointerStatus::foreign;
  if (status != modmem::PointerStatus::live) {
    modmem::report_misuse({.kind = modmem::fault_kind(status),
                           .function = "vpage_free",
                           .pointer = ptr,
                           .site = MODMEM_CALLER,
                           .fatal = true});
  }
}
