// SlotHeap: the virtual memory heap (VMH) of today's firmware, over the page pool.
//
// A region of virtual pages is divided into *bundles*, each a row of *slots* of one size, a power
// of two, and a whole number of pages. In single-slot mode a request gets one slot of the first
// bundle, in table order, whose slots are large enough and that has a free one; in contiguous mode
// it gets consecutive free slots of the first bundle that has them. Within a bundle the place is
// taken that needs the fewest new frames, the lowest of equal ones. Frames lie only under used
// slots, and under a slot of a page or more only where the request covers it.
//
// A block is a run of *units* of its bundle: slots, where these are smaller than a page, else
// pages. So a slot is used exactly when its first unit is. A page that lies wholly inside one block
// needs no descriptor; others have one, or two where the slots are smaller than a granule, as
// PageSlots. Where none is to be had, a contiguous block gets whole pages instead. FrameInfo::reach
// counts the pages of the last block that starts in the page, where that block goes beyond it or
// the page has no descriptor; else it is 0.
//
// Without an MMU the region is a run of frames that is free when the heap is opened. It is not set
// aside: what another heap takes there is not free, and this heap may come to have fewer slots.
//
// Invariants (check()):
//   mapped pages = pages with a used unit = frames held
//   used slots of a bundle = its slots whose first unit is used
//   occupied bytes = sum over blocks of unit * units; live blocks = start bits + descriptorless
//   starts
// Cost: allocate, resize, largest_request, explain: O(pages of the region + runs of free slots
// below the page) plus mapping; free, status, usable_size: O(bundles) plus unmapping. Not
// thread-safe: Memory's lock is held.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "heap/heap.hpp"
#include "heap/heap_budget.hpp"
#include "heap/page_descriptor.hpp"
#include "heap/page_slots.hpp"
#include "page/address_space.hpp"
#include "page/metadata_store.hpp"

namespace modmem {

struct SlotBundle {
  std::size_t slot_bytes = 0;
  std::uint32_t slots = 0;
};

// The table of today's firmware: 0x140000 bytes in all.
inline constexpr std::array kProductionBundles = {
    SlotBundle{128, 32},   SlotBundle{512, 8},   SlotBundle{1024, 44}, SlotBundle{2048, 8},
    SlotBundle{4096, 11},  SlotBundle{8192, 10}, SlotBundle{32768, 8}, SlotBundle{65536, 3},
    SlotBundle{131072, 1}, SlotBundle{524288, 1}};

struct SlotHeapOptions {
  std::size_t region_bytes = 0;  // virtual; whole pages
  // At most SlotHeap::kMaxBundles. None: five equal bundles of 64 << i bytes, i = 0..4, each a
  // fifth of the region rounded down to pages.
  std::span<const SlotBundle> bundles = {};
  bool contiguous = false;  // consecutive slots for one request
};

struct SlotBundleStats {
  std::size_t slot_bytes = 0;
  std::uint32_t slots = 0;
  std::uint32_t used = 0;
  std::uint32_t most_used = 0;
  std::uint64_t run_out = 0;  // requests of a fitting size that found too few free slots here
};

class SlotHeap final : public Heap {
 public:
  static constexpr std::uint32_t kMaxBundles = 10;
  static constexpr std::size_t kMinSlotBytes = config::kPageBytes / PageSlots::kMaxSlots;

  SlotHeap() = default;

  // Opens the heap: its pages are noted as `id`'s and charged to `account`, which is the heap's
  // alone. Returns false, with nothing taken, exactly when there are more than kMaxBundles bundles,
  // one has no slot or slots that are no power of two or below kMinSlotBytes, the sizes of the
  // bundles so far are no multiple of the page or exceed the region, the region is no whole
  // (positive) number of pages, or it is not to be had. Requires a closed heap.
  bool open(AddressSpace& space, MetadataStore<PageDescriptor>& descriptors, HeapId id,
            PageAccount& account, const SlotHeapOptions& options);

  // Releases everything and gives the region back. O(pages).
  void close();

  bool is_open() const { return space_ != nullptr; }
  bool is_contiguous() const { return contiguous_; }
  const PageAccount& account() const { return *account_; }
  // The region's pages. The bundles lie at its start, in table order, without gaps.
  const Span& region() const { return region_; }
  // True where `page` lies in the region (and, without an MMU, is mapped for this heap).
  bool owns_page(std::uint32_t page) const;

  std::uint32_t bundle_count() const { return bundle_count_; }
  // The bundle `index`, below bundle_count(), in table order. Counters run from open(). O(1).
  SlotBundleStats bundle(std::uint32_t index) const;

 private:
  static constexpr std::uint32_t kNowhere = UINT32_MAX;
  static constexpr HeapBudget kUnlimited{UINT32_MAX, UINT32_MAX};

  struct Bundle {
    std::uint32_t first_page = 0;
    std::uint32_t pages = 0;
    std::uint32_t unit_bytes = 0;
    std::uint32_t slot_units = 0;  // units of a slot; 1 where slots are smaller than a page
    std::uint32_t page_units = 0;  // units of a page; 1 where they are not
    std::uint32_t used = 0;        // slots
    std::uint32_t most_used = 0;
    std::uint64_t run_out = 0;

