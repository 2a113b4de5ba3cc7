// What a test compares before and after, to see that nothing is left behind.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string_view>

#include "testbench/input_error.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

// All that a session may change, and must put back.
struct State {
  std::size_t mapped_bytes = 0;
  std::size_t metadata_bytes = 0;
  std::uint32_t banks_on = 0;
  std::size_t live_bytes = 0;
  std::size_t heaps = 0;
  bool owners = false;
  std::size_t leaks = 0;
  std::size_t faults = 0;
  bool operator==(const State&) const = default;
};

inline void PrintTo(const State& state, std::ostream* out) {
  *out << state.mapped_bytes << " B mapped, " << state.metadata_bytes << " B of metadata, "
       << state.banks_on << " banks on, " << state.live_bytes << " B live, " << state.heaps
       << " heaps, owners " << state.owners << ", " << state.leaks << " leaks, " << state.faults
       << " faults";
}

inline State state_of(System& system) {
  Memory& memory = system.memory();
  State state;
  state.mapped_bytes = system.mapped_bytes();
  state.metadata_bytes = memory.metadata_bytes();
  state.banks_on = memory.pool().banks_on();
  state.live_bytes = memory.system().tree;
  // Without the system's heaps of other cores, which stay once they are there.
  memory.for_each_heap([&](const HeapReport& heap) {
    state.heaps += std::string_view(heap.name).starts_with("system-") ? 0 : 1;
  });
  state.owners = memory.system().first_child != nullptr;
  state.leaks = system.leaks().size();
  state.faults = system.faults().size();
  EXPECT_TRUE(memory.check(CheckDepth::deep));
  return state;
}

// The same without metadata, of which a page may stay behind as long as anything is left: what to
// compare while something else plays on.
inline State payload_of(System& system) {
  State state = state_of(system);
  state.mapped_bytes -= state.metadata_bytes;  // the arena's part of it is constant
  state.metadata_bytes = 0;
  state.banks_on = 0;
  return state;
}

// Heaps that there are from boot on.
inline std::uint32_t heaps_at_boot(const PlatformConfig& config, const Policy& policy) {
  const System system(config, policy);
  std::uint32_t heaps = 0;
  system.memory().for_each_heap(
      [&](const HeapReport& heap) { heaps += std::string_view(heap.kind) == "metadata" ? 0 : 1; });
  return heaps;
}

// Whether the heaps that `policy` has from boot on fit `config`.
inline bool boots(const PlatformConfig& config, const Policy& policy) {
  try {
    const System system(config, policy);
    return true;
  } catch (const InputError&) {
    return false;
  }
}

}  // namespace modmem::testbench
