// ElasticHeap: the heap engine. Frames lie only under live data, and no state lies in payload
// memory.
//
// A heap has spans of virtual pages (without an MMU: the window, where page = frame) and maps
// frames under them as blocks need them. Free space is of two kinds: *holes*, free granules of
// pages that are mapped because something lives there too, and *free pages*, which cost no memory.
// A request is first put into a hole of one page (PageBins, O(1)); where none fits, into the
// stretch - a hole at the end of a page, the free pages behind it, and the hole at the start of the
// next page - that takes the fewest new frames, of the first few that are found. A page whose last
// block goes is unmapped.
//
// Everything that is known about blocks is in PageDescriptors and FrameInfos; a page that lies
// wholly inside one block has no descriptor. A free block is just clear bits, so freeing coalesces
// by itself, and no stray write can break the heap.
//
// A *stray* is a page outside of the heap's spans, taken over from a heap that ended while somebody
// else's block lived there. Its holes serve requests; its addresses go with its last block.
//
// A *fixed arena* is this engine with all of its pages mapped from the start, and kept.
//
// A heap can be *premapped*: a number of empty pages, the *ready* ones, are kept mapped, each with
// its descriptor, so that requests which they have room for need nothing of pool, port or metadata.
//
// Invariants (check()):
//   mapped pages = pages with a live block + kept empty ones
//   kept empty = ready ones + retained ones; ready <= premapped; retained <= retained_pages
//   a page that is kept empty is ready exactly when it has a descriptor
//   occupied granules = sum over pages; live blocks = start bits
//   a page is in the bin of its largest hole
//   pages outside of the spans = strays (without an MMU only a fixed arena has such)
// Cost: a request that fits a hole of a page, and its free: O(1), with at most kPageGranules / 2
// holes of one page looked at. Others: O(window pages / 64 + pages of their own) plus mapping;
// where frames have run out, O(pages) more. No loop depends on the number of blocks
// (docs/theory.md). Not thread-safe: Memory's lock is held.
#pragma once

#include <optional>

#include "heap/heap.hpp"
#include "heap/heap_budget.hpp"
#include "heap/page_bins.hpp"
#include "heap/page_descriptor.hpp"
#include "page/address_space.hpp"
#include "page/metadata_store.hpp"

namespace modmem {

struct ElasticHeapOptions {
  std::uint32_t span_pages = 0;  // virtual pages to start with; more are added when needed
  // A first span takes no more than one part in this many (4 or more) of the largest gap, so that
  // there is address space for other heaps; each further one twice as much, up to a quarter.
  std::uint32_t span_divisor = 4;
  std::uint32_t retained_pages =
      0;  // empty pages kept mapped, for owners that allocate while audio runs
  std::uint32_t retained_us = 0;  // how long each is kept, see give_back_kept(); 0: without limit
  std::uint32_t fixed_pages = 0;  // not 0: a fixed arena of that many pages
  bool one_span = false;          // span_pages in one piece, no more and no fewer (MMU only)
};

class ElasticHeap final : public Heap {
 public:
  ElasticHeap() = default;

  // Opens the heap: its pages are noted as `id`'s and charged to `account`. Returns false, with
  // nothing taken, exactly when the span or, of a fixed arena, the frames are not to be had.
  // Requires a closed heap.
  bool open(AddressSpace& space, MetadataStore<PageDescriptor>& descriptors, HeapId id,
            PageAccount& account, const ElasticHeapOptions& options);

  // Releases everything and gives the spans back. O(pages).
  void close();

  // A block of at least `bytes` (> 0) exactly at `pointer`, a cached address: for what is known to
  // have lived there. Returns false, with nothing changed, exactly when that is not in the heap's
  // pages or not on a granule, some of it is not free, or frames or metadata are not to be had.
  bool allocate_at(std::byte* pointer, std::size_t bytes);

  // Makes the live block at `pointer` two, the second of which starts `bytes` behind it. Cannot
  // fail. Requires that `bytes` are whole granules, more than none and fewer than the block has,
  // and end before the end of the page that the block starts in. O(1).
  void split(std::byte* pointer, std::size_t bytes);

  // The lines of `line` bytes, a power of two of at most 32 granules, in which the live block at
  // `block`, a cached address, lies and no other one; none where `end` is not behind `begin`. O(1).
  struct Lines {
    std::byte* begin = nullptr;
    std::byte* end = nullptr;
  };
  Lines own_lines(const std::byte* block, std::size_t line) const;

  // Borrowing (elastic_heap_holes.cpp): where frames run out, a block of one heap may live in a
  // hole of another one's page.

