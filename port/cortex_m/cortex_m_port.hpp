// CortexMPort: modmem on a Cortex-M with an MPU (tested on a Cortex-M4 in QEMU, mps2-an386).
//
// There is no MMU, so page = frame, and map() and unmap() open and close the page to access
// (MemoryGuard). Its power banks are noted, as this chip has none that switch: a page of a bank
// that is off is closed like any other that is not mapped. The lock keeps out interrupts of
// priority kLocked and less urgent ones, which all that use modmem have to be: the faults of the
// guard, at 0, are taken while it is held. The library's metadata can be written then, at other
// times only read. No caches.
//
// Cost: a lock and unlock take O(1), some twenty instructions; map(), unmap() O(1).
#pragma once

#include "port/bank_states.hpp"
#include "port/cortex_m/exceptions.hpp"
#include "port/cortex_m/memory_guard.hpp"
#include "port/port.hpp"
#include "port/port_concept.hpp"

namespace modmem {

class CortexMPort final : public Port {
 public:
  // Closes the pool, and starts the clock of a processor that runs at `hertz`.
  void start(const cortex_m::Layout& layout, const PlatformConfig& config, std::uint32_t hertz);

  std::byte* window() const override { return window_; }
  std::ptrdiff_t alias_offset() const override { return 0; }
  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  bool can_close_pages() const override { return true; }
  void set_access(Page page, Access access) override;
  bool set_bank_power(Bank bank, bool on) override;
  void cache_writeback(std::byte*, std::size_t) override {}
  void cache_invalidate(std::byte*, std::size_t) override {}
  void lock() override;
  void unlock() override;
  std::uintptr_t thread_id() const override { return 1; }
  std::uint32_t core_id() const override { return 0; }
  // True in an interrupt.
  bool on_audio_path() const override;
  std::uint64_t time_us() const override { return cortex_m::clock_us(); }
  void log(LogLevel level, const char* line) override;

 private:
  static constexpr std::uint32_t kLocked = 0x20;

  std::byte* window_ = nullptr;
  cortex_m::MemoryGuard guard_;
  BankStates banks_;
  std::uint32_t masked_ = 0;  // BASEPRI before the lock was taken
};

MODMEM_ASSERT_PORT(CortexMPort);

}  // namespace modmem
