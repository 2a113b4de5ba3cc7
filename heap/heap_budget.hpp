// HeapBudget: what a heap may take from the pool, and why it may not have more.
//
// The same for every heap over a PagePool. Cost: O(1), the walks over pages O(pages).
#pragma once

#include <cstddef>
#include <cstdint>

#include "heap/heap.hpp"
#include "heap/page_descriptor.hpp"
#include "page/address_space.hpp"
#include "page/metadata_store.hpp"

namespace modmem {

// What a request may use, or would.
struct HeapBudget {
  std::uint32_t frames = 0;
  std::uint32_t descriptors = 0;

  constexpr bool covers(const HeapBudget& needed) const {
    return needed.frames <= frames && needed.descriptors <= descriptors;
  }
};

// What a heap may take now, while the pool keeps `keep` more frames free.
inline HeapBudget budget_of(const PagePool& pool, const PageAccount& account,
                            const MetadataStore<PageDescriptor>& descriptors, std::uint32_t keep) {
  const std::uint32_t available = pool.available(account);
  if (keep == 0) {
    return {available, descriptors.free()};
  }
  const std::uint32_t spare = pool.free() - pool.reserved();
  // What is guaranteed to this heap is not held back by `keep`, which is for owners without.
  const std::uint32_t guaranteed = account.unused_guarantee();
  std::uint32_t most = guaranteed + (spare > keep ? spare - keep : 0);
  most = most < available ? most : available;
  return {most, descriptors.free()};
}

// End of those pages of [first, last) that can be used from `first` on with `frames` new frames.
inline std::uint32_t end_within(const AddressSpace& space, std::uint32_t first, std::uint32_t last,
                                std::uint32_t frames) {
  while (first < last && (space.is_mapped(first) || frames > 0)) {
    frames -= space.is_mapped(first) ? 0 : 1;
    ++first;
  }
  return first;
}

// Start of those pages of [first, last) that can be used up to `last` with `frames` new frames.
inline std::uint32_t start_within(const AddressSpace& space, std::uint32_t first,
                                  std::uint32_t last, std::uint32_t frames) {
  while (first < last && (space.is_mapped(last - 1) || frames > 0)) {
    frames -= space.is_mapped(last - 1) ? 0 : 1;
    --last;
  }
  return last;
}

// Why a request for more bytes than `holes` (bytes of its own pages) and the available frames have
// fails: what would be there without the limit of the account, and without the guarantees of
// others?
inline FailureReason explain_shortage(const PagePool& pool, const PageAccount& account,
                                      std::size_t bytes, std::size_t holes) {
  const std::size_t others = pool.reserved() - account.unused_guarantee();
  const std::size_t unreserved = holes + (pool.free() - others) * config::kPageBytes;
  if (bytes <= unreserved) {
    return FailureReason::limit;
  }
  return bytes <= holes + pool.free() * config::kPageBytes ? FailureReason::guarantee
                                                           : FailureReason::pool;
}

// The figures of a heap that has its account for itself.
inline HeapStats stats_of(const PageAccount& account, std::size_t occupied_bytes,
                          std::uint32_t live_blocks) {
  HeapStats stats;
  stats.occupied_bytes = occupied_bytes;
  stats.mapped_bytes = std::size_t{account.held} * config::kPageBytes;
  stats.peak_mapped_bytes = std::size_t{account.peak} * config::kPageBytes;
  stats.live_blocks = live_blocks;
  return stats;
}

}  // namespace modmem