  // As allocate(), but in a hole of a page that holds live blocks already: takes no frame and no
  // metadata. nullptr exactly when `bytes` exceed largest_in_holes(alignment). O(pages with holes).
  void* allocate_in_holes(std::size_t bytes, std::size_t alignment);

  // The largest request that allocate_in_holes() would serve now; 0 for none. O(pages with holes).
  std::size_t largest_in_holes(std::size_t alignment) const;

  // As close(), but blocks that still live, and the pages under them, become `heir`'s, whatever the
  // limit of its account. They stay where they are, and valid: pointers to them are `heir`'s from
  // now on. The guarantee of this heap's account ends. Requires that both heaps are open, in the
  // same address space and with the same store of descriptors. O(pages).
  void close_into(ElasticHeap& heir);

  // Gives the pages back that have been kept empty for options.retained_us at `time_us`, the port's
  // time; a page may go a millisecond early. Nothing in a fixed arena. O(pages of the spans / 64).
  void give_back_kept(std::uint64_t time_us);

  // Pre-mapping (elastic_heap_premap.cpp): empty pages that are there before they are needed.

  // Has `pages` pages ready from now on: what is missing is mapped now, with descriptors, in one
  // run of addresses, next to ready ones where that is possible; what is too much is unmapped.
  // Pages whose last block goes become ready again, up to that number. While ready pages, holes and
  // other kept pages have a place for it, allocate() takes nothing and calls no port. Returns
  // false, with nothing changed, exactly when frames, a run of addresses or descriptors are not to
  // be had. Requires a heap that is no fixed arena. Ends with release_all() and close(). O(window
  // pages / 64 + pages of its own), plus mapping; giving back O(pages of the spans).
  bool premap(std::uint32_t pages);

  // Why premap(pages) fails now, as far as heap and pool can tell; `pool` where they can't.
  FailureReason explain_premap(std::uint32_t pages) const;

  // Pages that were asked for, and those that are ready.
  std::uint32_t premapped() const { return premapped_; }
  std::uint32_t ready() const { return ready_; }

  // Whether allocate() would find a place that takes no frame and no page of metadata. O(window
  // pages / 64 + pages of its own).
  bool has_place_mapped(std::size_t bytes, std::size_t alignment) const;

  bool is_open() const { return space_ != nullptr; }
  bool is_fixed() const { return fixed_; }
  const PageAccount& account() const { return *account_; }
  // All pages that a fixed arena, or a heap of one span, can have.
  const Span& arena() const { return spans_[0]; }
  // True where `page` is mapped for the heap or, not mapped, lies in one of its spans.
  bool owns_page(std::uint32_t page) const;

 private:
  static constexpr std::uint32_t kMaxSpans = config::kMmuSupport ? 8 : 1;
  // Pages of the request's own size class that are looked at before going up a class; joints and
  // stretches that are looked at for a better one.
  static constexpr std::uint32_t kTries = 8;
  static constexpr std::uint32_t kAll = UINT32_MAX;

  // Granules are numbered from the start of the window.
  static constexpr std::uint32_t kNowhere = UINT32_MAX;
  static constexpr std::uint32_t page_of(std::uint32_t granule) { return granule / kPageGranules; }

  // Free granules [begin, end): those of the free pages [free_first, free_end), and of the holes
  // before and behind.
  struct Stretch {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t free_first = 0;
    std::uint32_t free_end = 0;

    bool has_free(std::uint32_t page) const { return page >= free_first && page < free_end; }
  };
  // Where a block goes.
  struct Place {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  struct Block {
    std::uint32_t start = 0;
    std::uint32_t end = 0;
  };

  // Where a block starts.
  struct Start {
    FrameInfo* notes = nullptr;
    PageDescriptor* blocks = nullptr;
    std::uint32_t page = 0;
    std::uint32_t granule = 0;  // of the page
  };

  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void* do_allocate_thriftily(std::size_t bytes, std::size_t alignment) override;
  PointerStatus do_free(void* pointer) override;
  PointerStatus do_status(const void* pointer) const override;
  std::size_t do_usable_size(const void* pointer) const override;
  bool do_resize(void* pointer, std::size_t bytes) override;
  std::size_t do_largest_request(std::size_t alignment, std::uint32_t keep) const override;
  FailureReason do_explain(std::size_t bytes, std::size_t alignment) const override;
  std::size_t do_free_bytes() const override;
  void do_release_all() override;
  HeapStats do_stats() const override;
  bool do_check(CheckDepth depth) const override;

