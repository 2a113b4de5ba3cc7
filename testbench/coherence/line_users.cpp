#include "testbench/coherence/line_users.hpp"

#include <algorithm>
#include <limits>

#include "testbench/modules/call_site.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

namespace {

// The owner's name; of a loaded module's own account that of the component that it lies below, as
// all such accounts have one name.
std::string name_of(const Owner& owner) {
  const Owner* const above = owner.parent;
  const bool is_inner = owner.spec.kind == OwnerKind::module && above != nullptr &&
                        above->spec.kind == OwnerKind::module;
  return is_inner ? above->spec.name : owner.spec.name;
}

}  // namespace

LineUsers::LineUsers(std::size_t bytes, std::size_t line_bytes)
    : line_bytes_(line_bytes), live_(bytes / line_bytes), last_(bytes / line_bytes), users_(1) {}

void LineUsers::note(const Request& request, std::uint32_t core) {
  UserNote note;
  note.owner = request.owner != nullptr ? name_of(*request.owner) : "system";
  note.owner_id = request.owner != nullptr ? request.owner->spec.id : 0;
  note.site = request.site.where != nullptr ? to_text(request.site) : "";
  note.core = core;
  note.coherent = (request.flags & flag::kCoherent) != 0;
  const auto [known, is_new] =
      known_.try_emplace({note.owner, note.owner_id, note.site, note.core, note.coherent}, kNobody);
  if (is_new && users_.size() <= std::numeric_limits<User>::max()) {
    known->second = static_cast<User>(users_.size());
    users_.push_back(std::move(note));
  }
  next_ = known->second;
}

// One block more, or less, in the lines of [first, end).
void LineUsers::count(std::size_t first, std::size_t end, int change) {
  for (std::size_t line = first / line_bytes_; line * line_bytes_ < end; ++line) {
    live_[line] = static_cast<std::uint8_t>(live_[line] + change);
    if (change > 0) {
      last_[line] = next_;
    }
  }
}

void LineUsers::hand_out(std::size_t at, std::size_t bytes) {
  blocks_[at] = {bytes, next_};
  count(at, at + bytes, 1);
}

void LineUsers::resize(std::size_t at, std::size_t bytes) {
  Block& block = blocks_.at(at);
  count(at, at + block.bytes, -1);
  block = {bytes, next_};
  count(at, at + bytes, 1);
}

void LineUsers::take_back(std::size_t at) {
  const auto block = blocks_.find(at);
  if (block != blocks_.end()) {
    count(at, at + block->second.bytes, -1);
    blocks_.erase(block);
  }
}

// The first block that ends behind the line's start.
LineUsers::Blocks::const_iterator LineUsers::first_in(std::size_t line) const {
  const std::size_t start = line * line_bytes_;
  auto at = blocks_.upper_bound(start);
  if (at != blocks_.begin()) {
    const auto before = std::prev(at);
    if (before->first + before->second.bytes > start) {
      at = before;
    }
  }
  return at;
}

LineUsers::User LineUsers::first_owner(std::size_t line) const {
  const auto first = first_in(line);
  return first != blocks_.end() && first->first < (line + 1) * line_bytes_ ? first->second.user
                                                                           : kNobody;
}

LineUsers::User LineUsers::second_owner(std::size_t line) const {
  const UserNote& first = users_[first_owner(line)];
  for (auto at = first_in(line); at != blocks_.end() && at->first < (line + 1) * line_bytes_;
       ++at) {
    const UserNote& user = users_[at->second.user];
    if (user.owner_id != first.owner_id || user.owner != first.owner) {
      return at->second.user;
    }
  }
  return kNobody;
}

}  // namespace modmem::testbench
