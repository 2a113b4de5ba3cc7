#include "module/resource_places.hpp"

#include <cstring>
#include <utility>

#include "base/check.hpp"

namespace modmem {

namespace {

constexpr Flags kBookkeeping = flag::kKernel | flag::kCoherent | flag::kSilent | flag::kKept;

}  // namespace

void ResourcePlaces::open(Memory& memory) {
  memory_ = &memory;
  ObjectSource source;
  source.allocate = [](void* context, std::size_t bytes, std::size_t /*alignment*/) -> void* {
    auto& places = *static_cast<ResourcePlaces*>(context);
    return bytes <= places.spare_bytes_ ? std::exchange(places.spare_, nullptr) : nullptr;
  };
  source.free = [](void* context, void* chunk) {
    auto& places = *static_cast<ResourcePlaces*>(context);
    std::memcpy(chunk, &places.retired_, sizeof(void*));
    places.retired_ = chunk;
  };
  source.context = this;
  const bool opened = pool_.open(source, kBytes, kAlignment);
  MODMEM_ASSERT(opened);
  static_cast<void>(opened);
}

void ResourcePlaces::close() {
  MODMEM_ASSERT(pool_.live() == 0);
  pool_.close();
  memory_ = nullptr;
}

void ResourcePlaces::abandon() {
  void* chunks = nullptr;
  {
    const LockGuard guard(memory_->space().port());
    pool_.close();
    chunks = std::exchange(retired_, nullptr);
  }
  free_chunks(chunks);
  memory_ = nullptr;
}

void* ResourcePlaces::take(Site site) {
  for (;;) {
    std::size_t bytes = 0;
    {
      const LockGuard guard(memory_->space().port());
      if (pool_.live() < pool_.capacity()) {
        return pool_.allocate();
      }
      bytes = pool_.next_chunk_bytes();
    }
    void* chunk = memory_->allocate({nullptr, bytes, kAlignment, kBookkeeping, site});
    if (chunk == nullptr) {
      return nullptr;
    }
    void* place = nullptr;
    {
      const LockGuard guard(memory_->space().port());
      spare_ = chunk;
      spare_bytes_ = bytes;
      place = pool_.allocate();
      chunk = std::exchange(spare_, nullptr);
    }
    if (chunk != nullptr) {
      memory_->free(chunk, &memory_->system());
    }
    if (place != nullptr) {
      return place;
    }
    // Another thread has taken what this one took the chunk for, and the next one is larger.
  }
}

void ResourcePlaces::give(void* place) {
  void* chunks = nullptr;
  {
    const LockGuard guard(memory_->space().port());
    const PointerStatus status = pool_.free(place);
    MODMEM_ASSERT(status == PointerStatus::live);
    static_cast<void>(status);
    if (pool_.live() == 0) {
      pool_.prune();
    }
    chunks = std::exchange(retired_, nullptr);
  }
  free_chunks(chunks);
}

void ResourcePlaces::free_chunks(void* chunks) {
  while (chunks != nullptr) {
    void* chunk = chunks;
    std::memcpy(&chunks, chunk, sizeof(void*));
    memory_->free(chunk, &memory_->system());
  }
}

}  // namespace modmem
