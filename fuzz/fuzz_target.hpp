// What all fuzz targets have in common (docs/fuzzing.md).
//
// A target is LLVMFuzzerTestOneInput() in a file NAME_target.cpp: it does with its bytes what
// modmem must survive, and calls report() where something does not hold. Whoever calls it gives it
// one input after another in one process, so it leaves nothing behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace modmem::fuzz {

// Says what was found, with what shown() had to say of this input, and ends the program, as engines
// take for a crash.
[[noreturn]] void report(const std::string& what);

// report() where `holds` is false.
inline void require(bool holds, std::string_view what) {
  if (!holds) {
    report(std::string(what));
  }
}

// Whether targets are to say in words what an input does: MODMEM_FUZZ_SHOW=1.
bool shows();
// Says it, a line each.
void show(const std::string& line);

// Whether a mistake is to be made that the target must find: MODMEM_FUZZ_PLANT=1. What it is, each
// target says. So nothing that never reports passes for something that finds nothing.
bool is_planted();

}  // namespace modmem::fuzz
