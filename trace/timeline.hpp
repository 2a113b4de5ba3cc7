// Timeline: what a replay was at its most, in a bounded number of stretches of events.
//
// A *bucket* is a run of events, as many in each, but for the last. When there are kMostBuckets,
// two and two become one, so that any number of events ends in kMostBuckets / 2 to kMostBuckets of
// them (or one for each event, where there are few).
//
// Invariants: a bucket's `live` and `mapped` are the most after any of its events; its lanes are
// those of the first such moment, so
//   sum of live_by_lane = live, sum of mapped_by_lane = mapped
// Cost: O(1) an event, and O(lanes + banks) for each bucket merged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace modmem::trace {

class Timeline {
 public:
  static constexpr std::size_t kMostBuckets = 1024;
  static constexpr std::int32_t kOff = -1;

  struct Bucket {
    std::uint64_t first_event = 0;
    std::uint64_t time_us = 0;  // of that
    std::uint64_t live = 0;
    std::uint64_t mapped = 0;
    std::vector<std::uint64_t> live_by_lane;
    std::vector<std::uint64_t> mapped_by_lane;
    std::vector<std::string> owner_by_lane;  // who had each when most lived; "" for nobody
    std::vector<std::int32_t> banks;         // most frames taken in each; kOff where never powered
    std::uint32_t banks_on = 0;              // at most at a time
    std::uint32_t failures = 0;
    std::uint64_t lost = 0;  // events that the trace lacks ahead of these
    // The highest state of each pipeline that has had one: 1 reset, 2 paused, 3 running.
    std::map<std::uint32_t, std::uint8_t> pipelines;
  };

  // The bucket of the next event; `starts` says whether it is a new one, with nothing in it yet.
  Bucket& next(std::uint64_t time_us, bool& starts) {
    starts = event_ % width_ == 0;
    if (starts) {
      if (buckets_.size() == kMostBuckets) {
        merge();
        starts = event_ % width_ == 0;
      }
      if (starts) {
        buckets_.emplace_back();
        buckets_.back().first_event = event_;
        buckets_.back().time_us = time_us;
      }
    }
    ++event_;
    return buckets_.back();
  }

  const std::vector<Bucket>& buckets() const { return buckets_; }
  std::uint64_t events() const { return event_; }
  std::uint64_t width() const { return width_; }  // events in a bucket

 private:
  void merge() {
    for (std::size_t i = 0; i < buckets_.size() / 2; ++i) {
      Bucket first = std::move(buckets_[2 * i]);
      Bucket& second = buckets_[2 * i + 1];
      if (second.live > first.live) {
        first.live = second.live;
        first.live_by_lane = std::move(second.live_by_lane);
        first.owner_by_lane = std::move(second.owner_by_lane);
      }
      if (second.mapped > first.mapped) {
        first.mapped = second.mapped;
        first.mapped_by_lane = std::move(second.mapped_by_lane);
      }
      for (std::size_t bank = 0; bank < first.banks.size(); ++bank) {
        first.banks[bank] = std::max(first.banks[bank], second.banks[bank]);
      }
      first.banks_on = std::max(first.banks_on, second.banks_on);
      first.failures += second.failures;
      first.lost += second.lost;
      for (const auto& [pipeline, state] : second.pipelines) {
        std::uint8_t& most = first.pipelines[pipeline];
        most = std::max(most, state);
      }
      buckets_[i] = std::move(first);
    }
    buckets_.resize(buckets_.size() / 2);
    width_ *= 2;
  }

  std::vector<Bucket> buckets_;
  std::uint64_t event_ = 0;
  std::uint64_t width_ = 1;
};

}  // namespace modmem::trace
