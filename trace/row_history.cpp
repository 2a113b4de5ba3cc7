#include "trace/row_history.hpp"

#include <algorithm>
#include <string_view>

namespace modmem::trace {

namespace {

ReplayOptions options_for(MemoryObserver& observer) {
  ReplayOptions options;
  options.check_payload = false;
  options.time_calls = false;
  options.observer = &observer;
  return options;
}

// What a stream is called: composed days name theirs by a number alone.
std::string shown(const char* name, std::uint32_t number) {
  const std::string_view text(name != nullptr ? name : "");
  const bool digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) {
    return std::string(text);
  }
  return "stream " + (text.empty() ? std::to_string(number) : std::string(text));
}

}  // namespace

RowHistory::RowHistory(const PlatformConfig& platform, const Policy& policy)
    : replay_(platform, policy, options_for(*this)) {}

void RowHistory::play(std::span<const Event> events) {
  for (const Event& event : events) {
    play_one(event);
  }
}

void RowHistory::play_one(const Event& event) {
  begin_event(event.time_us, event.kind != OpKind::allocate || event.boundary);
  const std::uint64_t failures = replay_.figures().failures;
  replay_.play({&event, 1});
  const bool served = replay_.figures().failures == failures;
  if (event.kind == OpKind::allocate && !accounts().lives(event.owner)) {
    begin_owner(
        {.place = event.owner, .name = shown(event.owner_name, accounts().owners_begun() + 1)});
  }
  Event timed = event;
  timed.time_us = time_us();
  note(timed, served);
  end_event(served ? nullptr : &timed);
}

// Owners of the replay are called alike, and numbered as they begin.
std::string RowHistory::holder_name(const Failure::TopOwner& owner) const {
  for (std::uint32_t place = 0; place < accounts().places(); ++place) {
    if (owner.kind == OwnerKind::pipeline && accounts().lives(place) &&
        accounts().owner(place).number == owner.id) {
      return accounts().owner(place).name;
    }
  }
  return owner.name;
}

}  // namespace modmem::trace
