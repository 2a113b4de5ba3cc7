// Goal 1: the smallest memory that serves a day of streams, of what lives at its peak.
//
// Found by bisection and verified at every size within 5 % below (trace/least_memory.hpp): frames
// of the pool and all metadata, through Memory, with a heap for each stream. Each number of
// streams, load and seed is a day of its own; all of the host's processors look for theirs.
#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/goals.hpp"
#include "bench/replays.hpp"
#include "bench/statistics.hpp"
#include "trace/least_memory.hpp"
#include "trace/tape.hpp"

namespace modmem::bench {

namespace {

constexpr double kOfPeakLive = 1.05;
constexpr std::array<std::uint32_t, 4> kStreams = {2, 4, 6, 8};
constexpr std::uint64_t kQuickEvents = 2000;
constexpr std::uint64_t kSeeds = 5;
constexpr std::uint64_t kQuickSeeds = 2;

struct Day {
  trace::ComposerOptions options;
  double least_over_live = std::numeric_limits<double>::infinity();  // where nothing serves it
  std::uint64_t failures = 0;
};

void find_least(const std::vector<trace::Recording>& recordings, Day& day) {
  trace::Composer composer(recordings, day.options);
  trace::Tape tape(composer);
  const PlatformConfig config = memory_platform();
  const Policy& policy = *find_policy("elastic");
  trace::Replay replay(config, policy, {.check_payload = false, .time_calls = false});
  const trace::ReplayFigures played = play_all(replay, tape);
  day.failures = played.failures;
  trace::LeastMemory least(tape, config, policy);
  if (const std::optional<std::size_t> bytes = least.find(played)) {
    day.least_over_live =
        ratio(static_cast<double>(*bytes), static_cast<double>(played.peak_live_bytes));
  }
}

// Every processor takes the next day until there is none, or one fails.
void find_all(const std::vector<trace::Recording>& recordings, std::vector<Day>& days) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t index = next++; index < days.size(); index = next++) {
      find_least(recordings, days[index]);
    }
  };
  std::vector<std::future<void>> workers;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    workers.push_back(std::async(std::launch::async, work));
  }
  for (std::future<void>& worker : workers) {
    worker.get();
  }
}

std::string name_of(const trace::ComposerOptions& options) {
  return std::string(options.load == trace::Load::day ? "day, " : "busy, ") +
         std::to_string(options.streams) + " streams, seed " + std::to_string(options.seed);
}

}  // namespace

GoalReport goal_arena(const GoalOptions& options) {
  const std::vector<trace::Recording> recordings = read_recordings(options.traces);
  std::vector<Day> days;
  for (const trace::Load load : {trace::Load::day, trace::Load::busy}) {
    for (const std::uint32_t streams : kStreams) {
      for (std::uint64_t seed = 1; seed <= (options.quick ? kQuickSeeds : kSeeds); ++seed) {
        Day day;
        day.options = {.streams = streams,
                       .events = options.quick ? kQuickEvents : kDayEvents,
                       .seed = seed,
                       .load = load};
        days.push_back(day);
      }
    }
  }
  find_all(recordings, days);
  GoalReport report;
  report.title = "smallest memory / peak live, all metadata counted";
  std::uint64_t failures = 0;
  for (const Day& day : days) {
    report.at_most(name_of(day.options), day.least_over_live, kOfPeakLive);
    failures += day.failures;
  }
  report.at_most("requests that failed with all of the memory", static_cast<double>(failures), 0);
  report.notes = {std::to_string(days.front().options.events) + " starts and stops each"};
  return report;
}

}  // namespace modmem::bench
