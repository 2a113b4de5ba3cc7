// What a recorder writes down: events of 16 bytes, or a few times that.
//
// An event is one or more slots of two words, as they lie in a ring and, byte for byte, in a stream
// of the Common Trace Format (little-endian bit fields; trace/ctf_metadata.cpp says the same as
// text):
//
//   low word of the first slot = kind:5 | time:22 | code:5 | owner:16 | site:16
//
// `time` is the low part of the time in microseconds. Where more than kTimeSpan has passed on a
// core, where another core wrote before, and where events were lost, an anchor goes ahead: it has
// all of the time and the number of the event behind it, counted over all cores. So the streams of
// all cores can be put into one order, that of Memory's lock, though many events have the same
// time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace modmem {

enum class EventKind : std::uint8_t {
  anchor,       // what is behind it
  allocate,     // a block; this, resize and range: without a place where refused
  free,         // the end of one
  resize,       // another size, and perhaps another place
  range,        // a block of between two sizes
  fail,         // why the next allocate, resize or range is refused
  owner_begin,  // an account
  owner_limit,  // what it may hold
  owner_end,    // with all below it and all that they hold
  upkeep,       // a call that changes what is kept, moved or promised
  map,          // a frame under a page
  unmap,
  bank,      // power on or off
  pipeline,  // its state
  period,    // one has passed
  owner_name,
  site_name,
  plan_entry,  // an owner of a plan
  plan_need,   // what it needs
  plan_end,    // what became of the plan
  bundle,      // slots of a heap of slots, before its owner_begin
};
inline constexpr std::uint32_t kEventKinds = 21;

// The calls that an `upkeep` event is of.
enum class Upkeep : std::uint8_t {
  compact,  // first: budget; second: pages moved
  trim,
  drain,          // first: most
  return_unused,  // of an owner
  release_all,    // of an owner; first: blocks
  premap,         // of an owner; first: pages, second: blocks
  pin,            // first: place
  unpin,          // first: place
  get_region,     // flag: held
  put_region,     // flag: held; first: what became of it
  set_interim,    // of a region
  save_l3,
  restore_l3,
  probe,  // of an owner, for the largest request; first: flags, second: alignment
  shutdown,
  sample,  // nothing is changed: whoever records took the figures of its report here
};

// The calls that end an owner.
enum class OwnerEnd : std::uint8_t { destroyed, destroyed_empty, released };

struct EventSlot {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  constexpr bool operator==(const EventSlot&) const = default;
};
static_assert(sizeof(EventSlot) == 16);

namespace event {

inline constexpr std::uint32_t kTimeBits = 22;
inline constexpr std::uint64_t kTimeSpan = std::uint64_t{1} << kTimeBits;  // microseconds
inline constexpr std::uint16_t kNone = 0xffff;                             // owner, site
inline constexpr std::uint32_t kPlaceBits = 25;
inline constexpr std::uint32_t kNoPlace = (1U << kPlaceBits) - 1;
inline constexpr std::uint32_t kBytesBits = 28;
inline constexpr std::uint32_t kFlagsShift = 2;  // flags have no bits below
inline constexpr std::uint32_t kFlagsBits = 9;

// The first word of an event.
struct Head {
  EventKind kind = EventKind::anchor;
  std::uint32_t time = 0;  // low bits
  std::uint8_t code = 0;   // of 5 bits; what it means follows from the kind
  std::uint16_t owner = kNone;
  std::uint16_t site = kNone;
};

constexpr std::uint64_t pack(const Head& head) {
  return static_cast<std::uint64_t>(head.kind) | (head.time & (kTimeSpan - 1)) << 5 |
         static_cast<std::uint64_t>(head.code & 31U) << 27 | std::uint64_t{head.owner} << 32 |
         std::uint64_t{head.site} << 48;
}

constexpr Head head_of(std::uint64_t word) {
  return {static_cast<EventKind>(word & 31U),
          static_cast<std::uint32_t>(word >> 5 & (kTimeSpan - 1)),
          static_cast<std::uint8_t>(word >> 27 & 31U), static_cast<std::uint16_t>(word >> 32),
          static_cast<std::uint16_t>(word >> 48)};
}

// An anchor: the full time in microseconds and the number of the event behind it, 48 bits of each.
struct Anchor {
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << 48) - 1;

