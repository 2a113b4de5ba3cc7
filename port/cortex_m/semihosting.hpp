// Semihosting: console and exit of a program that runs under a debugger or in QEMU.
#pragma once

#include <cstdint>

namespace modmem::cortex_m {

// Writes the text to the host's console. Any context; slow.
void write(const char* text);

// Ends the program with that status.
[[noreturn]] void exit_program(int status);

}  // namespace modmem::cortex_m
