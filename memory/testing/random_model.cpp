// The part of RandomDriver that keeps the model and holds it against Memory.

#include <algorithm>
#include <cstring>
#include <iterator>

#include "memory/testing/random_driver.hpp"

namespace modmem::testing {

void RandomDriver::add(const Request& request, void* pointer, std::size_t bytes) {
  std::byte* start = cached(pointer);
  const std::size_t usable = memory_.usable_size(pointer);
  expect(usable >= bytes, "a block is too short");
  expect(is_aligned(pointer, std::max<std::size_t>(request.alignment, config::kGranuleBytes)),
         "a block is not aligned");
  const auto next = blocks_.lower_bound(start);
  expect(next == blocks_.end() || start + usable <= next->first, "a block overlaps the next");
  if (next != blocks_.begin()) {
    const auto& [before, block] = *std::prev(next);
    expect(before + memory_.usable_size(before) <= start, "a block overlaps the one before");
  }
  const bool coherent = (request.flags & flag::kCoherent) != 0;
  expect((pointer != start) == (coherent && system_.port().alias_offset() != 0), "wrong alias");
  if (coherent) {
    expect(is_aligned(pointer, system_.config().cache_line_bytes), "off the line");
    expect(usable % system_.config().cache_line_bytes == 0, "ends within a line");
    expect(system_.port().invalidated(start, usable), "coherent memory is not invalidated");
  }
  if ((request.flags & flag::kDma) != 0) {
    expect(is_aligned(pointer, system_.config().dma_alignment), "not DMA-aligned");
  }
  const Block block{pointer,       bytes,         request.alignment,
                    request.flags, request.owner, next_pattern_++};
  blocks_[start] = block;
  ++owners_.at(request.owner).allocations;
  charge(*request.owner, bytes);
  fill(block);
}

void RandomDriver::fill(const Block& block) {
  std::memset(block.pointer, block.pattern, block.bytes);
}

void RandomDriver::check_content(const Block& block, std::size_t bytes) const {
  const auto* content = static_cast<const unsigned char*>(block.pointer);
  for (std::size_t i = 0; i < bytes; ++i) {
    expect(content[i] == block.pattern, "a block's content changed");
  }
}

void RandomDriver::failed(const Request& request, std::size_t bytes) {
  ++failures_;
  ++owners_.at(request.owner).failures;
  expect(system_.seen().failures.size() == explained_ + 1, "a failure is not explained");
  const Failure& failure = system_.seen().failures.back();
  expect(failure.bytes == bytes && failure.owner_id == request.owner->spec.id &&
             failure.reason != FailureReason::none,
         "a failure is explained as another");
  if (!options_.failing_maps) {
    expect(failure.largest_request < bytes, "a request failed that was not too large");
    expect(failure.largest_request == memory_.largest_request(request),
           "the failure changed the largest request");
  }
}

void RandomDriver::charge(Owner& owner, std::size_t bytes) {
  Account& account = owners_.at(&owner);
  account.own += bytes;
  account.own_peak = std::max(account.own_peak, account.own);
  for (Owner* at = &owner; at != nullptr; at = at->parent) {
    Account& up = owners_.at(at);
    up.tree += bytes;
    up.tree_peak = std::max(up.tree_peak, up.tree);
    expect(up.tree <= at->spec.limit, "a limit is passed");
  }
}

void RandomDriver::uncharge(Owner& owner, std::size_t bytes) {
  owners_.at(&owner).own -= bytes;
  for (Owner* at = &owner; at != nullptr; at = at->parent) {
    owners_.at(at).tree -= bytes;
  }
}

void RandomDriver::forget(Blocks::iterator block) {
  ++owners_.at(block->second.owner).frees;
  uncharge(*block->second.owner, block->second.bytes);
  blocks_.erase(block);
}

bool RandomDriver::is_below(const Owner* owner, const Owner* ancestor) {
  while (owner != nullptr && owner != ancestor) {
    owner = owner->parent;
  }
  return owner != nullptr;
}

void RandomDriver::forget_tree(Owner& owner, std::size_t& blocks) {
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    if (is_below(block->second.owner, &owner)) {
      ++blocks;
      block = blocks_.erase(block);
    } else {
      ++block;
    }
  }
  for (auto account = owners_.begin(); account != owners_.end();) {
    account = is_below(account->first, &owner) ? owners_.erase(account) : std::next(account);
  }
}

void RandomDriver::compare() {
  expect(memory_.check(CheckDepth::deep), "an invariant is broken");
  for (const auto& [owner, account] : owners_) {
    expect(owner->own == account.own && owner->tree == account.tree, "an account differs");
    expect(owner->own_peak == account.own_peak && owner->tree_peak == account.tree_peak,
           "a peak differs");
    expect(owner->allocations == account.allocations && owner->frees == account.frees &&
               owner->failures == account.failures,
           "a counter differs");
  }
  std::size_t total = 0;
  for (const auto& [start, block] : blocks_) {
    check_content(block, block.bytes);
    total += block.bytes;
  }
  std::size_t live_bytes = 0;
  std::size_t mapped_bytes = 0;
  memory_.for_each_heap([&](const HeapReport& heap) {
    live_bytes += heap.live_bytes;
    mapped_bytes += heap.mapped_bytes;
  });
  expect(live_bytes == total, "the heaps' live bytes are not the blocks'");
  expect(mapped_bytes == memory_.pool().taken() * config::kPageBytes,
         "the heaps' pages are not the pool's");
  expect(system_.port().mapped_pages() == memory_.pool().taken(), "pages are not as the port's");
}

}  // namespace modmem::testing
