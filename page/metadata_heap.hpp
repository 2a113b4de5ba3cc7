// MetadataHeap: the memory of the allocator's own objects, in chunks.
//
// What the library must note about blocks (page descriptors, allocation records), owners and heaps
// lies neither in payload pages nor in tables sized for the worst case. It lies in chunks of 128
// bytes: first those of a part of the boot arena, then those of pages that are mapped when they are
// needed and given back when they are empty, reached through the uncached alias, so that every core
// sees the same. Stores of all sizes share the pages, so that a small system does not pay a page
// for each kind of object.
//
// A chunk is named by a number, an object by the number of the 16-byte unit that it starts at, in
// 16 bits: up to 1 MiB of metadata less a page. The first chunks of each page hold the notes of its
// chunks.
//
// Invariants (check()): a chunk is free or its store's; pages of the pool have a chunk in use, but
// for at most one spare. The spare is kept only while other pages have less than half a page of
// free chunks, so that an object that comes and goes does not map and unmap.
// A page has its bit in room_ exactly where it has a free chunk, so no full page is looked at. The
// notes of a page of the pool have its number.
// Cost: take O(1) for a single chunk, else at worst O(pages of metadata); at(), unit_of() O(1). Not
// thread-safe: Memory's lock is held.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bitmap.hpp"
#include "modmem/config.hpp"
#include "page/address_space.hpp"

namespace modmem {

class MetadataHeap {
 public:
  using Chunk = std::uint16_t;
  static constexpr Chunk kNoChunk = 0xffff;
  static constexpr std::size_t kUnitBytes = 16;
  static constexpr std::size_t kChunkBytes = 128;
  static constexpr std::uint32_t kUnitsPerChunk = kChunkBytes / kUnitBytes;
  static constexpr std::uint32_t kChunksPerPage = config::kPageBytes / kChunkBytes;

  // What is noted about a chunk. Free chunks have only `store`.
  struct Notes {
    static constexpr std::uint8_t kFree = 0;

    std::uint16_t free_units = 0;  // a bit for each unit at which a free slot starts
    Chunk next = kNoChunk;         // in a list of the store's
    Chunk prev = kNoChunk;
    std::uint8_t store = kFree;
    bool continues = false;  // not the first chunk of an object of several
  };
  static constexpr std::uint32_t kNoteChunks =
      (kChunksPerPage * sizeof(Notes) + kChunkBytes - 1) / kChunkBytes;
  // The largest object that can be had.
  static constexpr std::size_t kMostBytes = (kChunksPerPage - kNoteChunks) * kChunkBytes;
  static_assert(kChunksPerPage > kNoteChunks);
  // In place of the notes of their own, which nobody needs, they hold a bit for each chunk in use.
  static_assert(kNoteChunks * sizeof(Notes) >=
                BitmapView::words_for(kChunksPerPage) * sizeof(BitmapView::Word));
  // Whole pages that units of 16 bits name, those of the arena among them, and their bytes.
  static constexpr std::uint32_t kMostPages = 0xffff / (kChunksPerPage * kUnitsPerChunk);
  static constexpr std::size_t kReachBytes = std::size_t{kMostPages} * config::kPageBytes;

  // Sets up an empty heap whose first chunks are `arena_bytes` of `arena`, up to kReachBytes and as
  // far as they make chunks, from which its directory comes as well; what is behind that lies in
  // pages of `space`, noted as `id`'s and charged to `account`. Returns false where the arena has
  // too little.
  bool boot(AddressSpace& space, HeapId id, PageAccount& account, std::size_t arena_bytes,
            MetadataArena& arena);
  // Gives every page back, in use or not.
  void shutdown();

  // A new number for a store, not Notes::kFree.
  std::uint8_t add_store() { return ++stores_; }

  // The first of `count` (1 to what fits a page) neighbouring chunks for `store`; kNoChunk exactly
  // when there are none and no page can be mapped.
  Chunk take(std::uint32_t count, std::uint8_t store);
  void give(Chunk first, std::uint32_t count);
  // Gives the spare page back, where there is one.
  void drop_spare();

  Notes& notes(Chunk chunk) const {
    return reinterpret_cast<Notes*>(page_at(chunk / kChunksPerPage))[chunk % kChunksPerPage];
  }
  // The object at `unit`.
  void* at(std::uint32_t unit) const {
    constexpr std::uint32_t kUnits = kChunksPerPage * kUnitsPerChunk;
    if (unit < arena_units_) {
      return arena_ + unit * kUnitBytes;
    }
    return page_at(unit / kUnits) + unit % kUnits * kUnitBytes;
  }
  // The unit that starts at `address`, which may be any, where that is one of a chunk of `store`;
  // kNoUnit elsewhere. O(1).
  static constexpr std::uint32_t kNoUnit = 0xffff;
  std::uint32_t unit_of(const void* address, std::uint8_t store) const;

