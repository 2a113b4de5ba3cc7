// The host's side of the rule that the audio path does not allocate.
//
// A program that links this has its operator new and operator delete replaced: they do what they
// always do, and count the calls that come from within an AudioPathScope.
#pragma once

#include <cstdint>

namespace modmem::testbench {

// Such calls so far, all threads together.
std::uint64_t host_allocations_on_audio_path();

}  // namespace modmem::testbench
