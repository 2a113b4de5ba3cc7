// Guarantees and limits: what owners are sure to get, and what they get at most.
//
// The guarantee of an owner is kept by the account of its heap, but for what it has passed on: the
// guarantee of an owner below is taken out of it.
//
//   guarantee of an account = the owner's, in frames - those of the nearest owners below that have
//     one; it is never negative
//   claim of an owner with a guarantee = max(what it has not passed on, the bytes that it and the
//     owners without one below it hold) + claims of the nearest owners below that have one
//   claim of an owner without = those bytes + those claims; a claim never passes the owner's limit
//
// Cost: O(owners) to come and go. A request costs nothing more, but where a limit stands above
// owners with guarantees: O(owners below that limit).

#include "memory/memory.hpp"

namespace modmem {

namespace {

// More than any pool has, and sums of a few of them are still numbers.
constexpr std::uint32_t kMostFrames = UINT32_MAX / 4;

std::uint32_t frames_for(std::size_t bytes) {
  const std::size_t frames = divide_up(bytes, config::kPageBytes);
  return frames < kMostFrames ? static_cast<std::uint32_t>(frames) : kMostFrames;
}

}  // namespace

// The nearest of `owner` and those above it that has a guarantee; nullptr where none has.
const Owner* Memory::guarantor_of(const Owner* owner) {
  while (owner != nullptr && owner->spec.guarantee == 0) {
    owner = owner->parent;
  }
  return owner;
}

// Frames that the owners below have out of this one's guarantee, or of the one above it.
std::uint32_t Memory::guaranteed_below(const Owner& owner) {
  std::uint32_t frames = 0;
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    frames +=
        child->spec.guarantee != 0 ? frames_for(child->spec.guarantee) : guaranteed_below(*child);
  }
  return frames;
}

// Whether an owner with a heap of its own below `parent` could have a guarantee of `bytes`;
// `figures` say why not.
bool Memory::can_guarantee(const Owner* parent, std::size_t bytes,
                           GuaranteeFigures& figures) const {
  settle();
  figures = {};
  const std::uint32_t frames = frames_for(bytes);
  std::uint32_t asked = frames;
  if (const Owner* guarantor = guarantor_of(parent)) {
    const std::uint32_t total = frames_for(guarantor->spec.guarantee);
    const std::uint32_t below = guaranteed_below(*guarantor);
    if (frames > total - below) {
      figures = {frames, 0, below, 0, total, guarantor->spec.name};
      return false;
    }
    // What the guarantor holds of it already has to come from the pool.
    PageAccount rest = own_heap(*guarantor).account;
    const std::uint32_t unused = rest.unused_guarantee();
    rest.guarantee -= frames;
    asked = frames - (unused - rest.unused_guarantee());
  } else if (frames != 0) {
    figures.metadata = metadata_share(frames);
    asked += figures.metadata;
  }
  figures.asked = asked;
  figures.guaranteed = pool_.reserved();
  figures.held = pool_.taken();
  figures.total = pool_.frames();
  return asked <= pool_.free() - pool_.reserved();
}

// Gives the heap of `owner`, which holds nothing yet, the owner's guarantee. Returns false, with
// nothing changed, exactly when it can't be kept.
bool Memory::begin_guarantee(HeapSlot& slot, const Owner& owner) {
  const std::uint32_t frames = frames_for(owner.spec.guarantee);
  GuaranteeFigures figures;
  if (frames == 0) {
    return true;
  }
  if (frames > slot.account.limit || !can_guarantee(owner.parent, owner.spec.guarantee, figures)) {
    return false;
  }
  if (const Owner* guarantor = guarantor_of(owner.parent)) {
    PageAccount& above = own_heap(*guarantor).account;
    pool_.set_guarantee(above, above.guarantee - frames);
  } else {
    set_aside_ += metadata_share(frames);
  }
  pool_.set_guarantee(slot.account, frames);
  ++guarantees_;
  return true;
}

// Ends the guarantee of a heap that holds nothing any more: back to the owner above.
void Memory::end_guarantee(HeapSlot& slot) {
  settle();
  const std::uint32_t frames = slot.account.guarantee;
  pool_.set_guarantee(slot.account, 0);
  if (frames == 0) {
    return;
  }
  --guarantees_;
  if (const Owner* guarantor = guarantor_of(slot.owner->parent)) {
    PageAccount& above = own_heap(*guarantor).account;
    pool_.set_guarantee(above, above.guarantee + frames);
  } else {
    set_aside_ -= metadata_share(frames);
  }
}

