#include "heap/object_pool.hpp"

#include <bit>
#include <cstring>
#include <new>

#include "base/bits.hpp"
#include "base/check.hpp"

namespace modmem {

ObjectSource object_source(Heap& heap) {
  ObjectSource source;
  source.allocate = [](void* context, std::size_t bytes, std::size_t alignment) {
    return static_cast<Heap*>(context)->allocate(bytes, alignment);
  };
  source.free = [](void* context, void* pointer) { static_cast<Heap*>(context)->free(pointer); };
  source.context = &heap;
  return source;
}

bool ObjectPool::open(const ObjectSource& source, std::size_t bytes, std::size_t alignment) {
  MODMEM_ASSERT(!is_open() && source.allocate != nullptr && source.free != nullptr);
  // A chunk is at most kMaxChunk objects and a header, each rounded up to the alignment.
  const std::size_t most = SIZE_MAX / (kMaxChunk + 2);
  if (bytes == 0 || !is_power_of_two(alignment) || alignment > most / 2 || bytes > most / 2) {
    return false;
  }
  source_ = source;
  bytes_ = bytes;
  alignment_ = alignment > alignof(Chunk) ? alignment : alignof(Chunk);
  stride_ = align_up(bytes, alignment);
  header_ = align_up(sizeof(Chunk), alignment_);
  return true;
}

void ObjectPool::resume(void* first) {
  MODMEM_ASSERT(is_open() && first_ == nullptr);
  first_ = static_cast<Chunk*>(first);
  for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    ++chunks_;
    capacity_ += chunk->objects;
    live_ += static_cast<std::uint32_t>(std::popcount(chunk->used));
  }
  MODMEM_ASSERT(check(CheckDepth::deep));
}

void ObjectPool::close() {
  while (first_ != nullptr) {
    Chunk* next = first_->next;
    source_.free(source_.context, first_);
    first_ = next;
  }
  source_ = ObjectSource();
  live_ = 0;
  chunks_ = 0;
  capacity_ = 0;
}

std::byte* ObjectPool::objects_of(const Chunk* chunk) const {
  return reinterpret_cast<std::byte*>(const_cast<Chunk*>(chunk)) + header_;
}

// --- objects ---

void* ObjectPool::allocate() {
  MODMEM_ASSERT(is_open());
  Chunk* last = nullptr;
  Chunk* chunk = first_;
  while (chunk != nullptr && chunk->used == all(*chunk)) {
    last = chunk;
    chunk = chunk->next;
  }
  if (chunk == nullptr) {
    chunk = grow(last);
  }
  if (chunk == nullptr) {
    return nullptr;
  }
  const auto index = static_cast<std::uint32_t>(std::countr_one(chunk->used));
  chunk->used |= std::uint32_t{1} << index;
  ++live_;
  return objects_of(chunk) + index * stride_;
}

// How many objects the chunk behind `last` has.
std::uint32_t ObjectPool::objects_after(const Chunk* last) {
  if (last == nullptr) {
    return kFirstChunk;
  }
  return last->objects < kMaxChunk ? 2 * last->objects : kMaxChunk;
}

std::size_t ObjectPool::next_chunk_bytes() const {
  const Chunk* last = first_;
  while (last != nullptr && last->next != nullptr) {
    last = last->next;
  }
  return header_ + objects_after(last) * stride_;
}

// Appends a chunk behind `last`, the last one.
ObjectPool::Chunk* ObjectPool::grow(Chunk* last) {
  const std::uint32_t objects = objects_after(last);
  void* memory = source_.allocate(source_.context, header_ + objects * stride_, alignment_);
  if (memory == nullptr) {
    return nullptr;
  }
  auto* chunk = new (memory) Chunk();
  chunk->objects = objects;
  std::memset(objects_of(chunk), 0, objects * stride_);
  (last != nullptr ? last->next : first_) = chunk;
  ++chunks_;
  capacity_ += objects;
  return chunk;
}

ObjectPool::Place ObjectPool::find(const void* object) const {
  const auto address = reinterpret_cast<std::uintptr_t>(object);
  for (Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    const auto start = reinterpret_cast<std::uintptr_t>(objects_of(chunk));
    if (address >= start && address - start < chunk->objects * stride_) {
      const std::size_t offset = address - start;
      return {chunk, static_cast<std::uint32_t>(offset / stride_), offset % stride_};
    }
  }
  return {};
}

PointerStatus ObjectPool::status(const void* object) const {
  const Place place = find(object);
  if (place.chunk == nullptr) {
    return PointerStatus::foreign;
  }
  if ((place.chunk->used >> place.index & 1U) == 0) {
    return PointerStatus::not_live;
  }
  return place.offset == 0 ? PointerStatus::live : PointerStatus::interior;
}

PointerStatus ObjectPool::free(void* object) {
  const PointerStatus what = status(object);
  if (what == PointerStatus::live) {
    const Place place = find(object);
    place.chunk->used &= ~(std::uint32_t{1} << place.index);
    --live_;
  }
  return what;
}

// --- chunks ---

void ObjectPool::prune() {
  Chunk** link = &first_;
  while (*link != nullptr) {
    Chunk* chunk = *link;
    if (chunk->used != 0) {
      link = &chunk->next;
      continue;
    }
    *link = chunk->next;
    --chunks_;
    capacity_ -= chunk->objects;
    source_.free(source_.context, chunk);
  }
}

bool ObjectPool::iterate(Visit visit, void* argument) const {
  for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    for (std::uint32_t index = 0; index < chunk->objects; ++index) {
      // Looked at when its turn comes: `visit` may have ended it meanwhile.
      const bool in_use = (chunk->used >> index & 1U) != 0;
      if (in_use && visit(objects_of(chunk) + index * stride_, argument)) {
        return true;
      }
    }
  }
  return false;
}

bool ObjectPool::check(CheckDepth depth) const {
  if (live_ > capacity_ || (first_ == nullptr) != (chunks_ == 0) ||
      capacity_ < chunks_ * kFirstChunk || capacity_ > chunks_ * kMaxChunk) {
    return false;
  }
  if (depth == CheckDepth::cheap) {
    return true;
  }
  std::uint32_t live = 0;
  std::uint32_t chunks = 0;
  std::uint32_t capacity = 0;
  for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
    if (++chunks > chunks_ || chunk->objects < kFirstChunk || chunk->objects > kMaxChunk ||
        !is_power_of_two(chunk->objects) || (chunk->used & ~all(*chunk)) != 0) {
      return false;
    }
    live += static_cast<std::uint32_t>(std::popcount(chunk->used));
    capacity += chunk->objects;
  }
  return live == live_ && chunks == chunks_ && capacity == capacity_;
}

}  // namespace modmem
