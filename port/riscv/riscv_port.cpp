#include "port/riscv/riscv_port.hpp"

#include "port/riscv/machine.hpp"

namespace modmem {

namespace {
constexpr std::uint64_t kTicksPerUs = 10;
}

void RiscvPort::start(std::uintptr_t frames, std::uintptr_t window, riscv::PageTable& table,
                      const PlatformConfig& config) {
  banks_ = BankStates(config);
  frames_ = frames;
  window_ = reinterpret_cast<std::byte*>(window);
  table_ = &table;
  table.set_window(window);
  table.activate();
}

bool RiscvPort::map(Page page, Frame frame) {
  if (!banks_.is_on(frame)) {
    return false;
  }
  table_->map(number(page), frames_ + number(frame) * riscv::PageTable::kPageBytes);
  forget_elsewhere();  // that nothing lies there
  return true;
}

void RiscvPort::unmap(Page page) {
  table_->unmap(number(page));
  forget_elsewhere();
}

void RiscvPort::set_access(Page page, Access access) {
  table_->set_access(number(page), access);
  forget_elsewhere();
}

void RiscvPort::forget_elsewhere() {
  if (riscv::is_other_hart_running()) {
    riscv::forget_on_other_hart();
  }
}

bool RiscvPort::set_bank_power(Bank bank, bool on) {
  banks_.set(bank, on);
  return true;
}

void RiscvPort::lock() {
  const std::uint32_t ticket = __atomic_fetch_add(&next_ticket_, 1, __ATOMIC_RELAXED);
  while (__atomic_load_n(&served_, __ATOMIC_ACQUIRE) != ticket) {
  }
}

void RiscvPort::unlock() { __atomic_store_n(&served_, served_ + 1, __ATOMIC_RELEASE); }

std::uintptr_t RiscvPort::thread_id() const { return riscv::hart() + 1; }

std::uint32_t RiscvPort::core_id() const { return riscv::hart(); }

std::uint64_t RiscvPort::time_us() const { return riscv::ticks() / kTicksPerUs; }

void RiscvPort::log(LogLevel, const char* line) {
  riscv::write(line);
  riscv::write("\n");
}

}  // namespace modmem
