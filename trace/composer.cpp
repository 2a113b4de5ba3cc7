#include "trace/composer.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace modmem::trace {

namespace {

constexpr std::uint64_t kDayUs = 24ULL * 3600 * 1'000'000;

}  // namespace

Composer::Composer(std::span<const Recording> recordings, const ComposerOptions& options)
    : recordings_(recordings), options_(options) {
  MODMEM_ASSERT(!recordings.empty() && options.streams > 0);
  for (const Recording& recording : recordings) {
    most_objects_ = std::max(most_objects_, recording.objects());
  }
  rewind();
}

void Composer::rewind() {
  state_ = options_.seed;
  events_done_ = 0;
  started_ = 0;
  next_id_ = 0;
  live_.clear();
  free_places_.clear();
  for (std::uint32_t place = options_.streams; place-- > 0;) {
    free_places_.push_back(place);
  }
  steps_ = {};
  at_ = 0;
  stopping_ = false;
  time_ = 0;
}

// SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t Composer::random() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

// One of [0, bound), evenly: what would favour the small ones is drawn again.
std::uint64_t Composer::below(std::uint64_t bound) {
  const std::uint64_t uneven = (0 - bound) % bound;  // 2^64 modulo bound
  for (;;) {
    const std::uint64_t drawn = random();
    if (drawn >= uneven) {
      return drawn % bound;
    }
  }
}

void Composer::begin_event() {
  const bool starts = live_.empty() || (live_.size() < options_.streams &&
                                        below(4) < (options_.load == Load::busy ? 3U : 2U));
  // Evenly over the day, but none before the one before it has ended.
  event_time_ = std::max(time_, kDayUs / options_.events * events_done_);
  stopping_ = !starts;
  if (starts) {
    start();
  } else {
    stop();
  }
  at_ = 0;
  first_time_ = steps_.empty() ? 0 : steps_.front().record.time_us;
  ++events_done_;
}

void Composer::start() {
  stream_.recording = &recordings_[below(recordings_.size())];
  stream_.place = free_places_.back();
  free_places_.pop_back();
  stream_.number = ++started_;
  stream_.first_id = next_id_;
  next_id_ += stream_.recording->objects();
  live_.push_back(stream_);
  steps_ = stream_.recording->set_up();
}

void Composer::stop() {
  const std::uint64_t chosen = below(live_.size());
  stream_ = live_[chosen];
  live_[chosen] = live_.back();
  live_.pop_back();
  free_places_.push_back(stream_.place);
  steps_ = stream_.recording->tear_down();
}

bool Composer::advance() {
  const std::size_t rows = steps_.size() + (stopping_ ? 1 : 0);
  if (at_ < rows && events_done_ != 0) {
    ++at_;
  }
  if (at_ == rows) {
    if (events_done_ == options_.events) {
      return false;
    }
    begin_event();
  }
  if (at_ < steps_.size()) {
    const std::uint64_t time = steps_[at_].record.time_us;
    time_ = std::max(time_, event_time_ + time - std::min(time, first_time_));
  }
  return true;
}

Event Composer::event() const {
  Event event;
  if (at_ < steps_.size()) {
    event = steps_[at_].event;
    event.block += stream_.place * most_objects_;
  } else {
    event.kind = OpKind::release;
    event.boundary = true;
  }
  event.time_us = time_;
  event.owner_name = nullptr;  // the recording's
  event.owner = stream_.place;
  return event;
}

std::size_t Composer::read(std::span<Event> events) {
  std::size_t count = 0;
  while (count < events.size() && advance()) {
    events[count++] = event();
  }
  return count;
}

bool Composer::next(Record& record) {
  if (!advance()) {
    return false;
  }
  if (at_ < steps_.size()) {
    record = steps_[at_].record;
    record.id = stream_.first_id + steps_[at_].event.block;
  } else {
    record = Record();
    record.op = "release";
  }
  record.time_us = time_;
  record.owner = std::to_string(stream_.number);
  record.line = 0;
  return true;
}

}  // namespace modmem::trace