  // Has take() leave so many chunks free from now on, for others than those who take next; where
  // there are fewer, it maps another page.
  void hold_back(std::uint32_t chunks) { held_back_ = chunks; }
  // Chunks in use.
  std::uint32_t used_chunks() const { return used_; }

  // Bytes of the arena that its chunks lie in.
  std::size_t arena_bytes() const { return std::size_t{arena_units_} * kUnitBytes; }
  // Pages of the pool that it holds.
  std::uint32_t pages() const { return pool_pages_; }
  // Chunks that take() has without mapping a page, one by one; those held back besides.
  std::uint32_t free_chunks() const { return free_ > held_back_ ? free_ - held_back_ : 0; }
  std::uint32_t all_free_chunks() const { return free_; }
  const PageAccount& account() const { return *account_; }
  // Has all of them open, or read-only: then nothing here may be called but this. Requires a port
  // that can. O(pages of metadata).
  void set_access(Access access) const {
    for (std::uint32_t page = arena_pages_, left = pool_pages_; left != 0; ++page) {
      if (exists(page)) {
        space_->set_access(directory_[page - arena_pages_], access);
        --left;
      }
    }
  }

  // Bytes that the objects take on a target with 32-bit pointers: stores say what comes and goes.
  void note_use(std::ptrdiff_t bytes);
  std::size_t use() const { return with_notes(use_); }
  std::size_t peak_use() const { return with_notes(peak_use_); }

  bool check() const;

 private:
  static constexpr std::uint32_t kNoSpare = UINT32_MAX;

  static constexpr std::size_t with_notes(std::size_t bytes) {
    return bytes + bytes * kNoteChunks / (kChunksPerPage - kNoteChunks);
  }
  // Start of the numbered page, of the arena or of the pool.
  std::byte* page_at(std::uint32_t page) const {
    if (page < arena_pages_) {
      return arena_ + page * config::kPageBytes;
    }
    const std::uint16_t window_page = directory_[page - arena_pages_];
    MODMEM_ASSERT(window_page != FrameInfo::kNone);
    return space_->to_uncached(space_->address_of(window_page));
  }
  std::uint32_t chunks_in(std::uint32_t page) const {
    return page + 1 == arena_pages_ ? last_arena_chunks_ : kChunksPerPage;
  }
  BitmapView room() const { return {room_.data(), end_}; }
  // The chunks of the page that are in use, those of notes among them.
  BitmapView used_in(std::uint32_t page) const {
    return {reinterpret_cast<BitmapView::Word*>(page_at(page)), chunks_in(page)};
  }
  std::uint32_t free_in(std::uint32_t page) const {
    const std::uint32_t chunks = chunks_in(page);
    return chunks - used_in(page).count(0, chunks);
  }
  bool exists(std::uint32_t page) const {
    return page < arena_pages_ || directory_[page - arena_pages_] != FrameInfo::kNone;
  }
  Chunk find(std::uint32_t page, std::uint32_t count) const;
  std::uint32_t page_near(const void* address) const;
  void start_page(std::uint32_t page);
  std::uint32_t add_page();
  void remove_page(std::uint32_t page);

  AddressSpace* space_ = nullptr;
  PageAccount* account_ = nullptr;
  HeapId id_ = kNoHeap;
  std::uint8_t stores_ = 0;
  std::byte* arena_ = nullptr;
  std::uint32_t arena_units_ = 0;
  std::uint32_t arena_pages_ = 0;        // the last one may be a part of one
  std::uint32_t last_arena_chunks_ = 0;  // in that one
  std::uint32_t end_ = 0;                // pages that can have a number
  std::uint16_t* directory_ = nullptr;   // of pool pages: number -> page of the window
  std::uint32_t pool_pages_ = 0;
  std::uint32_t free_ = 0;  // chunks
  mutable std::array<BitmapView::Word, BitmapView::words_for(kMostPages)> room_{};
  std::uint32_t spare_ = kNoSpare;
  std::uint32_t used_ = 0;       // chunks
  std::uint32_t held_back_ = 0;  // of the free ones
  std::size_t use_ = 0;
  std::size_t peak_use_ = 0;
};

}  // namespace modmem
