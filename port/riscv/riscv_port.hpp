// RiscvPort: modmem on a 64-bit RISC-V with Sv39 (tested in QEMU, virt, with two harts).
//
// Frames are physical memory that nothing else maps; the window is virtual. Caches are coherent
// between harts, so there is no uncached alias. The lock is a spinlock with a ticket, so that harts
// get it in the order in which they came; its holder may be interrupted by nothing that uses
// modmem. When a page is mapped, unmapped, closed or opened, the other hart has
// forgotten what it knew of it. Unmapping drops no cached lines: they are found by their frame.
// Banks are noted only, as this machine has none that switch.
#pragma once

#include "port/bank_states.hpp"
#include "port/port.hpp"
#include "port/port_concept.hpp"
#include "port/riscv/page_table.hpp"

namespace modmem {

class RiscvPort final : public Port {
 public:
  // `frames`: physical start of the pool. `window`: virtual start. Activates the table for the
  // calling hart.
  void start(std::uintptr_t frames, std::uintptr_t window, riscv::PageTable& table,
             const PlatformConfig& config);

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
  std::uintptr_t thread_id() const override;
  std::uint32_t core_id() const override;
  bool on_audio_path() const override { return false; }
  std::uint64_t time_us() const override;
  void log(LogLevel level, const char* line) override;

 private:
  void forget_elsewhere();

  std::byte* window_ = nullptr;
  std::uintptr_t frames_ = 0;
  riscv::PageTable* table_ = nullptr;
  BankStates banks_;
  std::uint32_t next_ticket_ = 0;
  std::uint32_t served_ = 0;
};

MODMEM_ASSERT_PORT(RiscvPort);

}  // namespace modmem
