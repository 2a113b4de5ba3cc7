#include "port/posix/asan_blocks.hpp"

#include <sanitizer/asan_interface.h>

#include "base/check.hpp"

namespace modmem {

void AsanBlocks::add_memory(std::byte* window, std::size_t bytes, std::ptrdiff_t alias_offset,
                            bool maps_pages) {
  MODMEM_ASSERT(count_ < kMaxMemories);
  memories_[count_++] = {window, bytes, alias_offset, maps_pages, 0};
}

AsanBlocks::MemoryRange* AsanBlocks::memory_of(const std::byte* address) {
  for (std::size_t i = 0; i < count_; ++i) {
    if (static_cast<std::size_t>(address - memories_[i].window) < memories_[i].bytes) {
      return &memories_[i];
    }
  }
  return nullptr;
}

// The macros do nothing in builds without AddressSanitizer, not even read their arguments.
void AsanBlocks::poison(const MemoryRange& memory, [[maybe_unused]] std::byte* address,
                        [[maybe_unused]] std::size_t bytes) {
  ASAN_POISON_MEMORY_REGION(address, bytes);
  if (memory.alias_offset != 0) {
    ASAN_POISON_MEMORY_REGION(address + memory.alias_offset, bytes);
  }
}

void AsanBlocks::unpoison(const MemoryRange& memory, [[maybe_unused]] std::byte* address,
                          [[maybe_unused]] std::size_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(address, bytes);
  if (memory.alias_offset != 0) {
    ASAN_UNPOISON_MEMORY_REGION(address + memory.alias_offset, bytes);
  }
}

// The memory of an address that is watched there, or nullptr.
const AsanBlocks::MemoryRange* AsanBlocks::watcher_of(const std::byte* address) {
  const MemoryRange* memory = memory_of(address);
  const bool watched = memory != nullptr &&
                       static_cast<std::size_t>(address - memory->window) < memory->watched_bytes;
  return watched ? memory : nullptr;
}

void AsanBlocks::map_page(std::byte* address, std::size_t bytes) {
  if (const MemoryRange* memory = watcher_of(address)) {
    poison(*memory, address, bytes);
  }
}

void AsanBlocks::unmap_page(std::byte* address, std::size_t bytes) {
  if (const MemoryRange* memory = watcher_of(address)) {
    unpoison(*memory, address, bytes);
  }
}

void AsanBlocks::stop_all() {
  for (std::size_t i = 0; i < count_; ++i) {
    stop(memories_[i].window, memories_[i].bytes);
  }
}

void AsanBlocks::forget() {
  stop_all();
  count_ = 0;
}

void AsanBlocks::start(std::byte* window, std::size_t bytes) {
  MemoryRange* memory = memory_of(window);
  if (memory == nullptr) {
    return;
  }
  memory->watched_bytes = bytes;
  if (!memory->maps_pages) {
    poison(*memory, window, bytes);
  }
}

void AsanBlocks::stop(std::byte* window, std::size_t /*bytes*/) {
  MemoryRange* memory = memory_of(window);
  if (memory != nullptr && memory->watched_bytes != 0) {
    unpoison(*memory, memory->window, memory->bytes);
    memory->watched_bytes = 0;
  }
}

void AsanBlocks::expose(std::byte* address, std::size_t bytes) {
  if (const MemoryRange* memory = watcher_of(address)) {
    unpoison(*memory, address, bytes);
  }
}

void AsanBlocks::cover(std::byte* address, std::size_t bytes) {
  if (const MemoryRange* memory = watcher_of(address)) {
    poison(*memory, address, bytes);
  }
}

std::byte* AsanBlocks::hand_out(std::byte* block, std::size_t bytes, std::size_t /*alignment*/) {
  expose(block, bytes);
  return block;
}

bool AsanBlocks::resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) {
  if (bytes < old_bytes) {
    cover(block + bytes, old_bytes - bytes);
  } else {
    expose(block, bytes);
  }
  return true;
}

void AsanBlocks::take_back(std::byte* block, std::size_t bytes) { cover(block, bytes); }

std::byte* AsanBlocks::user_of(std::byte* block) const { return block; }

const void* AsanBlocks::block_of(const void* user) const { return user; }

}  // namespace modmem
