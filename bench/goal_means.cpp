// Goal 2: what is mapped and powered in the mean, over a day of streams that each have a heap.
//
// Everything goes through Memory, with a record for every block; every payload is written and
// checked. Means are over the starts and stops of streams. The lower bound is the banks that the
// live bytes would fill.
//
// What a heap for each stream costs at least follows from the recordings: pages are whole, and the
// smaller the streams, the more that is. It stands beside the means.
#include <array>
#include <span>
#include <string>
#include <vector>

#include "bench/engine.hpp"
#include "bench/goals.hpp"
#include "bench/replays.hpp"
#include "bench/statistics.hpp"

namespace modmem::bench {

namespace {

constexpr double kMappedOverLive = 1.09;
constexpr double kBanksOfDay = 1.05;
constexpr double kBanksOfBusy = 1.06;
constexpr double kMoreBanks = 1;
constexpr std::uint64_t kQuickEvents = 4000;

double mean_live_bytes(const trace::ReplayFigures& figures) {
  return ratio(static_cast<double>(figures.live_bytes_sum),
               static_cast<double>(figures.boundaries));
}

// The pages that the live bytes of each heap would fill, in bytes.
std::size_t whole_pages(const Memory& memory) {
  std::size_t pages = 0;
  memory.for_each_heap([&](const HeapReport& heap) {
    pages += (heap.live_bytes + config::kPageBytes - 1) / config::kPageBytes;
  });
  return pages * config::kPageBytes;
}

// Plays the day. Returns the sum of whole_pages() over the starts and stops.
std::uint64_t play(trace::Replay& replay, trace::EventSource& events) {
  std::array<trace::Event, 256> buffer;
  std::uint64_t sum = 0;
  while (const std::size_t count = events.read(buffer)) {
    std::size_t first = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (buffer[i].boundary) {
        replay.play(std::span(buffer).subspan(first, i + 1 - first));
        first = i + 1;
        sum += whole_pages(replay.memory());
      }
    }
    replay.play(std::span(buffer).subspan(first, count - first));
  }
  return sum;
}

}  // namespace

GoalReport goal_means(const GoalOptions& options) {
  const std::vector<trace::Recording> recordings = read_recordings(options.traces);
  GoalReport report;
  report.title = "mean mapped and mean banks on, 8 streams";
  bool out_of_reach = false;
  for (const trace::Load load : {trace::Load::day, trace::Load::busy}) {
    const bool day = load == trace::Load::day;
    const std::string name = day ? "day: " : "busy: ";
    trace::Composer composer(recordings, {.streams = kDayStreams,
                                          .events = options.quick ? kQuickEvents : kDayEvents,
                                          .seed = 1,
                                          .load = load});
    const PlatformConfig config = memory_platform();
    trace::Replay replay(config, *find_policy("elastic"), {.time_calls = false});
    const std::uint64_t least_bytes_sum = play(replay, composer);
    const trace::ReplayFigures& figures = replay.figures();
    const Means means = means_of(figures, {});
    report.at_most(name + "mean mapped / mean live", means.mapped_over_live, kMappedOverLive);
    const double least =
        ratio(static_cast<double>(least_bytes_sum), static_cast<double>(figures.live_bytes_sum));
    report.inform(name + "the same if each heap filled its pages", least);
    out_of_reach = out_of_reach || least > kMappedOverLive;
    const double live = mean_live_bytes(figures);
    report.inform(name + "the same with metadata at its most",
                  means.mapped_over_live + static_cast<double>(figures.metadata_bytes) / live);
    report.at_most(name + "mean banks on / lower bound", means.banks_over_bound,
                   day ? kBanksOfDay : kBanksOfBusy);
    const std::size_t bound = banks_for(figures.peak_live_bytes, config);
    report.at_most(name + "peak banks on, more than the lower bound",
                   static_cast<double>(figures.peak_banks_on) - static_cast<double>(bound),
                   kMoreBanks);
    report.inform(name + "peak live", static_cast<double>(figures.peak_live_bytes), "B");
    report.inform(name + "peak mapped", static_cast<double>(figures.peak_mapped_bytes), "B");
    report.inform(name + "metadata, all of it, at its most",
                  static_cast<double>(figures.metadata_bytes), "B");
    report.at_most(name + "requests that failed", static_cast<double>(figures.failures), 0);
  }
  report.notes = {std::to_string(recordings.size()) + " recordings",
                  "mapped: frames taken from the pool; metadata lies outside of it"};
  if (out_of_reach) {
    report.notes.emplace_back(
        "these streams are too small for the limit: whole pages for each are more than that");
  }
  return report;
}

}  // namespace modmem::bench
