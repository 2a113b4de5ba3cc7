#include "trace/ctf_packet.hpp"

#include <algorithm>
#include <cstring>

namespace modmem::trace {

namespace {

constexpr std::uint64_t kTimeMask = event::kTimeSpan - 1;

EventSlot slot_at(std::span<const char> bytes, std::size_t at) {
  EventSlot slot;
  std::memcpy(&slot, bytes.data() + at, std::min(sizeof slot, bytes.size() - at));
  return slot;
}

// Bytes of the event at `at` that mean something; 0 where there is none that ends before the end.
std::size_t event_bytes(std::span<const char> bytes, std::size_t at) {
  const std::size_t there = bytes.size() - at;
  const EventKind kind = event::head_of(slot_at(bytes, at).low).kind;
  if (there < sizeof(std::uint32_t) || static_cast<std::uint32_t>(kind) >= kEventKinds) {
    return 0;
  }
  if (const std::size_t slots = event::slots_of(kind)) {
    const std::size_t size = (slots - 1) * sizeof(EventSlot) + event::bits_in_last_slot(kind) / 8;
    return size <= there ? size : 0;
  }
  constexpr std::size_t kText = 12;
  if (there <= kText) {
    return 0;
  }
  const void* const stop = std::memchr(bytes.data() + at + kText, 0, there - kText);
  return stop == nullptr
             ? 0
             : static_cast<std::size_t>(static_cast<const char*>(stop) - bytes.data()) + 1 - at;
}

// When the first event of a packet happened. The header says it, and an anchor: where one of them
// is damaged, that which is nearer to the packet's end is not.
std::uint64_t first_time(const CtfPacketHeader& header, const EventSlot& slot) {
  const event::Head head = event::head_of(slot.low);
  const std::uint64_t told = header.begin + ((head.time - header.begin) & kTimeMask);
  const std::uint64_t anchored = event::anchor_of(slot).time;
  const auto from_end = [&](std::uint64_t time) {
    return time > header.end ? time - header.end : header.end - time;
  };
  return head.kind == EventKind::anchor && (anchored & kTimeMask) == head.time &&
                 from_end(anchored) < from_end(told)
             ? anchored
             : told;
}

}  // namespace

const char* header_problem(const CtfPacketHeader& header, const CtfStream& stream) {
  if (header.magic != CtfPacketHeader::kMagic || header.stream != 0) {
    return "this is no header of a packet";
  }
  if (header.uuid != stream.uuid) {
    return "this packet is of another trace";
  }
  return header.core != stream.core ? "this packet is of another core" : nullptr;
}

bool has_sizes(const CtfPacketHeader& header) {
  return header.content_bits % 8 == 0 && header.content_bits >= kCtfPacketHeader * 8 &&
         header.content_bits <= kMostPacketBytes * 8 &&
         header.packet_bits == padded(header.content_bits / 8) * 8;
}

PacketEvents whole_events(const CtfPacketHeader& header, std::span<const char> bytes) {
  PacketEvents events;
  for (std::size_t at = kCtfPacketHeader; at < bytes.size();) {
    const std::size_t size = event_bytes(bytes, at);
    if (size == 0) {
      events.bad = at;
      break;
    }
    const EventSlot slot = slot_at(bytes, at);
    if (at == kCtfPacketHeader) {
      events.first_time = events.last_time = first_time(header, slot);
    }
    const std::uint64_t later = (event::head_of(slot.low).time - events.last_time) & kTimeMask;
    // It would be in a packet of its own; or the packet would end with it.
    if (later >= event::kTimeSpan / 2 ||
        (events.last_time <= header.end && header.end < events.last_time + later &&
         padded(at + size) >= bytes.size())) {
      events.bad = at;
      break;
    }
    events.last_time += later;
    events.end = at + size;
    at = padded(events.end);
  }
  return events;
}

}  // namespace modmem::trace
