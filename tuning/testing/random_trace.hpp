// Random traces for tests of tuning: SplitMix64, the same on every machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "modmem/presets.hpp"
#include "trace/event.hpp"

namespace modmem::tuning::testing {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint32_t below(std::uint32_t bound) {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<std::uint32_t>((mixed ^ (mixed >> 31)) % bound);
  }

 private:
  std::uint64_t state_;
};

// Events of three streams and the system.
struct RandomTrace {
  std::uint32_t events = 100;
  std::uint32_t blocks = 20;  // that live at a time, at most
  std::uint32_t largest = 20000;
  bool resizes = true;
  bool aligned_within = true;  // to no more than their bytes
  bool flags = true;           // L3 and low power, DMA, coherent and shared blocks, large buffers

  std::vector<trace::Event> make(std::uint64_t seed) const {
    Random random(seed);
    std::vector<trace::Event> trace;
    std::vector<std::uint32_t> owner_of(blocks, kFree);
    for (std::uint32_t i = 0; i < events; ++i) {
      trace::Event event;
      event.block = random.below(blocks);
      event.time_us = i * 100;
      std::uint32_t& owner = owner_of[event.block];
      const std::uint32_t what = random.below(20);
      if (what == 0) {
        event.kind = trace::OpKind::release;
        event.owner = random.below(3);
        std::replace(owner_of.begin(), owner_of.end(), event.owner, kFree);
      } else if (owner == kFree) {
        event.kind = trace::OpKind::allocate;
        const std::uint32_t stream = random.below(4);
        owner = event.owner = stream == 3 ? trace::Event::kSystem : stream;
        describe(event, random);
      } else if (resizes && what < 5) {
        event.kind = trace::OpKind::resize;
        event.owner = owner;
        describe(event, random);
      } else {
        event.kind = trace::OpKind::free;
        event.owner = owner;
        owner = kFree;
      }
      trace.push_back(event);
    }
    return trace;
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX - 1;
  static constexpr std::size_t kDmaAlignment = config::kDefaultPlatform.dma_alignment;

  void describe(trace::Event& event, Random& random) const {
    event.bytes = 1 + random.below(1 + random.below(largest));
    event.alignment = random.below(3) == 0 ? 1U << random.below(10) : 0;
    while (aligned_within && event.alignment > event.bytes) {
      event.alignment /= 2;
    }
    if (flags) {
      for (std::uint32_t bit = 2; bit <= 10; ++bit) {
        event.flags |= random.below(6) == 0 ? 1U << bit : 0;
      }
      event.flags &= aligned_within && event.bytes <= kDmaAlignment / 2 ? ~flag::kDma : ~Flags{0};
      // A block that is reached otherwise than before moves: each is coherent all along, or never.
      event.flags &= event.block % 4 == 0 ? ~Flags{0} : ~flag::kCoherent;
      event.flags |= event.block % 4 == 0 ? flag::kCoherent : 0;
      // The two together are always refused.
      event.flags &= (event.flags & flag::kCoherent) != 0 ? ~flag::kL3 : ~Flags{0};
    }
    event.site = "test";
  }
};

// Events that are there already.
class Events final : public trace::EventSource {
 public:
  explicit Events(std::vector<trace::Event> events) : events_(std::move(events)) {}

  std::size_t read(std::span<trace::Event> events) override {
    const std::size_t count = std::min(events.size(), events_.size() - at_);
    std::copy_n(events_.begin() + static_cast<std::ptrdiff_t>(at_), count, events.begin());
    at_ += count;
    return count;
  }
  void rewind() override { at_ = 0; }
  std::uint64_t done() const override { return at_; }
  std::uint64_t total() const override { return events_.size(); }

 private:
  std::vector<trace::Event> events_;
  std::size_t at_ = 0;
};

}  // namespace modmem::tuning::testing