  // Holes (elastic_heap.cpp)
  void* allocate_in_hole(std::uint32_t granules, std::uint32_t alignment, std::uint32_t tries);
  bool may_pass_over(const FrameInfo& notes, std::uint32_t granules, std::uint32_t left) const;
  [[gnu::noinline]] void* put_in_tight_hole(std::uint32_t page, FrameInfo& notes,
                                            PageDescriptor& blocks, std::uint32_t granules);
  void* allocate_elsewhere(std::size_t bytes, std::size_t alignment, bool thriftily);
  [[gnu::always_inline]] void* put_in_page(std::uint32_t page, FrameInfo& notes,
                                           PageDescriptor& blocks, const PageDescriptor::Fit& fit,
                                           std::uint32_t granules);
  std::uint32_t largest_hole(std::uint32_t alignment) const;
  void hand_over(std::uint32_t page, ElasticHeap& heir);

  // Stretches (elastic_heap_stretch.cpp)
  void* allocate_in_stretch(std::uint32_t granules, std::uint32_t alignment, bool thorough);
  void* place_in_stretch(std::uint32_t granules, std::uint32_t alignment, bool thorough);
  void* append(std::uint32_t granules);
  void* begin_block(const Place& place);
  void* note_block(const Place& place);
  std::optional<Place> find_place(std::uint32_t granules, std::uint32_t alignment, bool thorough,
                                  const HeapBudget& most) const;
  std::optional<Place> find_joint(std::uint32_t granules, std::uint32_t alignment,
                                  std::uint32_t tries) const;
  bool add_span(std::uint32_t granules, std::uint32_t alignment);
  static std::uint32_t span_share(const AddressSpace& space, const ElasticHeapOptions& options,
                                  std::uint32_t index);
  std::uint32_t furthest_end(const Stretch& stretch, std::uint32_t start,
                             const HeapBudget& budget) const;
  std::uint32_t furthest_start(const Stretch& stretch, const HeapBudget& budget) const;
  std::uint32_t largest_in_stretches(std::uint32_t alignment, const HeapBudget& budget) const;
  Span joined_span(std::uint32_t index) const;
  Stretch stretch_at(const Span& span, std::uint32_t page, std::uint32_t run_end) const;
  template <typename Visit>
  void for_each_stretch(Visit visit) const;
  template <typename Visit>
  void look_at_long_run(std::uint32_t behind, std::uint32_t granules, std::uint32_t alignment,
                        Visit visit) const;
  template <typename Visit>
  void for_each_joint(std::uint32_t shortest, std::uint32_t most, Visit visit) const;
  template <typename Visit>
  bool for_each_kept_start(const Stretch& stretch, std::uint32_t alignment, Visit visit) const;
  HeapBudget budget(std::uint32_t keep) const;
  std::uint32_t least_frames(const Stretch& stretch, std::uint32_t granules) const;
  HeapBudget cost(const Stretch& stretch, const Place& place) const;
  bool may_align(const FrameInfo& page, std::uint32_t alignment) const;
  static constexpr std::uint32_t within_page(std::uint32_t alignment) {
    return alignment < kPageGranules ? alignment : kPageGranules;
  }
  std::uint32_t align(std::uint32_t granule, std::uint32_t alignment) const;
  std::uint32_t align_back(std::uint32_t granule, std::uint32_t alignment) const;

  // Ready pages (elastic_heap_premap.cpp)
  bool is_ready(std::uint32_t page) const {
    const FrameInfo* notes = ready_ != 0 ? space_->find_info(page, id_) : nullptr;
    return notes != nullptr && notes->empty && notes->descriptor != FrameInfo::kNone;
  }
  std::uint32_t ready_in(const Span& run) const { return ready_ != 0 ? count_ready(run) : 0; }
  std::uint32_t count_ready(const Span& run) const;
  void* allocate_mapped(std::uint32_t granules, std::uint32_t alignment);
  bool keep_ready(std::uint32_t page);
  void fill_inside(const Span& run);
  void drop_kept(std::uint32_t page);
  void drop_ready();
  Span run_to_premap(std::uint32_t more) const;

  // Occupying and vacating granules (elastic_heap_pages.cpp)
  bool claim(std::uint32_t start, std::uint32_t end, bool new_block);
  bool map_pages(const Span& run);
  void begin_page(std::uint32_t page, std::uint32_t from, std::uint32_t to);
  void occupy(std::uint32_t page, std::uint32_t from, std::uint32_t to);
  PointerStatus free_reaching(std::uint32_t page, std::uint32_t granule);
  [[gnu::always_inline]] void vacate_in_page(std::uint32_t page, FrameInfo& notes,
                                             PageDescriptor& blocks, std::uint32_t from,
                                             std::uint32_t to);
  void vacate(std::uint32_t start, std::uint32_t end);
  void release_page(std::uint32_t page);
  void release_addresses(std::uint32_t page);
  void release_pages_of(const Span& span);

