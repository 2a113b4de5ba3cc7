// XtensaPort: modmem on an Xtensa with a full MMU, the instruction set of audio DSPs (tested in
// QEMU, sim with dc232b, one core).
//
// Frames are physical memory; window and uncached alias are mapped page by page. The lock is
// interrupts off. Banks are noted only, as this machine has none that switch. Cache operations are
// the processor's, line by line.
#pragma once

#include "port/bank_states.hpp"
#include "port/port.hpp"
#include "port/port_concept.hpp"

namespace modmem {

class XtensaPort final : public Port {
 public:
  // `frames`: physical start of the pool. `window`, `uncached`: virtual starts of the window.
  void start(std::uintptr_t frames, std::uintptr_t window, std::uintptr_t uncached,
             const PlatformConfig& config, std::uint32_t hertz);

  std::byte* window() const override { return window_; }
  std::ptrdiff_t alias_offset() const override { return alias_offset_; }
  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  bool can_close_pages() const override { return true; }
  void set_access(Page page, Access access) override;
  bool set_bank_power(Bank bank, bool on) override;
  void cache_writeback(std::byte* address, std::size_t bytes) override;
  void cache_invalidate(std::byte* address, std::size_t bytes) override;
  void lock() override;
  void unlock() override;
  std::uintptr_t thread_id() const override { return 1; }
  std::uint32_t core_id() const override { return 0; }
  bool on_audio_path() const override { return false; }
  std::uint64_t time_us() const override;
  void log(LogLevel level, const char* line) override;

 private:
  std::byte* window_ = nullptr;
  std::ptrdiff_t alias_offset_ = 0;
  std::uintptr_t frames_ = 0;
  std::size_t line_bytes_ = 0;
  std::uint32_t cycles_per_us_ = 1;
  BankStates banks_;
  std::uint32_t state_ = 0;  // PS before the lock was taken
};

MODMEM_ASSERT_PORT(XtensaPort);

}  // namespace modmem
