#include "bench/replays.hpp"

#include <array>
#include <span>

#include "bench/statistics.hpp"
#include "modmem/presets.hpp"

namespace modmem::bench {

PlatformConfig memory_platform() {
  PlatformConfig config = config::kDefaultPlatform;
  config.name = "bench";
  config.sram_bytes = std::size_t{5} << 19U;
  config.bank_bytes = std::size_t{128} << 10U;
  config.reserve_bytes = 0;
  config.cores = 1;
  config.lp_sram_bytes = 0;
  config.l3_bytes = 0;
  return config;
}

trace::ReplayFigures play_all(trace::Replay& replay, trace::EventSource& events) {
  std::array<trace::Event, 256> buffer;
  while (const std::size_t count = events.read(buffer)) {
    replay.play(std::span(buffer).first(count));
  }
  return replay.figures();
}

Means means_of(const trace::ReplayFigures& end, const trace::ReplayFigures& begin) {
  const auto sum = [&](std::uint64_t trace::ReplayFigures::*figure) {
    return static_cast<double>(end.*figure - begin.*figure);
  };
  using Figures = trace::ReplayFigures;
  return {ratio(sum(&Figures::mapped_bytes_sum), sum(&Figures::live_bytes_sum)),
          ratio(sum(&Figures::banks_on_sum), sum(&Figures::banks_lower_bound_sum))};
}

std::size_t banks_for(std::size_t bytes, const PlatformConfig& config) {
  return (bytes + config.bank_bytes - 1) / config.bank_bytes;
}

}  // namespace modmem::bench
