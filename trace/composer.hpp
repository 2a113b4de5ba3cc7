// Composer: a long day out of recorded streams, as an event source that needs no file.
//
// One event of the day is the start of a stream, which plays the set-up of a recording, or a stop,
// which plays the tear-down of a stream that lives and ends its owner. With no stream it can only
// start, with as many as there may be only stop; else it starts with chance 1/2 (Load::day) or 3/4
// (Load::busy). Which recording starts and which stream stops is chosen evenly. Streams that live
// after the last event live on.
//
// The day follows from the recordings, in their order, and the seed alone: SplitMix64 and whole
// numbers, the same on every machine. Events are spread evenly over 24 hours. Memory: O(streams),
// besides the recordings. Cost: O(1) a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "trace/event.hpp"
#include "trace/recording.hpp"

namespace modmem::trace {

enum class Load : std::uint8_t { day, busy };

struct ComposerOptions {
  std::uint32_t streams = 8;  // most that live at a time; at least 1
  std::uint64_t events = 0;   // starts + stops
  std::uint64_t seed = 1;
  Load load = Load::day;
};

class Composer final : public EventSource {
 public:
  // `recordings` (at least one) must outlive it.
  Composer(std::span<const Recording> recordings, const ComposerOptions& options);

  // Either the rows of the day as events, or as records: both go on where the other ended.
  std::size_t read(std::span<Event> events) override;
  bool next(Record& record);

  void rewind() override;
  std::uint64_t done() const override { return events_done_; }  // starts + stops begun
  std::uint64_t total() const override { return options_.events; }

 private:
  struct Stream {
    const Recording* recording = nullptr;
    std::uint32_t place = 0;     // of its owner; its blocks' places follow from it
    std::uint64_t number = 0;    // of its start, from 1: the owner's name
    std::uint64_t first_id = 0;  // of its first object
  };

  // The next row. Returns false at the end of the day.
  bool advance();
  void begin_event();
  void start();
  void stop();
  Event event() const;
  std::uint64_t random();
  std::uint64_t below(std::uint64_t bound);

  std::span<const Recording> recordings_;
  ComposerOptions options_;
  std::uint32_t most_objects_ = 0;  // of a recording

  std::uint64_t state_ = 0;  // of the generator
  std::uint64_t events_done_ = 0;
  std::uint64_t started_ = 0;
  std::uint64_t next_id_ = 0;
  std::vector<Stream> live_;
  std::vector<std::uint32_t> free_places_;

  // The event that is played, and the row it is at.
  Stream stream_;
  bool stopping_ = false;
  std::span<const Recording::Step> steps_;
  std::size_t at_ = 0;            // of steps_; one past them is the release
  std::uint64_t event_time_ = 0;  // when it began
  std::uint64_t first_time_ = 0;  // of its first step, in its recording
  std::uint64_t time_ = 0;        // of the last row
};

}  // namespace modmem::trace
