#include "record/recorder.hpp"

#include "port/port.hpp"

namespace modmem {

using event::words;

namespace {

// A first word with a number in place of owner and site.
constexpr std::uint64_t wide_head(EventKind kind, std::uint32_t number) {
  return event::pack({kind, 0, 0, 0, 0}) | std::uint64_t{number} << 32;
}

}  // namespace

bool Recorder::open(std::span<EventSlot> slots, std::uint32_t cores, const Port& port,
                    RingSpill* spill) {
  if (cores == 0 || cores > kMostCores || slots.size() / cores < kLeastSlots) {
    return false;
  }
  std::size_t each = kLeastSlots;
  while (each * 2 * cores <= slots.size()) {
    each *= 2;
  }
  for (std::uint32_t core = 0; core < cores; ++core) {
    rings_[core].open(slots.subspan(core * each, each));
  }
  cores_ = cores;
  port_ = &port;
  spill_ = spill;
  return true;
}

std::uint64_t Recorder::lost() const {
  std::uint64_t lost = 0;
  for (std::uint32_t core = 0; core < cores_; ++core) {
    lost += rings_[core].lost();
  }
  return lost;
}

bool Recorder::write(std::uint32_t core, std::span<const EventSlot> event) {
  if (spill_ != nullptr && rings_[core].room() < event.size()) {
    spill_->on_full(core);
  }
  return rings_[core].write(event);
}

// Gives the event its time and writes it, behind an anchor where it needs one. Both or none: the
// room for both is there, or the event is lost.
void Recorder::put(std::span<EventSlot> event) {
  const std::uint32_t core = port_->core_id() < cores_ ? port_->core_id() : 0;
  const std::uint64_t time = port_->time_us();
  Clock& clock = clocks_[core];
  // One behind kTimeSpan would look like one before it.
  const bool anchored =
      clock.anchored && core == last_core_ && time - clock.time < event::kTimeSpan / 2;
  const std::uint64_t number = events_++;
  event[0].low |= (time & (event::kTimeSpan - 1)) << 5;
  if (anchored) {
    clock.anchored = write(core, event);
  } else {
    clock.anchored = write_anchored(core, time, number, event);
  }
  clock.time = time;
  last_core_ = core;
}

bool Recorder::write_anchored(std::uint32_t core, std::uint64_t time, std::uint64_t number,
                              std::span<const EventSlot> event) {
  std::array<EventSlot, 1 + (kMostText + 1 + 12) / sizeof(EventSlot) + 1> both;
  both[0] = event::pack(event::Anchor{number, time});
  std::size_t count = 1;
  for (const EventSlot& slot : event) {
    both[count++] = slot;
  }
  return write(core, std::span(both).first(count));
}

void Recorder::allocate(std::uint16_t owner, std::uint16_t site, std::uint8_t alignment,
                        const event::Block& block) {
  EventSlot slot{event::pack({EventKind::allocate, 0, alignment, owner, site}), event::pack(block)};
  put({&slot, 1});
}

void Recorder::free(std::uint16_t owner, const event::Block& block) {
  EventSlot slot{event::pack({EventKind::free, 0, 0, owner, event::kNone}), event::pack(block)};
  put({&slot, 1});
}

void Recorder::resize(std::uint16_t owner, std::uint16_t site, std::uint8_t alignment,
                      const event::Block& block, const event::Block& before) {
  EventSlot slots[] = {
      {event::pack({EventKind::resize, 0, alignment, owner, site}), event::pack(block)},
      {event::pack(before), 0}};
  put(slots);
}

void Recorder::range(std::uint16_t owner, std::uint16_t site, std::uint8_t alignment,
                     const event::Block& block, std::uint32_t least, std::uint32_t preferred,
                     std::uint32_t step) {
  EventSlot slots[] = {
      {event::pack({EventKind::range, 0, alignment, owner, site}), event::pack(block)},
      {words(least, preferred), step}};
  put(slots);
}

void Recorder::fail(std::uint16_t owner, std::uint16_t site, std::uint8_t alignment,
                    const FailNote& note) {
  EventSlot slots[] = {{event::pack({EventKind::fail, 0, alignment, owner, site}), note.bytes},
                       {note.largest, words(note.flags, note.reason)}};
  put(slots);
}

void Recorder::put_owner(EventKind kind, const OwnerNote& note) {
  const std::uint64_t shape = std::uint64_t{note.core} | std::uint64_t{note.heap_kind} << 8 |
                              std::uint64_t{note.grows} << 16 |
                              std::uint64_t{note.contiguous} << 17 |
                              std::uint64_t{note.created} << 18;
  EventSlot slots[] = {
      {event::pack({kind, 0, note.kind, note.owner, note.parent}), words(note.id, shape)},
      {note.limit, note.guarantee},
      {note.heap_bytes, words(note.frame_limit, note.retained_pages)},
      {words(note.retained_us, note.accounts | std::uint32_t{note.heaps} << 16), 0}};
  put(slots);
}

void Recorder::owner_begin(const OwnerNote& note, const char* name) {
  put_name(EventKind::owner_name, note.owner, note.id, name);
  put_owner(EventKind::owner_begin, note);
}

// The name is of an owner that the plan creates.
void Recorder::plan_entry(const OwnerNote& note, const char* name) {
  if (note.created) {
    put_name(EventKind::owner_name, note.owner, note.id, name);
  }
  put_owner(EventKind::plan_entry, note);
}

void Recorder::owner_limit(std::uint16_t owner, std::uint64_t limit, bool in_frames) {
  const std::uint8_t code = in_frames ? 1 : 0;
  EventSlot slot{event::pack({EventKind::owner_limit, 0, code, owner, 0}), limit};
  put({&slot, 1});
}

void Recorder::owner_end(std::uint16_t owner, OwnerEnd how) {
  EventSlot slot{event::pack({EventKind::owner_end, 0, static_cast<std::uint8_t>(how), owner, 0}),
                 0};
  put({&slot, 1});
}

void Recorder::bundle(std::uint64_t bytes, std::uint32_t count) {
  EventSlot slot{wide_head(EventKind::bundle, count), bytes};
  put({&slot, 1});
}

void Recorder::plan_need(const NeedNote& need) {
  EventSlot slots[] = {{event::pack({EventKind::plan_need, 0, need.alignment,
                                     need.apart ? std::uint16_t{1} : std::uint16_t{0}, 0}),
                        need.bytes},
                       {need.largest, words(need.blocks, need.flags)}};
  put(slots);
}

void Recorder::plan_end(bool admitted) {
  EventSlot slot{
      event::pack({EventKind::plan_end, 0, admitted ? std::uint8_t{1} : std::uint8_t{0}, 0, 0}), 0};
  put({&slot, 1});
}

void Recorder::upkeep(Upkeep what, std::uint16_t owner, std::uint32_t first, std::uint32_t second,
                      bool flag) {
  EventSlot slot{event::pack({EventKind::upkeep, 0, static_cast<std::uint8_t>(what), owner,
                              flag ? std::uint16_t{1} : std::uint16_t{0}}),
                 words(first, second)};
  put({&slot, 1});
}

void Recorder::map(std::uint16_t page, std::uint16_t frame, std::uint8_t memory) {
  EventSlot slot{event::pack({EventKind::map, 0, memory, page, frame}), 0};
  put({&slot, 1});
}

void Recorder::unmap(std::uint16_t page, std::uint8_t memory) {
  EventSlot slot{event::pack({EventKind::unmap, 0, memory, page, 0}), 0};
  put({&slot, 1});
}

void Recorder::bank(std::uint16_t bank, bool on, std::uint8_t memory) {
  EventSlot slot{
      event::pack({EventKind::bank, 0, memory, bank, on ? std::uint16_t{1} : std::uint16_t{0}}), 0};
  put({&slot, 1});
}

void Recorder::pipeline(std::uint32_t id, std::uint32_t state) {
  EventSlot slot{wide_head(EventKind::pipeline, id), state};
  put({&slot, 1});
}

void Recorder::period(std::uint64_t number) {
  EventSlot slot{wide_head(EventKind::period, static_cast<std::uint32_t>(number)), number >> 32};
  put({&slot, 1});
}

void Recorder::site_name(const void* where, std::uint32_t line, bool unknown) {
  const std::uint16_t number = unknown ? event::kNone : sites_++;
  if (line != 0) {
    put_name(EventKind::site_name, number, line, static_cast<const char*>(where));
    return;
  }
  char text[2 + 2 * sizeof(void*) + 1] = "0x";
  auto address = reinterpret_cast<std::uintptr_t>(where);
  for (std::size_t at = 2 * sizeof(void*) + 2; at-- > 2; address >>= 4) {
    text[at] = "0123456789abcdef"[address & 15U];
  }
  put_name(EventKind::site_name, number, 0, text);
}

void Recorder::site_text(const char* text) { put_name(EventKind::site_name, sites_++, 0, text); }

// A number, a line and a text that ends with a zero.
void Recorder::put_name(EventKind kind, std::uint16_t number, std::uint32_t line,
                        const char* text) {
  std::array<EventSlot, (kMostText + 1 + 12) / sizeof(EventSlot) + 1> slots{};
  slots[0].low = event::pack({kind, 0, 0, number, 0});
  slots[0].high = line;
  // The text begins with the last word of the first slot.
  std::size_t at = 0;
  for (; at < kMostText && text[at] != '\0'; ++at) {
    const std::size_t byte = 12 + at;
    const std::uint64_t bits = std::uint64_t{static_cast<unsigned char>(text[at])} << byte % 8 * 8;
    EventSlot& slot = slots[byte / sizeof(EventSlot)];
    (byte % sizeof(EventSlot) < 8 ? slot.low : slot.high) |= bits;
  }
  put(std::span(slots).first((12 + at) / sizeof(EventSlot) + 1));
}

}  // namespace modmem
