// What the program's exit status says.
#pragma once

namespace modmem::tools {

enum ExitStatus : int {
  kSuccess = 0,
  kMemoryTrouble = 1,  // memory ran out (explained), leaked, or was allocated on the audio path
  kBadInput = 2,       // arguments or files
};

}  // namespace modmem::tools
