#include "tuning/playing.hpp"

#include <algorithm>
#include <vector>

namespace modmem::tuning {

namespace {

constexpr std::size_t kBatch = 16384;

std::optional<double> ratio(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? std::nullopt : std::optional(static_cast<double>(a) / static_cast<double>(b));
}

}  // namespace

std::optional<double> Played::mapped_over_live() const {
  return times.live_byte_us != 0 ? ratio(times.mapped_byte_us, times.live_byte_us)
                                 : ratio(mapped_bytes_sum, live_bytes_sum);
}

std::optional<double> Played::banks_on() const { return ratio(times.bank_us, times.us); }

Played play(Traces traces, const PlatformConfig& platform, const Policy& policy,
            const trace::ReplayOptions& options, const Progress& progress) {
  Played played;
  std::vector<trace::Event> events(kBatch);
  for (trace::EventSource* source : traces) {
    source->rewind();
    trace::Replay replay(platform, policy, options);
    bool goes_on = true;
    while (goes_on) {
      const std::size_t count = source->read(events);
      goes_on = count != 0 && replay.play(std::span(events).first(count));
      if (progress) {
        progress(0);
      }
    }
    const trace::ReplayFigures& figures = replay.figures();
    played.allocations += figures.allocations;
    played.failures += figures.failures;
    played.peak_live_bytes = std::max(played.peak_live_bytes, figures.peak_live_bytes);
    played.peak_mapped_bytes = std::max(played.peak_mapped_bytes, figures.peak_mapped_bytes);
    played.live_bytes_sum += figures.live_bytes_sum;
    played.mapped_bytes_sum += figures.mapped_bytes_sum;
    const trace::ReplayTimes times = replay.times();
    played.times.mappings += times.mappings;
    played.times.switches += times.switches;
    played.times.us += times.us;
    played.times.live_byte_us += times.live_byte_us;
    played.times.mapped_byte_us += times.mapped_byte_us;
    played.times.bank_us += times.bank_us;
    if (options.stop_at_failure && figures.failures != 0) {
      break;
    }
  }
  return played;
}

}  // namespace modmem::tuning
