#include "memory/testing/random_driver.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <sstream>

namespace modmem::testing {

// What lies in a domain can be looked at while that is entered.
class RandomDriver::Inside {
 public:
  Inside(Memory& memory, Owner* domain) : memory_(memory), is_needed_(domain != nullptr) {
    before_ = is_needed_ ? memory_.enter_domain(domain) : nullptr;
  }
  ~Inside() {
    if (is_needed_) {
      memory_.enter_domain(before_);
    }
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Memory& memory_;
  bool is_needed_;
  Owner* before_ = nullptr;
};

RandomDriver::RandomDriver(TestSystem& system, Choices* choices, std::uint32_t seed,
                           const Options& options)
    : system_(system),
      memory_(system.memory()),
      options_(options),
      own_choices_(seed),
      choices_(choices != nullptr ? *choices : own_choices_) {
  owners_[&memory_.system()] = {};
}

RandomDriver::~RandomDriver() { set_host_core(0); }

// --- saying ---

template <typename... Part>
void RandomDriver::say(const char* call, const Part&... parts) {
  if (options_.say) {
    std::ostringstream text;
    text << steps_ << ": " << call;
    ((text << ' ' << parts), ...);
    options_.say(text.str());
  }
}

void RandomDriver::say_request(const char* call, const Request& request) {
  say(call, request.bytes, "B for owner", request.owner->spec.id, "aligned to", request.alignment,
      "with flags", request.flags);
}

// --- choosing ---

Owner& RandomDriver::any_owner() {
  return *std::next(owners_.begin(), static_cast<std::ptrdiff_t>(below(owners_.size())))->first;
}

RandomDriver::Blocks::iterator RandomDriver::any_block() {
  return std::next(blocks_.begin(), static_cast<std::ptrdiff_t>(below(blocks_.size())));
}

Request RandomDriver::any_request() {
  static constexpr Flags kFlags[] = {0,
                                     0,
                                     flag::kUser,
                                     flag::kKernel,
                                     flag::kCoherent,
                                     flag::kDma,
                                     flag::kShared,
                                     flag::kLowPower,
                                     flag::kUser | flag::kCoherent,
                                     flag::kLargeBuffer,
                                     flag::kUser | flag::kLargeBuffer | flag::kDma,
                                     flag::kAll & ~flag::kL3,
                                     flag::kNoCopy | 3U};
  Request request;
  request.owner = &any_owner();
  request.bytes = 1 + (one_in(4) ? below(options_.largest_block) : below(300));
  request.alignment = one_in(2) ? 0 : std::size_t{1} << below(one_in(8) ? 14 : 8);
  request.flags = kFlags[below(std::size(kFlags))];
  if (options_.side_memories && one_in(3)) {
    request.flags = one_in(2) ? flag::kLowPower | flag::kDma : flag::kL3 | flag::kUser;
  }
  request.site = MODMEM_HERE;
  return request;
}

// --- steps ---

void RandomDriver::step() {
  ++steps_;
  if (options_.failing_maps) {
    system_.port().host().fail_maps_after(one_in(3) ? below(3) : HostPort::kNever);
  }
  if (options_.cores) {
    set_host_core(static_cast<std::uint32_t>(below(system_.config().cores)));
  }
  explained_ = system_.seen().failures.size();
  faults_ = system_.seen().faults.size();
  switch (below(options_.upkeep ? 27 : 24)) {
    case 0:
      create_owner();
      break;
    case 1:
      one_in(4) ? destroy_owner() : create_owner();
      break;
    case 2:
      one_in(8) ? release_all() : one_in(5) ? premap() : allocate_range();
      break;
    case 3:
    case 4:
      free_badly();
      break;
    case 5:
    case 6:
    case 7:
      reallocate();
      break;
    case 24:
    case 25:
    case 26:
      upkeep();
      break;
    default:
      // Up and down in turn, so that memory is full now and then.
      steps_ / 512 % 2 == 0 ? (one_in(3) ? free() : allocate()) : (one_in(3) ? allocate() : free());
      break;
  }
  system_.port().forget_invalidations();
  system_.seen().failures.clear();
  system_.seen().faults.clear();
  system_.port().host().fail_maps_after(HostPort::kNever);
}

void RandomDriver::allocate() {
  const Request request = any_request();
  const bool zeroed = one_in(4);
  say_request(zeroed ? "allocate, zeroed," : "allocate", request);
  void* pointer = zeroed ? memory_.allocate_zeroed(request) : memory_.allocate(request);
  if (pointer == nullptr) {
    failed(request, request.bytes);
    return;
  }
  if (zeroed) {
    const Inside inside(memory_, domain_of(request.owner));
    const auto* bytes = static_cast<const unsigned char*>(pointer);
    expect(std::all_of(bytes, bytes + request.bytes, [](unsigned char c) { return c == 0; }),
           "a zeroed block is not zero");
  }
  add(request, pointer, request.bytes);
}

void RandomDriver::allocate_range() {
  const Request request = any_request();
  const std::size_t preferred = request.bytes + below(4 * options_.largest_block);
  const std::size_t step = 1 + below(500);
  say_request("allocate_range of at least", request);
  say("  and at most", preferred, "in steps of", step);
  const Range range = memory_.allocate_range(request, preferred, step);
  if (range.pointer == nullptr) {
    expect(range.bytes == 0, "a failed range has bytes");
    failed(request, request.bytes);
    return;
  }
  expect(range.bytes >= request.bytes && range.bytes <= preferred, "a range is out of bounds");
  expect((range.bytes - request.bytes) % step == 0, "a range is off its step");
  add(request, range.pointer, range.bytes);
}

void RandomDriver::reallocate() {
  if (blocks_.empty()) {
    return;
  }
  const auto found = any_block();
  const Block before = found->second;
  Request request = any_request();
  request.flags = one_in(4) ? request.flags : before.flags;
  request.alignment = one_in(2) ? before.alignment : request.alignment;
  say("reallocate a block of", before.bytes, "B of owner", before.owner->spec.id);
  say_request("  to", request);
  void* pointer = memory_.reallocate(before.pointer, request);
  request.owner = before.owner;
  if (pointer == nullptr) {
    failed(request, request.bytes);
    check_content(before, before.bytes);
    return;
  }
  const bool moved = pointer != before.pointer;
  Account& account = owners_.at(before.owner);
  if (moved) {
    // Both lived for a moment.
    blocks_.erase(found);
    Block after{pointer,       request.bytes, request.alignment,
                request.flags, before.owner,  before.pattern};  // pins stay behind
    if ((request.flags & flag::kNoCopy) == 0) {
      check_content(after, std::min(before.bytes, request.bytes));
    }
    add(request, pointer, request.bytes);
    uncharge(*before.owner, before.bytes);
    ++account.frees;
  } else {
    check_content(before, std::min(before.bytes, request.bytes));
    uncharge(*before.owner, before.bytes);
    charge(*before.owner, request.bytes);
    found->second.bytes = request.bytes;
    found->second.flags = request.flags;
    found->second.alignment = request.alignment;
    expect(request.alignment == 0 || is_aligned(pointer, request.alignment), "not aligned");
    fill(found->second);
  }
}

void RandomDriver::free() {
  if (blocks_.empty()) {
    return;
  }
  const auto found = any_block();
  const Block& block = found->second;
  check_content(block, block.bytes);
  void* pointer = block.pointer;
  if (one_in(4)) {
    pointer = one_in(2) ? found->first : found->first + alias_offset(found->first);
  }
  const Owner* owner = one_in(2) ? block.owner : nullptr;
  say("free", block.bytes, "B of owner", block.owner->spec.id,
      owner != nullptr ? "as its owner" : "as anybody");
  expect(memory_.free(pointer, owner) == PointerStatus::live, "a live block is not freed");
  forget(found);
}

void RandomDriver::free_badly() {
  std::byte* pointer = nullptr;
  const Owner* owner = nullptr;
  PointerStatus wanted = PointerStatus::not_live;
  if (!blocks_.empty() && one_in(2)) {
    const auto found = any_block();
    if (one_in(2)) {
      if (found->second.bytes == 1) {
        return;
      }
      pointer = found->first + 1 + below(found->second.bytes - 1);
      wanted = PointerStatus::interior;
    } else {
      pointer = found->first;
      owner = &any_owner();
      if (owner == found->second.owner) {
        return;
      }
      wanted = PointerStatus::foreign;
    }
  } else {
    pointer = system_.port().window() + below(system_.port().host().window_bytes());
    const auto next = blocks_.upper_bound(pointer);
    if (next != blocks_.begin()) {
      const auto& [start, block] = *std::prev(next);
      if (pointer < start + memory_.usable_size(start)) {
        return;
      }
    }
    wanted = memory_.free(pointer, owner);
    // What guards a block is a part of it, but not for its user.
    expect(wanted != PointerStatus::live &&
               (system_.hardening().guard || wanted != PointerStatus::interior),
           "a pointer to nothing is taken for a block");
    expect(system_.seen().faults.size() == ++faults_, "a bad free is not reported");
  }
  say("free what is", to_string(wanted));
  const PointerStatus status = memory_.free(pointer, owner);
  expect(status == wanted, "a bad free has another status");
  expect(system_.seen().faults.size() == faults_ + 1, "a bad free is not reported");
  const Fault& fault = system_.seen().faults.back();
  expect(fault.pointer == pointer && fault.status == wanted, "a fault is about something else");
}

void RandomDriver::create_owner() {
  if (owners_.size() > 40) {
    return;
  }
  Owner& parent = any_owner();
  OwnerSpec spec;
  spec.kind = static_cast<OwnerKind>(1 + below(5));
  spec.id = next_id_++;
  spec.name = to_string(spec.kind);
  spec.limit = one_in(2) ? OwnerSpec::kNoLimit : 100 + below(4 * options_.largest_block);
  spec.guarantee = spec.kind == OwnerKind::pipeline && one_in(4) ? below(9000) : 0;
  HeapSpec heap;
  if (spec.kind == OwnerKind::region) {
    heap = {.kind = HeapKind::region,
            .bytes = 1 + below(4 * config::kPageBytes),
            .grows = memory_.config().has_mmu && one_in(2)};
  }
  if (options_.private_heaps && one_in(3)) {
    static constexpr SlotBundle kBundles[] = {{32, 16}, {256, 8}, {4096, 2}};
    const bool slots = memory_.config().has_mmu && one_in(3);
    spec.kind = slots ? OwnerKind::slots : OwnerKind::heap;
    spec.name = to_string(spec.kind);
    heap = {.isolated = !slots && memory_.config().has_mmu &&
                        memory_.policy().own == HeapKind::elastic && one_in(2)};
    heap.readable = heap.isolated && one_in(4);
    if (slots) {
      heap = {.kind = HeapKind::slots,
              .bytes = 8 * config::kPageBytes,
              .bundles = kBundles,
              .contiguous = one_in(2)};
    }
  }
  if (options_.cores && one_in(2)) {
    spec.core = static_cast<std::uint8_t>(below(memory_.config().cores));
  }
  say("create owner", spec.id, spec.name, heap.isolated ? "isolated" : "", "below", parent.spec.id,
      "with limit", spec.limit, "guarantee", spec.guarantee, "core",
      static_cast<unsigned>(spec.core));
  Owner* owner = memory_.create_owner(parent, spec, heap);
  if (owner != nullptr) {
    if (spec.kind == OwnerKind::region && one_in(2)) {
      memory_.set_interim(*owner);
    }
    expect(owner->parent == &parent && owner->own == 0 && owner->tree == 0, "a used owner");
    owners_[owner].isolated = heap.isolated;
    return;
  }
  ++owners_.at(&parent).failures;
  expect(system_.seen().failures.size() == explained_ + 1 &&
             system_.seen().failures.back().owner_id == spec.id,
         "an owner that is refused is not explained");
}

// Any but the system's, which is the first.
void RandomDriver::destroy_owner() {
  if (owners_.size() == 1) {
    return;
  }
  Owner& owner =
      *std::next(owners_.begin(), 1 + static_cast<std::ptrdiff_t>(below(owners_.size() - 1)))
           ->first;
  std::size_t blocks = 0;
  Owner* parent = owner.parent;
  say("destroy owner", owner.spec.id);
  const std::size_t bytes = owners_.at(&owner).tree;
  forget_tree(owner, blocks);
  for (; parent != nullptr; parent = parent->parent) {
    owners_.at(parent).tree -= bytes;
  }
  system_.seen().leaks.clear();
  expect(memory_.destroy_owner(owner) == blocks, "not every leak is counted");
  expect(system_.seen().leaks.size() == blocks, "not every leak is reported");
}

void RandomDriver::release_all() {
  Owner& owner = any_owner();
  say("release all of owner", owner.spec.id);
  std::size_t count = 0;
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    const auto next = std::next(block);
    if (block->second.owner == &owner) {
      forget(block);
      ++count;
    }
    block = next;
  }
  expect(memory_.release_all(owner) == count, "not all blocks are released");
}

void RandomDriver::premap() {
  Owner& owner = any_owner();
  const auto pages = static_cast<std::uint32_t>(one_in(3) ? 0 : below(8));
  const auto blocks = static_cast<std::uint32_t>(below(4 * pages + 1));
  say("premap", pages, "pages for", blocks, "blocks of owner", owner.spec.id);
  if (memory_.premap(owner, pages, blocks)) {
    expect(memory_.heap_report(owner).ready_bytes == pages * config::kPageBytes ||
               &owner == &memory_.system(),
           "pages are not ready");
    return;
  }
  ++owners_.at(&owner).failures;
  expect(system_.seen().failures.size() == explained_ + 1 &&
             system_.seen().failures.back().owner_id == owner.spec.id,
         "a premap that is refused is not explained");
}

void RandomDriver::upkeep() {
  switch (below(8)) {
    case 0:
    case 1:
      pin();
      break;
    case 2:
      say("trim");
      memory_.trim();
      break;
    case 3: {
      const auto most = static_cast<std::uint32_t>(below(9));
      say("drain", most);
      memory_.drain(most);
      break;
    }
    case 4:
      set_limit();
      break;
    case 5:
      save_l3();
      break;
    default: {
      const auto budget = static_cast<std::uint32_t>(below(9));
      say("compact", budget);
      expect(memory_.compact(budget).moved <= budget, "more pages moved than allowed");
      break;
    }
  }
}

void RandomDriver::pin() {
  if (blocks_.empty()) {
    return;
  }
  const auto found = any_block();
  Block& block = found->second;
  if (!in_sram(found->first)) {
    return;  // nothing moves there
  }
  if (one_in(3)) {
    say("unpin", block.bytes, "B of owner", block.owner->spec.id);
    expect(memory_.unpin(block.pointer) == (block.pins > 0), "unpin() and the pins");
    block.pins -= block.pins > 0 ? 1 : 0;
    return;
  }
  say("pin", block.bytes, "B of owner", block.owner->spec.id);
  block.pins += memory_.pin(block.pointer) ? 1 : 0;
}

void RandomDriver::set_limit() {
  Owner& owner = any_owner();
  const std::size_t limit = one_in(3) ? OwnerSpec::kNoLimit : below(6 * options_.largest_block);
  say("limit owner", owner.spec.id, "to", limit);
  const std::size_t before = owner.spec.limit;
  const bool done = memory_.set_limit(owner, limit);
  expect(done || limit < owner.tree || owner.spec.guarantee != 0 || owner.first_child != nullptr,
         "a limit that holds is refused");
  expect(!done || owner.tree <= limit, "a limit is set that is passed already");
  expect(owner.spec.limit == (done ? limit : before), "another limit is in force");
}

// Nothing is seen of it before the next boot, but pages of L3 that are taken.
void RandomDriver::save_l3() {
  say("save L3");
  const bool saved = memory_.save_l3();
  expect(!saved || options_.side_memories, "L3 is saved that there is not");
}

void RandomDriver::end_everything() {
  set_host_core(0);
  while (!blocks_.empty()) {
    free();
  }
  while (owners_.size() > 1) {
    destroy_owner();
  }
  for (std::uint32_t core = 0; options_.cores && core < system_.config().cores; ++core) {
    set_host_core(core);
    memory_.drain(UINT32_MAX);
    const HeapReport heap = system_.heap(core == 0 ? "system" : "system-" + std::to_string(core));
    expect(heap.ready_bytes == 0 || memory_.premap(memory_.system(), 0, 0),
           "ready pages do not go");
  }
  set_host_core(0);
  if (system_.heap("system").ready_bytes != 0) {
    expect(memory_.premap(memory_.system(), 0, 0), "ready pages do not go");
  }
}

// --- the model ---

void RandomDriver::add(const Request& request, void* pointer, std::size_t bytes) {
  std::byte* start = cached(pointer);
  const std::size_t usable = memory_.usable_size(pointer);
  expect(usable >= bytes, "a block is too short");
  expect(is_aligned(pointer, std::max<std::size_t>(request.alignment, config::kGranuleBytes)),
         "a block is not aligned");
  const auto next = blocks_.lower_bound(start);
  expect(next == blocks_.end() || start + usable <= next->first, "a block overlaps the next");
  if (next != blocks_.begin()) {
    const auto& [before, block] = *std::prev(next);
    expect(before + memory_.usable_size(before) <= start, "a block overlaps the one before");
  }
  // The ports of the other memories are not watched.
  const bool coherent = in_sram(start) && (request.flags & flag::kCoherent) != 0;
  expect((pointer != start) == (coherent && system_.port().alias_offset() != 0), "wrong alias");
  if (coherent) {
    expect(is_aligned(pointer, system_.config().cache_line_bytes), "off the line");
    expect(system_.hardening().guard || usable % system_.config().cache_line_bytes == 0,
           "ends within a line");
    expect(system_.port().invalidated(start, usable), "coherent memory is not invalidated");
  }
  if ((request.flags & flag::kDma) != 0) {
    expect(is_aligned(pointer, system_.config().dma_alignment), "not DMA-aligned");
  }
  const Block block{pointer,       bytes,         request.alignment,
                    request.flags, request.owner, next_pattern_++};
  blocks_[start] = block;
  ++owners_.at(request.owner).allocations;
  charge(*request.owner, bytes);
  fill(block);
}

Owner* RandomDriver::domain_of(const Owner* owner) const {
  for (; owner != nullptr; owner = owner->parent) {
    const auto found = owners_.find(const_cast<Owner*>(owner));
    if (found->second.isolated) {
      return found->first;
    }
  }
  return nullptr;
}

void RandomDriver::fill(const Block& block) const {
  const Inside inside(memory_, domain_of(block.owner));
  std::memset(block.pointer, block.pattern, block.bytes);
}

void RandomDriver::check_content(const Block& block, std::size_t bytes) const {
  const Inside inside(memory_, domain_of(block.owner));
  const auto* content = static_cast<const unsigned char*>(block.pointer);
  for (std::size_t i = 0; i < bytes; ++i) {
    expect(content[i] == block.pattern, "a block's content changed");
  }
}

void RandomDriver::failed(const Request& request, std::size_t bytes) {
  ++failures_;
  ++owners_.at(request.owner).failures;
  expect(system_.seen().failures.size() == explained_ + 1, "a failure is not explained");
  const Failure& failure = system_.seen().failures.back();
  expect(failure.bytes == bytes && failure.owner_id == request.owner->spec.id &&
             failure.reason != FailureReason::none,
         "a failure is explained as another");
  if (!options_.failing_maps) {
    expect(failure.largest_request < bytes, "a request failed that was not too large");
    expect(failure.largest_request == memory_.largest_request(request),
           "the failure changed the largest request");
  }
}

void RandomDriver::charge(Owner& owner, std::size_t bytes) {
  Account& account = owners_.at(&owner);
  account.own += bytes;
  account.own_peak = std::max(account.own_peak, account.own);
  for (Owner* at = &owner; at != nullptr; at = at->parent) {
    Account& up = owners_.at(at);
    up.tree += bytes;
    up.tree_peak = std::max(up.tree_peak, up.tree);
    expect(up.tree <= at->spec.limit, "a limit is passed");
  }
}

void RandomDriver::uncharge(Owner& owner, std::size_t bytes) {
  owners_.at(&owner).own -= bytes;
  for (Owner* at = &owner; at != nullptr; at = at->parent) {
    owners_.at(at).tree -= bytes;
  }
}

void RandomDriver::forget(Blocks::iterator block) {
  ++owners_.at(block->second.owner).frees;
  uncharge(*block->second.owner, block->second.bytes);
  blocks_.erase(block);
}

bool RandomDriver::is_below(const Owner* owner, const Owner* ancestor) {
  while (owner != nullptr && owner != ancestor) {
    owner = owner->parent;
  }
  return owner != nullptr;
}

void RandomDriver::forget_tree(Owner& owner, std::size_t& blocks) {
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    if (is_below(block->second.owner, &owner)) {
      ++blocks;
      block = blocks_.erase(block);
    } else {
      ++block;
    }
  }
  for (auto account = owners_.begin(); account != owners_.end();) {
    account = is_below(account->first, &owner) ? owners_.erase(account) : std::next(account);
  }
}

void RandomDriver::compare() {
  expect(memory_.check(CheckDepth::deep), "an invariant is broken");
  for (const auto& [owner, account] : owners_) {
    expect(owner->own == account.own && owner->tree == account.tree, "an account differs");
    expect(owner->own_peak == account.own_peak && owner->tree_peak == account.tree_peak,
           "a peak differs");
    expect(owner->allocations == account.allocations && owner->frees == account.frees &&
               owner->failures == account.failures,
           "a counter differs");
  }
  std::size_t total = 0;
  for (const auto& [start, block] : blocks_) {
    check_content(block, block.bytes);
    total += block.bytes;
  }
  std::size_t live_bytes = 0;
  std::size_t mapped_bytes = 0;
  memory_.for_each_heap([&](const HeapReport& heap) {
    live_bytes += heap.live_bytes;
    mapped_bytes += std::string(heap.memory) == "sram" ? heap.mapped_bytes : 0;
  });
  expect(live_bytes == total, "the heaps' live bytes are not the blocks'");
  expect(mapped_bytes == memory_.pool().taken() * config::kPageBytes,
         "the heaps' pages are not the pool's");
  expect(system_.port().mapped_pages() == memory_.pool().taken(), "pages are not as the port's");
}

}  // namespace modmem::testing
