// Heap: what everything that allocates has in common.
//
// The public functions are the contract that every heap keeps, and that heap/heap_conformance_test
// puts each of them through; the private Do... functions are what one heap does. Heaps keep no
// time, know no owners and take no lock: Memory does, for all of them.
//
// Contract
//   A live block is [p, p + usable_size(p)), aligned as asked, disjoint from every other live
//   block, with usable_size(p) >= the bytes asked for. No allocator state lies in it. free() and
//   the other functions that take a pointer tell exactly whether it is the start of a live block of
//   this heap; where it is not, they say why, and nothing changes. A call that fails leaves heap
//   and pool as they were.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bits.hpp"
#include "modmem/config.hpp"

namespace modmem {

// What a pointer turned out to be.
enum class PointerStatus : std::uint8_t {
  live,      // start of a live block: fine
  foreign,   // not in any page of this heap
  interior,  // inside a live block, not at its start
  not_live,  // nothing lives here: freed already, or never allocated
  damaged,   // of Memory alone: a block of L3 whose content was lost while the power was off
};

// Why a request failed.
enum class FailureReason : std::uint8_t {
  none,
  pool,           // not enough memory, counting all that this request may use
  limit,          // the owner's, an ancestor's or the heap's limit
  guarantee,      // enough is free, but it is guaranteed to others
  alignment,      // it would fit with a smaller alignment
  slots,          // no slot of a fitting size is free
  fragmentation,  // enough is free, but not in one piece
  unsupported,    // there is no memory of that kind, or not for such requests or this core
  injected,       // the observer refused it: a test
};

// Thoroughness of check(): cheap is O(1) or close, deep walks everything.
enum class CheckDepth : std::uint8_t { cheap, deep };

struct HeapStats {
  std::size_t occupied_bytes = 0;  // granules of live blocks
  std::size_t mapped_bytes = 0;    // frames held
  std::size_t peak_mapped_bytes = 0;
  std::uint32_t live_blocks = 0;
};

// A block whose size the heap chose.
struct Range {
  void* pointer = nullptr;
  std::size_t bytes = 0;
};

class Heap {
 public:
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // A block of at least `bytes` (> 0) at a multiple of `alignment` (a power of two). Returns
  // nullptr exactly when no placement of that size and alignment can be had; explain() then says
  // why.
  void* allocate(std::size_t bytes, std::size_t alignment) { return do_allocate(bytes, alignment); }

  // Ends the block at `pointer`, where status(pointer) is `live`; otherwise changes nothing.
  // Returns that status.
  PointerStatus free(void* pointer) { return do_free(pointer); }

  // What `pointer` is to this heap. O(1).
  PointerStatus status(const void* pointer) const { return do_status(pointer); }

  // Bytes that may be used at `pointer`, the start of a live block; 0 for any other pointer.
  std::size_t usable_size(const void* pointer) const { return do_usable_size(pointer); }

  // Makes the live block at `pointer` at least `bytes` (> 0) long where it stands, and returns
  // whether it is; shrinking gives back what it can and always succeeds. On failure nothing
  // changed.
  bool resize(void* pointer, std::size_t bytes) { return do_resize(pointer, bytes); }

  // The largest request of this alignment that would succeed now while the pool keeps
  // `keep_frames` more frames free; 0 where none would. Exact: that much succeeds, a granule more
  // fails.
  std::size_t largest_request(std::size_t alignment, std::uint32_t keep_frames = 0) const {
    return do_largest_request(alignment, keep_frames);
  }

  // One block of between `minimum` and `preferred` bytes: as large as fits while the pool keeps
  // `keep_frames` more frames free, a multiple of `step` above the minimum; the minimum itself may
  // use them. Found by one query, never by trial. Requires 0 < minimum <= preferred and step > 0.
  // {nullptr, 0} exactly when not even allocate(minimum, alignment) would succeed.
  Range allocate_range(std::size_t minimum, std::size_t preferred, std::size_t alignment,
                       std::size_t step, std::uint32_t keep_frames);

  // Why allocate(bytes, alignment) fails now; `none` where it would not.
  FailureReason explain(std::size_t bytes, std::size_t alignment) const {
    return do_explain(bytes, alignment);
  }

  // Bytes that requests to this heap could use now in the best case: its holes and the free pages
  // that it may take.
  std::size_t free_bytes() const { return do_free_bytes(); }

  // Ends all blocks and gives all frames back. O(pages).
  void release_all() { do_release_all(); }

  HeapStats stats() const { return do_stats(); }

  // Checks the invariants; false where one is broken.
  bool check(CheckDepth depth) const { return do_check(depth); }

 protected:
  Heap() = default;
  ~Heap() = default;

 private:
  virtual void* do_allocate(std::size_t bytes, std::size_t alignment) = 0;
  // As do_allocate(), but with the fewest frames, whatever time that takes.
  virtual void* do_allocate_thriftily(std::size_t bytes, std::size_t alignment) {
    return do_allocate(bytes, alignment);
  }
  virtual PointerStatus do_free(void* pointer) = 0;
  virtual PointerStatus do_status(const void* pointer) const = 0;
  virtual std::size_t do_usable_size(const void* pointer) const = 0;
  virtual bool do_resize(void* pointer, std::size_t bytes) = 0;
  virtual std::size_t do_largest_request(std::size_t alignment, std::uint32_t keep) const = 0;
  virtual FailureReason do_explain(std::size_t bytes, std::size_t alignment) const = 0;
  virtual std::size_t do_free_bytes() const = 0;
  virtual void do_release_all() = 0;
  virtual HeapStats do_stats() const = 0;
  virtual bool do_check(CheckDepth depth) const = 0;
};

inline Range Heap::allocate_range(std::size_t minimum, std::size_t preferred, std::size_t alignment,
                                  std::size_t step, std::uint32_t keep_frames) {
  const std::size_t largest = largest_request(alignment, keep_frames);
  const std::size_t most = largest < preferred ? largest : preferred;
  const std::size_t bytes = most > minimum ? minimum + (most - minimum) / step * step : minimum;
  void* pointer =
      keep_frames == 0 ? allocate(bytes, alignment) : do_allocate_thriftily(bytes, alignment);
  return Range{pointer, pointer != nullptr ? bytes : 0};
}

}  // namespace modmem
