// What hardening costs: pairs of allocate() and free(), and ends of owners, for callgrind to count.
// bench/hardening_cost.py runs it for each row of the table in docs/hardening.md.
//
//   modmem-hardening-cost ROW BYTES    kPairs pairs of blocks of BYTES bytes; 0: the end of an
//   owner
//                                      of kBlocks blocks
//   modmem-hardening-cost ROW          prints the bytes that a block of 1 to 400 B takes on
//   average,
//                                      and the calls that protect memory for a pair
//   modmem-hardening-cost              prints the rows
//
// On the plain host, whose port does nothing but protect the boot arena; what the kernel does for
// that is not counted. Freed blocks that wait are pushed out by later ones: a pair is what it costs
// in the long run.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "memory/memory.hpp"
#include "modmem/presets.hpp"
#include "port/forwarding_port.hpp"
#include "port/posix/plain_port.hpp"

namespace {

using namespace modmem;

constexpr std::uint32_t kPairs = 1000;
constexpr std::uint32_t kBlocks = 100;

struct Row {
  const char* name;
  HardeningSettings settings;
};

constexpr HardeningSettings settings(bool guard, std::uint32_t guard_bytes, bool poison,
                                     std::size_t quarantine_bytes, bool random, bool read_only) {
  HardeningSettings settings = kHardeningNone;
  settings.guard = guard;
  settings.guard_bytes = guard_bytes;
  settings.poison = poison;
  settings.quarantine_bytes = quarantine_bytes;
  settings.random_placement = random;
  settings.read_only_metadata = read_only;
  return settings;
}

constexpr Row kRows[] = {
    {"`none`", kHardeningNone},
    {"guard, of what is there", settings(true, 0, false, 0, false, false)},
    {"guard, of at least 16 B", settings(true, 16, false, 0, false, false)},
    {"poison", settings(false, 0, true, 0, false, false)},
    {"poison and quarantine", settings(false, 0, true, 16384, false, false)},
    {"random placement", settings(false, 0, false, 0, true, false)},
    {"read-only metadata", settings(false, 0, false, 0, false, true)},
    {"`standard`", kHardeningStandard},
    {"`full`", kHardeningFull},
};

// Counts the calls that protect memory.
class CountingPort final : public ForwardingPort {
 public:
  explicit CountingPort(Port& port) : ForwardingPort(&port) {}

  std::uint64_t protections() const { return protections_; }
  void set_writable(std::byte* start, std::size_t bytes, bool writable) override {
    ++protections_;
    ForwardingPort::set_writable(start, bytes, writable);
  }

 private:
  std::uint64_t protections_ = 0;
};

// Out of line, so that they can be told from what goes before.
[[gnu::noinline]] void counted_pairs(Memory& memory, std::size_t bytes) {
  for (std::uint32_t i = 0; i < kPairs; ++i) {
    memory.free(memory.allocate({nullptr, bytes, 0, 0, {}}));
  }
}

[[gnu::noinline]] void counted_end(Memory& memory, Owner& owner) { memory.release_owner(owner); }

Owner* owner_of_blocks(Memory& memory, std::uint32_t blocks) {
  Owner* owner = memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline});
  for (std::size_t i = 0; i < blocks; ++i) {
    memory.allocate({owner, 1 + i * 173 % 400, 0, 0, {}});
  }
  return owner;
}

}  // namespace

int main(int argc, char** argv) {
  const Row* row = nullptr;
  for (const Row& one : kRows) {
    if (argc < 2) {
      std::puts(one.name);
    } else if (std::strcmp(one.name, argv[1]) == 0) {
      row = &one;
    }
  }
  if (row == nullptr) {
    return argc < 2 ? 0 : 2;
  }
  const PlatformConfig& config = config::kDefaultPlatform;
  PlainPort plain;
  if (!plain.open(config)) {
    return 1;
  }
  plain.set_time_us(0);
  CountingPort port(plain);
  Hardening hardening(row->settings);
  Memory memory;
  memory.set_hardening(hardening);
  std::vector<std::byte> arena(Memory::arena_bytes(config, port) + MetadataArena::kAlignment);
  void* start = arena.data();
  std::size_t space = arena.size();
  std::align(MetadataArena::kAlignment, Memory::arena_bytes(config, port), start, space);
  if (!memory.boot(config, kElasticPolicy, port, nullptr,
                   {static_cast<std::byte*>(start), space})) {
    return 1;
  }
  // Blocks that stay, so that no page comes and goes with each pair.
  memory.allocate({nullptr, 100, 0, 0, {}});
  memory.allocate({nullptr, 4000, 0, 0, {}});
  if (argc == 2) {
    const std::uint64_t before = port.protections();
    memory.free(memory.allocate({nullptr, 100, 0, 0, {}}));
    const std::uint64_t protections = port.protections() - before;
    const Owner* owner = owner_of_blocks(memory, 1000);
    std::printf("%zu %llu\n", memory.heap_report(*owner).mapped_bytes / 1000,
                static_cast<unsigned long long>(protections));
  } else if (const std::size_t bytes = std::strtoul(argv[2], nullptr, 10); bytes != 0) {
    for (std::uint32_t i = 0; i < 2 * Hardening::kMostWaiting; ++i) {
      memory.free(memory.allocate({nullptr, bytes, 0, 0, {}}));
    }
    counted_pairs(memory, bytes);
  } else {
    counted_end(memory, *owner_of_blocks(memory, kBlocks));
  }
  memory.shutdown();
  return 0;
}
