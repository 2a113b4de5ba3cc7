#include "trace/history.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace modmem::trace {

namespace {

constexpr std::uint32_t kSystemLane = 0;
constexpr std::uint32_t kOtherStreams = History::kStreamLanes + 1;
constexpr std::uint32_t kNobody = Event::kSystem;

}  // namespace

History::History() {
  lanes_.emplace_back("system");
  for (std::uint32_t lane = 1; lane <= kStreamLanes; ++lane) {
    lanes_.push_back("lane " + std::to_string(lane));
  }
  lanes_.emplace_back("other streams");
  stream_of_lane_.resize(kStreamLanes + 1, kNobody);
  owner_by_lane_.resize(kStreamLanes + 1);
}

void History::begin_event(std::uint64_t time_us, bool may_release) {
  // What is at its most is kept before anything goes.
  if (may_release) {
    settle_peaks();
  }
  event_ = timeline_.events();
  time_us_ = std::max(time_us_, time_us);  // else there were lives of negative length
  explained_.reset();
  lost_now_ = 0;
  pipelines_changed_ = false;
}

void History::note_pipeline(std::uint32_t pipeline, std::uint8_t state) {
  pipelines_[pipeline] = state;
  pipelines_changed_ = true;
}

void History::note_lost(std::uint64_t events) {
  lost_ += events;
  lost_now_ += events;
}

void History::end_event(const Event* failed) {
  if (failed != nullptr) {
    note_failure(*failed);
  }
  bool starts = false;
  Timeline::Bucket& bucket = timeline_.next(time_us_, starts);
  note_bucket(bucket, starts, failed != nullptr);

  live_is_due_ = live_is_due_ || live_bytes() > peak_live_;
  mapped_is_due_ = mapped_is_due_ || mapped_bytes() > peak_mapped_;
  peak_live_ = std::max(peak_live_, live_bytes());
  peak_mapped_ = std::max(peak_mapped_, mapped_bytes());
  if (failed != nullptr && failure_moments_.size() < kFailureMoments) {
    failure_moments_.push_back(moment());
  }
  if (event_ % spread_step_ == 0) {
    keep_spread();
  }
}

void History::finish(std::uint64_t lost) {
  lost_ += lost;
  settle_peaks();
  if (timeline_.events() != 0) {
    end_ = moment();
  }
}

void History::begin_owner(const Accounts::Begin& owner) {
  accounts_.begin_owner(owner, event_, time_us_);
  lane_by_place_.resize(std::max<std::size_t>(lane_by_place_.size(), std::size_t{owner.place} + 1));
  if (owner.parent != Event::kSystem) {
    lane_by_place_[owner.place] = lane_of(owner.parent);
    return;
  }
  const auto lane = std::find(stream_of_lane_.begin() + 1, stream_of_lane_.end(), kNobody);
  lane_by_place_[owner.place] = static_cast<std::uint32_t>(lane - stream_of_lane_.begin());
  if (lane == stream_of_lane_.end()) {
    other_streams_.push_back(owner.place);
  } else {
    *lane = owner.place;
    owner_by_lane_[lane_by_place_[owner.place]] = owner.name;
  }
}

void History::note(const Event& event, bool served) {
  accounts_.note(event, event_, served);
  if (event.kind == OpKind::release && event.owner != Event::kSystem) {
    end_stream(event.owner);
  }
}

// The owner at a place has ended; where it was a stream, its lane is free.
void History::end_stream(std::uint32_t place) {
  const auto lane = std::find(stream_of_lane_.begin() + 1, stream_of_lane_.end(), place);
  if (lane != stream_of_lane_.end()) {
    *lane = kNobody;
    owner_by_lane_[static_cast<std::size_t>(lane - stream_of_lane_.begin())].clear();
  } else {
    std::erase(other_streams_, place);
  }
}

void History::note_bucket(Timeline::Bucket& bucket, bool starts, bool failed) {
  const PagePool& pool = memory().pool();
  const std::uint64_t live = live_bytes();
  const std::uint64_t mapped = mapped_bytes();
  if (starts) {
    bucket.banks.assign(pool.banks(), Timeline::kOff);
  }
  if (starts || live > bucket.live) {
    bucket.live = live;
    bucket.live_by_lane = live_by_lane();
    bucket.owner_by_lane = owner_by_lane_;
  }
  if (starts || mapped > bucket.mapped) {
    bucket.mapped = mapped;
    bucket.mapped_by_lane = mapped_by_lane();
  }
  for (std::size_t i = 0; i < bucket.banks.size(); ++i) {
    const Bank bank{static_cast<std::uint16_t>(i)};
    if (pool.is_powered(bank)) {
      bucket.banks[i] = std::max(bucket.banks[i], static_cast<std::int32_t>(pool.taken_in(bank)));
    }
  }
  if (starts) {
    bucket.pipelines = pipelines_;
  } else if (pipelines_changed_) {
    for (const auto& [pipeline, state] : pipelines_) {
      std::uint8_t& most = bucket.pipelines[pipeline];
      most = std::max(most, state);
    }
  }
  bucket.banks_on = std::max(bucket.banks_on, pool.banks_on());
  bucket.failures += failed ? 1 : 0;
  bucket.lost += lost_now_;
}

