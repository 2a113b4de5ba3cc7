// Event: one operation of a trace with its names resolved; EventSource: where events come from.
//
// Blocks and owners are *places*: small numbers, used again after a block or an owner has gone, so
// that who follows a trace needs arrays only, as long as the most that lives at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "memory/intent.hpp"
#include "trace/record.hpp"

namespace modmem::trace {

struct Event {
  static constexpr std::uint32_t kSystem = UINT32_MAX;  // an owner: none of the streams

  std::uint64_t time_us = 0;
  OpKind kind = OpKind::allocate;
  bool zeroed = false;
  bool refused = false;   // that the request failed is known
  bool boundary = false;  // with it a stream's start or stop is complete
  std::uint32_t block = 0;
  std::uint32_t owner = kSystem;
  std::uint32_t bytes = 0;
  std::uint32_t alignment = 0;
  Flags flags = 0;             // implied ones included
  const char* site = nullptr;  // who asked: as long as the source lives
  // Where it begins an owner that the trace names: that name, as long as the process.
  const char* owner_name = nullptr;
};

class EventSource {
 public:
  EventSource() = default;
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;
  virtual ~EventSource() = default;

  // The next events, in `events` from its start. Returns how many; 0 only at the end. Throws
  // TraceError where the trace does not hold.
  virtual std::size_t read(std::span<Event> events) = 0;

  // Starts again: the same events follow. Throws TraceError where that can't be.
  virtual void rewind() = 0;

  // How far it is, in units of its own; total() is 0 where it is not known.
  virtual std::uint64_t done() const = 0;
  virtual std::uint64_t total() const = 0;
};

}  // namespace modmem::trace
