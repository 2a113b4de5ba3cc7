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
  auto* first = static_cast<std::byte*>(address);
  if (!space.page_of(first) || !space.page_of(first + size - 1)) {
    return;
  }
  // Both ends from the window's start, which is a multiple of the line.
  const std::size_t line = system->memory.config().cache_line_bytes;
  std::byte* window = space.address_of(0);
  const auto offset = static_cast<std::size_t>(space.to_cached(first) - window);
  const std::size_t begin = modmem::align_down(offset, line);
  const std::size_t bytes = modmem::align_up(offset + size, line) - begin;
  if (what != Maintenance::invalidate) {
    system->port().cache_writeback(window + begin, bytes);
  }
  if (what != Maintenance::writeback) {
    system->port().cache_invalidate(window + begin, bytes);
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
