// Tape: an event source that keeps what it has read, so that it can be played again without
// reading it again.
//
// Up to kMostKept events are kept; of a longer trace nothing is, and each pass reads it again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "trace/event.hpp"

namespace modmem::trace {

class Tape final : public EventSource {
 public:
  static constexpr std::size_t kMostKept = std::size_t{1} << 22;

  // `source`, at its start, must outlive it.
  explicit Tape(EventSource& source, std::size_t most_kept = kMostKept)
      : source_(source), most_kept_(most_kept) {}

  std::size_t read(std::span<Event> events) override {
    if (complete_) {
      const std::size_t count = std::min(events.size(), kept_.size() - at_);
      std::copy_n(kept_.begin() + static_cast<std::ptrdiff_t>(at_), count, events.begin());
      at_ += count;
      return count;
    }
    at_start_ = false;
    const std::size_t count = source_.read(events);
    if (keeps_ && count > most_kept_ - kept_.size()) {
      keeps_ = false;
      kept_ = {};
    }
    if (keeps_) {
      kept_.insert(kept_.end(), events.begin(),
                   events.begin() + static_cast<std::ptrdiff_t>(count));
      complete_ = count == 0;
      at_ = kept_.size();
    }
    return count;
  }

  // Of a trace that was not read to its end, or that is too long to keep: as the source can.
  void rewind() override {
    at_ = 0;
    if (!complete_ && !at_start_) {
      source_.rewind();
      kept_.clear();
      at_start_ = true;
    }
  }

  std::uint64_t done() const override { return complete_ ? at_ : source_.done(); }
  std::uint64_t total() const override { return complete_ ? kept_.size() : source_.total(); }

 private:
  EventSource& source_;
  std::size_t most_kept_;
  std::vector<Event> kept_;
  std::size_t at_ = 0;
  bool at_start_ = true;  // the source
  bool keeps_ = true;
  bool complete_ = false;
};

}  // namespace modmem::trace
