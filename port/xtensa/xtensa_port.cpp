#include "port/xtensa/xtensa_port.hpp"

#include "base/check.hpp"
#include "port/xtensa/machine.hpp"
#include "port/xtensa/translation.hpp"

namespace modmem {

void XtensaPort::start(std::uintptr_t frames, std::uintptr_t window, std::uintptr_t uncached,
                       const PlatformConfig& config, std::uint32_t hertz) {
  MODMEM_ASSERT(hertz >= 1000000);
  banks_ = BankStates(config);
  frames_ = frames;
  window_ = reinterpret_cast<std::byte*>(window);
  alias_offset_ = static_cast<std::ptrdiff_t>(uncached - window);
  line_bytes_ = config.cache_line_bytes;
  cycles_per_us_ = hertz / 1000000;
  xtensa::Translation::start(
      window, uncached,
      static_cast<std::uint32_t>(config.window_bytes / xtensa::Translation::kPageBytes));
}

bool XtensaPort::map(Page page, Frame frame) {
  if (!banks_.is_on(frame)) {
    return false;
  }
  xtensa::Translation::map(number(page), frames_ + number(frame) * xtensa::Translation::kPageBytes);
  return true;
}

void XtensaPort::unmap(Page page) {
  // A line that is written back later would be in somebody else's frame. A closed page is opened
  // for that, as cache operations go through the TLB as well.
  constexpr std::size_t kBytes = xtensa::Translation::kPageBytes;
  xtensa::Translation::set_access(number(page), Access::open);
  cache_invalidate(window_ + number(page) * kBytes, kBytes);
  xtensa::Translation::unmap(number(page));
}

void XtensaPort::set_access(Page page, Access access) {
  xtensa::Translation::set_access(number(page), access);
}

bool XtensaPort::set_bank_power(Bank bank, bool on) {
  banks_.set(bank, on);
  return true;
}

// As bytes: the assembler, that of a core without caches, does not know the instructions.
void XtensaPort::cache_writeback(std::byte* address, std::size_t bytes) {
  for (std::byte* line = address; line < address + bytes; line += line_bytes_) {
    register std::byte* a3 asm("a3") = line;
    asm volatile(".byte 0x42, 0x73, 0x00  # dhwb a3, 0" ::"r"(a3) : "memory");
  }
  asm volatile("memw" ::: "memory");
}

void XtensaPort::cache_invalidate(std::byte* address, std::size_t bytes) {
  for (std::byte* line = address; line < address + bytes; line += line_bytes_) {
    register std::byte* a3 asm("a3") = line;
    asm volatile(".byte 0x62, 0x73, 0x00  # dhi a3, 0" ::"r"(a3) : "memory");
  }
}

void XtensaPort::lock() {
  std::uint32_t state = 0;
  asm volatile("rsil %0, 15" : "=r"(state)::"memory");
  state_ = state;
}

void XtensaPort::unlock() {
  const std::uint32_t state = state_;
  asm volatile("wsr.ps %0\n rsync" ::"r"(state) : "memory");
}

std::uint64_t XtensaPort::time_us() const { return xtensa::long_cycles() / cycles_per_us_; }

void XtensaPort::log(LogLevel, const char* line) {
  xtensa::write(line);
  xtensa::write("\n");
}

}  // namespace modmem
