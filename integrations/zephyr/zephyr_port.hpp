// ZephyrPort: modmem on Zephyr, by documented calls of the kernel, the cache interface and the
// memory management driver.
//
// With CONFIG_MODMEM_HAS_MMU a page is mapped by sys_mm_drv_map_page(), once: where the cache
// interface knows two addresses of a byte, the SoC translates both alike. Otherwise nothing is
// mapped, and a page is the frame of its number. The lock is a spinlock, as interrupts may free; so
// what the library does, it does with interrupts off. Its fields and the library's have to lie in
// coherent memory, as all variables do where Zephyr has CONFIG_KERNEL_COHERENCE.
//
// Bank 0 of the library is the one in which the pool begins; banks of the hooks count from the
// first byte of the SRAM.
//
// Cost: map() and unmap() are a call of the driver and the cache operations of a page.
#pragma once

#include <zephyr/spinlock.h>

#include <cstddef>
#include <cstdint>

#include "integrations/zephyr/pool.hpp"
#include "port/port.hpp"
#include "port/port_concept.hpp"

namespace modmem {

// What the SRAM and the memories beside it have in common.
class ZephyrMemory : public Port {
 public:
  std::byte* window() const override { return window_; }
  std::ptrdiff_t alias_offset() const override { return alias_offset_; }
  void cache_writeback(std::byte* address, std::size_t bytes) override;
  void cache_invalidate(std::byte* address, std::size_t bytes) override;
  void lock() override;
  void unlock() override;
  std::uintptr_t thread_id() const override;
  std::uint32_t core_id() const override;
  bool on_audio_path() const override;
  std::uint64_t time_us() const override;
  void log(LogLevel level, const char* line) override;

 protected:
  constexpr ZephyrMemory() = default;
  ~ZephyrMemory() = default;

  // `window` by either alias; `aliased`: blocks may be had past the cache.
  void set_window(std::byte* window, bool aliased);

 private:
  std::byte* window_ = nullptr;
  std::ptrdiff_t alias_offset_ = 0;
  k_spinlock lock_{};
  k_spinlock_key_t key_{};  // of whoever has the lock
};

// Memory beside the SRAM: always there, never mapped, never switched.
class ZephyrSideMemory final : public ZephyrMemory {
 public:
  constexpr ZephyrSideMemory() = default;
  void start(std::byte* window, bool aliased) { set_window(window, aliased); }

  bool map(Page, Frame) override { return true; }
  void unmap(Page page) override;
  bool set_bank_power(Bank, bool) override { return true; }
};

class ZephyrPort final : public ZephyrMemory {
 public:
  constexpr ZephyrPort() = default;

  // Before Memory::boot(). Returns nullptr; why the pool can't be used, where the aliases of the
  // window lie apart by what is no multiple of its size, rounded up to a power of two.
  const char* start(const ZephyrPool& pool);

  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  bool set_bank_power(Bank bank, bool on) override;
  Port* low_power() override { return low_power_.window() != nullptr ? &low_power_ : nullptr; }
  Port* l3() override { return l3_.window() != nullptr ? &l3_ : nullptr; }

 private:
  std::uintptr_t frames_ = 0;  // physical: frame 0
  unsigned int first_bank_ = 0;
  ZephyrSideMemory low_power_;
  ZephyrSideMemory l3_;
};

// Writes a line to Zephyr's log, whether a port is there or not.
void zephyr_log(LogLevel level, const char* line);

MODMEM_ASSERT_PORT(ZephyrPort);

// k_panic(): what a broken invariant ends in, and a misuse that nothing can go on after.
[[noreturn]] void zephyr_panic();

}  // namespace modmem