void History::settle_peaks() {
  if (live_is_due_) {
    most_live_ = moment();
  }
  if (mapped_is_due_) {
    most_mapped_ = live_is_due_ ? *most_live_ : moment();
  }
  live_is_due_ = mapped_is_due_ = false;
}

// One more moment; where there are enough, every other one goes.
void History::keep_spread() {
  if (spread_.size() == kMostSpread) {
    for (std::size_t i = 1; i < kMostSpread / 2; ++i) {
      spread_[i] = std::move(spread_[2 * i]);
    }
    spread_.resize(kMostSpread / 2);
    spread_step_ *= 2;
    if (event_ % spread_step_ != 0) {
      return;
    }
  }
  spread_.push_back(moment());
}

void History::on_failure(const Failure& failure) {
  if (failures_.size() == kMostFailures) {
    return;
  }
  FailureNote note;
  note.explained = true;
  note.reason = failure.reason;
  note.free_bytes = failure.free_bytes;
  note.largest_request = failure.largest_request;
  std::array<char, 160> text{};
  note.guarantee.assign(text.data(), to_text(failure.guarantee, text));
  for (std::size_t i = 0; i < failure.top_count; ++i) {
    const Failure::TopOwner& top = failure.top_owners[i];
    if (top.bytes != 0) {
      note.holders.push_back({holder_name(top), top.bytes});
    }
  }
  explained_ = std::move(note);
}

void History::note_failure(const Event& event) {
  if (failures_.size() == kMostFailures) {
    return;
  }
  FailureNote note = explained_ ? std::move(*explained_) : FailureNote{};
  note.event = event_;
  note.time_us = time_us_;
  note.owner = full_name(event.owner);
  note.site = event.site == nullptr ? "" : event.site;
  note.bytes = event.bytes;
  note.alignment = event.alignment;
  note.flags = event.flags;
  failures_.push_back(std::move(note));
}

std::string History::full_name(std::uint32_t place) const {
  const OwnerAccount& account = accounts_.owner(place);
  return account.within.empty() ? account.name : account.within + " / " + account.name;
}

std::uint64_t History::mapped_bytes() const {
  return std::uint64_t{memory().pool().taken()} * config::kPageBytes;
}

std::uint32_t History::lane_of(std::uint32_t place) const {
  return place == Event::kSystem ? kSystemLane : lane_by_place_[place];
}

std::vector<std::uint64_t> History::live_by_lane() const {
  std::vector<std::uint64_t> lanes(lanes_.size());
  lanes[kSystemLane] = live_bytes();
  const auto add = [&](std::uint32_t lane, const Owner* stream) {
    if (stream != nullptr) {
      lanes[lane] += stream->tree;
      lanes[kSystemLane] -= stream->tree;
    }
  };
  const Streams streams = this->streams();
  for (std::uint32_t lane = 1; lane <= kStreamLanes; ++lane) {
    add(lane, streams[lane]);
  }
  for (const std::uint32_t place : other_streams_) {
    add(kOtherStreams, owner(place));
  }
  return lanes;
}

History::Streams History::streams() const {
  Streams streams{};
  for (std::uint32_t lane = 1; lane <= kStreamLanes; ++lane) {
    streams[lane] = stream_of_lane_[lane] != kNobody ? owner(stream_of_lane_[lane]) : nullptr;
  }
  return streams;
}

// The lane of the stream that a heap is in, else of the heap.
std::uint32_t History::lane_of_heap(const HeapReport& heap, const Streams& streams) {
  const Owner* top = heap.owner;
  while (top != nullptr && top->parent != nullptr && top->parent != &memory().system()) {
    top = top->parent;
  }
  for (std::uint32_t lane = 1; top != nullptr && lane <= kStreamLanes; ++lane) {
    if (streams[lane] == top) {
      return lane;
    }
  }
  if (top != nullptr && top->spec.kind == OwnerKind::pipeline) {
    return kOtherStreams;
  }
  const std::string_view name(heap.name == nullptr ? "system" : heap.name);
  if (name.starts_with("system")) {
    return kSystemLane;
  }
  const std::string lane = std::string(name) + " heap";
  const auto found = std::find(lanes_.begin(), lanes_.end(), lane);
  if (found == lanes_.end()) {
    lanes_.push_back(lane);
    return static_cast<std::uint32_t>(lanes_.size() - 1);
  }
  return static_cast<std::uint32_t>(found - lanes_.begin());
}

std::vector<std::uint64_t> History::mapped_by_lane() {
  std::vector<std::uint64_t> lanes(lanes_.size());
  const Streams streams = this->streams();  // not under Memory's lock, which it takes
  memory().for_each_heap([&](const HeapReport& heap) {
    if (heap.mapped_bytes != 0 && std::strcmp(heap.memory, "sram") == 0) {
      const std::uint32_t lane = lane_of_heap(heap, streams);
      lanes.resize(lanes_.size());
      lanes[lane] += heap.mapped_bytes;
    }
  });
  return lanes;
}

}  // namespace modmem::trace
