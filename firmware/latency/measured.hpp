// What the latency image measures, each a test of its report with lines of figures.
#pragma once

#include <span>

#include "firmware/latency/distribution.hpp"
#include "firmware/latency/meter.hpp"
#include "firmware/report.hpp"

namespace modmem::firmware {

// What the measurements share. `numbers` are for any of them to use.
struct Bench {
  static constexpr std::size_t kDistributions = 24;

  Report report;
  Distribution numbers[kDistributions];

  // Adds a count to numbers[which].
  void add(std::size_t which, std::uint32_t count) {
    MODMEM_CHECK(report, numbers[which].add(count));
  }
  void clear() {
    for (Distribution& distribution : numbers) {
      distribution.clear();
    }
  }
};

// That a thousand instructions are counted as such, and ten thousand.
void test_count(Bench& bench);

// The recording that the image carries, played through Memory on the board's platform.
void measure_replay(Bench& bench, const PlatformConfig& config, Port& port,
                    std::span<std::byte> place);

// Heaps, and Memory, with more and more live blocks.
void measure_levels(Bench& bench, const PlatformConfig& config, Port& port);

}  // namespace modmem::firmware
