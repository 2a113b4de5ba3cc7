// MetadataStore: objects of one type for the allocator's own use, in chunks of a MetadataHeap.
//
// Objects are named by 16-bit handles that never change. A store can keep its objects in several
// lists (SlotList), one for each heap, say, so that all of a list can be dropped chunk by chunk.
//
// Invariants (check()): live = sum over lists of objects; a chunk of a list has at least one live
// object, but for those that reserve() took ahead and those that keep() holds. Cost: create and
// destroy O(1), plus a new chunk; drop_all() O(chunks). Not thread-safe: Memory's lock is held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "page/metadata_heap.hpp"

namespace modmem {

// Chunks with objects of one store.
struct SlotList {
  MetadataHeap::Chunk with_room = MetadataHeap::kNoChunk;
  MetadataHeap::Chunk full = MetadataHeap::kNoChunk;
  std::uint16_t free = 0;  // slots
  std::uint16_t kept = 0;  // free slots that stay, see keep()
};

// The untyped half of MetadataStore.
class SlotStore {
 public:
  using Handle = std::uint16_t;
  static constexpr Handle kNone = FrameInfo::kNone;

  // Stores slots of `slot_bytes` (of `target_bytes` where pointers have 32 bits) in chunks of
  // `heap`.
  void boot(MetadataHeap& heap, std::size_t slot_bytes, std::size_t target_bytes);

  // Takes chunks ahead so that take() can't fail `count` times; returns whether that holds. trim()
  // follows: it gives those back in which nothing was created, so that a call that fails in between
  // leaves no trace. No other list of the store is reserved for in between.
  bool reserve(SlotList& list, std::uint32_t count);
  void trim(SlotList& list) {
    if (ahead_ != 0) {
      give_ahead(list);
    }
  }

  // Has `count` slots of the list free now, and from now on keeps as many as are free, up to that
  // number: chunks without an object are given back beyond it only. Returns false, with nothing
  // changed, exactly when chunks are not to be had. O(chunks of the list).
  bool keep(SlotList& list, std::uint32_t count);
  // Undoes a keep() of more: has the list and the heap as they were when `before` was copied, and
  // the heap had `pages`, if nothing was created since.
  void keep_as(SlotList& list, const SlotList& before, std::uint32_t pages);

  // A free slot, kNone exactly when no slot is free and no page can be mapped.
  Handle take(SlotList& list);
  void give(SlotList& list, Handle handle);
  // Ends all objects of the list. O(chunks).
  void drop_all(SlotList& list);
  // Makes the objects of `from` those of `to`. O(chunks of both).
  void splice(SlotList& to, SlotList& from);

  void* at(Handle handle) const {
    MODMEM_ASSERT(handle != kNone);
    return heap_->at(handle);
  }
  // The live object that starts at `address`, which may be any; kNone where none does. O(1).
  Handle handle_of(const void* address) const;
  std::uint32_t live() const { return live_; }
  // Slots of the list that can be taken without mapping a page.
  std::uint32_t free(const SlotList& list) const {
    return list.free + (chunks_ == 1 ? heap_->free_chunks() * slots() : 0);
  }
  MetadataHeap& heap() const { return *heap_; }
  bool check(const SlotList& list, std::uint32_t& live) const;

 private:
  using Chunk = MetadataHeap::Chunk;
  using Notes = MetadataHeap::Notes;
  static constexpr Chunk kNoChunk = MetadataHeap::kNoChunk;

  Notes& notes(Chunk chunk) const { return heap_->notes(chunk); }
  void push(Chunk& head, Chunk chunk);
  void remove(Chunk& head, Chunk chunk);
  bool add_chunk(SlotList& list);
  void give_ahead(SlotList& list);
  void give_chunk(SlotList& list, Chunk chunk);
  bool check_list(Chunk head, bool full, std::uint32_t& free, std::uint32_t& live) const;
  std::uint32_t slots() const { return slots_; }

  MetadataHeap* heap_ = nullptr;
  std::uint8_t id_ = Notes::kFree;
  std::uint8_t chunks_ = 1;         // that a slot, or a group of slots, lies in
  std::uint16_t empty_ = 0;         // the free units of a chunk without an object
  std::uint16_t slots_ = 0;         // as many as those are
  std::uint16_t target_bytes_ = 0;  // of use that a slot is on a 32-bit target; 0: chunks count
  std::uint16_t ahead_ = 0;         // chunks that reserve() took, of which some may be empty
  std::uint16_t live_ = 0;
  bool mapped_ahead_ = false;  // reserve() mapped a page
};

// The bytes of a T where pointers have 32 bits. What has pointers says so itself.
template <typename T>
inline constexpr std::size_t kTargetBytes = sizeof(T);

template <typename T>
class MetadataStore {
 public:
  using Handle = SlotStore::Handle;
  static constexpr Handle kNone = SlotStore::kNone;
  static_assert(alignof(T) <= MetadataHeap::kUnitBytes);
  static_assert(sizeof(T) <= MetadataHeap::kMostBytes);

  void boot(MetadataHeap& heap) { slots_.boot(heap, sizeof(T), kTargetBytes<T>); }

  // A value-initialised object, kNone exactly when out of memory.
  Handle create() { return create(list_); }
  Handle create(SlotList& list) {
    const Handle handle = slots_.take(list);
    if (handle != kNone) {
      new (slots_.at(handle)) T();
    }
    return handle;
  }
  void destroy(Handle handle) { slots_.give(list_, handle); }
  void destroy(SlotList& list, Handle handle) { slots_.give(list, handle); }

  // Ends all objects, or those of a list.
  void clear() { slots_.drop_all(list_); }
  void drop_all(SlotList& list) { slots_.drop_all(list); }
  void splice(SlotList& to, SlotList& from) { slots_.splice(to, from); }

  T& operator[](Handle handle) const { return *static_cast<T*>(slots_.at(handle)); }

  // As in SlotStore.
  Handle handle_of(const void* address) const { return slots_.handle_of(address); }
  bool reserve(std::uint32_t count) { return slots_.reserve(list_, count); }
  void trim() { slots_.trim(list_); }
  bool reserve(SlotList& list, std::uint32_t count) { return slots_.reserve(list, count); }
  void trim(SlotList& list) { slots_.trim(list); }
  bool keep(SlotList& list, std::uint32_t count) { return slots_.keep(list, count); }
  void keep_as(SlotList& list, const SlotList& before, std::uint32_t pages) {
    slots_.keep_as(list, before, pages);
  }
  void drop_spare() { slots_.heap().drop_spare(); }
  // Objects that can be created without mapping a page.
  std::uint32_t free() const { return slots_.free(list_); }
  std::uint32_t live() const { return slots_.live(); }
  // Pages of the pool that metadata of all kinds holds.
  std::uint32_t pages() const { return slots_.heap().pages(); }
  bool check() const {
    std::uint32_t live = 0;
    return slots_.check(list_, live) && live == slots_.live();
  }
  bool check(const SlotList& list, std::uint32_t& live) const { return slots_.check(list, live); }

 private:
  SlotStore slots_;
  SlotList list_;
};

}  // namespace modmem
