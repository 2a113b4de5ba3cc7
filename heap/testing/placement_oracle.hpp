// Whether a block could be put anywhere, found by trying every place.
//
// The oracle knows the heap's live blocks from the model and the pages from the address space; it
// shares no code with the heap's own search. It looks at the pages that the heap has (MMU: its
// spans, so a span yet to be added is not seen). Cost: O(granules of the window).
#pragma once

#include <cstdint>
#include <vector>

#include "heap/elastic_heap.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/heap_world.hpp"

namespace modmem {

class PlacementOracle {
 public:
  PlacementOracle(HeapWorld& world, const ElasticHeap& heap, HeapId id, const HeapModel& model)
      : world_(world), heap_(heap), space_(world.space()), pages_(space_.window_pages()) {
    usable_.resize(pages_);
    for (std::uint32_t page = 0; page < pages_; ++page) {
      const bool own = space_.heap_of(page) == id;
      const bool free =
          !space_.is_mapped(page) && !heap.is_fixed() &&
          (space_.has_mmu() ? heap.owns_page(page) : !world.pool().is_taken(frame(page)));
      usable_[page] = own || free;
    }
    occupied_.assign(std::size_t{pages_} * kPageGranules + 1, 0);
    for (std::size_t i = 0; i < model.size(); ++i) {
      const auto first =
          static_cast<std::size_t>(model[i].pointer - space_.address_of(0)) / config::kGranuleBytes;
      for (std::size_t at = 0; at < model[i].usable / config::kGranuleBytes; ++at) {
        occupied_[first + at + 1] = 1;
      }
    }
    for (std::size_t at = 1; at < occupied_.size(); ++at) {
      occupied_[at] += occupied_[at - 1];
    }
  }

  // Any place will do.
  bool allows(const std::byte*, std::size_t, std::size_t) const { return true; }

  // True where a block of that size and alignment fits somewhere, metadata included.
  bool fits(std::size_t bytes, std::size_t alignment) const {
    PagePool& pool = world_.pool();
    const std::uint32_t available = pool.available(heap_.account());
    const std::uint32_t free = world_.descriptors().free();
    if (fits_within(bytes, alignment, available, free, pages_)) {
      return true;
    }
    if (pool.available(world_.metadata()) == 0 || (space_.has_mmu() && space_.largest_gap() == 0)) {
      return false;
    }
    // With one more page of descriptors, which without an MMU is the lowest free one.
    std::uint32_t taken = 0;
    while (!space_.has_mmu() && taken < pages_ && pool.is_taken(frame(taken))) {
      ++taken;
    }
    const std::uint32_t limit = heap_.account().limit - heap_.account().held;
    const std::uint32_t others = pool.reserved() - heap_.account().unused_guarantee();
    const std::uint32_t left = pool.free() - others - 1;
    return fits_within(bytes, alignment, left < limit ? left : limit, UINT32_MAX,
                       space_.has_mmu() ? pages_ : taken);
  }

 private:
  static Frame frame(std::uint32_t page) { return Frame{static_cast<std::uint16_t>(page)}; }

  bool fits_within(std::size_t bytes, std::size_t alignment, std::uint32_t frames,
                   std::uint32_t descriptors, std::uint32_t forbidden) const {
    const std::size_t granules = divide_up(bytes, config::kGranuleBytes);
    const std::size_t step = divide_up(alignment, config::kGranuleBytes);
    const std::size_t base =
        reinterpret_cast<std::uintptr_t>(space_.address_of(0)) / config::kGranuleBytes;
    const std::size_t window = std::size_t{pages_} * kPageGranules;
    std::vector<std::uint32_t> unusable(pages_ + 1, 0);
    std::vector<std::uint32_t> unmapped(pages_ + 1, 0);
    for (std::uint32_t page = 0; page < pages_; ++page) {
      unusable[page + 1] = unusable[page] + (usable_[page] && page != forbidden ? 0 : 1);
      unmapped[page + 1] = unmapped[page] + (space_.is_mapped(page) ? 0 : 1);
    }
    for (std::size_t start = align_up(base, step) - base; start + granules <= window;
         start += step) {
      const std::size_t end = start + granules;
      const std::size_t first = start / kPageGranules;
      const std::size_t last = (end - 1) / kPageGranules;
      if (occupied_[end] != occupied_[start] || unusable[last + 1] != unusable[first] ||
          unmapped[last + 1] - unmapped[first] > frames) {
        continue;
      }
      // A last page that is taken whole needs no descriptor, a ready one has one.
      const auto page = static_cast<std::uint32_t>(first);
      const bool is_ready =
          space_.is_mapped(page) && space_.info(page).descriptor != FrameInfo::kNone;
      const std::uint32_t needed = space_.is_busy(page) || is_ready ? 0 : 1;
      if (needed <= descriptors) {
        return true;
      }
    }
    return false;
  }

  HeapWorld& world_;
  const ElasticHeap& heap_;
  AddressSpace& space_;
  std::uint32_t pages_;
  std::vector<bool> usable_;
  std::vector<std::uint32_t> occupied_;  // occupied granules before each
};

}  // namespace modmem
