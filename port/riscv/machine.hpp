// QEMU's virt machine: console, exit, clock, and the harts' beginning.
#pragma once

#include <cstdint>

namespace modmem::riscv {

// Writes the text to the serial console. Any context, any hart; slow.
void write(const char* text);

// Ends the program, and QEMU with that status (0 to 127).
[[noreturn]] void exit_program(int status);

// Ticks of the machine's clock, 10 million a second.
std::uint64_t ticks();
// What counts instructions. QEMU's -icount counts those of all harts, and the time that they take:
// with shift=6, 64 for each.
std::uint64_t instructions();

// The calling hart.
std::uint32_t hart();

// Why the program can't go on: a trap that nobody mends.
struct Fault {
  const char* kind;        // as the architecture calls it
  std::uintptr_t pc;       // of the instruction
  bool has_address;        // whether the cause has one
  std::uintptr_t address;  // of the access
  std::uint32_t hart;
};

// Called for such a trap. Ends the program.
using FaultReporter = void (*)(const Fault& fault);
void set_fault_reporter(FaultReporter reporter);

// Has hart 1 run `function`, once in the life of the program. Returns when the hart is awake.
void run_on_other_hart(void (*function)());
// True from when hart 1 runs until its function has returned.
bool is_other_hart_running();

// Has the other hart forget translations of virtual addresses; returns when it has.
void forget_on_other_hart();

}  // namespace modmem::riscv
