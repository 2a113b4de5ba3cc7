#include "trace/replay.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "trace/trace_error.hpp"

namespace modmem::trace {

namespace {

// Room for all metadata of a replay outside of the pool: what it takes there is counted, not this.
constexpr std::size_t kMetadataBytes = MetadataHeap::kReachBytes;

PlatformConfig with_metadata(PlatformConfig platform) {
  platform.metadata_bytes = kMetadataBytes;
  return platform;
}

// What the word at `index` of a block holds.
std::uint64_t pattern_word(std::uint64_t pattern, std::size_t index) {
  return pattern + index * 0x9e3779b97f4a7c15ULL;
}

}  // namespace

Replay::Replay(const PlatformConfig& platform, const Policy& policy, const ReplayOptions& options)
    : options_(options),
      memory_(with_metadata(platform), policy, options.port, options.observer,
              options.follow_time ? std::optional<std::uint64_t>(0) : std::nullopt,
              options.follow_time),
      timer_(options.time_calls) {
  note_peaks();
  figures_.metadata_bytes = metadata_bytes();
}

bool Replay::play(std::span<const Event> events) {
  const bool done = play_all(events);
  figures_.metadata_bytes = metadata_bytes();
  return done;
}

bool Replay::play_all(std::span<const Event> events) {
  for (const Event& event : events) {
    if (options_.follow_time) {
      go_to(event.time_us);
    }
    switch (event.kind) {
      case OpKind::allocate:
        allocate(event);
        break;
      case OpKind::resize:
        resize(event);
        break;
      case OpKind::free:
        free(event);
        break;
      case OpKind::release:
        release(event);
        break;
    }
    if (gave_up_) {
      return false;
    }
    if (event.boundary) {
      end_boundary();
    }
  }
  return true;
}

void Replay::count_failure() {
  ++figures_.failures;
  gave_up_ = options_.stop_at_failure;
}

Replay::Block& Replay::block_at(std::uint32_t place) {
  if (place >= blocks_.size()) {
    blocks_.resize(std::size_t{place} + 1);
  }
  return blocks_[place];
}

bool Replay::begin_stream(std::uint32_t place) {
  if (place >= streams_.size()) {
    streams_.resize(std::size_t{place} + 1);
  }
  Stream& stream = streams_[place];
  if (!stream.lives) {
    stream.lives = true;
    stream.first = kNone;
    stream.owner =
        memory_->create_owner(memory_->system(), {.kind = OwnerKind::pipeline,
                                                  .id = ++owners_,
                                                  .name = "stream",
                                                  .limit = options_.stream_limit,
                                                  .guarantee = options_.stream_guarantee});
  }
  return stream.owner != nullptr;
}

void Replay::allocate(const Event& event) {
  ++figures_.allocations;
  Block& block = block_at(event.block);
  block = {};
  block.owner = event.owner;
  Owner* owner = &memory_->system();
  if (event.owner != Event::kSystem) {
    if (!begin_stream(event.owner)) {
      count_failure();
      return;
    }
    owner = streams_[event.owner].owner;
  }
  const Request request{owner, event.bytes, event.alignment, event.flags, {event.site, 0}};
  block.address = static_cast<std::byte*>(timer_(figures_.ns_per_operation, [&] {
    return event.zeroed ? memory_->allocate_zeroed(request) : memory_->allocate(request);
  }));
  if (block.address == nullptr) {
    count_failure();
    return;
  }
  block.bytes = event.bytes;
  block.pattern = ++requests_ << 8;
  link(block, event.block);
  live_bytes_ += block.bytes;
  note_peaks();
  if (options_.check_payload) {
    if (event.zeroed && (block.address[0] != std::byte{} ||
                         std::memcmp(block.address, block.address + 1, block.bytes - 1) != 0)) {
      throw TraceError("a block that was asked for zeroed is not");
    }
    fill(block);
  }
}

void Replay::resize(const Event& event) {
  ++figures_.allocations;
  Block& block = block_at(event.block);
  if (block.address == nullptr) {
    count_failure();
    return;
  }
  Owner* owner = block.owner == Event::kSystem ? &memory_->system() : streams_[block.owner].owner;
  const Request request{owner, event.bytes, event.alignment, event.flags, {event.site, 0}};
  void* const moved = timer_(figures_.ns_per_operation,
                             [&] { return memory_->reallocate(block.address, request); });
  if (moved == nullptr) {
    count_failure();
    return;
  }
  block.address = static_cast<std::byte*>(moved);
  live_bytes_ = live_bytes_ - block.bytes + event.bytes;
  note_peaks();
  const std::size_t kept = std::min(block.bytes, event.bytes);
  block.bytes = event.bytes;
  if (options_.check_payload) {
    if ((event.flags & flag::kNoCopy) == 0) {
      check(block, kept);
    }
    fill(block);
  }
}

void Replay::free(const Event& event) {
  Block& block = block_at(event.block);
  if (block.address == nullptr) {
    return;  // it was refused
  }
  check(block, block.bytes);
  ++figures_.frees;
  timer_(figures_.ns_per_operation, [&] { return memory_->free(block.address); });
  live_bytes_ -= block.bytes;
  unlink(block);
  block.address = nullptr;
}

void Replay::release(const Event& event) {
  if (event.owner >= streams_.size() || !streams_[event.owner].lives) {
    return;
  }
  Stream& stream = streams_[event.owner];
  for (std::uint32_t place = stream.first; place != kNone; place = blocks_[place].next) {
    check(blocks_[place], blocks_[place].bytes);
    live_bytes_ -= blocks_[place].bytes;
    blocks_[place].address = nullptr;
  }
  if (stream.owner != nullptr) {
    memory_->release_owner(*stream.owner);
  }
  stream = {};
}

void Replay::link(Block& block, std::uint32_t place) {
  if (block.owner == Event::kSystem) {
    return;
  }
  std::uint32_t& first = streams_[block.owner].first;
  block.next = first;
  if (first != kNone) {
    blocks_[first].previous = place;
  }
  first = place;
}

void Replay::unlink(const Block& block) {
  if (block.owner == Event::kSystem) {
    return;
  }
  if (block.next != kNone) {
    blocks_[block.next].previous = block.previous;
  }
  (block.previous != kNone ? blocks_[block.previous].next : streams_[block.owner].first) =
      block.next;
}

void Replay::note_peaks() {
  const PagePool& pool = memory_->pool();
  figures_.peak_live_bytes = std::max(figures_.peak_live_bytes, live_bytes_);
  figures_.peak_mapped_bytes = std::size_t{pool.peak_taken()} * config::kPageBytes;
  figures_.peak_banks_on = std::max<std::size_t>(figures_.peak_banks_on, pool.banks_on());
}

std::size_t Replay::metadata_bytes() const {
  const MetadataUse use = memory_->metadata_use();
  return use.tables + use.peak;
}

std::size_t Replay::memory_bytes() const {
  return std::size_t{memory_->pool().frames()} * config::kPageBytes + metadata_bytes();
}

// A start or a stop is complete: firmware has time now.
void Replay::end_boundary() {
  constexpr std::uint32_t kPages = 64;  // at a time
  while (options_.compact && memory_->compact(kPages).more) {
  }
  const PagePool& pool = memory_->pool();
  const std::size_t bank = memory_->config().bank_bytes;
  ++figures_.boundaries;
  figures_.live_bytes_sum += live_bytes_;
  figures_.mapped_bytes_sum += std::uint64_t{pool.taken()} * config::kPageBytes;
  figures_.banks_on_sum += pool.banks_on();
  figures_.banks_lower_bound_sum += (live_bytes_ + bank - 1) / bank;
}

// The time becomes `time_us`. On the way pages and banks are given back that were kept long enough:
// as firmware does that looks when the last ones are due.
void Replay::go_to(std::uint64_t time_us) {
  if (!has_begun_ || time_us <= time_us_) {
    time_us_ = has_begun_ ? time_us_ : time_us;
    has_begun_ = true;
    memory_.set_time(time_us_);
    return;
  }
  const PlatformConfig& config = memory_->config();
  const std::uint64_t pages_due = time_us_ + config.retained_us + FrameInfo::kTimeUnitUs;
  for (const std::uint64_t due : {pages_due, pages_due + config.bank_hold_us}) {
    if (time_us_ < due && due < time_us) {
      pass(due);
    }
  }
  pass(time_us);
}

void Replay::pass(std::uint64_t time_us) {
  const PagePool& pool = memory_->pool();
  const std::uint64_t us = time_us - time_us_;
  times_.us += us;
  times_.live_byte_us += us * live_bytes_;
  times_.mapped_byte_us += us * pool.taken() * config::kPageBytes;
  times_.bank_us += us * pool.banks_on();
  time_us_ = time_us;
  memory_.set_time(time_us);
  memory_->trim();
}

ReplayTimes Replay::times() const {
  ReplayTimes times = times_;
  times.mappings = memory_.mappings();
  times.switches = memory_.switches();
  return times;
}

void Replay::fill(const Block& block) {
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= block.bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = pattern_word(block.pattern, at / sizeof(std::uint64_t));
    std::memcpy(block.address + at, &word, sizeof word);
  }
  if (at < block.bytes) {
    const std::uint64_t word = pattern_word(block.pattern, at / sizeof(std::uint64_t));
    std::memcpy(block.address + at, &word, block.bytes - at);
  }
}

// The first `bytes` bytes of the block are as fill() left them.
void Replay::check(const Block& block, std::size_t bytes) const {
  if (!options_.check_payload) {
    return;
  }
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = pattern_word(block.pattern, at / sizeof(std::uint64_t));
    if (std::memcmp(block.address + at, &word, std::min(bytes - at, sizeof word)) != 0) {
      throw TraceError("a block of " + std::to_string(block.bytes) +
                       " bytes does not hold what was written to it at byte " + std::to_string(at));
    }
  }
}

}  // namespace modmem::trace
