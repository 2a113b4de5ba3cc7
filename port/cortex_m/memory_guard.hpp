// MemoryGuard: closes the pages of the pool that modmem has not mapped, with the MPU (PMSAv7).
//
// The MPU has 8 regions, far fewer than there are pages. So its last ones are a cache, as a TLB
// that software fills is: each shows one window of 8 pages of the pool, through its 8 subregions,
// and an access to a window that no region shows faults once. The fault handler calls admit(),
// which puts the window into the region that was filled first, or says that the page is closed.
// What a program can reach is thus exact to the page, however the pages lie. A region has one kind
// of access for all that it shows: a window with pages of both is shown by two, one for each kind.
//
// The regions before them are the program's code (read only) and data, and the library's metadata,
// which is read only but between open_metadata() and close_metadata().
//
// Invariant: a region of the cache shows exactly the pages of its window that have its access.
// Cost: admit() and set_access() O(1). Called with interrupts off, or from the fault handler.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/port.hpp"

namespace modmem::cortex_m {

// What the linker script says of the image: addresses, and sizes that are powers of two.
struct Layout {
  std::uintptr_t code;
  std::size_t code_bytes;
  std::uintptr_t data;
  std::size_t data_bytes;
  std::uintptr_t metadata;  // within the data
  std::size_t metadata_bytes;
  std::uintptr_t pool;  // a multiple of kWindowBytes
  std::size_t pool_bytes;
};

class MemoryGuard {
 public:
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::size_t kPagesPerWindow = 8;
  static constexpr std::size_t kWindowBytes = kPageBytes * kPagesPerWindow;
  static constexpr std::size_t kMostWindows = 127;  // 4 MiB less 32 KiB

  // Switches the MPU on, with all of the pool closed and the metadata open.
  void start(const Layout& layout);

  void set_access(std::uint32_t page, Access access);

  // Opens all of memory, for a report of a fault: that may look at metadata in the pool.
  static void open_all();

  void open_metadata();
  void close_metadata();

  // Has the access to `address` that has faulted tried again, where it lies in a page that is open
  // or read only and no region shows; returns false, and changes nothing, where that is not so.
  bool admit(std::uintptr_t address);

 private:
  static constexpr std::uint32_t kFirstCached = 3;
  static constexpr std::uint32_t kRegions = 8;
  static constexpr std::uint8_t kNone = 0xff;

  // What a region shows: a window's pages that are open, or those that are read only.
  static constexpr std::uint8_t shown(std::uint32_t window, bool read_only) {
    return static_cast<std::uint8_t>(window * 2 + (read_only ? 1 : 0));
  }
  std::uint32_t region_of(std::uint8_t what) const;
  void show(std::uint32_t region) const;

  Layout layout_{};
  std::uint8_t pages_[kMostWindows * 2] = {};  // by what a region shows, a bit a page
  std::uint8_t shown_[kRegions] = {};
  std::uint8_t next_ = kFirstCached;
};

}  // namespace modmem::cortex_m
