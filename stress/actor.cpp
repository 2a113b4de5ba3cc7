#include "stress/actor.hpp"

#include <algorithm>
#include <cstring>

#include "stress/finding.hpp"

namespace modmem::stress {

namespace {
constexpr std::size_t kMostBlocks = 500;
// Memory fills up for so many steps, and empties for as many.
constexpr std::uint64_t kTide = 800;
constexpr std::size_t kMostTenants = 6;
constexpr std::size_t kMostCopies = 8;
constexpr std::size_t kMostObjects = 40;
// What a run is told to do wrong, it does in one thread, once it is under way.
constexpr std::uint64_t kPlantedStep = 500;
}  // namespace

Actor::Actor(SharedState& state, std::uint32_t thread)
    : state_(state), thread_(thread), random_(state.seed() * 1000 + thread) {}

// --- choosing ---

Flags Actor::any_flags() {
  static constexpr Flags kFlags[] = {0,
                                     0,
                                     0,
                                     flag::kUser,
                                     flag::kKernel,
                                     flag::kShared,
                                     flag::kDma,
                                     flag::kCoherent,
                                     flag::kLowPower,
                                     flag::kUser | flag::kLargeBuffer,
                                     flag::kCoherent | flag::kLargeBuffer};
  // L3 is the primary core's.
  return thread_ == 0 && random_.one_in(12) ? flag::kL3 : kFlags[random_.below(std::size(kFlags))];
}

std::size_t Actor::any_size() {
  return random_.one_in(10) ? random_.size(60000) : random_.size(3000);
}

// More blocks come than go while memory fills up, and the other way round.
bool Actor::is_time_to_fill() {
  const bool rises = counters_.operations / kTide % 2 == 0;
  return random_.one_in(4) != rises && blocks_.size() < kMostBlocks;
}

Tenant& Actor::any_tenant() {
  return tenants_.empty() || random_.one_in(4) ? state_.common()
                                               : *tenants_[random_.below(tenants_.size())];
}

Block Actor::make(void* start, std::size_t bytes, Tenant& tenant) {
  const Block block{static_cast<unsigned char*>(start), bytes, state_.next_stamp(), &tenant};
  block.fill();
  return block;
}

Block Actor::take_out(std::size_t index) {
  const Block block = blocks_[index];
  blocks_[index] = blocks_.back();
  blocks_.pop_back();
  return block;
}

// --- steps ---

void Actor::step() {
  Place::step();
  ++counters_.operations;
  if (thread_ == 0 && counters_.operations == kPlantedStep) {
    switch (state_.planted()) {
      case Planted::none:
        break;
      case Planted::leak:
        expect(memory().allocate({state_.common().owner, 100, 0, flag::kSilent, MODMEM_HERE}) !=
                   nullptr,
               "no memory for the planted leak");
        break;
      case Planted::overrun:
      case Planted::free_twice: {
        const Request request{state_.common().owner, 100, 0, flag::kSilent, MODMEM_HERE};
        void* block = memory().allocate(request);
        expect(block != nullptr, "no memory for the planted mistake");
        blocks_.push_back(make(block, request.bytes, state_.common()));
        if (state_.planted() == Planted::overrun) {
          blocks_.back().start[request.bytes - 1] ^= 1;
        } else {
          memory().free(block);
        }
        break;
      }
    }
  }
  switch (random_.below(32)) {
    case 0:
      create_owner();
      break;
    case 1:
      if (!tenants_.empty()) {
        end_owner(random_.below(tenants_.size()), false);
      }
      break;
    case 2:
      allocate_range();
      break;
    case 3:
    case 4:
      reallocate();
      break;
    case 5:
      misuse();
      break;
    case 6:
    case 7:
    case 8:
    case 9:
      send();
      break;
    case 10:
    case 11:
    case 12:
    case 13:
      receive();
      break;
    case 14:
      enter_region();
      break;
    case 15:
    case 16:
      work_in_region();
      break;
    case 17:
      leave_region();
      break;
    case 18:
      random_.one_in(2) ? take_copy() : return_copy();
      break;
    case 19:
      random_.one_in(2) ? take_object() : return_object();
      break;
    case 20:
      look();
      break;
    default:
      is_time_to_fill() ? allocate() : free();
      break;
  }
}

void Actor::allocate() {
  Tenant& tenant = any_tenant();
  const std::size_t alignment = random_.one_in(3) ? std::size_t{1} << random_.below(10) : 0;
  const Request request{tenant.owner, any_size(), alignment, any_flags(), MODMEM_HERE};
  const bool zeroed = random_.one_in(4);
  void* start = zeroed ? memory().allocate_zeroed(request) : memory().allocate(request);
  if (start == nullptr) {
    refuse();
    return;
  }
  const auto* bytes = static_cast<const unsigned char*>(start);
  expect(!zeroed || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, request.bytes - 1) == 0),
         "a zeroed block is not zero");
  expect(alignment == 0 || reinterpret_cast<std::uintptr_t>(start) % alignment == 0,
         "a block is not aligned");
  blocks_.push_back(make(start, request.bytes, tenant));
  blocks_.back().is_l3 = (request.flags & flag::kL3) != 0;
}

