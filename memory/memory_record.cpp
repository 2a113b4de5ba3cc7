// What a recorder is told of: calls as they were made, with their results.

#include "memory/memory.hpp"

namespace modmem {

namespace {

constexpr std::uint32_t to_32(std::size_t value) {
  return value < UINT32_MAX ? static_cast<std::uint32_t>(value) : UINT32_MAX;
}

constexpr std::uint16_t to_16(std::uint32_t value) {
  return value < UINT16_MAX ? static_cast<std::uint16_t>(value) : UINT16_MAX;
}

constexpr Recorder::OwnerNote note_of(const OwnerSpec& spec, const HeapSpec& heap) {
  Recorder::OwnerNote note;
  note.kind = static_cast<std::uint8_t>(spec.kind);
  note.id = spec.id;
  note.core = spec.core;
  note.limit = spec.limit;
  note.guarantee = spec.guarantee;
  note.heap_kind = static_cast<std::uint8_t>(heap.kind);
  note.grows = heap.grows;
  note.contiguous = heap.contiguous;
  note.heap_bytes = heap.bytes;
  note.frame_limit = heap.frame_limit;
  note.retained_pages = heap.retained_pages;
  note.retained_us = heap.retained_us;
  return note;
}

}  // namespace

// A block as the recorder has it; nullptr: one that was refused.
event::Block Memory::noted(const void* pointer, std::size_t bytes, Flags flags) const {
  constexpr std::size_t kMost = (std::size_t{1} << event::kBytesBits) - 1;
  event::Block block;
  block.bytes = static_cast<std::uint32_t>(bytes < kMost ? bytes : kMost);
  block.flags = flags;
  if (pointer != nullptr) {
    const void* const byte = in_window(pointer);
    const AddressSpace& space = space_of(byte);
    block.place = static_cast<std::uint32_t>(space.offset_of(byte) / Record::kPlaceBytes);
    block.memory = static_cast<std::uint8_t>(number_of(space));
  }
  return block;
}

// The number of a block's site, whose name the recorder has.
std::uint16_t Memory::noted_site(const Site& site, const void* block) {
  // What is refused leaves no site in the table, recorded or not.
  const std::uint16_t number = block != nullptr ? sites_.number_of(site) : SiteTable::kUnknown;
  while (number != SiteTable::kUnknown && recorder_->sites() <= number) {
    const Site next = sites_[recorder_->sites()];
    recorder_->site_name(next.where, next.line);
  }
  return number;
}

// This one and the next are called where there is a recorder.
void Memory::note_allocation(const Request& request, const void* block) {
  if (well_formed(request)) {
    recorder_->allocate(owner_of(request).handle, noted_site(request.site, block),
                        event::alignment_code(request.alignment),
                        noted(block, request.bytes, request.flags));
  }
}

// Of a block that free() ends; `block` is its first byte in its window.
void Memory::note_free(const Record& record, const void* block) const {
  event::Block noted;
  noted.bytes = record.bytes;
  noted.memory = record.memory;
  noted.place = static_cast<std::uint32_t>(space_of(record).offset_of(block) / Record::kPlaceBytes);
  recorder_->free(record.owner, noted);
}

void Memory::note_range(const Request& request, const Range& range, std::size_t preferred,
                        std::size_t step) {
  if (recorder() != nullptr && well_formed(request) && preferred >= request.bytes && step != 0) {
    recorder_->range(owner_of(request).handle, noted_site(request.site, range.pointer),
                     event::alignment_code(request.alignment),
                     noted(range.pointer, range.bytes, request.flags), to_32(request.bytes),
                     to_32(preferred), to_32(step));
  }
}

// Of a block that lives, or lived until then.
void Memory::note_resize(const Request& request, const void* block, const event::Block& before) {
  if (recorder() != nullptr) {
    recorder_->resize(owner_of(request).handle, noted_site(request.site, block),
                      event::alignment_code(request.alignment),
                      noted(block, request.bytes, request.flags), before);
  }
}

void Memory::note_failure(const Owner& owner, const Failure& failure) {
  if (recorder() == nullptr) {
    return;
  }
  if (failure.site.where != nullptr) {
    recorder_->site_name(failure.site.where, failure.site.line, true);
  }
  recorder_->fail(owner.handle, SiteTable::kUnknown, event::alignment_code(failure.alignment),
                  {.reason = static_cast<std::uint8_t>(failure.reason),
                   .flags = failure.flags,
                   .bytes = failure.bytes,
                   .largest = failure.largest_request});
}

void Memory::note_bundles(const HeapSpec& heap) {
  for (const SlotBundle& bundle : heap.bundles) {
    recorder_->bundle(bundle.slot_bytes, bundle.slots);
  }
}

// What create_owner() was asked for; `owner` is nullptr where it was refused.
void Memory::note_owner(const Owner* owner, const Owner& parent, const OwnerSpec& spec,
                        const HeapSpec& heap) {
  if (recorder() == nullptr) {
    return;
  }
  note_bundles(heap);
  Recorder::OwnerNote note = note_of(spec, heap);
  note.owner = owner != nullptr ? owner->handle : event::kNone;
  note.parent = parent.handle;
  recorder_->owner_begin(note, spec.name);
}

void Memory::note_owner_end(const Owner& owner, OwnerEnd how) const {
  if (recorder() != nullptr) {
    recorder_->owner_end(owner.handle, how);
  }
}

void Memory::note_limit(const Owner& owner, std::uint64_t limit, bool in_frames) const {
  if (recorder() != nullptr) {
    recorder_->owner_limit(owner.handle, limit, in_frames);
  }
}

void Memory::note_plan(Plan plan, bool admitted) {
  if (recorder() == nullptr) {
    return;
  }
  for (const PlanEntry& entry : plan) {
    const bool is_new = entry.owner == nullptr || entry.created;
    note_bundles(entry.heap);
    Recorder::OwnerNote note = note_of(entry.spec, entry.heap);
    note.owner = entry.owner != nullptr ? entry.owner->handle : event::kNone;
    note.parent = is_new ? entry.parent->handle : event::kNone;
    note.created = is_new;
    note.accounts = to_16(entry.accounts);
    note.heaps = to_16(entry.heaps);
    recorder_->plan_entry(note, entry.spec.name);
    for (const Need& need : entry.needs) {
      recorder_->plan_need({.bytes = need.bytes,
                            .largest = need.largest,
                            .blocks = need.blocks,
                            .flags = need.flags,
                            .alignment = event::alignment_code(need.alignment),
                            .apart = need.apart});
    }
  }
  recorder_->plan_end(admitted);
}

void Memory::note_upkeep(Upkeep what, const Owner* owner, std::uint32_t first, std::uint32_t second,
                         bool flag) const {
  if (recorder() != nullptr) {
    recorder_->upkeep(what, owner != nullptr ? owner->handle : event::kNone, first, second, flag);
  }
}

}  // namespace modmem
