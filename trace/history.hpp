// History: a replay as one looks at it afterwards, in bounded memory however long the trace is.
//
// It looks at a Memory after every event and keeps: a timeline of live and mapped bytes, of banks
// and pipelines, what owners and call sites did (Accounts), page maps of some moments, and the
// first failures with what Memory explained of them. RowHistory plays rows, RecordedHistory
// recorded calls.
//
// *Streams* are the owners right below the system; what is theirs and that of the owners below them
// has one *lane*. So lanes say whose bytes are whose over time: one for the system, one for each of
// kStreamLanes streams, one for all other streams, and one for each heap that is nobody's alone
// (the heap of shared buffers, that of slots). A stream takes the first lane that is free, and
// leaves it at its end, so a lane is the streams that had it, one after the other.
//
// *Moments* are page maps: of events evenly over the trace (kMostSpread / 2 to kMostSpread of
// them), of the most live and the most mapped bytes, of the first failures, and of the end.
//
// Invariants: those of Timeline and Accounts; live bytes of the Memory = sum over lanes.
// Cost: O(lanes + banks) an event besides the replay's, O(pages + live blocks) for a moment, and
// O(streams) where one ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "memory/memory.hpp"
#include "trace/accounts.hpp"
#include "trace/event.hpp"
#include "trace/moment.hpp"
#include "trace/replay.hpp"
#include "trace/timeline.hpp"

namespace modmem::trace {

class History : protected MemoryObserver {
 public:
  static constexpr std::uint32_t kStreamLanes = 12;
  static constexpr std::size_t kMostSpread = 32;
  static constexpr std::size_t kMostFailures = 100;
  static constexpr std::size_t kFailureMoments = 3;
  static constexpr std::size_t kMostBlocks = 4096;

  History(const History&) = delete;
  History& operator=(const History&) = delete;
  virtual ~History() = default;

  // After the last event. The trace lacks `lost` more, of which nobody knows where.
  void finish(std::uint64_t lost = 0);

  virtual const Memory& memory() const = 0;
  virtual ReplayFigures figures() const = 0;
  // Of a recording: calls that led to something else than they did then.
  virtual std::optional<std::uint64_t> differs() const { return std::nullopt; }

  const Timeline& timeline() const { return timeline_; }
  const Accounts& accounts() const { return accounts_; }
  const std::vector<FailureNote>& failures() const { return failures_; }  // the first ones
  // What the lanes are called; the first is the system's.
  const std::vector<std::string>& lanes() const { return lanes_; }
  std::uint64_t live_bytes() const { return memory().system().tree; }
  std::uint64_t last_time_us() const { return time_us_; }
  std::uint64_t lost() const { return lost_; }  // events that the trace lacks

  const std::vector<Moment>& spread() const { return spread_; }
  const std::vector<Moment>& failure_moments() const { return failure_moments_; }
  const std::optional<Moment>& most_live() const { return most_live_; }
  const std::optional<Moment>& most_mapped() const { return most_mapped_; }
  const std::optional<Moment>& end() const { return end_; }

 protected:
  History();

  // Before an event is played; `may_release`: it may let memory go.
  void begin_event(std::uint64_t time_us, bool may_release);
  // After it. `failed`: the request that it was, where it failed.
  void end_event(const Event* failed);

  // What the event is of, between these two. Times of `event` are time_us().
  void begin_owner(const Accounts::Begin& owner);
  void note(const Event& event, bool served);
  void end_blocks(std::uint32_t owner) { accounts_.end_blocks(owner, event_, time_us_); }
  void note_pipeline(std::uint32_t pipeline, std::uint8_t state);
  void note_lost(std::uint64_t events);  // ahead of this one

  std::uint64_t time_us() const { return time_us_; }
  // An owner as it is called where it stands alone: with the stream that it is in.
  std::string full_name(std::uint32_t place) const;

  // The owner at a place; nullptr where it was refused or has gone.
  virtual const Owner* owner(std::uint32_t place) const = 0;
  // Where a block lies; nullptr where it was refused or has gone.
  virtual const std::byte* address(std::uint32_t block) const = 0;
  virtual std::string holder_name(const Failure::TopOwner& owner) const = 0;

 private:
  void on_failure(const Failure& failure) override;
  void on_fault(const Fault&) override {}
  void on_leak(const Leak&) override {}

  void end_stream(std::uint32_t place);
  void note_failure(const Event& event);
  void note_bucket(Timeline::Bucket& bucket, bool starts, bool failed);
  void settle_peaks();
  void keep_spread();
  std::uint32_t lane_of(std::uint32_t place) const;
  // The streams that have a lane, by that; nullptr for none.
  using Streams = std::array<const Owner*, kStreamLanes + 1>;
  Streams streams() const;
  std::uint32_t lane_of_heap(const HeapReport& heap, const Streams& streams);
  std::vector<std::uint64_t> live_by_lane() const;
  std::vector<std::uint64_t> mapped_by_lane();
  std::uint64_t mapped_bytes() const;
  Moment moment();
  void add_pages(Moment& moment);
  void add_blocks(Moment& moment);

  Timeline timeline_;
  Accounts accounts_;
  std::vector<std::string> lanes_;
  std::vector<std::uint32_t> stream_of_lane_;        // place; kSystem for none
  std::vector<std::string> owner_by_lane_;           // the name of that
  std::vector<std::uint32_t> lane_by_place_;         // of owners that live
  std::vector<std::uint32_t> other_streams_;         // places
  std::map<std::uint32_t, std::uint8_t> pipelines_;  // their states now
  std::uint64_t event_ = 0;                          // that is played, or was last
  std::uint64_t time_us_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t lost_now_ = 0;      // ahead of the event that is played
  bool pipelines_changed_ = false;  // with it

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
