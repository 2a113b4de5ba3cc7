// The image in which two cores use one Memory at the same time: each fills blocks of its own heap
// and ends some of the other's, which wait in that heap's queue until its core comes by.
#include <atomic>

#include "firmware/booted_memory.hpp"
#include "firmware/report.hpp"
#include "firmware/traps.hpp"
#include "memory/memory.hpp"

namespace {

using namespace modmem;
using namespace modmem::firmware;

constexpr std::uint32_t kBlocks = 500;  // that each core gives
constexpr std::size_t kPlaces = 32;

// Blocks on their way from one core to the other. A place is the giver's while it is empty, and the
// taker's while it is not.
struct Exchange {
  std::atomic<std::uint32_t*> places[kPlaces] = {};
};

struct Side {
  Owner* owner = nullptr;
  Exchange* gives = nullptr;
  Exchange* takes = nullptr;
  std::uint32_t seed = 0;
  std::uint32_t refused = 0;
  std::uint32_t broken = 0;  // blocks whose content was not what was written
  std::uint32_t exchanged = 0;
};

Memory* memory = nullptr;
Exchange to_second;
Exchange to_first;
Side first;
Side second;

void work(Side& side) {
  std::uint32_t state = side.seed;
  std::uint32_t given = 0;
  for (std::size_t round = 0; given < kBlocks || side.exchanged < kBlocks; ++round) {
    state = state * 1664525 + 1013904223;
    const std::size_t place = round % kPlaces;
    if (given < kBlocks && side.gives->places[place].load(std::memory_order_acquire) == nullptr) {
      const std::uint32_t words = 2 + (state >> 16) % 500;
      auto* block =
          static_cast<std::uint32_t*>(memory->allocate({.owner = side.owner,
                                                        .bytes = words * sizeof(std::uint32_t),
                                                        .flags = flag::kUser,
                                                        .site = Site::here()}));
      if (block == nullptr) {
        ++side.refused;
      } else {
        ++given;
        block[0] = words;
        for (std::uint32_t i = 1; i < words; ++i) {
          block[i] = words * i;
        }
        side.gives->places[place].store(block, std::memory_order_release);
      }
    }
    if (std::uint32_t* block = side.takes->places[place].load(std::memory_order_acquire)) {
      const std::uint32_t words = block[0];
      for (std::uint32_t i = 1; i < words; ++i) {
        side.broken += block[i] != words * i ? 1 : 0;
      }
      side.broken += memory->free(block) != PointerStatus::live ? 1 : 0;
      ++side.exchanged;
      side.takes->places[place].store(nullptr, std::memory_order_release);
    }
  }
}

}  // namespace

int main() {
  const PlatformConfig config = board_platform();
  Port& port = start_board(config, report_trap);
  Report report;
  report.begin("cores", "two cores exchange blocks");
  memory = boot_memory(report, config, port);
  if (memory != nullptr) {
    describe_traps_by(*memory);
    first = {.gives = &to_second, .takes = &to_first, .seed = 1};
    second = {.gives = &to_first, .takes = &to_second, .seed = 2};
    first.owner = memory->create_owner(
        memory->system(), {.kind = OwnerKind::pipeline, .id = 1, .name = "first", .core = 0});
    second.owner = memory->create_owner(
        memory->system(), {.kind = OwnerKind::pipeline, .id = 2, .name = "second", .core = 1});
    if (MODMEM_CHECK(report, first.owner != nullptr && second.owner != nullptr)) {
      run_on_other_core([] { work(second); });
      work(first);
      while (is_other_core_running()) {
      }
      MODMEM_CHECK(report, memory->check(CheckDepth::deep));
      MODMEM_CHECK(report, first.broken == 0 && second.broken == 0);
      MODMEM_CHECK(report, first.refused == 0 && second.refused == 0);
      MODMEM_CHECK(report, first.exchanged == kBlocks && second.exchanged == kBlocks);
      MODMEM_CHECK(report, memory->destroy_owner(*first.owner) == 0);
      MODMEM_CHECK(report, memory->destroy_owner(*second.owner) == 0);
      MODMEM_CHECK(report, memory->pool().taken() == 0);
    }
  }
  report.end();
  report.figure("blocks that the second core ended", second.exchanged);
  report.figure("blocks that the first core ended", first.exchanged);
  return report.finish();
}
