#include "port/cortex_m/semihosting.hpp"

namespace modmem::cortex_m {

namespace {

// Operations, and the reason of an exit, as Arm's "Semihosting for AArch32 and AArch64" has them.
constexpr std::uint32_t kWriteText = 0x04;
constexpr std::uint32_t kExitExtended = 0x20;
constexpr std::uint32_t kApplicationExit = 0x20026;

void call_host(std::uint32_t operation, const void* argument) {
  register std::uint32_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = argument;
  asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

}  // namespace

void write(const char* text) { call_host(kWriteText, text); }

void exit_program(int status) {
  const std::uint32_t argument[] = {kApplicationExit, static_cast<std::uint32_t>(status)};
  for (;;) {
    call_host(kExitExtended, argument);
  }
}

}  // namespace modmem::cortex_m
