// Private heaps.

#include <modmem/modmem.h>

#include <cerrno>

#include "capi/pages.hpp"
#include "capi/request.hpp"

using modmem::CSystem;
using modmem::Owner;
using modmem::OwnerSpec;

namespace {

// Whether `owner` is a private heap that the caller made with modmem_heap_create() and that still
// is one.
bool is_private_heap(CSystem& system, const Owner* owner) {
  const Owner& maker = caller(system.memory);
  const modmem::LockGuard guard(system.port());
  for (const Owner* at = maker.first_child; at != nullptr; at = at->next_sibling) {
    if (at == owner) {
      return at->spec.kind == modmem::OwnerKind::heap && !modmem::is_pages(*at);
    }
  }
  return false;
}

// The owner that `heap` is, NULL: the system; nullptr where it is none.
Owner* owner_or_system(CSystem& system, struct k_heap* heap) {
  Owner* owner = heap != nullptr ? modmem::owner_of(heap) : &system.memory.system();
  // A domain does not choose its own limits.
  const bool is_domain = owner == system.memory.entered_domain();
  return system.memory.is_owner(owner) && is_callers(system.memory, *owner) && !is_domain ? owner
                                                                                          : nullptr;
}

}  // namespace

struct k_heap* modmem_heap_create(const char* name, size_t limit) {
  CSystem* system = modmem::booted();
  if (system == nullptr) {
    return nullptr;
  }
  OwnerSpec spec;
  spec.kind = modmem::OwnerKind::heap;
  spec.name = name != nullptr ? name : "heap";
  spec.limit = limit != 0 ? limit : OwnerSpec::kNoLimit;
  return reinterpret_cast<k_heap*>(system->memory.create_owner(caller(system->memory), spec));
}

int modmem_heap_destroy(struct k_heap* heap) {
  CSystem* system = modmem::booted();
  if (system == nullptr || !is_private_heap(*system, modmem::owner_of(heap))) {
    modmem::report_misuse({.kind = MODMEM_FAULT_FOREIGN,
                           .function = "modmem_heap_destroy",
                           .pointer = heap,
                           .site = MODMEM_CALLER});
    return -EINVAL;
  }
  Owner& owner = *modmem::owner_of(heap);
  const std::size_t modules = system->modules.close_below(owner);
  return static_cast<int>(modules + system->memory.destroy_owner(owner));
}

int modmem_heap_premap(struct k_heap* heap, unsigned int pages, unsigned int blocks) {
  CSystem* system = modmem::booted();
  Owner* owner = system != nullptr ? owner_or_system(*system, heap) : nullptr;
  if (owner == nullptr) {
    return -EINVAL;
  }
  modmem::Memory& memory = system->memory;
  const bool done =
      blocks != 0 ? memory.premap(*owner, pages, blocks) : memory.premap(*owner, pages);
  return done ? 0 : -ENOMEM;
}

int modmem_set_limit(struct k_heap* heap, size_t limit) {
  CSystem* system = modmem::booted();
  Owner* owner = system != nullptr ? owner_or_system(*system, heap) : nullptr;
  if (owner == nullptr) {
    return -EINVAL;
  }
  return system->memory.set_limit(*owner, limit != 0 ? limit : OwnerSpec::kNoLimit) ? 0 : -EBUSY;
}