  // Making blocks longer and shorter (elastic_heap_resize.cpp)
  bool shrink(const Block& block, std::uint32_t new_end);
  bool grow(const Block& block, std::uint32_t new_end);
  bool extend(const Block& block, std::uint32_t new_end);

  // Looking at itself (elastic_heap_check.cpp)
  struct Totals {
    std::uint32_t pages = 0;
    std::uint32_t kept = 0;
    std::uint32_t ready = 0;
    std::uint32_t occupied = 0;
    std::uint32_t blocks = 0;
    std::uint32_t strays = 0;
    std::uint32_t reached = 0;  // end of the pages that an earlier page's block extends into
  };
  bool check_page(std::uint32_t page, Totals& totals) const;
  bool check_bins() const;

  // Pages and blocks
  FrameInfo& info(std::uint32_t page) const { return space_->info(page); }
  PageDescriptor& descriptor(const FrameInfo& info) const {
    return (*descriptors_)[info.descriptor];
  }
  // Of an open heap. Without an MMU there is one, in which page = frame.
  std::uint32_t span_count() const { return kMaxSpans > 1 ? span_count_ : 1; }
  bool in_spans(std::uint32_t page) const;
  bool is_stray(std::uint32_t page) const { return !in_spans(page); }
  // That of a page of this heap; nullptr where it has none, or is not in use.
  PageDescriptor* find_descriptor(std::uint32_t page) const {
    const FrameInfo* notes = space_->find_info(page, id_);
    return notes != nullptr && notes->descriptor != FrameInfo::kNone ? &descriptor(*notes)
                                                                     : nullptr;
  }
  bool has_descriptor(std::uint32_t page) const { return find_descriptor(page) != nullptr; }
  // Granules free at the end of the page, and at its start.
  std::uint32_t tail_hole(std::uint32_t page) const {
    const PageDescriptor* blocks = find_descriptor(page);
    return blocks != nullptr ? blocks->tail_hole() : 0;
  }
  std::uint32_t head_hole(std::uint32_t page) const {
    const PageDescriptor* blocks = find_descriptor(page);
    return blocks != nullptr ? blocks->head_hole() : 0;
  }
  std::uint32_t free_end(std::uint32_t granule, std::uint32_t last) const;
  Block block_at(std::uint32_t granule) const;
  [[gnu::always_inline]] Start start_at(const void* pointer) const;
  PointerStatus why_not_live(const void* pointer) const;
  std::uint32_t granule_of(const void* pointer) const {
    return static_cast<std::uint32_t>(space_->offset_of(pointer) / config::kGranuleBytes);
  }
  std::byte* address_of(std::uint32_t granule) const {
    return space_->address_of(0) + std::size_t{granule} * config::kGranuleBytes;
  }

  AddressSpace* space_ = nullptr;
  MetadataStore<PageDescriptor>* descriptors_ = nullptr;
  PageAccount* account_ = nullptr;
  HeapId id_ = kNoHeap;
  bool fixed_ = false;
  ElasticHeapOptions options_;
  std::uint32_t retained_limit_ = 0;
  std::uint32_t retained_ = 0;  // pages kept empty, the ready ones among them
  std::uint16_t premapped_ = 0;
  std::uint16_t ready_ = 0;
  std::uint32_t strays_ = 0;  // pages outside of the spans
  std::uint32_t span_count_ = 0;
  Span spans_[kMaxSpans];
  PageBins bins_;
  std::uint32_t occupied_ = 0;  // granules
  std::uint32_t live_blocks_ = 0;
};

// Frees the occupied granules [from, to) of a page with a descriptor, where no block starts any
// more. A hole that becomes larger than all others of the page may be all of it.
inline void ElasticHeap::vacate_in_page(std::uint32_t page, FrameInfo& notes,
                                        PageDescriptor& blocks, std::uint32_t from,
                                        std::uint32_t to) {
  const std::uint32_t hole = blocks.release(from, to);
  notes.free = static_cast<std::uint8_t>(notes.free + (to - from));
  occupied_ -= to - from;
  if (hole == kPageGranules) [[unlikely]] {
    release_page(page);
  } else if (hole > notes.largest_hole) {
    bins_.update(*space_, page, notes, hole);
  }
}

}  // namespace modmem
