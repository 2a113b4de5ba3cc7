// rtos/cache.h on the port.

#include <rtos/cache.h>

#include "base/bits.hpp"
#include "capi/system.hpp"

namespace {

using modmem::AddressSpace;
using modmem::CSystem;

enum class Maintenance : std::uint8_t { writeback, invalidate, both };

void maintain(void* address, std::size_t size, Maintenance what) {
  CSystem* system = modmem::booted();
  if (system == nullptr || size == 0) {
    return;
  }
  const AddressSpace& space = system->memory.space();
  const void* cached = space.is_uncached(address) ? space.to_cached(address) : address;
  const auto first = reinterpret_cast<std::uintptr_t>(cached);
  const std::size_t line = system->memory.config().cache_line_bytes;
  if (modmem::add_overflows(size, line) || modmem::add_overflows(first, size + line)) {
    return;
  }
  const std::size_t begin = modmem::align_down(first, line);
  const std::size_t bytes = modmem::align_up(first + size, line) - begin;
  auto* lines = reinterpret_cast<std::byte*>(begin);
  if (what != Maintenance::invalidate) {
    system->port().cache_writeback(lines, bytes);
  }
  if (what != Maintenance::writeback) {
    system->port().cache_invalidate(lines, bytes);
  }
}

}  // namespace

void* sys_cache_cached_ptr_get(void* ptr) {
  const CSystem* system = modmem::booted();
  return system != nullptr && system->memory.space().is_uncached(ptr)
             ? system->memory.space().to_cached(ptr)
             : ptr;
}

void* sys_cache_uncached_ptr_get(void* ptr) {
  const CSystem* system = modmem::booted();
  if (system == nullptr) {
    return ptr;
  }
  const AddressSpace& space = system->memory.space();
  return space.page_of(ptr) && !space.is_uncached(ptr)
             ? space.to_uncached(static_cast<std::byte*>(ptr))
             : ptr;
}

bool sys_cache_is_ptr_cached(void* ptr) { return !sys_cache_is_ptr_uncached(ptr); }

bool sys_cache_is_ptr_uncached(void* ptr) {
  const CSystem* system = modmem::booted();
  return system != nullptr && system->memory.space().is_uncached(ptr);
}

void dcache_writeback_region(void* addr, size_t size) {
  maintain(addr, size, Maintenance::writeback);
}

void dcache_invalidate_region(void* addr, size_t size) {
  maintain(addr, size, Maintenance::invalidate);
}

void dcache_writeback_invalidate_region(void* addr, size_t size) {
  maintain(addr, size, Maintenance::both);
}
