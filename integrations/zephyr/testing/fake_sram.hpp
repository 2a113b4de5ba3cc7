// FakeSram: what of a DSP's memory the glue is tested against: SRAM in banks, behind Zephyr's
// memory management driver and its cache interface, mapped at two addresses as Intel's audio DSPs
// do.
//
// Frames are pages of a file, a mapped page is one at both aliases; an access to any other faults.
// A bank that goes off loses its content, which becomes 0xDB. Banks are switched by the product's
// hook, or, as some drivers do, by themselves: on with the first mapped page, off with the last.
//
// The first call that the driver or the cache would not allow is in FakeKernel::violation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "port/posix/aliased_memory.hpp"

namespace modmem {

class FakeSram {
 public:
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::size_t kFrames = 64;
  static constexpr std::size_t kReservedFrames = 12;
  static constexpr std::size_t kBankFrames = 8;
  static constexpr std::size_t kBanks = kFrames / kBankFrames;
  static constexpr std::size_t kPages = 256;
  static constexpr std::uintptr_t kPhysical = 0xa0020000;
  static constexpr std::size_t kNever = SIZE_MAX;

  FakeSram();

  // --- what tests set ---

  std::size_t maps_until_failure = kNever;
  bool unmaps_fail = false;
  bool driver_switches_banks = false;
  std::size_t broken_bank = kNever;  // can't be switched on

  // As after a reset: nothing is mapped, and all of the above as it was.
  void reset();

  // --- what tests look at ---

  std::byte* window() const { return memory_.window(); }
  std::ptrdiff_t alias_offset() const { return memory_.alias_offset(); }
  std::size_t maintained_bytes = 0;  // by the last call of the cache interface
  bool is_in_window(const void* pointer) const;
  bool is_uncached(const void* pointer) const;
  std::size_t mapped() const { return mapped_; }
  bool is_on(std::size_t bank) const { return on_.at(bank); }
  std::size_t banks_on() const;
  std::byte* low_power() { return low_power_.data(); }
  std::byte* l3() { return l3_.data(); }

  // --- what Zephyr does ---

  int map(std::byte* page, std::uintptr_t physical, std::uint32_t flags);
  int unmap(std::byte* page);
  int set_bank_power(std::size_t bank, bool on);
  // `drops`: what is cached goes, else it is written to memory only.
  int maintain(const std::byte* address, std::size_t bytes, bool drops);

 private:
  static constexpr std::size_t kNoFrame = kNever;

  void switch_bank(std::size_t bank, bool on);

  AliasedMemory memory_;
  std::array<std::size_t, kPages> frame_of_{};
  std::array<bool, kPages> cached_{};  // maybe some of it
  std::array<std::size_t, kBanks> mapped_in_{};
  std::array<bool, kBanks> on_{};
  std::size_t mapped_ = 0;
  alignas(kPageBytes) std::array<std::byte, 4 * kPageBytes> low_power_{};
  alignas(kPageBytes) std::array<std::byte, 16 * kPageBytes> l3_{};
};

FakeSram& fake_sram();

}  // namespace modmem
