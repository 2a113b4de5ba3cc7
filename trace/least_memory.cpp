#include "trace/least_memory.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "trace/replay.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

namespace {

constexpr std::size_t kBatch = 16384;
constexpr std::uint32_t kPart = 20;  // 1/20: 5 %

std::size_t in_pages(std::size_t bytes) {
  return (bytes + config::kPageBytes - 1) / config::kPageBytes * config::kPageBytes;
}

// The least number that is tried below `frames`.
std::uint32_t floor_of(std::uint32_t frames) { return frames - frames / kPart; }

}  // namespace

PlatformConfig scaled_platform(const PlatformConfig& config, std::uint32_t frames) {
  constexpr std::size_t kMostWindow = std::size_t{FrameInfo::kNone - 1} * config::kPageBytes;
  const std::size_t pool = config.sram_bytes - config.reserve_bytes;
  const std::size_t bytes = std::size_t{frames} * config::kPageBytes;
  const auto scale = [&](std::size_t size) { return in_pages(size * bytes / pool); };
  PlatformConfig scaled = config;
  scaled.sram_bytes = config.reserve_bytes + bytes;
  scaled.window_bytes = std::min(std::max(scale(config.window_bytes), bytes), kMostWindow);
  scaled.span_bytes = std::min(config.span_bytes, scaled.window_bytes);
  scaled.arena_bytes = 0;
  scaled.slots_arena_bytes = scale(config.slots_arena_bytes);
  return scaled;
}

LeastMemory::LeastMemory(EventSource& source, const PlatformConfig& config, const Policy& policy,
                         Progress progress)
    : source_(source), config_(config), policy_(policy), progress_(std::move(progress)) {}

void LeastMemory::show(double part) const {
  if (progress_) {
    const double done = std::min((replays_ + part) / replays_expected_, 1.0);
    progress_(static_cast<std::uint64_t>(done * 1000), 1000);
  }
}

// The memory that `frames` frames are, nothing where a request fails in it.
std::optional<std::size_t> LeastMemory::bytes_with(std::uint32_t frames) {
  const PlatformConfig scaled = scaled_platform(config_, frames);
  std::optional<Replay> replay;
  try {
    replay.emplace(scaled, policy_,
                   ReplayOptions{.check_payload = false,
                                 .time_calls = false,
                                 .compact = false,
                                 .stop_at_failure = true});
  } catch (const TraceError&) {
    return std::nullopt;  // it does not even boot
  }
  source_.rewind();
  std::vector<Event> events(kBatch);
  while (const std::size_t count = source_.read(events)) {
    if (!replay->play(std::span(events).first(count))) {
      ++replays_;
      return std::nullopt;
    }
    const std::uint64_t total = source_.total();
    show(total == 0 ? 0 : static_cast<double>(source_.done()) / static_cast<double>(total));
  }
  ++replays_;
  return replay->memory_bytes();
}

std::optional<std::size_t> LeastMemory::find(const ReplayFigures& played) {
  // What lives at a time needs that much in any case.
  auto fails = static_cast<std::uint32_t>(
      std::min<std::size_t>(played.peak_live_bytes / config::kPageBytes, kMostFrames));
  fails -= std::min<std::uint32_t>(fails, 1);
  frames_ = static_cast<std::uint32_t>(std::clamp<std::size_t>(
      played.peak_mapped_bytes / config::kPageBytes, fails + 1, kMostFrames));
  replays_expected_ = frames_ / kPart + std::bit_width(frames_ - fails) + 1;
  std::optional<std::size_t> least = bytes_with(frames_);
  while (!least && frames_ < kMostFrames) {
    fails = frames_;
    frames_ = std::min(2 * frames_, kMostFrames);
    replays_expected_ += frames_ / kPart - fails / kPart + 2;
    least = bytes_with(frames_);
  }
  if (!least) {
    return std::nullopt;
  }
  while (frames_ - fails > 1) {
    const std::uint32_t middle = fails + (frames_ - fails) / 2;
    if (const auto bytes = bytes_with(middle)) {
      least = bytes;
      frames_ = middle;
    } else {
      fails = middle;
    }
  }
  for (std::uint32_t below = frames_ - 1; below > 0 && below >= floor_of(frames_); --below) {
    if (const auto bytes = below == fails ? std::nullopt : bytes_with(below)) {
      least = bytes;
      frames_ = below;
    }
  }
  return least;
}

}  // namespace modmem::trace
