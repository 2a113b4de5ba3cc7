#include "testbench/audio_path_guard.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#include "port/host/host_port.hpp"

namespace {

std::atomic<std::uint64_t> calls{0};

void count() {
  if (modmem::AudioPathScope::active()) {
    calls.fetch_add(1, std::memory_order_relaxed);
  }
}

void* try_allocate(std::size_t size) {
  count();
  return std::malloc(size != 0 ? size : 1);
}

void* try_allocate(std::size_t size, std::align_val_t alignment) {
  count();
  void* block = nullptr;
  const std::size_t at_least = sizeof(void*);  // what posix_memalign() insists on
  const auto wanted = static_cast<std::size_t>(alignment);
  const bool got =
      posix_memalign(&block, wanted > at_least ? wanted : at_least, size != 0 ? size : 1) == 0;
  return got ? block : nullptr;
}

void* allocate(std::size_t size) {
  if (void* block = try_allocate(size)) {
    return block;
  }
  throw std::bad_alloc();
}

void* allocate(std::size_t size, std::align_val_t alignment) {
  if (void* block = try_allocate(size, alignment)) {
    return block;
  }
  throw std::bad_alloc();
}

void release(void* block) {
  if (block != nullptr) {
    count();
    std::free(block);
  }
}

}  // namespace

// All forms, as a sanitizer brings those of its own that are not replaced.
void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, alignment);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate(size, alignment);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return try_allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return try_allocate(size);
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return try_allocate(size, alignment);
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return try_allocate(size, alignment);
}
void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }
void operator delete(void* block, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { release(block); }
void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  release(block);
}
void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  release(block);
}

namespace modmem::testbench {
std::uint64_t host_allocations_on_audio_path() { return calls.load(std::memory_order_relaxed); }
}  // namespace modmem::testbench
