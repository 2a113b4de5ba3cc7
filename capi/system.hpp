// CSystem: the system that the C functions work on.
//
// There is at most one at a time. It is brought up by modmem_boot() or by the first C call that
// needs it (capi/host), or it is one that somebody else runs and lends: the testbench does so for
// the modules that it loads, so that there is no second allocator in the process.
#pragma once

#include <cstddef>
#include <cstdint>

#include "capi/module_accounts.hpp"
#include "memory/memory.hpp"
#include "module/shared_copies.hpp"

namespace modmem {

struct CSystem {
  // The largest fragment of a configuration that arrives in pieces, where nobody says another.
  static constexpr std::size_t kIpcFragmentBytes = 4096;

  CSystem(Memory& its_memory, SharedCopies& its_copies, const char* its_host,
          std::size_t fragment_bytes = kIpcFragmentBytes)
      : memory(its_memory),
        copies(its_copies),
        host(its_host),
        ipc_fragment_bytes(fragment_bytes),
        modules(its_memory) {}

  Port& port() const { return memory.space().port(); }

  Memory& memory;
  SharedCopies& copies;
  const char* host;  // sim, plain or libc, or who lends it
  std::size_t ipc_fragment_bytes;
  ModuleAccounts modules;  // to be closed before the copies and Memory end
  // Under the port's lock:
  std::uint64_t faults = 0;       // misuses so far
  bool notes_audio_path = false;  // capi/audio_path.hpp; of one that is lent, its owner does
};

// The system that is up, nullptr where none is. O(1).
CSystem* current_system();

// The same, after bringing the default one up where none is; nullptr where there is no default.
CSystem* booted();

// From now on C functions work on `system`. Returns false, with nothing changed, where they work on
// another one. One call of adopt() or leave() at a time.
bool adopt(CSystem& system);

// They no longer do, where they did. No C call may run.
void leave(CSystem& system);

}  // namespace modmem
