// BankStates: which banks of the SRAM are on, for ports of machines that have none to switch. They
// note what the library asks for, and hold it to that: a frame of a bank that is off is not mapped.
//
// Cost: O(1).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.hpp"
#include "modmem/config.hpp"
#include "port/port.hpp"

namespace modmem {

class BankStates {
 public:
  static constexpr std::size_t kMost = 64;

  BankStates() = default;

  // All off, but for one that the reserve lies in as well. Requires at most kMost banks.
  explicit BankStates(const PlatformConfig& config)
      : bank_bytes_(config.bank_bytes), offset_(config.reserve_bytes % config.bank_bytes) {
    MODMEM_ASSERT(config.sram_bytes / config.bank_bytes <= kMost);
    on_ = offset_ != 0 ? 1 : 0;
  }

  void set(Bank bank, bool on) {
    const std::uint64_t bit = std::uint64_t{1} << number(bank);
    on_ = on ? on_ | bit : on_ & ~bit;
  }
  bool is_on(Frame frame) const {
    const std::size_t at = offset_ + std::size_t{number(frame)} * config::kPageBytes;
    return (on_ >> at / bank_bytes_ & 1U) != 0;
  }

 private:
  std::size_t bank_bytes_ = 1;
  std::size_t offset_ = 0;  // of the pool's first frame in its bank
  std::uint64_t on_ = 0;    // a bit a bank
};

}  // namespace modmem
