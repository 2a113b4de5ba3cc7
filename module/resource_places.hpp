// ResourcePlaces: where a module's resources lie.
//
// Places come from an object pool of kernel memory that is the system's and reached past the
// caches: no module can write it, all cores see the same, and it is not charged to the module,
// whose account says what the module asked for. The pool gives all of its memory back with its last
// place.
//
// The pool is guarded by the port's lock, which is Memory's and not recursive. So a chunk that the
// pool may need is taken before the lock is, and chunks that it gives back are freed after.
//
// Invariant: chunks are held only while a place is in use.
// Cost: O(places / 32), and a request for each chunk of 2, 4, 8, 16, 32, 32, ... places.
// Calling context: any thread and core; not the audio path, not an interrupt.
#pragma once

#include <cstddef>

#include "heap/object_pool.hpp"
#include "memory/memory.hpp"
#include "module/resource.hpp"

namespace modmem {

class ResourcePlaces {
 public:
  static constexpr std::size_t kAlignment = alignof(std::max_align_t);
  // Room for a handler with what a framework adds to it.
  static constexpr std::size_t kBytes = 24 * sizeof(void*);

  ResourcePlaces() = default;
  ResourcePlaces(const ResourcePlaces&) = delete;
  ResourcePlaces& operator=(const ResourcePlaces&) = delete;

  // Places in `memory`, which must outlive it. Requires that it is closed. Takes no memory yet.
  void open(Memory& memory);
  // Requires that no place is in use.
  void close();
  // The same with whatever is in use, which is not used any more.
  void abandon();

  // kBytes of undefined content. nullptr exactly when memory ran out, which is not explained to
  // Memory's observer: it is not what the caller asked for. Requires that it is open.
  void* take(Site site);
  // Ends a place of take().
  void give(void* place);

  std::uint32_t taken() const { return pool_.live(); }

 private:
  void free_chunks(void* chunks);

  Memory* memory_ = nullptr;
  ObjectPool pool_;
  // Under the lock: what the pool may take as its next chunk, and what it gave back.
  void* spare_ = nullptr;
  std::size_t spare_bytes_ = 0;
  void* retired_ = nullptr;  // each chunk begins with the address of the next
};

}  // namespace modmem
