// What the processor does when the program starts, and when it can't go on.
#pragma once

#include <cstdint>

namespace modmem::cortex_m {

// Why the program stopped.
struct Fault {
  const char* kind;   // as the architecture calls the exception
  std::uintptr_t pc;  // of the instruction
  bool has_address;   // whether the address of the access is known
  std::uintptr_t address;
};

// Called with interrupts off where a fault is nobody's to mend. Ends the program.
using FaultReporter = void (*)(const Fault& fault);
void set_fault_reporter(FaultReporter reporter);

// Called for an access that the MPU refused; true where the access is to be tried again.
using AccessHandler = bool (*)(void* context, std::uintptr_t address);
void set_access_handler(AccessHandler handler, void* context);

// Starts the clock. `hertz`: of the processor.
void start_clock(std::uint32_t hertz);
// Microseconds since then. Any context.
std::uint64_t clock_us();
// Cycles of the clock since then. Any context.
std::uint64_t clock_cycles();

}  // namespace modmem::cortex_m
