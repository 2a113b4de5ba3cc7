#include "trace/recorded_history.hpp"

#include <string_view>
#include <utility>

#include "trace/ctf_fields.hpp"
#include "trace/site_names.hpp"

namespace modmem::trace {

using namespace field;

namespace {

ReplayOptions options_for(MemoryObserver& observer) {
  ReplayOptions options;
  options.time_calls = false;
  options.observer = &observer;
  return options;
}

// Whether an event may let memory go.
bool may_release(EventKind kind) {
  return kind == EventKind::free || kind == EventKind::resize || kind == EventKind::owner_end ||
         kind == EventKind::upkeep || kind == EventKind::owner_limit;
}

bool is_request(EventKind kind) {
  return kind == EventKind::allocate || kind == EventKind::range || kind == EventKind::resize;
}

std::string site_text(std::string_view file, std::uint64_t line) {
  while (file.starts_with("../")) {
    file.remove_prefix(3);
  }
  return std::string(file) + (line != 0 ? ":" + std::to_string(line) : "");
}

}  // namespace

RecordedHistory::RecordedHistory(const PlatformConfig& platform, const Policy& policy)
    : rerun_(platform, policy, options_for(*this)) {}

void RecordedHistory::play(const CtfEvent& event, std::uint64_t lost) {
  begin_event(event.time_us, may_release(event.kind));
  note_lost(lost);
  const std::uint64_t failures = rerun_.failures();
  rerun_.play(event);
  const bool served = rerun_.failures() == failures;
  note_call(event, served);
  if (served) {
    end_event(nullptr);
    return;
  }
  Event failed;
  if (is_request(event.kind)) {
    failed = request_of(OpKind::allocate, event.fields);
    failed.owner = place_of(event.fields[kOwner]).value_or(Event::kSystem);
  }
  end_event(&failed);
}

void RecordedHistory::note_call(const CtfEvent& event, bool served) {
  const Fields& fields = event.fields;
  switch (event.kind) {
    case EventKind::allocate:
    case EventKind::range:
      allocate(request_of(OpKind::allocate, fields), fields, served);
      break;
    case EventKind::resize:
      resize(request_of(OpKind::resize, fields), fields, served);
      break;
    case EventKind::free:
      free(fields);
      break;
    case EventKind::site_name:
      sites_[fields[kNumber]] = site_name(site_text(event.text, fields[kLine]));
      break;
    case EventKind::owner_name:
      owner_name_ = event.text;
      break;
    case EventKind::owner_begin:
      begin(fields, std::exchange(owner_name_, ""));
      break;
    case EventKind::plan_entry:
      if (fields[kCreated] != 0) {
        planned_.push_back({fields, std::exchange(owner_name_, "")});
      }
      break;
    case EventKind::plan_end:
      for (Planned& planned : planned_) {
        if (fields[kAdmitted] != 0) {
          begin(planned.fields, std::move(planned.name));
        }
      }
      planned_.clear();
      break;
    case EventKind::owner_end:
      if (const auto place = place_of(fields[kEnded]); place && *place != Event::kSystem) {
        end(*place);
      }
      break;
    case EventKind::upkeep:
      upkeep(fields);
      break;
    case EventKind::pipeline:
      note_pipeline(static_cast<std::uint32_t>(fields[kPipeline]),
                    static_cast<std::uint8_t>(fields[kState]));
      break;
    default:
      break;
  }
}

Event RecordedHistory::request_of(OpKind kind, const Fields& fields) const {
  Event event;
  event.time_us = time_us();
  event.kind = kind;
  event.bytes = static_cast<std::uint32_t>(fields[kBytes]);
  event.alignment = static_cast<std::uint32_t>(
      event::alignment_of(static_cast<std::uint8_t>(fields[kAlignment])));
  event.flags = static_cast<Flags>(fields[kIntent] << event::kFlagsShift);
  const auto site = sites_.find(fields[kSite]);
  event.site = site != sites_.end() ? site->second : nullptr;
  return event;
}

// A request that was refused in the recording has no block later on, whatever becomes of it now.
void RecordedHistory::allocate(Event event, const Fields& fields, bool served) {
  const auto place = place_of(fields[kOwner]);
  if (!place) {
    return;  // nobody knows of it: events are lost
  }
  const bool refused = fields[kPlace] == event::kNoPlace;
  event.owner = *place;
  event.block = add_block(refused ? kNowhere : key_of(fields[kMemory], fields[kPlace]));
  note(event, served);
  if (refused) {
    event.kind = OpKind::free;
    note(event, true);
    drop_block(event.block);
  }
}

void RecordedHistory::resize(Event event, const Fields& fields, bool served) {
  const std::uint64_t old_key = key_of(fields[kOldMemory], fields[kOldPlace]);
  const auto old = blocks_.find(old_key);
  if (old == blocks_.end()) {
    return;
  }
  event.block = old->second;
  event.owner = accounts().blocks()[event.block].owner;
  note(event, served);
  if (fields[kPlace] != event::kNoPlace) {
    blocks_.erase(old);
    keys_[event.block] = key_of(fields[kMemory], fields[kPlace]);
    blocks_[keys_[event.block]] = event.block;
  }
}

void RecordedHistory::free(const Fields& fields) {
  const auto found = blocks_.find(key_of(fields[kFreeMemory], fields[kFreePlace]));
  if (found == blocks_.end()) {
    return;
  }
  Event event;
  event.time_us = time_us();
  event.kind = OpKind::free;
  event.block = found->second;
  note(event, true);
  drop_block(event.block);
}

void RecordedHistory::begin(const Fields& fields, std::string name) {
  if (fields[kHandle] == fields[kParent]) {
    system_ = fields[kHandle];
    return;
  }
  const auto parent = place_of(fields[kParent]);
  if (fields[kHandle] == event::kNone || !parent || place_of(fields[kHandle]) ||
      fields[kKind] > static_cast<std::uint64_t>(OwnerKind::slots)) {
    return;  // refused; or the trace is damaged
  }
  begin_owner({.place = static_cast<std::uint32_t>(fields[kHandle]),
               .name = std::move(name),
               .kind = static_cast<OwnerKind>(fields[kKind]),
               .parent = *parent});
}

// The owner at a place ends, and before it all below it.
void RecordedHistory::end(std::uint32_t place) {
  for (std::uint32_t at = 0; at < accounts().places(); ++at) {
    if (accounts().lives(at) && accounts().owner(at).parent == place) {
      end(at);
    }
  }
  let_go(place);
  Event event;
  event.time_us = time_us();
  event.kind = OpKind::release;
  event.owner = place;
  note(event, true);
}

void RecordedHistory::upkeep(const Fields& fields) {
  const auto place = place_of(fields[kUpkeepOwner]);
  if (!place || *place == Event::kSystem) {
    return;
  }
  const auto what = static_cast<Upkeep>(fields[kWhat]);
  if (what == Upkeep::release_all) {
    let_go(*place);
  } else if (what == Upkeep::put_region && rerun_.owner(*place) == nullptr) {
    end(*place);  // that was the last reference
  }
}

// All blocks of the owner at a place end.
void RecordedHistory::let_go(std::uint32_t place) {
  std::vector<std::uint32_t> ended;
  accounts().for_each_block(place, [&](std::uint32_t block) { ended.push_back(block); });
  end_blocks(place);
  for (const std::uint32_t block : ended) {
    drop_block(block);
  }
}

std::optional<std::uint32_t> RecordedHistory::place_of(std::uint64_t handle) const {
  if (handle == system_) {
    return Event::kSystem;
  }
  const auto place = static_cast<std::uint32_t>(handle);
  const bool lives = handle < accounts().places() && accounts().lives(place);
  return lives ? std::optional(place) : std::nullopt;
}

const std::byte* RecordedHistory::address(std::uint32_t block) const {
  return static_cast<const std::byte*>(rerun_.block(keys_[block]));
}

std::uint32_t RecordedHistory::add_block(std::uint64_t key) {
  std::uint32_t block = 0;
  if (free_blocks_.empty()) {
    block = static_cast<std::uint32_t>(keys_.size());
    keys_.push_back(key);
  } else {
    block = free_blocks_.back();
    free_blocks_.pop_back();
    keys_[block] = key;
  }
  if (key != kNowhere) {
    blocks_[key] = block;
  }
  return block;
}

void RecordedHistory::drop_block(std::uint32_t block) {
  const auto found = blocks_.find(keys_[block]);
  if (found != blocks_.end() && found->second == block) {
    blocks_.erase(found);
  }
  keys_[block] = kNowhere;
  free_blocks_.push_back(block);
}

}  // namespace modmem::trace
