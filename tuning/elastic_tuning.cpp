#include "tuning/elastic_tuning.hpp"

#include <functional>
#include <optional>
#include <utility>

namespace modmem::tuning {

namespace {

class Sweep {
 public:
  Sweep(Traces traces, const PlatformConfig& platform, const Policy& policy,
        const Progress& progress)
      : traces_(traces), platform_(platform), policy_(policy), progress_(progress) {}

  Hysteresis played(std::uint32_t pages, std::uint32_t us, std::uint32_t bank_us) const {
    PlatformConfig platform = platform_;
    platform.retained_pages = pages;
    platform.retained_us = us;
    platform.bank_hold_us = bank_us;
    return {pages, us, bank_us, play(traces_, platform, policy_, quick(true), progress_)};
  }

 private:
  Traces traces_;
  const PlatformConfig& platform_;
  const Policy& policy_;
  const Progress& progress_;
};

// Whether it costs little enough: `cost` is nothing where there is none to speak of.
bool is_cheap(std::optional<double> cost, std::optional<double> base) {
  return !cost || !base || *cost <= *base * (1 + kTolerance);
}

// The cheap setting of [begin, end) of `tried` that has the fewest calls: the first of equal ones.
template <typename Cost, typename Calls>
std::size_t best_of(const std::vector<Hysteresis>& tried, std::size_t base, std::size_t begin,
                    Cost cost, Calls calls) {
  std::size_t best = base;
  for (std::size_t i = begin; i < tried.size(); ++i) {
    const Played& played = tried[i].played;
    if (played.failures <= tried[base].played.failures &&
        is_cheap(cost(played), cost(tried[base].played)) &&
        calls(played) < calls(tried[best].played)) {
      best = i;
    }
  }
  const auto before = static_cast<double>(calls(tried[base].played));
  const auto after = static_cast<double>(calls(tried[best].played));
  return after <= before * (1 - kGain) ? best : base;
}

void tune_hysteresis(const Sweep& sweep, ElasticTuning& tuning) {
  std::vector<Hysteresis>& tried = tuning.tried;
  tried.push_back(sweep.played(0, 0, 0));
  for (const std::uint32_t pages : kRetainedPages) {
    for (const std::uint32_t us : kRetainedUs) {
      tried.push_back(sweep.played(pages, us, 0));
    }
  }
  const std::size_t kept = best_of(
      tried, 0, 1, [](const Played& played) { return played.mapped_over_live(); },
      [](const Played& played) { return played.times.mappings; });
  const std::size_t begin = tried.size();
  for (const std::uint32_t bank_us : kBankHoldUs) {
    tried.push_back(sweep.played(tried[kept].retained_pages, tried[kept].retained_us, bank_us));
  }
  tuning.chosen = best_of(
      tried, kept, begin, [](const Played& played) { return played.banks_on(); },
      [](const Played& played) { return played.times.switches; });
}

}  // namespace

ElasticTuning tune_elastic(Traces traces, const PlatformConfig& platform, const Policy& policy,
                           const Progress& progress) {
  ElasticTuning tuning;
  tune_hysteresis(Sweep(traces, platform, policy, progress), tuning);

  tuning.streams = measure_streams(traces, platform, policy, progress);
  trace::ReplayOptions options = quick();
  options.stream_limit = tuning.limit_bytes = tuning.streams.peak_bytes;
  const std::uint64_t failures = tuning.tried.front().played.failures;
  for (const std::uint32_t share : {100U, 99U, 95U, 90U, 75U, 50U, 0U}) {
    const std::uint32_t pages = share != 0 ? tuning.streams.start_pages_of(share) : 0;
    options.stream_guarantee = in_frames(pages);
    tuning.guarantee_share = share;
    tuning.guarantee_bytes = options.stream_guarantee;
    tuning.with_limits = play(traces, platform, policy, options, progress);
    if (tuning.with_limits.failures <= failures) {
      break;
    }
  }
  return tuning;
}

}  // namespace modmem::tuning
