// sof/lib/vregion.h, and the regions of modmem/modmem.h, on Memory's regions.

#include <modmem/modmem.h>
#include <sof/lib/vregion.h>

#include "capi/request.hpp"

using modmem::CSystem;
using modmem::Owner;
using modmem::owner_of;

namespace {

void* allocate_in(const char* function, const modmem::Site& site, vregion* region,
                  modmem::Flags flags, std::size_t size, std::size_t alignment) {
  return region != nullptr
             ? modmem::allocate({function, site, owner_of(region), flags, size, alignment})
             : nullptr;
}

// The system, where `region` is one that lives; else nullptr, which is a misuse but for NULL.
CSystem* system_of(vregion* region, const char* function, const modmem::Site& site,
                   bool fatal = true) {
  CSystem* system = region != nullptr ? modmem::booted() : nullptr;
  return system != nullptr && living(*system, owner_of(region), modmem::OwnerKind::region, function,
                                     site, fatal) != nullptr
             ? system
             : nullptr;
}

vregion* create(std::size_t bytes, bool grows) {
  CSystem* system = bytes != 0 ? modmem::booted() : nullptr;
  if (system == nullptr) {
    return nullptr;
  }
  Owner* owner = system->memory.create_owner(
      caller(system->memory), {.kind = modmem::OwnerKind::region, .name = "region"},
      {.kind = modmem::HeapKind::region, .bytes = bytes, .grows = grows});
  return reinterpret_cast<vregion*>(owner);
}

}  // namespace

struct vregion* vregion_create(size_t memsize) {
  return create(memsize, false);
}

struct vregion* modmem_vregion_create_growing(size_t most) {
  return create(most, true);
}

struct vregion* vregion_get(struct vregion* vr) {
  CSystem* system = system_of(vr, "vregion_get", MODMEM_CALLER, false);
  if (system == nullptr) {
    return nullptr;
  }
  system->memory.get_region(*owner_of(vr));
  return vr;
}

struct vregion* vregion_put(struct vregion* vr) {
  CSystem* system = system_of(vr, "vregion_put", MODMEM_CALLER);
  if (system == nullptr) {
    return nullptr;
  }
  switch (system->memory.put_region(*owner_of(vr))) {
    case modmem::RegionPut::last:
      return nullptr;
    case modmem::RegionPut::refused:
      modmem::report_misuse({.kind = MODMEM_FAULT_IN_USE,
                             .function = "vregion_put",
                             .pointer = vr,
                             .site = MODMEM_CALLER,
                             .fatal = false,
                             .owner = owner_of(vr)});
      break;
    case modmem::RegionPut::dropped:
      break;
  }
  return vr;
}

void* vregion_alloc(struct vregion* vr, size_t size) {
  return allocate_in("vregion_alloc", MODMEM_CALLER, vr, 0, size, 0);
}

void* vregion_alloc_align(struct vregion* vr, size_t size, size_t alignment) {
  return allocate_in("vregion_alloc_align", MODMEM_CALLER, vr, 0, size, alignment);
}

void* vregion_alloc_coherent(struct vregion* vr, size_t size) {
  return allocate_in("vregion_alloc_coherent", MODMEM_CALLER, vr, modmem::flag::kCoherent, size, 0);
}

void* vregion_alloc_coherent_align(struct vregion* vr, size_t size, size_t alignment) {
  return allocate_in("vregion_alloc_coherent_align", MODMEM_CALLER, vr, modmem::flag::kCoherent,
                     size, alignment);
}

void vregion_free(struct vregion* /*vr*/, void* ptr) {
  modmem::free_block("vregion_free", ptr, MODMEM_CALLER);
}

void vregion_set_interim(struct vregion* vr) {
  CSystem* system = system_of(vr, "vregion_set_interim", MODMEM_CALLER);
  if (system != nullptr) {
    system->memory.set_interim(*owner_of(vr));
  }
}

void vregion_info(struct vregion* vr) {
  CSystem* system = system_of(vr, "vregion_info", MODMEM_CALLER);
  if (system == nullptr) {
    return;
  }
  const modmem::RegionInfo info = system->memory.region_info(*owner_of(vr));
  modmem::Line line;
  line << "region ";
  line.address(system->memory.region_base(*owner_of(vr)))
      << ": " << std::uint64_t{info.bytes} << (info.grows ? " bytes at most, " : " bytes, ")
      << std::uint64_t{info.mapped_bytes} << " mapped, lifetime "
      << std::uint64_t{info.lifetime_bytes} << " bytes in " << info.lifetime_blocks
      << " blocks, freed " << std::uint64_t{info.freed_bytes} << " bytes in " << info.freed_blocks
      << " blocks, interim " << std::uint64_t{info.interim_bytes} << " bytes in "
      << info.interim_blocks << " blocks, references " << info.references
      << (info.interim ? ", sealed" : ", in lifetime mode");
  log_line(modmem::LogLevel::info, line);
}

void vregion_mem_info(struct vregion* vr, size_t* size, uintptr_t* start) {
  CSystem* system = system_of(vr, "vregion_mem_info", MODMEM_CALLER);
  if (size != nullptr) {
    *size = system != nullptr ? system->memory.region_info(*owner_of(vr)).bytes : 0;
  }
  if (start != nullptr) {
    *start = system != nullptr
                 ? reinterpret_cast<uintptr_t>(system->memory.region_base(*owner_of(vr)))
                 : 0;
  }
}
