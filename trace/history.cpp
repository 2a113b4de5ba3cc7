#include "trace/history.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace modmem::trace {

namespace {

constexpr std::uint32_t kSystemLane = 0;
constexpr std::uint32_t kOtherStreams = History::kStreamLanes + 1;

ReplayOptions options_for(MemoryObserver& observer) {
  ReplayOptions options;
  options.check_payload = false;
  options.time_calls = false;
  options.observer = &observer;
  return options;
}

}  // namespace

History::History(const PlatformConfig& platform, const Policy& policy)
    : replay_(std::make_unique<Replay>(platform, policy, options_for(*this))) {
  lanes_.emplace_back("system");
  for (std::uint32_t lane = 1; lane <= kStreamLanes; ++lane) {
    lanes_.push_back("lane " + std::to_string(lane));
  }
  lanes_.emplace_back("other streams");
  live_by_lane_.resize(lanes_.size());
  owner_by_lane_.resize(kStreamLanes + 1);
}

void History::play(std::span<const Event> events) {
  for (const Event& event : events) {
    play_one(event);
  }
}

void History::play_one(const Event& event) {
  // Only these can let anything go; what is at its most is kept before it does.
  if (event.kind != OpKind::allocate || event.boundary) {
    settle_peaks();
  }
  event_ = timeline_.events();
  time_us_ = std::max(time_us_, event.time_us);
  Event timed = event;
  timed.time_us = time_us_;  // clocks that go back would make lives of negative length

  const std::uint64_t failures = replay_->figures().failures;
  const std::uint64_t live_before = replay_->live_bytes();
  explained_.reset();
  replay_->play({&event, 1});
  const bool served = replay_->figures().failures == failures;
  live_by_lane_[lane_of(event.owner)] += replay_->live_bytes() - live_before;
  accounts_.note(timed, event_, served);
  note_owner(event);
  if (!served) {
    note_failure(timed);
  }
  bool starts = false;
  Timeline::Bucket& bucket = timeline_.next(time_us_, starts);
  note_bucket(bucket, starts, served);

  const std::uint64_t mapped = std::uint64_t{replay_->memory().pool().taken()} * config::kPageBytes;
  live_is_due_ = live_is_due_ || replay_->live_bytes() > peak_live_;
  mapped_is_due_ = mapped_is_due_ || mapped > peak_mapped_;
  peak_live_ = std::max<std::uint64_t>(peak_live_, replay_->live_bytes());
  peak_mapped_ = std::max(peak_mapped_, mapped);
  if (!served && failure_moments_.size() < kFailureMoments) {
    failure_moments_.push_back(moment());
  }
  if (event_ % spread_step_ == 0) {
    keep_spread();
  }
}

// A lane's streams are known by name while they live.
void History::note_owner(const Event& event) {
  if (event.owner >= kStreamLanes) {
    return;  // the system, or one of the others
  }
  std::string& name = owner_by_lane_[lane_of(event.owner)];
  if (!accounts_.lives(event.owner)) {
    name.clear();
  } else if (name.empty()) {
    name = accounts_.owner(event.owner).name;
  }
}

void History::finish() {
  settle_peaks();
  if (timeline_.events() != 0) {
    end_ = moment();
  }
}

