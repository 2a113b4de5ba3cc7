#include "trace/ctf_records.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "trace/ctf_fields.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

using namespace field;

namespace {

std::string hexadecimal(std::uint64_t id) {
  char text[20];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(id));
  return text;
}

}  // namespace

bool CtfRecords::next(Record& record) {
  CtfEvent event;
  while (rows_.empty()) {
    if (!events_.next(event)) {
      return false;
    }
    take(event);
  }
  record = std::move(rows_.front());
  rows_.pop_front();
  ++row_;
  return true;
}

void CtfRecords::rewind() {
  events_.rewind();
  rows_.clear();
  accounts_.clear();
  blocks_.clear();
  place_of_.clear();
  sites_.clear();
  streams_.clear();
  next_id_ = row_ = 0;
}

void CtfRecords::fail(const std::string& reason) const {
  throw TraceError(name() + ": row " + std::to_string(row_) + ": " + reason);
}

Record& CtfRecords::add(const CtfEvent& event, const char* op) {
  Record& record = rows_.emplace_back();
  record.time_us = event.time_us;
  record.op = op;
  return record;
}

void CtfRecords::take(const CtfEvent& event) {
  const Fields& fields = event.fields;
  switch (event.kind) {
    case EventKind::allocate:
    case EventKind::range:
      allocate(event, false);
      break;
    case EventKind::resize:
      allocate(event, true);
      break;
    case EventKind::free:
      free(event, fields[kFreeMemory], fields[kFreePlace]);
      break;
    case EventKind::site_name:
      sites_[fields[kNumber]] =
          fields[kLine] != 0 ? event.text + ":" + std::to_string(fields[kLine]) : event.text;
      break;
    case EventKind::owner_name:
      owner_name_ = event.text;
      break;
    case EventKind::owner_begin:
      begin(fields[kHandle], fields[kParent], fields[kId]);
      break;
    case EventKind::plan_entry:
      if (fields[kCreated] != 0) {
        begin(fields[kHandle], fields[kParent], fields[kId]);
      }
      break;
    case EventKind::owner_end:
      end(event, fields[kEnded], true);
      break;
    case EventKind::upkeep:
      if (static_cast<Upkeep>(fields[kWhat]) == Upkeep::release_all) {
        end(event, fields[kUpkeepOwner], false);
      }
      break;
    default:
      break;
  }
}

void CtfRecords::begin(std::uint64_t handle, std::uint64_t parent, std::uint64_t id) {
  if (handle == event::kNone) {
    return;
  }
  Account account;
  account.parent = parent;
  const auto above = accounts_.find(parent);
  if (handle != parent && above != accounts_.end()) {
    above->second.children.insert(handle);
    account.is_stream = above->second.stream.empty();
    account.stream = events_.is_converted() ? owner_name_
                     : account.is_stream
                         ? owner_name_ + "/" + hexadecimal(id) + "/" + std::to_string(handle)
                         : above->second.stream;
  }
  accounts_[handle] = std::move(account);
}

void CtfRecords::allocate(const CtfEvent& event, bool resized) {
  const Fields& fields = event.fields;
  const bool refused = fields[kPlace] == event::kNoPlace;
  const auto old =
      resized ? blocks_.find(key_of(fields[kOldMemory], fields[kOldPlace])) : blocks_.end();
  if (resized && old == blocks_.end()) {
    return;  // of a block that the trace does not have
  }
  Record& record = add(event, resized ? "realloc" : "alloc");
  record.id = resized ? old->second.id : next_id_++;
  record.bytes = static_cast<std::uint32_t>(fields[kBytes]);
  record.alignment = static_cast<std::uint32_t>(
      event::alignment_of(static_cast<std::uint8_t>(fields[kAlignment])));
  record.flags = static_cast<Flags>(fields[kIntent] << event::kFlagsShift);
  const auto site = sites_.find(fields[kSite]);
  record.caller = site != sites_.end() ? site->second : "";
  Account& account = accounts_[fields[kOwner]];
  record.owner = account.stream;
  record.refused = refused;
  streams_.insert(account.stream);
  if (refused) {
    return;
  }
  Block block{record.id, fields[kOwner]};
  if (resized) {
    blocks_.erase(old);
  }
  const std::uint64_t place = key_of(fields[kMemory], fields[kPlace]);
  blocks_[place] = block;
  place_of_[block.id] = place;
  account.blocks.insert(block.id);
}

void CtfRecords::free(const CtfEvent& event, std::uint64_t memory, std::uint64_t place) {
  const auto found = blocks_.find(key_of(memory, place));
  if (found == blocks_.end()) {
    return;
  }
  const Block block = found->second;
  blocks_.erase(found);
  place_of_.erase(block.id);
  accounts_[block.owner].blocks.erase(block.id);
  Record& record = add(event, "free");
  record.id = block.id;
  record.owner = accounts_[block.owner].stream;
}

// Ends all blocks of an owner and, where it goes itself, those of the ones below it.
void CtfRecords::end(const CtfEvent& event, std::uint64_t handle, bool goes) {
  const auto found = accounts_.find(handle);
  if (found == accounts_.end()) {
    return;
  }
  const bool is_stream = found->second.is_stream;
  const std::string stream = found->second.stream;
  std::vector<std::uint64_t> ids;
  std::vector<std::uint64_t> tree{handle};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    Account& account = accounts_[tree[i]];
    ids.insert(ids.end(), account.blocks.begin(), account.blocks.end());
    account.blocks.clear();
    if (goes) {
      tree.insert(tree.end(), account.children.begin(), account.children.end());
    }
  }
  std::sort(ids.rbegin(), ids.rend());
  for (const std::uint64_t id : ids) {
    blocks_.erase(place_of_[id]);
    place_of_.erase(id);
    if (!goes || !is_stream) {
      Record& record = add(event, "free");
      record.id = id;
      record.owner = stream;
    }
  }
  if (!goes) {
    return;
  }
  if (is_stream && streams_.erase(stream) != 0) {
    add(event, "release").owner = stream;
  }
  accounts_[accounts_[handle].parent].children.erase(handle);
  for (const std::uint64_t one : tree) {
    accounts_.erase(one);
  }
}

}  // namespace modmem::trace
