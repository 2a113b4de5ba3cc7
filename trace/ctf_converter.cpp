#include "trace/ctf_converter.hpp"

#include <algorithm>
#include <limits>

#include "memory/owner.hpp"
#include "modmem/presets.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

namespace {

constexpr std::size_t kSlots = std::size_t{1} << 13;

// One core is enough for rows.
PlatformConfig one_core() {
  PlatformConfig config = config::kDefaultPlatform;
  config.cores = 1;
  return config;
}

Recorder::OwnerNote note_of(OwnerKind kind, std::uint16_t handle) {
  Recorder::OwnerNote note;
  note.owner = handle;
  note.parent = 0;
  note.kind = static_cast<std::uint8_t>(kind);
  note.id = handle;
  note.limit = OwnerSpec::kNoLimit;
  note.frame_limit = std::numeric_limits<std::uint32_t>::max();
  return note;
}

}  // namespace

CtfConverter::CtfConverter(RecordSource& source, const std::filesystem::path& directory)
    : source_(source),
      sequence_(source),
      slots_(kSlots),
      writer_(directory, recorder_, one_core(), config::kDefaultPlatform.policy, true) {
  port_.set_time_us(0);
  static_cast<void>(recorder_.open(slots_, 1, port_, &writer_));
  recorder_.owner_begin(note_of(OwnerKind::system, kSystem), "system");
}

void CtfConverter::finish() {
  for (std::uint32_t place = 0; !source_.has_owners() && place < lives_.size(); ++place) {
    end_owner(place);
  }
  writer_.finish();
}

bool CtfConverter::next() {
  if (!source_.next(record_)) {
    finish();
    return false;
  }
  // Time only goes on in a stream.
  time_us_ = std::max(time_us_, record_.time_us);
  port_.set_time_us(time_us_);
  const Event event = sequence_.resolve(record_);
  if (event.kind == OpKind::release) {
    end_owner(event.owner);
    return true;
  }
  if (event.block >= event::kNoPlace) {
    source_.fail("too many blocks live for a trace of CTF");
  }
  if (event.bytes >= 1U << event::kBytesBits) {
    source_.fail(std::to_string(event.bytes) + " B are too many for a trace of CTF");
  }
  blocks_.resize(std::max<std::size_t>(blocks_.size(), std::size_t{event.block} + 1));
  event::Block& block = blocks_[event.block];
  event::Block before = block;
  before.flags = 0;
  const std::uint16_t of = owner(record_, event.owner);
  if (event.kind == OpKind::free) {
    recorder_.free(of, before);
    return true;
  }
  block = {.place = event.block, .bytes = event.bytes, .flags = event.flags, .memory = 0};
  const std::uint8_t alignment = event::alignment_code(event.alignment);
  const std::uint16_t from = site(record_.caller);
  event.kind == OpKind::resize ? recorder_.resize(of, from, alignment, block, before)
                               : recorder_.allocate(of, from, alignment, block);
  return true;
}

// The handle of a row's owner, which begins where it has not.
std::uint16_t CtfConverter::owner(const Record& record, std::uint32_t place) {
  if (place == Event::kSystem) {
    return kSystem;
  }
  if (place + 1 >= event::kNone) {
    source_.fail("too many owners live for a trace of CTF");
  }
  const auto handle = static_cast<std::uint16_t>(place + 1);
  lives_.resize(std::max<std::size_t>(lives_.size(), std::size_t{place} + 1));
  if (!lives_[place]) {
    lives_[place] = true;
    const std::string& name = source_.has_owners() ? record.owner : "stream";
    recorder_.owner_begin(note_of(OwnerKind::pipeline, handle), name.c_str());
  }
  return handle;
}

void CtfConverter::end_owner(std::uint32_t place) {
  if (lives_[place]) {
    lives_[place] = false;
    recorder_.owner_end(static_cast<std::uint16_t>(place + 1), OwnerEnd::released);
  }
}

std::uint16_t CtfConverter::site(const std::string& caller) {
  if (caller.empty()) {
    return event::kNone;
  }
  const auto found = sites_.find(caller);
  if (found != sites_.end()) {
    return found->second;
  }
  const std::uint16_t number = recorder_.sites();
  if (number == event::kNone) {
    return event::kNone;  // there are no more numbers
  }
  recorder_.site_text(caller.c_str());
  sites_.emplace(caller, number);
  return number;
}

}  // namespace modmem::trace
