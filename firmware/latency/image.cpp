// The image that counts instructions of allocate, free and map.
#include "firmware/board.hpp"
#include "firmware/latency/measured.hpp"
#include "firmware/traps.hpp"

namespace {

using namespace modmem;
using namespace modmem::firmware;

Bench bench;

// With a pool of 1.75 MiB, so that 10,000 blocks have room.
PlatformConfig platform() {
  constexpr std::size_t kPool = std::size_t{1792} << 10;
  PlatformConfig config = board_platform();
  config.sram_bytes = config.reserve_bytes + kPool;
  return config;
}

}  // namespace

int main() {
  const PlatformConfig config = platform();
  Port& port = start_board(config, report_trap);
  Meter::calibrate();
  test_count(bench);
  measure_replay(bench, board_platform(), port, metadata_place());
  measure_levels(bench, config, port);
  return bench.report.finish();
}
