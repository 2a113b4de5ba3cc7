// Board: what the firmware images need of a machine beside its port. One of boards/ is linked in.
#pragma once

#include <cstdint>
#include <span>

#include "port/port.hpp"

namespace modmem::firmware {

// A trap that nobody mends.
struct Trap {
  const char* kind;  // as the architecture calls it
  std::uintptr_t pc;
  bool has_address;
  std::uintptr_t address;  // of the access
};
using TrapHandler = void (*)(const Trap& trap);

// Starts the machine's port, whose pool is closed, for a platform of the board's kind. `on_trap` is
// called for each trap, and ends the program.
Port& start_board(const PlatformConfig& config, TrapHandler on_trap);

// The platform of the board.
PlatformConfig board_platform();

// Where Memory itself and its arena are to lie: aligned to 16 bytes, and guarded where the board
// can.
std::span<std::byte> metadata_place();

// Instructions that were executed, in QEMU with -icount shift=6, where only the calling core runs;
// exact: the image `latency` tests it.
std::uint64_t instructions();

// Has the other core run `function`, once, and whether it still does. Of boards with two cores.
void run_on_other_core(void (*function)());
bool is_other_core_running();

void write(const char* text);
[[noreturn]] void exit_program(int status);

}  // namespace modmem::firmware