void Actor::allocate_range() {
  Tenant& tenant = any_tenant();
  const Request request{tenant.owner, any_size(), 0, any_flags(), MODMEM_HERE};
  const Range range = memory().allocate_range(request, request.bytes + random_.below(20000), 64);
  if (range.pointer == nullptr) {
    refuse();
    return;
  }
  expect(range.bytes >= request.bytes, "a range is too short");
  blocks_.push_back(make(range.pointer, range.bytes, tenant));
  blocks_.back().is_l3 = (request.flags & flag::kL3) != 0;
}

void Actor::reallocate() {
  if (blocks_.empty()) {
    return;
  }
  Block& block = blocks_[random_.below(blocks_.size())];
  expect(block.is_intact(), "a block's content changed");
  const std::size_t bytes = any_size();
  void* start = memory().reallocate(block.start, {block.tenant->owner, bytes, 0, 0, MODMEM_HERE});
  if (start == nullptr) {
    refuse();
    expect(block.is_intact(), "a block that could not be resized changed");
    return;
  }
  const std::size_t kept = std::min(bytes, block.bytes);
  block.start = static_cast<unsigned char*>(start);
  block.bytes = bytes;
  block.is_l3 = false;
  expect(block.holds(kept), "a resized block lost its content");
  block.fill(kept);
}

void Actor::end_block(const Block& block) {
  expect(block.is_intact(), "a block's content changed");
  const Owner* owner = random_.one_in(2) ? block.tenant->owner : nullptr;
  expect(memory().free(block.start, owner) == PointerStatus::live, "a live block is not freed");
  if (block.is_guest) {
    ++counters_.remote_frees;
    block.tenant->abroad.fetch_sub(1);  // its owner may end from now on
  }
}

void Actor::free() {
  if (!blocks_.empty()) {
    end_block(take_out(random_.below(blocks_.size())));
  }
}

void Actor::misuse() {
  int local = 0;
  expect(memory().free(&local) == PointerStatus::foreign, "a local variable is freed");
  ++counters_.misuses;
  if (!blocks_.empty()) {
    const Block& block = blocks_[random_.below(blocks_.size())];
    if (block.bytes > 1) {
      expect(memory().free(block.start + 1) == PointerStatus::interior,
             "the middle of a block is freed");
      ++counters_.misuses;
    }
  }
}

void Actor::send() {
  if (blocks_.empty() || state_.threads() == 1) {
    return;
  }
  const std::size_t index = random_.below(blocks_.size());
  if (blocks_[index].is_l3) {
    return;
  }
  Block block = take_out(index);
  expect(block.is_intact(), "a block's content changed");
  if (!block.is_guest) {
    block.is_guest = true;
    block.tenant->abroad.fetch_add(1);
  }
  const auto other = static_cast<std::uint32_t>(1 + random_.below(state_.threads() - 1));
  state_.mailbox((thread_ + other) % state_.threads()).put(block);
}

void Actor::receive() {
  if (const auto block = state_.mailbox(thread_).take()) {
    // At once, or when its turn comes.
    if (random_.one_in(2)) {
      end_block(*block);
    } else {
      blocks_.push_back(*block);
    }
  }
}

// --- owners ---

