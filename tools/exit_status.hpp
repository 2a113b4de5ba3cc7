// What the program's exit status says.
#pragma once

namespace modmem::tools {

inline constexpr int kSuccess = 0;
// Memory ran out (explained), leaked, or was allocated on the audio path.
inline constexpr int kMemoryTrouble = 1;
// Arguments or files.
inline constexpr int kBadInput = 2;

}  // namespace modmem::tools
