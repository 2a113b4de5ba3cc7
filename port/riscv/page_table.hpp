// PageTable: the translations of the image's addresses and of modmem's window, in Sv39.
//
// What the image itself uses, and the devices, lie under their own addresses in pages of 2 MiB. The
// window is mapped page by page; its frames lie under no other address, so what modmem has not
// mapped can't be reached. Three levels: the tables of the window are there from the start, so that
// map() cannot fail.
//
// Cost: map(), unmap(), set_access() O(1), with one sfence.vma; boot O(window pages). Under the
// port's lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/port.hpp"

namespace modmem::riscv {

class PageTable {
 public:
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::size_t kLargeBytes = std::size_t{2} << 20;
  static constexpr std::size_t kEntries = 512;
  static constexpr std::size_t kWindowTables = 4;  // 8 MiB of window

  // Maps [address, address + bytes) to itself; multiples of kLargeBytes, in the first 4 GiB.
  void add_identity(std::uintptr_t address, std::size_t bytes, bool executable);

  // The window starts at `address`, a multiple of kLargeBytes that lies in no identity.
  void set_window(std::uintptr_t address);

  // Has the calling hart translate addresses by this table from now on, and use_active() others.
  void activate();
  static void use_active();

  void map(std::uint32_t page, std::uintptr_t physical);
  void unmap(std::uint32_t page);
  // Takes the access to a mapped page away, and gives it back.
  void set_access(std::uint32_t page, Access access);

 private:
  using Entry = std::uint64_t;
  static constexpr std::size_t kGibibytes = 4;

  alignas(kPageBytes) Entry root_[kEntries] = {};
  alignas(kPageBytes) Entry middle_[kGibibytes][kEntries] = {};
  alignas(kPageBytes) Entry window_[kWindowTables][kEntries] = {};
  std::uintptr_t window_address_ = 0;
};

}  // namespace modmem::riscv