    std::uint32_t units() const { return pages * page_units; }
    std::size_t slot_bytes() const { return std::size_t{unit_bytes} * slot_units; }
    std::uint32_t slots_of(std::uint32_t count) const {
      return (count + slot_units - 1) / slot_units;
    }
    std::uint32_t page_of(std::uint32_t unit) const { return first_page + unit / page_units; }
    std::uint32_t first_unit(std::uint32_t page) const { return (page - first_page) * page_units; }
    std::uint32_t page_end(std::uint32_t unit) const {  // of the page of `unit`
      return (unit / page_units + 1) * page_units;
    }
    // Descriptors of a page that blocks do not cover as a whole.
    std::uint32_t page_descriptors() const {
      return page_units == 1 ? 0 : (page_units + kPageGranules - 1) / kPageGranules;
    }
  };
  // Units [begin, end) of one bundle.
  struct Run {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    std::uint32_t size() const { return end - begin; }
  };
  struct Block {
    std::uint32_t bundle = 0;  // index
    Run units;
  };

  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
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

  bool set_bundles(const SlotHeapOptions& options);
  bool add_bundle(const SlotBundle& bundle, std::size_t region_bytes, std::size_t& total);

  // Occupying and vacating units (slot_heap.cpp)
  void* put(Bundle& bundle, const Run& place);
  bool claim(Bundle& bundle, const Run& place);
  void vacate(Bundle& bundle, const Run& units);
  bool shrink(const Block& block, std::uint32_t new_end);
  bool grow(const Block& block, std::uint32_t new_end);
  bool extend(const Block& block, std::uint32_t new_end);
  void note_reach(const Bundle& bundle, const Run& block, std::uint32_t furthest);
  void count_used(Bundle& bundle, std::uint32_t old_units, std::uint32_t new_units);
  bool attach_descriptors(const Bundle& bundle, std::uint32_t page);
  void release_page(std::uint32_t page);

  // Places (slot_heap_places.cpp)
  std::optional<Run> choose(const Bundle& bundle, std::uint32_t units, std::size_t alignment);
  std::optional<Run> find(const Bundle& bundle, std::uint32_t units, std::size_t alignment,
                          const HeapBudget& most, bool whole_pages) const;
  Run widened(const Bundle& bundle, Run place) const;
  HeapBudget cost(const Bundle& bundle, const Run& place) const;
  HeapBudget budget(std::uint32_t keep) const;
  std::uint32_t first_start(const Bundle& bundle, std::uint32_t unit, std::size_t alignment) const;
  std::uint32_t last_start(const Bundle& bundle, std::uint32_t unit, std::size_t alignment) const;
  std::uint32_t next_free(const Bundle& bundle, std::uint32_t unit) const;
  std::uint32_t next_used(const Bundle& bundle, std::uint32_t unit) const;
  template <typename Visit>
  void for_each_run(const Bundle& bundle, Visit visit) const;
  std::uint32_t largest_in(const Bundle& bundle, std::size_t alignment,
                           const HeapBudget& most) const;
  std::size_t largest_in(const Bundle& bundle, std::size_t alignment, std::uint32_t keep) const;
  std::uint32_t descriptors_for_block(const Bundle& bundle) const {
    return bundle.page_descriptors() * (contiguous_ ? 2 : 1);
  }
  std::uint32_t most_units(const Bundle& bundle) const {
    return contiguous_ ? bundle.units() : bundle.slot_units;
  }

  // Looking at itself (slot_heap_check.cpp)
  struct Totals {
    std::uint32_t pages = 0;
    std::uint32_t used = 0;  // slots of the bundle
    std::size_t occupied = 0;
    std::uint32_t blocks = 0;
    std::uint32_t reached = 0;  // end of the pages that an earlier page's block extends into
  };
  bool check_page(const Bundle& bundle, std::uint32_t page, Totals& totals) const;
  bool check_bundle(const Bundle& bundle, Totals& totals) const;

  // Pages and blocks
  FrameInfo& info(std::uint32_t page) const { return space_->info(page); }
  bool is_used(std::uint32_t page) const {
    return space_->is_busy(page) && space_->heap_of(page) == id_;
  }
  bool has_descriptor(std::uint32_t page) const {
    return is_used(page) && info(page).descriptor != FrameInfo::kNone;
  }
  PageSlots slots_on(const Bundle& bundle, std::uint32_t page) const;
  Run part_on(const Bundle& bundle, const Run& units, std::uint32_t page) const;
  std::uint32_t bundle_of(std::uint32_t page) const;
  Block block_at(const void* pointer) const;
  std::byte* address_of(const Bundle& bundle, std::uint32_t unit) const;

  AddressSpace* space_ = nullptr;
  MetadataStore<PageDescriptor>* descriptors_ = nullptr;
  PageAccount* account_ = nullptr;
  HeapId id_ = kNoHeap;
  bool contiguous_ = false;
  Span region_;
  std::uint32_t bundle_count_ = 0;
  Bundle bundles_[kMaxBundles];
  std::size_t occupied_ = 0;  // bytes
  std::uint32_t live_blocks_ = 0;
};

}  // namespace modmem
