// QEMU's sim machine: console and exit by simcall, the clock, exceptions.
#pragma once

#include <cstdint>

namespace modmem::xtensa {

// Writes the text to the host's standard output. Any context; slow.
void write(const char* text);

// Ends the program, and QEMU with that status.
[[noreturn]] void exit_program(int status);

// CCOUNT, which wraps after 2^32 cycles, and the same counted on: to be asked more often than that,
// and not from an interrupt.
std::uint32_t cycles();
std::uint64_t long_cycles();

// Why the program can't go on: an exception that nobody mends.
struct Fault {
  std::uint32_t cause;  // EXCCAUSE
  const char* kind;
  std::uintptr_t pc;
  bool has_address;        // whether the cause has one
  std::uintptr_t address;  // of the access
};

// Called for such an exception. Ends the program.
using FaultReporter = void (*)(const Fault& fault);
void set_fault_reporter(FaultReporter reporter);

}  // namespace modmem::xtensa