void Actor::create_owner() {
  if (tenants_.size() >= kMostTenants) {
    return;
  }
  OwnerSpec spec{.kind = OwnerKind::pipeline, .id = state_.next_id(), .name = "tenant"};
  HeapSpec heap;
  Owner* parent = &memory().system();
  if (random_.one_in(3)) {
    spec.kind = OwnerKind::module;
    parent = state_.common().owner->parent;
  } else if (random_.one_in(5)) {
    spec.kind = OwnerKind::heap;
  } else if (random_.one_in(4)) {
    spec.guarantee = 4 * config::kPageBytes;
  }
  if (random_.one_in(3)) {
    spec.limit = 4096 + random_.below(100000);
  }
  Owner* owner = memory().create_owner(*parent, spec, heap);
  if (owner == nullptr) {
    refuse();
    return;
  }
  tenants_.push_back(std::make_unique<Tenant>());
  tenants_.back()->owner = owner;
  if (random_.one_in(4) && !memory().premap(*owner, 4, 16)) {
    refuse();
  }
}

// Blocks that other threads ended may still wait for their core.
void Actor::end_owner(std::size_t index, bool must_end) {
  Tenant* tenant = tenants_[index].get();
  if (tenant->abroad.load() != 0) {
    expect(!must_end, "a block is with nobody");
    return;
  }
  Owner& owner = *tenant->owner;
  std::size_t left = 0;
  for (std::size_t at = blocks_.size(); at-- > 0;) {
    if (blocks_[at].tenant == tenant) {
      expect(take_out(at).is_intact(), "a block's content changed");
      ++left;
    }
  }
  counters_.ended_with_queue += memory().heap_report(owner).queued_bytes != 0 ? 1 : 0;
  if (left > 0) {
    expect(!memory().destroy_empty_owner(owner), "an owner with blocks is taken for empty");
  }
  switch (random_.below(3)) {
    case 0:
      expect(memory().release_all(owner) == left, "not all blocks are released");
      expect(memory().destroy_empty_owner(owner), "an owner is not empty");
      break;
    case 1:
      memory().release_owner(owner);
      break;
    default:
      expect(memory().destroy_owner(owner) == left, "not every leak is counted");
      break;
  }
  ++counters_.owners_ended;
  tenants_.erase(tenants_.begin() + static_cast<std::ptrdiff_t>(index));
}

// --- regions ---

void Actor::enter_region() {
  if (visit_.region != nullptr) {
    return;
  }
  const auto slot = static_cast<std::uint32_t>(random_.below(SharedState::kRegions));
  SharedRegion& region = state_.region(slot);
  const std::lock_guard guard(region.mutex);
  if (region.owner != nullptr) {
    memory().get_region(*region.owner);
  } else {
    const HeapSpec heap{
        .kind = HeapKind::region, .bytes = 6 * config::kPageBytes, .grows = random_.one_in(2)};
    region.owner = memory().create_owner(
        memory().system(), {.kind = OwnerKind::region, .id = state_.next_id(), .name = "region"},
        heap);
    if (region.owner == nullptr) {
      refuse();
      return;
    }
    if (random_.one_in(2)) {
      memory().set_interim(*region.owner);
    }
  }
  visit_ = {region.owner, slot, {}};
}

void Actor::work_in_region() {
  if (visit_.region == nullptr) {
    return;
  }
  if (!visit_.blocks.empty() && random_.one_in(3)) {
    const Block block = visit_.blocks.back();
    visit_.blocks.pop_back();
    expect(block.is_intact(), "a region's block changed");
    expect(memory().free(block.start) == PointerStatus::live, "a region's block is not freed");
    return;
  }
  const Request request{visit_.region, random_.size(2000), 0,
                        random_.one_in(3) ? flag::kCoherent : 0, MODMEM_HERE};
  void* start = memory().allocate(request);
  if (start == nullptr) {
    refuse();
    return;
  }
  visit_.blocks.push_back(make(start, request.bytes, state_.common()));
}

