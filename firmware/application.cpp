// The application: puts the heaps through the freestanding conformance suite, boots modmem, plays a
// recording, runs a pipeline and has a client in C use the C interface, on every board.
#include <new>

#include "firmware/alias.hpp"
#include "firmware/booted_memory.hpp"
#include "firmware/c_system.hpp"
#include "firmware/conformance.hpp"
#include "firmware/pipeline.hpp"
#include "firmware/replay.hpp"
#include "firmware/traps.hpp"

namespace {

using namespace modmem;
using namespace modmem::firmware;

void run_heaps(Report& report, const PlatformConfig& config, Port& port,
               std::span<std::byte> place) {
  auto& world = *new (place.data()) HeapWorld;
  report.begin("pages", "boot");
  const bool booted =
      MODMEM_CHECK(report, world.boot(config, port, place.subspan(kRoomOf<HeapWorld>)));
  report.end();
  if (booted) {
    test_heaps(report, world);
    world.shutdown();
  }
}

// A platform that has what Kconfig left out of the library is refused, any other is not.
void test_left_out(Report& report, const PlatformConfig& config) {
  report.begin("memory", "refuses what it is built without");
  PlatformConfig mapped = config;
  mapped.has_mmu = true;
  mapped.window_bytes = mapped.span_bytes = config.sram_bytes;
  PlatformConfig multicore = config;
  multicore.cores = 2;
  PlatformConfig low_power = config;
  low_power.lp_sram_bytes = config::kPageBytes;
  MODMEM_CHECK(report, (Memory::config_error(mapped) == nullptr) == config::kMmuSupport);
  MODMEM_CHECK(report, (Memory::config_error(multicore) == nullptr) == config::kMulticore);
  MODMEM_CHECK(report, (Memory::config_error(low_power) == nullptr) == config::kSideMemories);
  report.end();
}

void run_memory(Report& report, const PlatformConfig& config, Port& port) {
  test_left_out(report, config);
  report.begin("memory", "boot");
  Memory* memory = boot_memory(report, config, port);
  report.end();
  if (memory != nullptr) {
    describe_traps_by(*memory);
    test_alias(report, *memory);
    test_replay(report, *memory);
    test_pipeline(report, *memory);
    test_c_client(report, *memory);
  }
}

}  // namespace

int main() {
  const PlatformConfig config = board_platform();
  Port& port = start_board(config, report_trap);
  Report report;
  // One after the other, in the same place.
  run_heaps(report, config, port, metadata_place());
  run_memory(report, config, port);
  return report.finish();
}
