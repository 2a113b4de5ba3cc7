// ObjectPool: objects of one size, in chunks that grow with use.
//
// A pool takes its memory as *chunks* of 2, 4, 8, 16, 32, 32, ... objects from whoever it is told
// to, and hands objects out of the first chunk that has one free. So a pool of two objects is
// small, and one of many costs few requests. Chunks go when prune() finds them empty.
//
// What is in use is noted in the header in front of a chunk's objects, a bit for each. No object
// holds a link, live or free: an overrun reaches the objects behind it, or leaves the chunk at its
// end, and what was freed is told from what is live whatever was written there. What lies behind a
// chunk is the source's choice; the header of another chunk may.
//
// Invariants (check()):
//   live objects = sum over chunks of their bits; no bit is set beyond a chunk's objects
//   a chunk has between 2 and 32 objects, a power of two
// Cost: O(chunks), that is O(objects / 32), for all but prune(), iterate() and close(), which are
// O(chunks) and as many calls; a new chunk is cleared. Not thread-safe: the owner's lock is held.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heap/heap.hpp"

namespace modmem {

// Where a pool's chunks come from: an allocate/free pair, and what it needs to know.
struct ObjectSource {
  // At least `bytes` at a multiple of `alignment` (a power of two), nullptr where there is none.
  void* (*allocate)(void* context, std::size_t bytes, std::size_t alignment) = nullptr;
  // Ends what allocate() gave.
  void (*free)(void* context, void* pointer) = nullptr;
  void* context = nullptr;
};

// The blocks of a heap, which must outlive the pools that take chunks from it.
ObjectSource object_source(Heap& heap);

class ObjectPool {
 public:
  static constexpr std::uint32_t kFirstChunk = 2;  // objects
  static constexpr std::uint32_t kMaxChunk = 32;

  // What iterate() calls; true ends the walk.
  using Visit = bool (*)(void* object, void* argument);

  ObjectPool() = default;
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;

  // Opens the pool for objects of `bytes` at multiples of `alignment`. Takes no memory yet. Returns
  // false exactly when `bytes` is 0, `alignment` is no power of two, or a chunk of such objects
  // would be larger than a size can say. Requires a closed pool. O(1).
  bool open(const ObjectSource& source, std::size_t bytes,
            std::size_t alignment = alignof(std::max_align_t));

  // Goes on with the chunks of a pool of objects of the same size and alignment, whose first chunk
  // is at `first`. That pool must not be used any more. Requires an open pool without chunks. So a
  // pool can be kept as an address and a size. O(chunks).
  void resume(void* first);

  // Gives all chunks back, with what lives in them. O(chunks).
  void close();

  // An object that is not in use: all zero when it is used for the first time since its chunk came,
  // else as it was left. nullptr exactly when every object is in use and the source has no chunk;
  // the pool is as before then. Requires an open pool.
  void* allocate();

  // Bytes of the chunk that allocate() takes where every object is in use. Requires an open pool.
  std::size_t next_chunk_bytes() const;

  // Ends the object at `object`, where status(object) is `live`; otherwise changes nothing. Returns
  // that status. Its chunk stays until prune().
  PointerStatus free(void* object);

  // What `object` is to this pool: `foreign` outside of all objects, `interior` in a live one but
  // not at its start, `not_live` anywhere in one that is not in use.
  PointerStatus status(const void* object) const;

  // Gives those chunks back that hold no live object. The next chunk is twice as large as the last
  // one that is left.
  void prune();

  // Calls visit(object, argument) for each live object, oldest chunk first, until it returns true.
  // Returns whether it did. `visit` may allocate and free objects of this pool, its own too; it may
  // not prune or close it. An object that is allocated meanwhile may be visited or not.
  bool iterate(Visit visit, void* argument) const;

  bool is_open() const { return source_.allocate != nullptr; }
  std::size_t object_bytes() const { return bytes_; }
  std::uint32_t live() const { return live_; }
  std::uint32_t chunks() const { return chunks_; }
  std::uint32_t capacity() const { return capacity_; }  // objects of all chunks

  // Checks the invariants; false where one is broken. O(1), deep O(chunks).
  bool check(CheckDepth depth) const;

 private:
  struct Chunk {
    Chunk* next = nullptr;
    std::uint32_t objects = 0;
    std::uint32_t used = 0;  // a bit for each object
  };
  // An object, or where it is not.
  struct Place {
    Chunk* chunk = nullptr;
    std::uint32_t index = 0;
    std::size_t offset = 0;  // into the object
  };

  static std::uint32_t all(const Chunk& chunk) { return UINT32_MAX >> (kMaxChunk - chunk.objects); }
  std::byte* objects_of(const Chunk* chunk) const;
  Place find(const void* object) const;
  static std::uint32_t objects_after(const Chunk* last);
  Chunk* grow(Chunk* last);

  ObjectSource source_;
  std::size_t bytes_ = 0;      // of an object, as asked for
  std::size_t stride_ = 0;     // from one object to the next
  std::size_t header_ = 0;     // from a chunk to its first object
  std::size_t alignment_ = 0;  // of a chunk
  Chunk* first_ = nullptr;
  std::uint32_t live_ = 0;
  std::uint32_t chunks_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace modmem
