// Region: memory with one lifetime, for what comes and goes together.
//
// A region is a run of pages. It starts in *lifetime mode*: blocks are laid one behind the other up
// to `top`, and freeing them is only counted, as the memory goes with the region. set_interim()
// seals that part; from then on what lies behind `top` is a heap like any other, for what comes and
// goes while the region lives.
//
// The pages of a *fixed* region are mapped as long as it exists: what it was made for is there,
// whatever others do. One that *grows* has only the addresses from the start, and frames under its
// blocks: nobody has to guess how large it will be, as what it does not use costs nothing.
//
// Blocks start and end on multiples of the block alignment (a cache line, or more), so no two of
// them share a line and any of them may be used through the uncached alias.
//
// The engine is ElasticHeap, as a fixed arena or in one span; a lifetime block is a block that is
// put at `top`.
// One that is freed, and the gap before a block of larger alignment, is *buried*: its first granule
// is let go, and the rest is a block of the engine that nobody knows. So it is never handed out
// again, and what was freed is told from what is live by the engine itself. The granule is of no
// use to anybody, as it is smaller than a block.
//
// References are counted in this object, which its owner keeps outside of the region's pages.
//
// Invariants (check()):
//   base <= top <= end, all multiples of the block alignment
//   [base, top) = live lifetime blocks + buried ones, without a gap
//   engine's blocks = live blocks of the region + buried ones
//   an open region has at least one reference
//   mapped pages = all pages (fixed); those with a block, live or buried (one that grows)
// Cost: lifetime allocation O(1), but for mapping and for pages of alignment, which have frames as
// all of the lifetime part; others as ElasticHeap over the region's pages. Not thread-safe:
// Memory's lock is held.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heap/elastic_heap.hpp"
#include "heap/heap.hpp"

namespace modmem {

struct RegionOptions {
  std::size_t bytes = 0;  // rounded up to pages; of a region that grows, the most it can get
  bool grows = false;     // starts without a frame; needs an MMU
  // Where blocks start and end, at least: a power of two of at least two granules and at most a
  // page. Coherent requests need the cache line here, or a multiple of it.
  std::size_t block_alignment = config::kCacheLineBytes;
};

// What a region is filled with. Bytes of blocks are whole multiples of the block alignment.
struct RegionInfo {
  std::size_t bytes = 0;           // of all its pages, mapped or not
  std::size_t mapped_bytes = 0;    // of those that are mapped: all of them, where it does not grow
  std::size_t lifetime_bytes = 0;  // of the lifetime part: blocks, freed ones, and gaps
  std::size_t interim_bytes = 0;   // of live blocks behind it
  std::size_t freed_bytes = 0;     // of lifetime blocks that were freed
  std::uint32_t lifetime_blocks = 0;
  std::uint32_t interim_blocks = 0;
  std::uint32_t freed_blocks = 0;  // lifetime blocks that were freed
  std::uint32_t references = 0;
  bool grows = false;
  bool interim = false;
};

class Region final : public Heap {
 public:
  // The smallest block alignment: a granule to let go, and one to keep.
  static constexpr std::size_t kMinBlockAlignment = 2 * config::kGranuleBytes;

  Region() = default;

  // Opens the region in lifetime mode, with one reference: its pages are mapped, now or (where it
  // grows) under each block, noted as `id`'s and charged to `account`, which is the region's alone.
  // Returns false, with nothing taken, exactly when options.bytes is 0, the block alignment is not
  // as RegionOptions says, it is to grow without an MMU (addresses are frames there: growing would
  // mean to keep both), or the addresses or the frames are not to be had. Requires a closed region.
  // O(pages), where it grows O(window pages / 64).
  bool open(AddressSpace& space, MetadataStore<PageDescriptor>& descriptors, HeapId id,
            PageAccount& account, const RegionOptions& options);

  // Ends all blocks and gives the pages back, however many references there are. Requires an open
  // region. O(pages).
  void close();

  // One more user. Requires an open region. O(1).
  void get();

  // One user less. Returns whether that was the last: the region is closed then, with all that
  // lived in it, and its owner may end this object. Requires an open region. O(1), the last one
  // O(pages).
  bool put();

  // Ends lifetime mode: what is left becomes a heap, be it ever so small. Cannot fail; nothing
  // happens where it was ended before. Requires an open region. O(1).
  void set_interim() { interim_ = true; }

  // As allocate(), and the block is for use through the uncached alias, by which it is named: its
  // lines are invalidated, so that what a former user left in a cache is never written over it.
  // nullptr exactly when allocate() would give that. All functions that take a pointer take it by
  // either alias.
  void* allocate_coherent(std::size_t bytes, std::size_t alignment);

  bool is_open() const { return heap_.is_open(); }
  bool is_interim() const { return interim_; }
  bool grows() const { return !heap_.is_fixed(); }
  std::uint32_t references() const { return references_; }
  const PageAccount& account() const { return heap_.account(); }
  bool owns_page(std::uint32_t page) const { return heap_.owns_page(page); }
  std::size_t block_alignment() const { return unit_; }

  // Where the region lies (cached alias), and how large it is or can get: whole pages. O(1).
  std::byte* base() const { return base_; }
  std::size_t bytes() const { return static_cast<std::size_t>(end_ - base_); }

  // O(1).
  RegionInfo info() const;

  // What heap/heap.hpp says holds, with these additions:
  // allocate(): sizes are rounded up to the block alignment. In lifetime mode nullptr exactly when
  //   `top`, aligned, leaves too little, or frames or a page descriptor that the block needs are
  //   not to be had; where only the descriptor for its end is not, the block extends to the end of
  //   its page. O(1), but for pages of alignment, and mapping.
  // free(): a lifetime block is only counted, before and after sealing. It is told apart as any
  //   other: a second free finds it not live.
  // resize(): a lifetime block stays as it is: true exactly when it is long enough already.
  // status(): O(1), but for pointers into lifetime blocks, live or not, O(their lines).
  // release_all(): the region is empty, in the mode that it was in, with its references and the
  //   pages that it has.

 private:
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

  std::size_t left() const { return static_cast<std::size_t>(end_ - top_); }
  std::size_t aligned(std::size_t alignment) const { return alignment > unit_ ? alignment : unit_; }
  std::size_t gap_for(std::size_t alignment) const;
  void* allocate_lifetime(std::size_t bytes, std::size_t alignment);
  bool put_at_top(std::size_t gap, std::size_t bytes);
  std::uint32_t page_at(std::size_t offset) const;
  std::size_t furthest(std::size_t gap, std::uint32_t keep) const;
  std::size_t room() const;
  std::size_t room_in_frames() const;
  bool is_lifetime(const void* pointer) const;
  void bury(std::byte* block, std::size_t bytes);
  bool check_lifetime() const;

  AddressSpace* space_ = nullptr;
  MetadataStore<PageDescriptor>* descriptors_ = nullptr;
  ElasticHeap heap_;
  std::size_t unit_ = 0;  // the block alignment
  std::byte* base_ = nullptr;
  std::byte* top_ = nullptr;  // end of the lifetime part
  std::byte* end_ = nullptr;
  bool interim_ = false;
  std::uint32_t references_ = 0;
  std::uint32_t lifetime_blocks_ = 0;  // live ones
  std::uint32_t buried_blocks_ = 0;    // freed ones and gaps
  std::size_t buried_bytes_ = 0;
  std::uint32_t freed_blocks_ = 0;
  std::size_t freed_bytes_ = 0;
};

}  // namespace modmem