void History::note_bucket(Timeline::Bucket& bucket, bool starts, bool served) {
  const PagePool& pool = replay_->memory().pool();
  const std::uint64_t live = replay_->live_bytes();
  const std::uint64_t mapped = std::uint64_t{pool.taken()} * config::kPageBytes;
  if (starts) {
    bucket.banks.assign(pool.banks(), Timeline::kOff);
  }
  if (starts || live > bucket.live) {
    bucket.live = live;
    bucket.live_by_lane = live_by_lane_;
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
  bucket.banks_on = std::max(bucket.banks_on, pool.banks_on());
  bucket.failures += served ? 0 : 1;
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
    std::string name = top.name;
    for (std::uint32_t place = 0; place < accounts_.places(); ++place) {
      if (top.kind == OwnerKind::pipeline && accounts_.lives(place) &&
          accounts_.owner(place).number == top.id) {
        name = accounts_.owner(place).name;
      }
    }
    if (top.bytes != 0) {
      note.holders.push_back({std::move(name), top.bytes});
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
  note.time_us = event.time_us;
  note.owner = accounts_.owner(event.owner).name;
  note.site = event.site == nullptr ? "" : event.site;
  note.bytes = event.bytes;
  note.alignment = event.alignment;
  note.flags = event.flags;
  failures_.push_back(std::move(note));
}

std::uint32_t History::lane_of(std::uint32_t place) const {
  return place == Event::kSystem ? kSystemLane : std::min(place + 1, kOtherStreams);
}

// The place of a stream's owner, the system's for any other.
std::uint32_t History::place_of(const Owner& owner) const {
  if (owner.spec.kind == OwnerKind::pipeline) {
    for (std::uint32_t place = 0; place < accounts_.places(); ++place) {
      if (replay_->owner(place) == &owner) {
        return place;
      }
    }
  }
  return Event::kSystem;
}

std::uint32_t History::lane_of_heap(const HeapReport& heap) {
  if (heap.owner != nullptr && heap.owner->spec.kind == OwnerKind::pipeline) {
    return lane_of(place_of(*heap.owner));
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
  const auto& memory = replay_->memory();
  memory.for_each_heap([&](const HeapReport& heap) {
    if (heap.mapped_bytes != 0 && std::strcmp(heap.memory, "sram") == 0) {
      const std::uint32_t lane = lane_of_heap(heap);
      lanes.resize(lanes_.size());
      lanes[lane] += heap.mapped_bytes;
    }
  });
  return lanes;
}

Moment History::moment() {
  const auto& memory = replay_->memory();
  const AddressSpace& space = memory.space();
  const PagePool& pool = memory.pool();
  Moment result;
  result.event = event_;
  result.time_us = time_us_;
  result.live = replay_->live_bytes();
  result.mapped = std::uint64_t{pool.taken()} * config::kPageBytes;
  for (std::uint32_t bank = 0; bank < pool.banks(); ++bank) {
    result.powered.push_back(pool.is_powered(Bank{static_cast<std::uint16_t>(bank)}));
  }
  const auto name_of = [&](std::string_view name) {
    const auto found = std::find(result.names.begin(), result.names.end(), name);
    if (found == result.names.end()) {
      result.names.emplace_back(name);
      return static_cast<std::uint32_t>(result.names.size() - 1);
    }
    return static_cast<std::uint32_t>(found - result.names.begin());
  };

  const std::uint32_t pages = space.window_pages();
  for (std::uint32_t page = space.next_mapped(0, pages); page < pages;
       page = space.next_mapped(page + 1, pages)) {
    const HeapId heap = space.heap_of(page);
    std::uint32_t place = Event::kSystem;
    for (std::uint32_t at = 0; at < accounts_.places(); ++at) {
      const Owner* owner = replay_->owner(at);
      place = owner != nullptr && owner->heap == heap ? at : place;
    }
    Moment::Page entry{space.frame_of(page), page, 0, 0};
    if (place != Event::kSystem) {
      entry.lane = lane_of(place);
      entry.name = name_of(accounts_.owner(place).name);
    } else {
      entry.lane = lane_of_heap(memory.locate(space.address_of(page)));
      entry.name = name_of(lanes_[entry.lane]);
    }
    result.pages.push_back(entry);
  }
  std::sort(result.pages.begin(), result.pages.end(),
            [](const Moment::Page& a, const Moment::Page& b) { return a.frame < b.frame; });

  const std::vector<Accounts::Block>& blocks = accounts_.blocks();
  for (std::uint32_t at = 0; at < blocks.size(); ++at) {
    const std::byte* address = blocks[at].lives ? replay_->address(at) : nullptr;
    const auto page = address != nullptr ? space.page_of(address) : std::nullopt;
    if (!page) {
      continue;  // nothing, or not of the pool
    }
    const auto offset =
        static_cast<std::uint32_t>(space.to_cached(address) - space.address_of(*page));
    result.blocks.push_back({*page, offset, blocks[at].bytes, lane_of(blocks[at].owner),
                             name_of(accounts_.owner(blocks[at].owner).name), blocks[at].site,
                             blocks[at].event});
  }
  std::sort(result.blocks.begin(), result.blocks.end(),
            [](const Moment::Block& a, const Moment::Block& b) {
              return a.page != b.page ? a.page < b.page : a.offset < b.offset;
            });
  if (result.blocks.size() > kMostBlocks) {
    result.more_blocks = result.blocks.size() - kMostBlocks;
    result.blocks.resize(kMostBlocks);
  }
  return result;
}

}  // namespace modmem::trace