// Whether an owner that has a heap there is served from it, so that a guarantee is one.
bool Memory::is_served_by_own_heap(const Owner& parent, OwnerKind kind) const {
  const Owner* keeper = keeper_of(parent);
  return keeper != nullptr ? keeper->spec.kind == OwnerKind::heap
                           : is_private(kind) || policy_->unflagged.place == Place::owner;
}

bool Memory::set_frame_limit(Owner& owner, std::uint32_t frames) {
  const Call call(*this);
  release_all_waiting();
  settle();
  PageAccount& account = own_heap(owner).account;
  if (account.held > frames || account.guarantee > frames) {
    return false;
  }
  account.limit = frames;
  note_limit(owner, frames, true);
  return true;
}

// --- bytes ---

// Adds what the owner and those below it hold and are sure to get to what the one above it does.
void Memory::add_claim(const Owner& owner, Claim& above) const {
  Claim own = inner_claim(owner, nullptr);
  const std::size_t sure = sure_bytes(owner);
  if (sure != 0) {
    own = {0, own.total(sure), owner.spec.guarantee != 0 ? owner.spec.guarantee : own.passed_on};
  }
  above.bytes += own.bytes;
  above.below += own.below;
  above.passed_on += own.passed_on;
}

// The same of the owner itself and of those below it, but for the child `without`.
Memory::Claim Memory::inner_claim(const Owner& owner, const Owner* without) const {
  Claim claim{owner.own, 0, 0};
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    if (child != without) {
      add_claim(*child, claim);
    }
  }
  return claim;
}

std::size_t Memory::claim_of(const Owner& owner) const {
  return inner_claim(owner, nullptr).total(sure_bytes(owner));
}

// Bytes that may be charged to the owner: below each limit, beside what others are sure to get.
std::size_t Memory::room_below_limits(const Owner& owner) const {
  const Owner* top = nullptr;
  for (const Owner* at = &owner; at != nullptr; at = at->parent) {
    top = at->spec.limit != OwnerSpec::kNoLimit ? at : top;
  }
  std::size_t room = OwnerSpec::kNoLimit;
  std::size_t unused = 0;  // of the guarantee that the bytes come out of
  bool guaranteed = false;
  Claim claim;  // of the owner that was looked at before
  const Owner* below = nullptr;
  for (const Owner* at = &owner; top != nullptr; below = at, at = at->parent) {
    const std::size_t guarantee = sure_bytes(*at);
    std::size_t total = at->tree;
    if (guarantees_ != 0 || first_reservation_ != SlotStore::kNone) {
      const Claim others = inner_claim(*at, below);
      claim = {claim.bytes + others.bytes, claim.below + others.below,
               claim.passed_on + others.passed_on};
      total = claim.total(guarantee);
      if (guarantee != 0) {
        unused = guaranteed ? unused : total - claim.bytes - claim.below;
        guaranteed = true;
        claim = {0, total, at->spec.guarantee != 0 ? at->spec.guarantee : claim.passed_on};
      }
    }
    const std::size_t limit = at->spec.limit;
    if (limit != OwnerSpec::kNoLimit) {
      const std::size_t left = limit - total + unused;
      room = left < room ? left : room;
    }
    top = at == top ? nullptr : top;
  }
  return room;
}

// Whether the guarantee of a new owner below `parent` would be more than a limit allows.
bool Memory::passes_limit(const Owner& parent, const OwnerSpec& spec) const {
  return spec.guarantee > spec.limit ||
         (spec.guarantee != 0 && spec.guarantee > room_below_limits(parent));
}

bool Memory::set_limit(Owner& owner, std::size_t limit) {
  const Call call(*this);
  if (claim_of(owner) > limit) {
    return false;
  }
  owner.spec.limit = limit;
  note_limit(owner, limit, false);
  return true;
}

bool Memory::check_guarantees(const Owner& owner) const {
  settle();
  if (owner.spec.guarantee != 0) {
    if (owner.heap == kNoHeap) {
      return false;
    }
    const PageAccount& account = own_heap(owner).account;
    if (account.guarantee + guaranteed_below(owner) != frames_for(owner.spec.guarantee) ||
        account.guarantee > account.limit) {
      return false;
    }
  }
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    if (!check_guarantees(*child)) {
      return false;
    }
  }
  return claim_of(owner) <= owner.spec.limit;
}

}  // namespace modmem
