// Translation: the page table of modmem's window and of its uncached alias, from which the
// software-managed TLB is filled.
//
// An access to a page that the TLB does not know ends in an exception, whose handler calls
// refill(): that puts the page's entry into the TLB, in a way chosen in turn, or says that nothing
// is mapped there. Hardware refill is left without a table, so it always misses. The image lies in
// the static windows (physical memory from 0 on at 0xD0000000, cached, and at 0xD8000000, past the
// cache), which never miss.
//
// Cost: O(1) each; what unmap() and set_access() take away leaves the TLB, both aliases. One core.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/port.hpp"

namespace modmem::xtensa {

class Translation {
 public:
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::uint32_t kMostPages = 2048;  // 8 MiB

  // The window starts at virtual `cached` and at `uncached`, with `pages` pages.
  static void start(std::uintptr_t cached, std::uintptr_t uncached, std::uint32_t pages);

  static void map(std::uint32_t page, std::uintptr_t physical);
  static void unmap(std::uint32_t page);

  // Takes the access to a mapped page away, or that of those who write, and gives it back.
  static void set_access(std::uint32_t page, Access access);

  // Called for a miss at `address`. False where nothing is mapped there.
  static bool refill(std::uintptr_t address);
};

}  // namespace modmem::xtensa
