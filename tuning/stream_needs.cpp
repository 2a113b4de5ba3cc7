#include "tuning/stream_needs.hpp"

#include <algorithm>
#include <span>

namespace modmem::tuning {

using trace::Event;
using trace::OpKind;

namespace {

constexpr std::size_t kBatch = 4096;

// One replay that is stopped wherever a stream is to be looked at.
class Meter {
 public:
  Meter(const PlatformConfig& platform, const Policy& policy, StreamNeeds& needs)
      : replay_(platform, policy, quick()), needs_(needs) {}

  void play(std::span<const Event> events) {
    std::size_t played = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Event& event = events[i];
      if (event.kind == OpKind::release) {
        replay_.play(events.subspan(played, i - played));
        played = i;
        end(event.owner);
      }
      count(event);
      const bool is_start = event.boundary && event.kind != OpKind::release;
      const bool grows = takes(event) && stream(event.owner).started;
      if (is_start || grows) {
        replay_.play(events.subspan(played, i + 1 - played));
        played = i + 1;
        look_at(event.owner, is_start);
      }
    }
    replay_.play(events.subspan(played));
  }

  void finish() {
    for (std::uint32_t place = 0; place + 1 < streams_.size(); ++place) {
      end(place);
    }
    needs_.system_peak_bytes =
        std::max(needs_.system_peak_bytes, replay_.memory().system().own_peak);
  }

 private:
  struct Stream {
    bool lives = false;
    bool started = false;
    std::uint32_t start_pages = 0;
    std::uint32_t blocks = 0;
    std::uint32_t start_blocks = 0;
  };

  static bool takes(const Event& event) {
    return event.owner != Event::kSystem &&
           (event.kind == OpKind::allocate || event.kind == OpKind::resize);
  }

  // The system's is the first.
  Stream& stream(std::uint32_t place) {
    const std::size_t index = place == Event::kSystem ? 0 : std::size_t{place} + 1;
    if (index >= streams_.size()) {
      streams_.resize(index + 1);
    }
    return streams_[index];
  }

  void count(const Event& event) {
    if (event.kind == OpKind::allocate) {
      Stream& owner = stream(event.owner);
      if (!owner.lives && event.owner != Event::kSystem) {
        needs_.most_at_a_time = std::max(needs_.most_at_a_time, ++live_);
      }
      owner.lives = true;
      ++owner.blocks;
      if (event.block >= owner_of_.size()) {
        owner_of_.resize(std::size_t{event.block} + 1, Event::kSystem);
      }
      owner_of_[event.block] = event.owner;
    } else if (event.kind == OpKind::free && event.block < owner_of_.size()) {
      --stream(owner_of_[event.block]).blocks;
    }
  }

  void look_at(std::uint32_t place, bool is_start) {
    const Owner* owner = replay_.owner(place);
    if (owner == nullptr) {
      return;
    }
    const auto pages = static_cast<std::uint32_t>(
        replay_.memory().heap_report(*owner).mapped_bytes / config::kPageBytes);
    Stream& now = stream(place);
    if (is_start && !now.started) {
      now.started = true;
      now.start_pages = pages;
      now.start_blocks = now.blocks;
      needs_.start_pages.push_back(pages);
    }
    needs_.grown_pages = std::max(needs_.grown_pages, pages - std::min(pages, now.start_pages));
    needs_.grown_blocks =
        std::max(needs_.grown_blocks, now.blocks - std::min(now.blocks, now.start_blocks));
  }

  void end(std::uint32_t place) {
    if (const Owner* owner = replay_.owner(place)) {
      needs_.peak_bytes = std::max(needs_.peak_bytes, owner->tree_peak);
      const std::size_t mapped = replay_.memory().heap_report(*owner).peak_mapped_bytes;
      needs_.peak_pages =
          std::max(needs_.peak_pages, static_cast<std::uint32_t>(mapped / config::kPageBytes));
    }
    Stream& ended = stream(place);
    live_ -= ended.lives ? 1 : 0;
    ended = {};
  }

  trace::Replay replay_;
  StreamNeeds& needs_;
  std::vector<Stream> streams_;
  std::vector<std::uint32_t> owner_of_;  // of blocks, by place
  std::uint32_t live_ = 0;
};

}  // namespace

std::uint32_t StreamNeeds::start_pages_of(std::uint32_t percent) const {
  if (start_pages.empty()) {
    return 0;
  }
  const std::size_t count = (start_pages.size() * percent + 99) / 100;
  return start_pages[std::max<std::size_t>(count, 1) - 1];
}

StreamNeeds measure_streams(Traces traces, const PlatformConfig& platform, const Policy& policy,
                            const Progress& progress) {
  StreamNeeds needs;
  std::vector<Event> events(kBatch);
  for (trace::EventSource* source : traces) {
    source->rewind();
    Meter meter(platform, policy, needs);
    while (const std::size_t count = source->read(events)) {
      meter.play(std::span(events).first(count));
      if (progress) {
        progress(0);
      }
    }
    meter.finish();
  }
  std::sort(needs.start_pages.begin(), needs.start_pages.end());
  return needs;
}

}  // namespace modmem::tuning
