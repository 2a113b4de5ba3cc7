// Where a SlotHeap may put a block, found by trying every slot.
//
// The oracle knows the heap's table, its live blocks from the model and the pages from the address
// space; it shares no code with the heap's own search. Cost: O(slots * pages of the request).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "heap/slot_heap.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/heap_world.hpp"

namespace modmem {

class SlotOracle {
 public:
  // Takes a copy of all that it needs.
  SlotOracle(HeapWorld& world, const SlotHeap& heap, HeapId id, const HeapModel& model)
      : contiguous_(heap.is_contiguous()) {
    AddressSpace& space = world.space();
    PagePool& pool = world.pool();
    const Span region = heap.region();
    base_ = space.address_of(region.first);
    std::size_t offset = 0;
    for (std::uint32_t i = 0; i < heap.bundle_count(); ++i) {
      bundles_.push_back({offset, heap.bundle(i).slot_bytes, heap.bundle(i).slots, {}});
      Bundle& bundle = bundles_.back();
      bundle.used.resize(bundle.slots);
      for (std::size_t at = 0; at < model.size(); ++at) {
        const auto begin = static_cast<std::size_t>(model[at].pointer - base_);
        const std::size_t end = begin + model[at].usable;
        for (std::size_t slot = 0; slot < bundle.slots; ++slot) {
          const std::size_t first = offset + slot * bundle.bytes;
          if (begin < first + bundle.bytes && end > first) {
            bundle.used[slot] = true;
          }
        }
      }
      offset += bundle.bytes * bundle.slots;
    }
    for (std::uint32_t page = region.first; page < region.end(); ++page) {
      const bool own = space.heap_of(page) == id;
      mapped_.push_back(own);
      blocked_.push_back(space.is_mapped(page) && !own);
    }
    const PageAccount& account = heap.account();
    now_ = {pool.available(account), world.descriptors().free(), kNone};
    if (pool.available(world.metadata()) > 0 && (!space.has_mmu() || space.largest_gap() > 0)) {
      // With one more page of descriptors, which without an MMU is the lowest free one.
      const std::uint32_t limit = account.limit - account.held;
      const std::uint32_t left = pool.free() - (pool.reserved() - account.unused_guarantee()) - 1;
      With with{left < limit ? left : limit, UINT32_MAX, kNone};
      if (!space.has_mmu()) {
        with.taken = pool.taken_map().next_clear(0, pool.frames()) - region.first;
      }
      reserved_ = with;
    }
  }

  // True where a block of that size and alignment fits somewhere, metadata included.
  bool fits(std::size_t bytes, std::size_t alignment) const {
    return first_bundle(bytes, alignment).has_value();
  }

  // True where the block lies in the first bundle of the table that could take it.
  bool allows(const std::byte* pointer, std::size_t bytes, std::size_t alignment) const {
    const std::optional<std::size_t> index = first_bundle(bytes, alignment);
    if (!index) {
      return false;
    }
    const Bundle& bundle = bundles_[*index];
    const auto offset = static_cast<std::size_t>(pointer - base_);
    return offset >= bundle.offset && offset < bundle.offset + bundle.bytes * bundle.slots &&
           (offset - bundle.offset) % bundle.bytes == 0;
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::size_t kPage = config::kPageBytes;

  struct Bundle {
    std::size_t offset;  // in the region
    std::size_t bytes;   // of a slot
    std::size_t slots;
    std::vector<bool> used;
  };
  // What there is to be had; `taken`: a page of the region that metadata takes.
  struct With {
    std::uint32_t frames = 0;
    std::uint32_t descriptors = 0;
    std::uint32_t taken = kNone;
  };

  std::optional<std::size_t> first_bundle(std::size_t bytes, std::size_t alignment) const {
    for (std::size_t i = 0; i < bundles_.size(); ++i) {
      if (fits_in(bundles_[i], bytes, alignment, now_) ||
          (reserved_ && fits_in(bundles_[i], bytes, alignment, *reserved_))) {
        return i;
      }
    }
    return std::nullopt;
  }

  bool fits_in(const Bundle& bundle, std::size_t bytes, std::size_t alignment,
               const With& with) const {
    const std::size_t count = divide_up(bytes, bundle.bytes);
    if (count > (contiguous_ ? bundle.slots : 1)) {
      return false;
    }
    for (std::size_t slot = 0; slot + count <= bundle.slots; ++slot) {
      bool free = true;
      for (std::size_t i = 0; i < count && free; ++i) {
        free = !bundle.used[slot + i];
      }
      const std::size_t at = bundle.offset + slot * bundle.bytes;
      const bool aligned = reinterpret_cast<std::uintptr_t>(base_ + at) % alignment == 0;
      if (free && aligned && can_pay(bundle, at, bytes, count, with)) {
        return true;
      }
    }
    return false;
  }

  bool can_pay(const Bundle& bundle, std::size_t at, std::size_t bytes, std::size_t count,
               const With& with) const {
    const std::size_t end =
        bundle.bytes < kPage ? at + count * bundle.bytes : at + align_up(bytes, kPage);
    std::uint32_t frames = 0;
    std::uint32_t descriptors = 0;
    for (std::size_t page = at / kPage; page < divide_up(end, kPage); ++page) {
      if (blocked_[page] || (page == with.taken && !mapped_[page])) {
        return false;
      }
      frames += mapped_[page] ? 0 : 1;
      const bool whole = at <= page * kPage && end >= (page + 1) * kPage;
      if (!mapped_[page] && !whole && !contiguous_) {  // those get whole pages if need be
        descriptors += bundle.bytes < config::kGranuleBytes ? 2 : 1;
      }
    }
    return frames <= with.frames && descriptors <= with.descriptors;
  }

  bool contiguous_;
  const std::byte* base_ = nullptr;
  std::vector<Bundle> bundles_;
  std::vector<bool> mapped_;   // pages of the region that the heap has
  std::vector<bool> blocked_;  // and that others have
  With now_;
  std::optional<With> reserved_;
};

}  // namespace modmem
