// What the images do where they can't go on.
#pragma once

#include "firmware/board.hpp"
#include "memory/memory.hpp"

namespace modmem::firmware {

// Exit statuses of images, beside 0 and 1 for tests that passed or failed.
inline constexpr int kTrapped = 5;
inline constexpr int kCheckFailed = 4;

// Writes what the trap was, and ends the program with kTrapped.
void report_trap(const Trap& trap);

// Has traps say whose the address is, from now on. `memory` must outlive the program.
void describe_traps_by(const Memory& memory);

}  // namespace modmem::firmware
