// AddressSpace: the virtual window, its spans, and which frame lies under which page.
//
// The one owner of virtual addresses. It reserves spans (runs of pages) for heaps, maps frames of
// the PagePool under runs of pages as a whole or not at all, and finds page, frame and heap of any
// address in O(1), through the cached and the uncached alias.
//
// Without an MMU the window is the pool itself, page = frame: spans can't be reserved, map() takes
// the very frames that the addresses name, and every heap sees the whole window.
//
// A page is *mapped* where a frame lies under it, and *busy* where it is mapped and not kept empty:
// busy pages hold live blocks.
//
// Invariants (check()): a frame lies under at most one page, and frame_info(page).page == page;
// busy implies mapped; mapped pages = frames taken from the pool through this class.
// Not thread-safe: Memory's lock is held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/arena.hpp"
#include "base/bitmap.hpp"
#include "base/check.hpp"
#include "modmem/config.hpp"
#include "page/frame_info.hpp"
#include "page/page_pool.hpp"
#include "page/random_bits.hpp"
#include "port/port.hpp"

namespace modmem {

// A virtual range: the pages [first, first + pages).
struct Span {
  std::uint32_t first = 0;
  std::uint32_t pages = 0;

  constexpr std::uint32_t end() const { return first + pages; }
  constexpr bool contains(std::uint32_t page) const { return page >= first && page < end(); }
};

// Whoever knows what lies in pages, for AddressSpace::compact().
class PageMover {
 public:
  // Whether a mapped page that is not pinned may be moved.
  virtual bool may_move(std::uint32_t page) = 0;

 protected:
  ~PageMover() = default;
};

// What compact() did: pages moved, and whether there is more to gain.
struct Compaction {
  std::uint32_t moved = 0;
  bool more = false;
};

class AddressSpace {
 public:
  // Sets up an empty window over `pool`. Takes its tables from `arena`; returns false where the
  // arena has too little.
  bool boot(const PlatformConfig& config, Port& port, PagePool& pool, MetadataArena& arena);

  // True where pages can be put anywhere; false where page = frame.
  bool has_mmu() const { return config::kMmuSupport && has_mmu_; }

  // Reserves `wanted` pages, or as many as there are but at least `minimum`, in the lowest gap that
  // has them. Nothing exactly when no gap has `minimum` pages. Without an MMU: the whole window,
  // not reserved. O(window pages / 64).
  std::optional<Span> reserve_span(std::uint32_t wanted, std::uint32_t minimum);

  // Reserves one page, for metadata, at the far end of the window, where it is in no span's way.
  // Without an MMU: finds a page whose frame is free. Nothing exactly when there is none. O(window
  // pages / 64).
  std::optional<std::uint32_t> reserve_page();

  // Pages of the largest gap that reserve_span() could give; 0 without an MMU.
  std::uint32_t largest_gap() const;

  // Ends a reservation. Requires that no page of it is mapped.
  void release_span(const Span& span);

  // Maps every unmapped page of [first, first + count) to a frame of the pool, charged to `account`
  // and noted as `heap`'s; pages there that are mapped already are `heap`'s and stay. All become
  // busy. Returns false, with everything as before, exactly when the pool does not give the frames
  // or the port can't map one. O(count * banks).
  bool map(std::uint32_t first, std::uint32_t count, HeapId heap, PageAccount& account);

  // Takes the pages [first, first + count), all mapped, out of use and gives their frames back.
  void unmap(std::uint32_t first, std::uint32_t count, PageAccount& account);

  // Turns a busy page, which is in no bin, into a mapped one without live blocks. `timed`: notes
  // the time.
  void keep_empty(std::uint32_t page, bool timed = false);

  // Makes the busy page `heir`'s, charged to `to` in place of `from`, which has no guarantee.
  void hand_over(std::uint32_t page, HeapId heir, PageAccount& from, PageAccount& to);

