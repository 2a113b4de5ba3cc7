// The host's side of the rule that the audio path takes no memory and waits for nobody.
//
// A program that links this has the C library's allocator and its locks stand behind functions of
// this file, which do what they always do. Within an AudioPathScope (or between
// modmem_audio_path_enter() and modmem_audio_path_leave()) each call of them is noted, and so is
// each call of modmem: by the place in a loaded module that it came from, else by the place that
// called. In builds with a sanitizer, which has an allocator and locks of its own, locks are not
// seen. Cost: off the audio path one look at a variable of the thread, with modmem nothing; for
// what is noted O(frames on the stack).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "testbench/modules/module_call.hpp"

namespace modmem::testbench {

// Allocating and freeing calls of the host's allocator so far, all threads together.
std::uint64_t host_allocations_on_audio_path();

enum class AudioPathKind : std::uint8_t { memory, allocation, resize, release, lock };
// "call of modmem", "host allocation", ...
const char* to_string(AudioPathKind kind);

// All calls of one kind from one place, of one module.
struct AudioPathNote {
  AudioPathKind kind = AudioPathKind::memory;
  ModulePlace place;
  std::string function;  // that was called: "mod_alloc_align", "malloc"; "" where it has no name
  std::string site;      // "libx.so+0x1234"; "" where it is not known
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;  // as asked for, of all calls
};

// What was noted since the last forget, while the modules are loaded that did it.
std::vector<AudioPathNote> audio_path_notes();
// Not while somebody is on the audio path.
void forget_audio_path_notes();

// For System, while it runs: calls of modmem are noted.
class AudioPathWatch {
 public:
  AudioPathWatch();
  ~AudioPathWatch();
  AudioPathWatch(const AudioPathWatch&) = delete;
  AudioPathWatch& operator=(const AudioPathWatch&) = delete;

  // The call of modmem that this thread is in asks for so many bytes.
  static void add_bytes(std::size_t bytes);
};

// What the testbench itself does meanwhile, as to note a fault, is nobody's fault.
class AudioPathPause {
 public:
  AudioPathPause();
  ~AudioPathPause();
  AudioPathPause(const AudioPathPause&) = delete;
  AudioPathPause& operator=(const AudioPathPause&) = delete;
};

}  // namespace modmem::testbench
