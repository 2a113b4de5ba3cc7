// What recording costs: pairs of allocate() and free(), for callgrind to count.
//
//   valgrind --tool=callgrind --toggle-collect='*run_pairs*' build/release/modmem-recording-cost
//   off
//
// `off`: without a recorder; `on`: with one, whose ring somebody empties; `full`: with one whose
// ring nobody empties. Divided by kPairs, that is instructions for a pair.
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "memory/memory.hpp"
#include "modmem/presets.hpp"
#include "port/host/host_port.hpp"
#include "record/recorded_port.hpp"

namespace {

constexpr std::uint32_t kPairs = 10000;

// Out of line, so that it can be told from what goes before.
[[gnu::noinline]] void run_pairs(modmem::Memory& memory, modmem::EventRing* ring) {
  std::vector<modmem::EventSlot> slots(ring != nullptr ? ring->capacity() : 0);
  for (std::uint32_t i = 0; i < kPairs; ++i) {
    memory.free(memory.allocate({nullptr, 100, 0, 0, MODMEM_HERE}));
    if (ring != nullptr && ring->room() < 64) {
      ring->read(slots);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "off";
  const bool records = std::strcmp(mode, "off") != 0;
  const modmem::PlatformConfig& config = modmem::config::kDefaultPlatform;
  modmem::HostPort host(config);
  host.set_time_us(0);
  modmem::Recorder recorder;
  std::vector<modmem::EventSlot> slots(std::size_t{1024} * config.cores);
  if (!recorder.open(slots, config.cores, host)) {
    return 1;
  }
  modmem::RecordedPort recorded(host, recorder);
  modmem::Port& port = records ? static_cast<modmem::Port&>(recorded) : host;
  modmem::Memory memory;
  if (records) {
    memory.set_recorder(recorder);
  }
  std::vector<std::byte> arena(modmem::Memory::arena_bytes(config, port));
  if (!memory.boot(config, modmem::kElasticPolicy, port, nullptr, arena)) {
    return 1;
  }
  // A block that stays, so that no page comes and goes with each pair.
  void* stays = memory.allocate({nullptr, 100, 0, 0, {}});
  run_pairs(memory, std::strcmp(mode, "on") == 0 ? &recorder.ring(0) : nullptr);
  memory.free(stays);
  std::printf("%s: %u pairs, %llu events lost\n", mode, kPairs,
              static_cast<unsigned long long>(recorder.lost()));
  memory.shutdown();
  return 0;
}
