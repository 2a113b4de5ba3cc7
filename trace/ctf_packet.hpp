// A packet of a stream, as far as it is whole.
//
// A packet is a header and events behind it, each of which begins at a slot. All of its events have
// times between `begin`, that of the first, and `end`, that of the last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "record/event.hpp"
#include "trace/ctf_metadata.hpp"

namespace modmem::trace {

// Larger ones are none of ours: a writer's have 64 KiB, and those of a target at most a ring.
inline constexpr std::size_t kMostPacketBytes = std::size_t{1} << 24;

// What a stream's packets have in common.
struct CtfStream {
  CtfUuid uuid{};
  std::uint32_t core = 0;
};

// Why these bytes are no header of a packet of the stream; nullptr where they are. Its sizes and
// times may still be wrong.
const char* header_problem(const CtfPacketHeader& header, const CtfStream& stream);

// Bytes of `content` bytes with what fills the last slot.
constexpr std::uint64_t padded(std::uint64_t content) {
  return (content + sizeof(EventSlot) - 1) / sizeof(EventSlot) * sizeof(EventSlot);
}

// Whether its sizes can be.
bool has_sizes(const CtfPacketHeader& header);

struct PacketEvents {
  std::size_t end = kCtfPacketHeader;  // of the last whole event, from the start of the packet
  std::size_t bad = 0;                 // where the next one should be; 0: there is no next
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
};

// The events of a packet, of which `bytes` are there, its header among them.
PacketEvents whole_events(const CtfPacketHeader& header, std::span<const char> bytes);

}  // namespace modmem::trace
