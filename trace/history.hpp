// History: a replay as one looks at it afterwards, in bounded memory however long the trace is.
//
// It plays events one by one and keeps: a timeline of live and mapped bytes and of banks, what
// owners and call sites did (Accounts), page maps of some moments, and the first failures with what
// Memory explained of them.
//
// *Lanes* say whose bytes are whose over time: one for the system, one for each of the first
// kStreamLanes places of streams, one for all other streams, and one for each heap that is nobody's
// alone (the heap of shared buffers, that of slots). A place is used again when its stream has
// gone, so a lane is the streams that had it, one after the other.
//
// *Moments* are page maps: of events evenly over the trace (kMostSpread / 2 to kMostSpread of
// them), of the most live and the most mapped bytes, of the first failures, and of the end.
//
// Invariants: those of Timeline and Accounts; live bytes of the replay = sum over lanes.
// Cost: O(lanes + banks) an event besides the replay's, and O(pages + live blocks) for a moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "memory/memory.hpp"
#include "trace/accounts.hpp"
#include "trace/event.hpp"
#include "trace/replay.hpp"
#include "trace/timeline.hpp"

namespace modmem::trace {

// A request that failed, and why.
struct FailureNote {
  std::uint64_t event = 0;
  std::uint64_t time_us = 0;
  std::string owner;
  const char* site = "";
  std::uint32_t bytes = 0;
  std::uint32_t alignment = 0;
  Flags flags = 0;
  // What Memory said of it; where it said nothing, the request never came to be (its stream was
  // refused, or the block that it resizes).
  bool explained = false;
  FailureReason reason = FailureReason::none;
  std::uint64_t free_bytes = 0;
  std::uint64_t largest_request = 0;
  std::string guarantee;
  struct Holder {
    std::string name;
    std::uint64_t bytes = 0;
  };
  std::vector<Holder> holders;  // those that held the most, most first
};

// What lay where at one moment, after an event.
struct Moment {
  struct Page {
    std::uint32_t frame = 0;
    std::uint32_t page = 0;
    std::uint32_t lane = 0;  // of the heap that it is of
    std::uint32_t name = 0;  // of that heap's owner: index in names
  };
  struct Block {
    std::uint32_t page = 0;    // in which it starts
    std::uint32_t offset = 0;  // in that
    std::uint32_t bytes = 0;
    std::uint32_t lane = 0;
    std::uint32_t name = 0;
    std::uint32_t site = 0;   // index in Accounts::sites()
    std::uint64_t event = 0;  // when it began
  };

  std::uint64_t event = 0;
  std::uint64_t time_us = 0;
  std::uint64_t live = 0;
  std::uint64_t mapped = 0;
  std::vector<std::string> names;
  std::vector<bool> powered;  // by bank
  std::vector<Page> pages;    // by frame
  std::vector<Block> blocks;  // by address; those in the pool, at most kMostBlocks
  std::uint64_t more_blocks = 0;
};

class History final : private MemoryObserver {
 public:
  static constexpr std::uint32_t kStreamLanes = 12;
  static constexpr std::size_t kMostSpread = 32;
  static constexpr std::size_t kMostFailures = 100;
  static constexpr std::size_t kFailureMoments = 3;
  static constexpr std::size_t kMostBlocks = 4096;

  // Throws TraceError as Replay does.
  History(const PlatformConfig& platform, const Policy& policy);

  // Plays `events`, which follow those of the call before.
  void play(std::span<const Event> events);
  // After the last event.
  void finish();

  const Replay& replay() const { return *replay_; }
  const Timeline& timeline() const { return timeline_; }
  const Accounts& accounts() const { return accounts_; }
  const std::vector<FailureNote>& failures() const { return failures_; }  // the first ones
  // What the lanes are called; the first is the system's.
  const std::vector<std::string>& lanes() const { return lanes_; }
  std::uint64_t last_time_us() const { return time_us_; }

  const std::vector<Moment>& spread() const { return spread_; }
  const std::vector<Moment>& failure_moments() const { return failure_moments_; }
  const std::optional<Moment>& most_live() const { return most_live_; }
  const std::optional<Moment>& most_mapped() const { return most_mapped_; }
  const std::optional<Moment>& end() const { return end_; }

 private:
  void on_failure(const Failure& failure) override;
  void on_fault(const Fault&) override {}
  void on_leak(const Leak&) override {}

  void play_one(const Event& event);
  void note_owner(const Event& event);
  void note_failure(const Event& event);
  void note_bucket(Timeline::Bucket& bucket, bool starts, bool served);
  void settle_peaks();
  void keep_spread();
  std::uint32_t lane_of(std::uint32_t place) const;
  std::uint32_t lane_of_heap(const HeapReport& heap);
  std::uint32_t place_of(const Owner& owner) const;
  std::vector<std::uint64_t> mapped_by_lane();
  Moment moment();

  std::unique_ptr<Replay> replay_;
  Timeline timeline_;
  Accounts accounts_;
  std::vector<std::string> lanes_;
  std::vector<std::uint64_t> live_by_lane_;
  std::vector<std::string> owner_by_lane_;
  std::uint64_t event_ = 0;  // that is played, or was last
  std::uint64_t time_us_ = 0;

  std::vector<FailureNote> failures_;
  std::optional<FailureNote> explained_;  // what Memory said of the event that is played

  std::vector<Moment> spread_;
  std::uint64_t spread_step_ = 1;
  std::vector<Moment> failure_moments_;
  std::optional<Moment> most_live_;
  std::optional<Moment> most_mapped_;
  std::optional<Moment> end_;
  std::uint64_t peak_live_ = 0;
  std::uint64_t peak_mapped_ = 0;
  bool live_is_due_ = false;  // the moment of the most live bytes is now, and not kept yet
  bool mapped_is_due_ = false;
};

}  // namespace modmem::trace
