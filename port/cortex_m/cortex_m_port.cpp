#include "port/cortex_m/cortex_m_port.hpp"

#include "port/cortex_m/semihosting.hpp"

namespace modmem {

void CortexMPort::start(const cortex_m::Layout& layout, const PlatformConfig& config,
                        std::uint32_t hertz) {
  MODMEM_ASSERT(config.cores == 1 && !config.has_mmu);
  MODMEM_ASSERT(hertz >= 1000000);
  banks_ = BankStates(config);
  window_ = reinterpret_cast<std::byte*>(layout.pool);
  cortex_m::start_clock(hertz);
  cortex_m::set_access_handler(
      [](void* guard, std::uintptr_t address) {
        return static_cast<cortex_m::MemoryGuard*>(guard)->admit(address);
      },
      &guard_);
  guard_.start(layout);
}

bool CortexMPort::map(Page page, Frame frame) {
  if (!banks_.is_on(frame)) {
    return false;
  }
  MODMEM_ASSERT(number(page) == number(frame));
  guard_.set_access(number(frame), Access::open);
  return true;
}

void CortexMPort::unmap(Page page) { guard_.set_access(number(page), Access::closed); }

void CortexMPort::set_access(Page page, Access access) { guard_.set_access(number(page), access); }

bool CortexMPort::set_bank_power(Bank bank, bool on) {
  banks_.set(bank, on);
  return true;
}

void CortexMPort::lock() {
  // Not by PRIMASK, which would make a hard fault of each access that the guard is to admit.
  std::uint32_t masked = 0;
  asm volatile("mrs %0, basepri\n msr basepri_max, %1" : "=&r"(masked) : "r"(kLocked) : "memory");
  guard_.open_metadata();
  masked_ = masked;
}

void CortexMPort::unlock() {
  const std::uint32_t masked = masked_;
  guard_.close_metadata();
  asm volatile("msr basepri, %0" ::"r"(masked) : "memory");
}

bool CortexMPort::on_audio_path() const {
  std::uint32_t exception = 0;
  asm volatile("mrs %0, ipsr" : "=r"(exception));
  return exception != 0;
}

void CortexMPort::log(LogLevel, const char* line) {
  cortex_m::write(line);
  cortex_m::write("\n");
}

}  // namespace modmem
