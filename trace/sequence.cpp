#include "trace/sequence.hpp"

#include <algorithm>

#include "trace/site_names.hpp"

namespace modmem::trace {

namespace {

// The owner of everything in a trace that names none.
constexpr std::string_view kOnlyOwner = "stream";

}  // namespace

void Sequence::clear() {
  ids_.clear();
  owners_.clear();
  blocks_.clear();
  first_.clear();
}

Event Sequence::resolve(const Record& record) {
  const Op op = op_of(record.op);
  Event event;
  event.time_us = record.time_us;
  event.kind = op.kind;
  event.zeroed = op.zeroed;
  event.refused = record.refused;
  event.bytes = record.bytes;
  event.alignment = record.alignment;
  event.flags = (record.flags & flag::kAll) | op.implied;
  switch (op.kind) {
    case OpKind::free:
      return free(record, event);
    case OpKind::release:
      return release(record, event);
    default:
      return allocate(record, event);
  }
}

Event Sequence::allocate(const Record& record, Event event) {
  event.site = site_name(innermost(record.caller));
  const std::uint32_t known = ids_.find(record.id);
  if (known != kNone) {
    if (event.kind == OpKind::allocate) {
      reader_.fail("id " + std::to_string(record.id) + " is allocated, and lives already");
    }
    event.block = known;
    event.owner = blocks_[known].owner;
    return event;
  }
  event.kind = OpKind::allocate;  // a realloc of nothing
  const std::size_t owners_before = owners_.size();
  event.owner = begin_owner(record);
  if (owners_.size() != owners_before && reader_.has_owners()) {
    event.owner_name = owner_name(record.owner);
  }
  event.block = ids_.add(record.id);
  add(event.block, record.id, event.owner);
  return event;
}

Event Sequence::free(const Record& record, Event event) {
  event.block = ids_.find(record.id);
  if (event.block == kNone) {
    reader_.fail("id " + std::to_string(record.id) + " is freed, and does not live");
  }
  event.owner = blocks_[event.block].owner;
  remove(event.block);
  ids_.remove(record.id);
  return event;
}

Event Sequence::release(const Record& record, Event event) {
  const std::string_view name = reader_.has_owners() ? record.owner : kOnlyOwner;
  if (name.empty()) {
    reader_.fail("release names no owner");
  }
  event.owner = owners_.find(name);
  if (event.owner == kNone) {
    reader_.fail("owner " + std::string(name) + " is released, and has had no block");
  }
  while (first_[event.owner] != kNone) {
    const std::uint32_t place = first_[event.owner];
    remove(place);
    ids_.remove(blocks_[place].id);
  }
  owners_.remove(name);
  event.boundary = true;
  return event;
}

std::uint32_t Sequence::begin_owner(const Record& record) {
  const std::string_view name = reader_.has_owners() ? record.owner : kOnlyOwner;
  if (name.empty()) {
    return Event::kSystem;
  }
  std::uint32_t place = owners_.find(name);
  if (place == kNone) {
    place = owners_.add(name);
    first_.resize(std::max<std::size_t>(first_.size(), place + 1), kNone);
    first_[place] = kNone;
  }
  return place;
}

void Sequence::add(std::uint32_t place, std::uint64_t id, std::uint32_t owner) {
  blocks_.resize(std::max<std::size_t>(blocks_.size(), place + 1));
  blocks_[place] = {id, owner, kNone, kNone};
  if (owner == Event::kSystem) {
    return;
  }
  std::uint32_t& first = first_[owner];
  blocks_[place].next = first;
  if (first != kNone) {
    blocks_[first].previous = place;
  }
  first = place;
}

void Sequence::remove(std::uint32_t place) {
  const Block& block = blocks_[place];
  if (block.owner == Event::kSystem) {
    return;
  }
  if (block.next != kNone) {
    blocks_[block.next].previous = block.previous;
  }
  (block.previous != kNone ? blocks_[block.previous].next : first_[block.owner]) = block.next;
}

}  // namespace modmem::trace
