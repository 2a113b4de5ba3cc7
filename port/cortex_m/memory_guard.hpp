// MemoryGuard: closes the pages of the pool that modmem has not mapped, with the MPU (PMSAv7).
//
// The MPU has 8 regions, far fewer than there are pages. So its last ones are a cache, as a TLB
// that software fills is: each shows one window of 8 pages of the pool, through its 8 subregions,
// and an access to a window that no region shows faults once. The fault handler calls admit(),
// which puts the window into the region that was filled first, or says that the page is closed.
// What a program can reach is thus exact to the page, however the pages lie.
//
// The regions before them are the program's code (read only) and data, and the library's metadata,
// which is read only but between open_metadata() and close_metadata().
//
// Invariant: a region of the cache shows exactly the open pages of its window.
// Cost: admit(), open() and close() O(1). Called with interrupts off, or from the fault handler.
#pragma once

#include <cstddef>
#include <cstdint>

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
  static constexpr std::size_t kMostWindows = 128;  // 4 MiB

  // Switches the MPU on, with all of the pool closed and the metadata open.
  void start(const Layout& layout);

  void open(std::uint32_t page) { set(page, true); }
  void close(std::uint32_t page) { set(page, false); }
  bool is_open(std::uint32_t page) const {
    return (open_[page / kPagesPerWindow] >> (page % kPagesPerWindow) & 1U) != 0;
  }

  // Opens all of memory, for a report of a fault: that may look at metadata in the pool.
  static void open_all();

  void open_metadata();
  void close_metadata();

  // Lets the access to `address` that has faulted through, where it lies in an open page; returns
  // false, and changes nothing, where it does not.
  bool admit(std::uintptr_t address);

 private:
  static constexpr std::uint32_t kFirstCached = 3;
  static constexpr std::uint32_t kRegions = 8;
  static constexpr std::uint8_t kNoWindow = 0xff;

  void set(std::uint32_t page, bool is_open);
  void show(std::uint32_t region);

  Layout layout_{};
  std::uint8_t open_[kMostWindows] = {};  // a bit a page
  std::uint8_t window_of_[kRegions] = {};
  std::uint8_t next_ = kFirstCached;
};

}  // namespace modmem::cortex_m
