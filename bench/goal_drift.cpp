// Goal 6: whether fragmentation builds up over time.
//
// Millions of starts and stops are played through Memory: with a heap for each stream, and with one
// heap for all of them that lives as long. The mean mapped / mean live of the last tenth of the
// starts and stops is compared with that of the first.
#include <array>
#include <cmath>
#include <future>
#include <string>
#include <vector>

#include "bench/goals.hpp"
#include "bench/replays.hpp"
#include "bench/statistics.hpp"

namespace modmem::bench {

namespace {

constexpr double kDrift = 0.01;
constexpr double kSharedMappedOverLive = 1.14;
constexpr std::uint64_t kEvents = 10'000'000;
constexpr std::uint64_t kQuickEvents = 200'000;
constexpr std::uint64_t kParts = 10;

struct Tenths {
  double first = 0;
  double last = 0;
  double all = 0;
  std::uint64_t failures = 0;
};

Tenths measure(const std::vector<trace::Recording>& recordings, const Policy& policy,
               std::uint64_t events) {
  trace::Composer composer(
      recordings, {.streams = kDayStreams, .events = events, .seed = 1, .load = trace::Load::day});
  trace::Replay replay(memory_platform(), policy, {.check_payload = false, .time_calls = false});
  const auto mapped_over_live = [](const trace::ReplayFigures& end,
                                   const trace::ReplayFigures& begin) {
    return means_of(end, begin).mapped_over_live;
  };
  // One event at a time, so that the tenths end where they should.
  const auto play_until = [&](std::uint64_t boundaries) {
    trace::Event event;
    while (replay.figures().boundaries < boundaries && composer.read({&event, 1}) != 0) {
      replay.play({&event, 1});
    }
    return replay.figures();
  };
  Tenths tenths;
  const trace::ReplayFigures first = play_until(events / kParts);
  const trace::ReplayFigures most = play_until(events - events / kParts);
  const trace::ReplayFigures all = play_until(events);
  tenths.first = mapped_over_live(first, {});
  tenths.last = mapped_over_live(all, most);
  tenths.all = mapped_over_live(all, {});
  tenths.failures = all.failures;
  return tenths;
}

}  // namespace

GoalReport goal_drift(const GoalOptions& options) {
  const std::vector<trace::Recording> recordings = read_recordings(options.traces);
  const std::uint64_t events = options.quick ? kQuickEvents : kEvents;
  const Policy& elastic = *find_policy("elastic");
  Policy shared = elastic;
  shared.name = "shared";
  shared.pipeline = HeapKind::none;

  GoalReport report;
  report.title = "fragmentation over " + std::to_string(events) + " starts and stops";
  // Side by side, as each takes minutes.
  std::array<std::future<Tenths>, 2> measured = {
      std::async(std::launch::async, [&] { return measure(recordings, elastic, events); }),
      std::async(std::launch::async, [&] { return measure(recordings, shared, events); })};
  for (const bool own : {true, false}) {
    const std::string name = own ? "a heap for each stream: " : "one heap for all: ";
    const Tenths tenths = measured[own ? 0 : 1].get();
    report.inform(name + "mean mapped / mean live of the first tenth", tenths.first);
    report.inform(name + "of the last tenth", tenths.last);
    report.at_most(name + "how far these are apart", std::abs(ratio(tenths.last, tenths.first) - 1),
                   kDrift);
    if (!own) {
      report.at_most(name + "mean mapped / mean live of the last tenth", tenths.last,
                     kSharedMappedOverLive);
    }
    report.at_most(name + "requests that failed", static_cast<double>(tenths.failures), 0);
  }
  report.notes = {
      "mapped: frames taken from the pool; metadata lies outside of it; 8 streams, day"};
  return report;
}

}  // namespace modmem::bench