  // Keeps a mapped page on its frame, or no longer; a page that is unmapped is not pinned any more.
  void set_pinned(std::uint32_t page, bool pinned);

  // Has a mapped page closed to access, read only or open. What its account says is the caller's to
  // keep: map() gives pages that access. Requires a port that can, where that changes. O(1).
  void set_access(std::uint32_t page, Access access);

  // Opens those of the mapped pages [first, first + count) that are not open, for the library
  // itself, and with it for whoever runs on another core at that moment;
  // close() has them as `account`, to which they are charged, says, where they are mapped still.
  // O(count).
  void open(std::uint32_t first, std::uint32_t count);
  void close(std::uint32_t first, std::uint32_t count, const PageAccount& account);

  // Moves at most `budget` pages into other frames, with their content and under the same
  // addresses, so that banks become empty and go off. A bank is emptied only where all that lies in
  // it may move and fits into the other banks in use; the one with the fewest pages comes first.
  // When there is no more to gain, no fewer banks could hold what is taken, given what must stay.
  // Only pages of a bank that is going off move, and into banks that stay on, so none moves back
  // and forth. Where the port fails to map, the page at hand stays as it was, and `more` is false.
  // Without an MMU nothing moves. Requires that nothing but the calling core accesses the pages
  // that may move: content is copied past the cache, after this core's lines were written back.
  // O(window pages / 64 + pages moved) and, for each bank emptied, O(frames of the pool + banks^2).
  Compaction compact(std::uint32_t budget, PageMover& mover);

  bool is_mapped(std::uint32_t page) const { return mapped_.test(page); }
  bool is_busy(std::uint32_t page) const { return busy_.test(page); }
  // True where a block of `heap` may be put on the page: unmapped, or kept empty by that heap.
  bool is_free_for(std::uint32_t page, HeapId heap) const;
  // End of the run of pages free for `heap` that starts at `page`, at most `last`.
  std::uint32_t free_run_end(std::uint32_t page, std::uint32_t last, HeapId heap) const {
    const std::uint32_t end = busy_.next_set(page, last);
    // With an MMU nobody else maps pages in a heap's span.
    return has_mmu() ? end : kept_by_others(page, end, heap);
  }
  std::uint32_t next_not_busy(std::uint32_t page, std::uint32_t last) const {
    return busy_.next_clear(page, last);
  }
  // First of `count` pages in [page, last) that are not busy, `last` where there is no such run.
  std::uint32_t next_not_busy_run(std::uint32_t page, std::uint32_t last,
                                  std::uint32_t count) const {
    return busy_.next_clear_run(page, last, count);
  }
  std::uint32_t next_busy(std::uint32_t page, std::uint32_t last) const {
    return busy_.next_set(page, last);
  }
  std::uint32_t next_mapped(std::uint32_t page, std::uint32_t last) const {
    return mapped_.next_set(page, last);
  }
  // First page of [page, last) that is mapped and kept empty, `last` where there is none; end of
  // the run of them that starts at `page`. Whose they are is not looked at.
  std::uint32_t next_kept(std::uint32_t page, std::uint32_t last) const;
  std::uint32_t kept_run_end(std::uint32_t page, std::uint32_t last) const;
  // Pages of [first, first + count) that map() would have to take a frame for.
  std::uint32_t unmapped_in(std::uint32_t first, std::uint32_t count) const {
    return count - mapped_.count(first, first + count);
  }

  // Bytes from the start of the window to `address`, through either alias; window_bytes() or more
  // exactly when it lies in neither.
  std::size_t offset_of(const void* address) const {
    const std::size_t offset =
        reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_);
    return offset < window_bytes_ ? offset : offset - static_cast<std::size_t>(alias_offset_);
  }
  std::size_t window_bytes() const { return window_bytes_; }

