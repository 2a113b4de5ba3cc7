// The description of a recorded stream of events: its `metadata`, in the language of CTF 1.8.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "port/platform_config.hpp"

namespace modmem::trace {

// Names a trace: in its metadata, and in each packet.
using CtfUuid = std::array<std::uint8_t, 16>;

// A packet, from its first byte. Events follow at kCtfPacketHeader. No event is kTimeSpan / 2 or
// more behind the one in front of it: a packet ends before that.
struct CtfPacketHeader {
  static constexpr std::uint32_t kMagic = 0xc1fc1fc1;

  std::uint32_t magic = kMagic;
  CtfUuid uuid{};
  std::uint32_t stream = 0;
  std::uint64_t begin = 0;  // time of the first event, in microseconds
  std::uint64_t end = 0;    // and of the last
  std::uint64_t content_bits = 0;
  std::uint64_t packet_bits = 0;
  std::uint64_t discarded = 0;  // events of this stream so far
  std::uint32_t core = 0;
  std::uint32_t reserved = 0;
};
inline constexpr std::size_t kCtfPacketHeader = 80;
static_assert(sizeof(CtfPacketHeader) <= kCtfPacketHeader);

// The text of `metadata`: how events look, and which platform and policy they are of. `converted`:
// made from rows, which have neither.
std::string ctf_metadata(const CtfUuid& uuid, const PlatformConfig& platform,
                         const std::string& policy, bool converted);

}  // namespace modmem::trace