void Actor::leave_region() {
  if (visit_.region == nullptr) {
    return;
  }
  for (const Block& block : visit_.blocks) {
    expect(block.is_intact(), "a region's block changed");
  }
  SharedRegion& region = state_.region(visit_.slot);
  RegionPut put = RegionPut::dropped;
  {
    // Nobody may be told of a region that is about to end.
    const std::lock_guard guard(region.mutex);
    expect(region.owner == visit_.region, "a region ended under its user");
    put = memory().put_region(*visit_.region);
    expect(put != RegionPut::refused, "a region's reference is refused");
    region.owner = put == RegionPut::last ? nullptr : region.owner;
  }
  counters_.regions_ended += put == RegionPut::last ? 1 : 0;
  visit_ = {};
}

// --- what is shared ---

void Actor::take_copy() {
  if (copies_.size() >= kMostCopies) {
    return;
  }
  const auto number = static_cast<std::uint32_t>(random_.below(SharedState::kSources));
  const std::vector<unsigned char>& source = state_.source(number);
  const CopyResult result = state_.copies().get(source.data(), source.size());
  if (result.status != CopyStatus::good) {
    expect(result.status == CopyStatus::no_memory, "a copy is refused");
    refuse();
    return;
  }
  copies_.push_back({result.copy, number});
  ++counters_.copies;
}

void Actor::return_copy() {
  if (copies_.empty()) {
    return;
  }
  const Copy copy = copies_.back();
  copies_.pop_back();
  const std::vector<unsigned char>& source = state_.source(copy.source);
  expect(std::memcmp(copy.copy, source.data(), source.size()) == 0, "a shared copy changed");
  expect(state_.copies().put(copy.copy) == PointerStatus::live, "a shared copy is not known");
}

void Actor::take_object() {
  if (objects_.size() >= kMostObjects) {
    return;
  }
  const Object made{state_.take_object(), state_.next_stamp()};
  if (made.object == nullptr) {
    refuse();
    return;
  }
  const Block whole{static_cast<unsigned char*>(made.object), SharedState::kObjectBytes,
                    made.stamp};
  whole.fill();
  objects_.push_back(made);
  ++counters_.objects;
}

void Actor::return_object() {
  if (objects_.empty()) {
    return;
  }
  const Object object = objects_.back();
  objects_.pop_back();
  const Block whole{static_cast<unsigned char*>(object.object), SharedState::kObjectBytes,
                    object.stamp};
  expect(whole.is_intact(), "an object changed");
  state_.give_object(object.object);
}

// --- looking ---

void Actor::look() {
  expect(memory().check(CheckDepth::cheap), "an invariant is broken");
  memory().drain(static_cast<std::uint32_t>(random_.below(20)));
  if (!blocks_.empty()) {
    const Block& block = blocks_[random_.below(blocks_.size())];
    expect(memory().status(block.start) == PointerStatus::live, "a live block is not live");
    expect(memory().usable_size(block.start) >= block.bytes, "a block is too short");
    expect(block.is_intact(), "a block's content changed");
    if (memory().pin(block.start)) {
      expect(memory().unpin(block.start), "a pin is gone");
    }
  }
  Tenant& tenant = any_tenant();
  expect(memory().snapshot(*tenant.owner).tree <= tenant.owner->spec.limit, "a limit is passed");
  memory().largest_request({tenant.owner, 1, 0, 0, {}});
}

void Actor::check_blocks() const {
  for (const Block& block : blocks_) {
    expect(block.is_intact(), "a block's content changed");
  }
  for (const Block& block : visit_.blocks) {
    expect(block.is_intact(), "a region's block changed");
  }
}

// --- the end ---

void Actor::clean_mailbox() {
  for (auto block = state_.mailbox(thread_).take(); block; block = state_.mailbox(thread_).take()) {
    end_block(*block);
  }
  for (std::size_t at = blocks_.size(); at-- > 0;) {
    if (blocks_[at].is_guest || blocks_[at].tenant == &state_.common()) {
      end_block(take_out(at));
    }
  }
  leave_region();
}

void Actor::end() {
  while (!tenants_.empty()) {
    end_owner(tenants_.size() - 1, true);
  }
  while (!copies_.empty()) {
    return_copy();
  }
  while (!objects_.empty()) {
    return_object();
  }
  expect(memory().drain(UINT32_MAX) == 0, "a block that ended is still there");
}

}  // namespace modmem::stress