  // Page that `address` lies in, through either alias; nothing outside of the window.
  std::optional<std::uint32_t> page_of(const void* address) const;
  // Start of `page`, cached alias.
  std::byte* address_of(std::uint32_t page) const {
    return base_ + std::size_t{page} * config::kPageBytes;
  }
  // The same byte through the cached alias (of an address in the window), or through the uncached.
  std::byte* to_cached(const void* address) const;
  std::byte* to_uncached(std::byte* cached) const { return cached + alias_offset_; }
  // True where `address` lies in the uncached alias of the window and the platform has one.
  bool is_uncached(const void* address) const;

  // The notes of a mapped page, and of a frame. `frame_of` requires that the page is mapped.
  std::uint16_t frame_of(std::uint32_t page) const {
    MODMEM_ASSERT(is_mapped(page));
    return has_mmu() ? frame_of_page_[page] : static_cast<std::uint16_t>(page);
  }
  FrameInfo& info(std::uint32_t page) const { return frame_info_[frame_of(page)]; }
  FrameInfo& frame_info(std::uint16_t frame) const { return frame_info_[frame]; }
  // The notes of `page`, which is in the window, where it is mapped for `heap`; else nullptr. What
  // frame_of_page_ says of a page that is not mapped is stale, and the frame's notes tell.
  FrameInfo* find_info(std::uint32_t page, HeapId heap) const {
    FrameInfo& notes = frame_info_[has_mmu() ? frame_of_page_[page] : page];
    return notes.page == page && notes.heap == heap ? &notes : nullptr;
  }
  // Heap of a mapped page, kNoHeap for any other.
  HeapId heap_of(std::uint32_t page) const { return is_mapped(page) ? info(page).heap : kNoHeap; }

  // Without an MMU, the heap that had a page last that is not mapped; else, and where that has been
  // forgotten, kNoHeap.
  HeapId last_heap_of(std::uint32_t page) const {
    return has_mmu_ || is_mapped(page) ? kNoHeap : frame_info_[page].heap;
  }
  // Forgets which pages `heap` had, whose number may then be another's. Without an MMU O(frames).
  void forget_heap(HeapId heap);

  std::uint32_t window_pages() const { return window_pages_; }
  std::uint32_t mapped_pages() const { return mapped_pages_; }
  PagePool& pool() const { return *pool_; }
  Port& port() const { return *port_; }
  // The port's view of blocks, nullptr where it has none.
  BlockView* blocks() const { return config::kBlockViews ? blocks_ : nullptr; }

  // What heaps here choose places by; none unless somebody says so.
  RandomBits& random() { return random_; }

  // Checks the invariants. O(window pages).
  bool check() const;

 private:
  std::uint32_t kept_by_others(std::uint32_t page, std::uint32_t last, HeapId heap) const;
  bool map_missing(std::uint32_t first, std::uint32_t count, HeapId heap, PageAccount& account);
  bool map_page(std::uint32_t page, HeapId heap, PageAccount& account);
  bool map_frame(std::uint32_t page, Frame frame, HeapId heap);
  void forget(std::uint32_t page);
  bool is_movable(Bank bank, PageMover& mover) const;
  std::optional<Bank> bank_to_empty(PageMover& mover) const;
  bool copy_content(std::uint32_t page, Frame to, std::uint32_t scratch);
  bool move_page(std::uint32_t page, Frame to, std::uint32_t scratch);

  Port* port_ = nullptr;
  BlockView* blocks_ = nullptr;
  PagePool* pool_ = nullptr;
  std::byte* base_ = nullptr;
  std::ptrdiff_t alias_offset_ = 0;
  bool has_mmu_ = false;
  std::uint32_t window_pages_ = 0;
  std::size_t window_bytes_ = 0;
  std::uint32_t mapped_pages_ = 0;
  BitmapView reserved_;  // pages in spans
  BitmapView mapped_;
  BitmapView busy_;
  std::uint16_t* frame_of_page_ = nullptr;  // MMU only; elsewhere page = frame
  FrameInfo* frame_info_ = nullptr;         // one a frame
  [[no_unique_address]] RandomBits random_;
};

}  // namespace modmem
