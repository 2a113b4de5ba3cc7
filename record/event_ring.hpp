// EventRing: events between one who writes them and one who reads them, without a lock.
//
// Written by whoever holds Memory's lock, read by one consumer at a time, on any core. An event
// that finds no room is lost and counted; what is there stays.
//
// Invariant: read <= written <= read + slots, counted on and on modulo 2^32. Cost: O(slots of the
// event). The memory is uncached, or coherent between writer and reader.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/bits.hpp"
#include "base/check.hpp"
#include "record/event.hpp"

namespace modmem {

class EventRing {
 public:
  // Before all else. Requires as many slots as a power of two, which outlive it.
  void open(std::span<EventSlot> slots) {
    MODMEM_ASSERT(is_power_of_two(slots.size()));
    slots_ = slots;
  }

  // --- the writer ---

  std::uint32_t room() const {
    return capacity() -
           (written_.load(std::memory_order_relaxed) - read_.load(std::memory_order_acquire));
  }

  // Writes all of `event`, or counts it as lost. Returns whether it was written.
  bool write(std::span<const EventSlot> event) {
    if (event.size() > room()) {
      lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return false;
    }
    std::uint32_t at = written_.load(std::memory_order_relaxed);
    for (const EventSlot& slot : event) {
      slots_[at++ & (capacity() - 1)] = slot;
    }
    written_.store(at, std::memory_order_release);
    return true;
  }

  // --- the reader ---

  // Moves at most `most` slots into `slots`. Returns how many; whole events where there is room for
  // all that lies there.
  std::uint32_t read(std::span<EventSlot> slots) {
    const std::uint32_t begin = read_.load(std::memory_order_relaxed);
    std::uint32_t count = written_.load(std::memory_order_acquire) - begin;
    count = count < slots.size() ? count : static_cast<std::uint32_t>(slots.size());
    for (std::uint32_t i = 0; i < count; ++i) {
      slots[i] = slots_[(begin + i) & (capacity() - 1)];
    }
    read_.store(begin + count, std::memory_order_release);
    return count;
  }

  // Events that found no room so far.
  std::uint32_t lost() const { return lost_.load(std::memory_order_relaxed); }
  std::uint32_t capacity() const { return static_cast<std::uint32_t>(slots_.size()); }

 private:
  std::span<EventSlot> slots_;
  std::atomic<std::uint32_t> written_{0};
  std::atomic<std::uint32_t> read_{0};
  std::atomic<std::uint32_t> lost_{0};
};

}  // namespace modmem