  std::uint64_t number = 0;
  std::uint64_t time = 0;
};

constexpr EventSlot pack(const Anchor& anchor) {
  const std::uint64_t number = anchor.number & Anchor::kMask;
  const Head head{EventKind::anchor, static_cast<std::uint32_t>(anchor.time & (kTimeSpan - 1)), 0,
                  0, 0};
  return {(pack(head) & UINT32_MAX) | number << 32, number >> 32 | anchor.time << 16};
}

constexpr Anchor anchor_of(const EventSlot& slot) {
  return {slot.low >> 32 | (slot.high & 0xffff) << 32, slot.high >> 16};
}

// A block: where, in units of the smallest block from the start of its memory, and how large.
struct Block {
  std::uint32_t place = kNoPlace;
  std::uint32_t bytes = 0;  // as asked for
  std::uint32_t flags = 0;
  std::uint8_t memory = 0;  // 0: SRAM, 1: low-power SRAM, 2: L3
  constexpr bool operator==(const Block&) const = default;
};

constexpr std::uint64_t pack(const Block& block) {
  constexpr std::uint64_t kMostBytes = (1U << kBytesBits) - 1;
  const std::uint64_t flags = block.flags >> kFlagsShift & ((1U << kFlagsBits) - 1);
  return std::uint64_t{block.place & kNoPlace} | (block.bytes & kMostBytes) << kPlaceBits |
         flags << (kPlaceBits + kBytesBits) | std::uint64_t{block.memory & 3U} << 62;
}

constexpr Block block_of(std::uint64_t word) {
  return {static_cast<std::uint32_t>(word & kNoPlace),
          static_cast<std::uint32_t>(word >> kPlaceBits & ((1U << kBytesBits) - 1)),
          static_cast<std::uint32_t>(word >> (kPlaceBits + kBytesBits) & ((1U << kFlagsBits) - 1))
              << kFlagsShift,
          static_cast<std::uint8_t>(word >> 62)};
}

// An alignment, a power of two or 0, in 5 bits.
constexpr std::uint8_t alignment_code(std::size_t alignment) {
  std::uint8_t code = 0;
  for (; alignment != 0 && code < 31; alignment >>= 1) {
    ++code;
  }
  return code;
}
constexpr std::size_t alignment_of(std::uint8_t code) {
  return code == 0 ? 0 : std::size_t{1} << (code - 1);
}

constexpr std::uint64_t words(std::uint64_t first, std::uint64_t second) {
  return (first & UINT32_MAX) | second << 32;
}

// Slots of an event of that kind; 0: as many as its text takes.
constexpr std::uint32_t slots_of(EventKind kind) {
  switch (kind) {
    case EventKind::resize:
    case EventKind::range:
    case EventKind::fail:
    case EventKind::plan_need:
      return 2;
    case EventKind::owner_begin:
    case EventKind::plan_entry:
      return 4;
    case EventKind::owner_name:
    case EventKind::site_name:
      return 0;
    default:
      return 1;
  }
}

// Bits of the last slot of an event of that kind that mean something; the text decides where it has
// one.
constexpr std::uint32_t bits_in_last_slot(EventKind kind) {
  switch (kind) {
    case EventKind::plan_end:
      return 32;
    case EventKind::owner_end:
    case EventKind::unmap:
      return 48;
    case EventKind::map:
    case EventKind::bank:
    case EventKind::resize:
    case EventKind::owner_begin:
    case EventKind::plan_entry:
      return 64;
    case EventKind::pipeline:
    case EventKind::period:
    case EventKind::range:
      return 96;
    default:
      return 128;
  }
}

}  // namespace event
}  // namespace modmem
