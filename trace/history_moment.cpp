// The page maps of a History.
#include <algorithm>
#include <map>
#include <string_view>

#include "trace/history.hpp"

namespace modmem::trace {

namespace {

std::uint32_t number_of(std::vector<std::string>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    names.emplace_back(name);
    return static_cast<std::uint32_t>(names.size() - 1);
  }
  return static_cast<std::uint32_t>(found - names.begin());
}

}  // namespace

Moment History::moment() {
  const PagePool& pool = memory().pool();
  Moment result;
  result.event = event_;
  result.time_us = time_us_;
  result.live = live_bytes();
  result.mapped = mapped_bytes();
  for (std::uint32_t bank = 0; bank < pool.banks(); ++bank) {
    result.powered.push_back(pool.is_powered(Bank{static_cast<std::uint16_t>(bank)}));
  }
  add_pages(result);
  add_blocks(result);
  return result;
}

void History::add_pages(Moment& moment) {
  const AddressSpace& space = memory().space();
  struct Of {
    std::uint32_t lane = 0;
    std::uint32_t name = 0;
  };
  std::map<HeapId, Of> heaps;
  const Streams streams = this->streams();
  const std::uint32_t pages = space.window_pages();
  for (std::uint32_t page = space.next_mapped(0, pages); page < pages;
       page = space.next_mapped(page + 1, pages)) {
    const auto [of, is_new] = heaps.try_emplace(space.heap_of(page));
    if (is_new) {
      const HeapReport heap = memory().locate(space.address_of(page));
      of->second.lane = lane_of_heap(heap, streams);
      std::string name = lanes_[of->second.lane];
      for (std::uint32_t place = 0; place < accounts_.places() && heap.owner != nullptr; ++place) {
        if (accounts_.lives(place) && owner(place) == heap.owner) {
          name = full_name(place);
        }
      }
      of->second.name = number_of(moment.names, name);
    }
    moment.pages.push_back({space.frame_of(page), page, of->second.lane, of->second.name});
  }
  std::sort(moment.pages.begin(), moment.pages.end(),
            [](const Moment::Page& a, const Moment::Page& b) { return a.frame < b.frame; });
}

void History::add_blocks(Moment& moment) {
  const AddressSpace& space = memory().space();
  const std::vector<Accounts::Block>& blocks = accounts_.blocks();
  std::map<std::uint32_t, std::uint32_t> name_by_place;
  for (std::uint32_t at = 0; at < blocks.size(); ++at) {
    const Accounts::Block& block = blocks[at];
    const std::byte* pointer = block.lives ? address(at) : nullptr;
    const auto page = pointer != nullptr ? space.page_of(pointer) : std::nullopt;
    if (!page) {
      continue;  // nothing, or not of the pool
    }
    const auto [name, is_new] = name_by_place.try_emplace(block.owner);
    if (is_new) {
      name->second = number_of(moment.names, full_name(block.owner));
    }
    const auto offset =
        static_cast<std::uint32_t>(space.to_cached(pointer) - space.address_of(*page));
    moment.blocks.push_back(
        {*page, offset, block.bytes, lane_of(block.owner), name->second, block.site, block.event});
  }
  std::sort(moment.blocks.begin(), moment.blocks.end(),
            [](const Moment::Block& a, const Moment::Block& b) {
              return a.page != b.page ? a.page < b.page : a.offset < b.offset;
            });
  if (moment.blocks.size() > kMostBlocks) {
    moment.more_blocks = moment.blocks.size() - kMostBlocks;
    moment.blocks.resize(kMostBlocks);
  }
}

}  // namespace modmem::trace
