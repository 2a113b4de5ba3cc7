// Calls of the C interface on the audio path, which is not to take or free memory: who made them.
//
// One entry for each place in the program; the first call of each is logged. Of a system that
// somebody lends, the lender keeps the books (CSystem::notes_audio_path).
// Cost: one question to the port for each call that frees or takes; off the audio path nothing
// else.
#pragma once

#include <cstddef>
#include <cstdint>

#include "capi/system.hpp"
#include "memory/memory.hpp"

namespace modmem {

// Where the caller is on the audio path: notes that `function` was called, to free something. No
// lock may be held.
void note_audio_path_free(CSystem& system, const char* function, const Site& site);

// The same of a request. The port's lock is held.
void note_audio_path_request(Port& port, const Request& request);

// Forgets all; before the system is used.
void forget_audio_path();

// Logs how often each place called that did so more than once.
void flush_audio_path();

}  // namespace modmem
