// Tables of slots as text: "SIZExCOUNT SIZExCOUNT ...", in the order in which bundles are tried.
//
// kConfiguredBundles is the one that the build is configured with (Kconfig's SLOT_BUNDLES), read
// when it is compiled; the policies with slots have it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "heap/slot_heap.hpp"
#include "modmem/config.hpp"

namespace modmem {

// Reads `text` into `bundles`. Returns how many there are; 0 where it is no such text, has more
// than `bundles` has room for, or has a number above 2^30. What SlotHeap::open() wants besides is
// not looked at. O(length).
constexpr std::size_t read_slot_table(const char* text, std::span<SlotBundle> bundles) {
  constexpr std::size_t kMost = std::size_t{1} << 30;
  const auto number = [&](char end) -> std::size_t {
    std::size_t value = 0;
    for (; *text >= '0' && *text <= '9' && value <= kMost; ++text) {
      value = value * 10 + static_cast<std::size_t>(*text - '0');
    }
    const bool ends = *text == end || (end == ' ' && *text == '\0');
    return ends && value <= kMost ? value : 0;
  };
  std::size_t count = 0;
  for (bool more = true; more; text += more ? 1 : 0) {
    const std::size_t slot_bytes = number('x');
    text += slot_bytes != 0 ? 1 : 0;
    const std::size_t slots = slot_bytes != 0 ? number(' ') : 0;
    if (slots == 0 || count == bundles.size()) {
      return 0;
    }
    bundles[count++] = {slot_bytes, static_cast<std::uint32_t>(slots)};
    more = *text == ' ';
  }
  return count;
}

namespace internal {

struct ConfiguredTable {
  std::array<SlotBundle, SlotHeap::kMaxBundles> bundles{};
  std::size_t count = 0;
};

inline constexpr ConfiguredTable kConfiguredTable = [] {
  ConfiguredTable table;
  table.count = read_slot_table(config::kSlotBundles, table.bundles);
  return table;
}();
static_assert(kConfiguredTable.count != 0, "SLOT_BUNDLES is no table of slots");

}  // namespace internal

inline constexpr std::span<const SlotBundle> kConfiguredBundles{
    internal::kConfiguredTable.bundles.data(), internal::kConfiguredTable.count};

}  // namespace modmem
