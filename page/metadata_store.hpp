// MetadataStore: objects of one size for the allocator's own use, in pages of their own.
//
// What the library must note about blocks (page descriptors, allocation records) lies neither in
// payload pages nor in a table sized for the worst case: the store takes a frame when it needs one
// and gives it back when its last object goes. Objects are named by 16-bit handles, and reached
// through the uncached alias, so that every core sees the same.
//
// Invariants (check()): live = sum over pages of their live objects; a page of the store has at
// least one live object, but for at most one spare page. Cost: take and give O(pages of the store)
// at worst, O(1) while the first page has room. The spare is kept only while the other pages have
// less than half a page of room, so that an object that comes and goes does not map and unmap. Not
// thread-safe: Memory's lock is held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "page/address_space.hpp"

namespace modmem {

// The untyped half of MetadataStore.
class SlotStore {
 public:
  using Handle = std::uint16_t;
  static constexpr Handle kNone = FrameInfo::kNone;

  // Stores up to about `most` objects (a whole number of pages) of `slot_bytes` in pages noted as
  // `id`'s and charged to `account`. Takes the directory from `arena`; returns false where the
  // arena has too little.
  bool boot(AddressSpace& space, HeapId id, PageAccount& account, std::size_t slot_bytes,
            std::size_t most, MetadataArena& arena);
  // Gives every page back, live objects or not.
  void shutdown();

  // Maps a page ahead so that take() can't fail `count` times; returns whether that holds. trim()
  // follows: it gives the page back if nothing was taken from it, so that a call that fails in
  // between leaves no trace.
  bool reserve(std::uint32_t count);
  void trim();

  // Gives the spare page back, where there is one.
  void drop_spare();

  // A free slot, kNone exactly when no slot is free and no page can be mapped.
  Handle take();
  void give(Handle handle);

  void* at(Handle handle) const;
  // The slot that starts at `address`, taken or not; kNone where none does. Any address is allowed.
  // O(pages of the store).
  Handle handle_of(const void* address) const;
  std::uint32_t free() const { return free_; }
  std::uint32_t live() const { return live_; }
  std::uint32_t pages() const { return pages_; }
  bool check() const;

 private:
  static constexpr std::uint16_t kEndOfList = 0xffff;
  static constexpr std::uint32_t kNoSpare = UINT32_MAX;

  bool add_page();
  void remove_page(std::uint32_t index);
  FrameInfo& info(std::uint32_t index) const { return space_->info(directory_[index]); }

  AddressSpace* space_ = nullptr;
  PageAccount* account_ = nullptr;
  HeapId id_ = kNoHeap;
  std::uint32_t slot_bytes_ = 0;
  std::uint32_t slots_per_page_ = 0;
  std::uint32_t directory_size_ = 0;
  std::uint16_t* directory_ = nullptr;  // index -> page, FrameInfo::kNone where there is none
  std::uint32_t live_ = 0;
  std::uint32_t free_ = 0;
  std::uint32_t pages_ = 0;
  std::uint32_t spare_ = kNoSpare;  // directory index of the page without a live object
  bool ahead_ = false;              // the spare was mapped by reserve(), and trim() is to come
};

template <typename T>
class MetadataStore {
 public:
  using Handle = SlotStore::Handle;
  static constexpr Handle kNone = SlotStore::kNone;
  static_assert(alignof(T) <= 16);

  bool boot(AddressSpace& space, HeapId id, PageAccount& account, std::size_t most,
            MetadataArena& arena) {
    return slots_.boot(space, id, account, sizeof(T), most, arena);
  }
  void shutdown() { slots_.shutdown(); }

  // A value-initialised object, kNone exactly when out of memory.
  Handle create() {
    const Handle handle = slots_.take();
    if (handle != kNone) {
      new (slots_.at(handle)) T();
    }
    return handle;
  }
  void destroy(Handle handle) { slots_.give(handle); }

  T& operator[](Handle handle) const { return *static_cast<T*>(slots_.at(handle)); }

  // As in SlotStore.
  Handle handle_of(const void* address) const { return slots_.handle_of(address); }
  bool reserve(std::uint32_t count) { return slots_.reserve(count); }
  void trim() { slots_.trim(); }
  void drop_spare() { slots_.drop_spare(); }
  std::uint32_t free() const { return slots_.free(); }
  std::uint32_t live() const { return slots_.live(); }
  std::uint32_t pages() const { return slots_.pages(); }
  bool check() const { return slots_.check(); }

 private:
  SlotStore slots_;
};

}  // namespace modmem
