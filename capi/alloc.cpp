// rtos/alloc.h on Memory.

#include <rtos/alloc.h>

#include "capi/request.hpp"

using modmem::allocate;
using modmem::allocate_zeroed;
using modmem::CSystem;
using modmem::free_block;
using modmem::Line;
using modmem::LogLevel;
using modmem::owner_of;
using modmem::PointerStatus;
using modmem::Request;

void* rmalloc(uint32_t flags, size_t bytes) {
  return allocate({"rmalloc", MODMEM_CALLER, nullptr, flags, bytes, 0});
}

void* rmalloc_align(uint32_t flags, size_t bytes, uint32_t alignment) {
  return allocate({"rmalloc_align", MODMEM_CALLER, nullptr, flags, bytes, alignment});
}

void* rzalloc(uint32_t flags, size_t bytes) {
  return allocate_zeroed({"rzalloc", MODMEM_CALLER, nullptr, flags, bytes, 0});
}

void* rballoc_align(uint32_t flags, size_t bytes, uint32_t alignment) {
  return allocate({"rballoc_align", MODMEM_CALLER, nullptr, flags | modmem::flag::kLargeBuffer,
                   bytes, alignment});
}

void* rbrealloc_align(void* ptr, uint32_t flags, size_t bytes, size_t /*old_bytes*/,
                      uint32_t alignment) {
  CSystem* system = modmem::booted();
  Request wanted;
  if (!translate(system,
                 {"rbrealloc_align", MODMEM_CALLER, nullptr, flags | modmem::flag::kLargeBuffer,
                  bytes, alignment},
                 wanted)) {
    return nullptr;
  }
  if (ptr != nullptr) {
    const PointerStatus status = system->memory.status(ptr);
    if (status == PointerStatus::live && !is_in_callers_heap(*system, ptr)) {
      report_strange(*system, "rbrealloc_align", ptr, wanted.site, true);
      return nullptr;
    }
    if (status != PointerStatus::live) {
      modmem::report_misuse({.kind = modmem::fault_kind(status),
                             .function = "rbrealloc_align",
                             .pointer = ptr,
                             .site = wanted.site,
                             .fatal = true});
      return nullptr;
    }
  }
  return system->memory.reallocate(ptr, wanted);
}

void rfree(void* ptr) { free_block("rfree", ptr, MODMEM_CALLER); }

void* sof_heap_alloc(struct k_heap* heap, uint32_t flags, size_t bytes, size_t alignment) {
  return allocate({"sof_heap_alloc", MODMEM_CALLER, owner_of(heap), flags, bytes, alignment});
}

void sof_heap_free(struct k_heap* /*heap*/, void* addr) {
  free_block("sof_heap_free", addr, MODMEM_CALLER);
}

struct k_heap* sof_sys_heap_get(void) {
  CSystem* system = modmem::booted();
  return system != nullptr ? reinterpret_cast<k_heap*>(&system->memory.system()) : nullptr;
}

struct k_heap* sof_sys_user_heap_get(void) {
  return sof_sys_heap_get();
}

void* sof_ctx_alloc(struct mod_alloc_ctx* ctx, uint32_t flags, size_t size, size_t alignment) {
  return allocate({"sof_ctx_alloc", MODMEM_CALLER, owner_of(ctx), flags, size, alignment});
}

void* sof_ctx_zalloc(struct mod_alloc_ctx* ctx, uint32_t flags, size_t size, size_t alignment) {
  return allocate_zeroed({"sof_ctx_zalloc", MODMEM_CALLER, owner_of(ctx), flags, size, alignment});
}

void sof_ctx_free(struct mod_alloc_ctx* /*ctx*/, void* ptr) {
  free_block("sof_ctx_free", ptr, MODMEM_CALLER);
}

void* modmem_alloc_range(struct mod_alloc_ctx* ctx, uint32_t flags, size_t preferred,
                         size_t minimum, size_t alignment, size_t* actual) {
  if (actual != nullptr) {
    *actual = 0;
  }
  if (minimum == 0 || preferred < minimum) {
    Line line;
    line << "modmem_alloc_range: preferred " << uint64_t{preferred} << " bytes, minimum "
         << uint64_t{minimum} << " bytes: no such range, from " << MODMEM_CALLER;
    log_line(LogLevel::error, line);
    return nullptr;
  }
  CSystem* system = modmem::booted();
  const modmem::CRequest request{"modmem_alloc_range",
                                 MODMEM_CALLER,
                                 owner_of(ctx),
                                 flags | modmem::flag::kLargeBuffer,
                                 minimum,
                                 alignment};
  Request wanted;
  if (!translate(system, request, wanted)) {
    return nullptr;
  }
  // Rounded up to a multiple of the minimum, or down where that is more than a size can say.
  const size_t over = preferred % minimum;
  size_t most = preferred - over;
  if (over != 0 && most <= SIZE_MAX - minimum) {
    most += minimum;
  }
  const modmem::Range range = system->memory.allocate_range(wanted, most, minimum);
  if (range.pointer == nullptr) {
    explain_owner(*system, request);
  }
  if (actual != nullptr) {
    *actual = range.bytes;
  }
  return range.pointer;
}

void l3_heap_save(void) {
  CSystem* system = modmem::booted();
  if (system != nullptr && !system->memory.save_l3()) {
    report_refusal("l3_heap_save",
                   "nothing was saved: no L3, not the primary core, or too little room in L3",
                   MODMEM_CALLER);
  }
}
