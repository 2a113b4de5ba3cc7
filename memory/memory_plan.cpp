// Admission: what a plan needs is reserved before anything of it is taken.
// Cost: O(entries * (owners + reservations) + needs * pages).

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

// What an entry comes to.
struct Memory::Sizes {
  std::uint32_t frames = 0;      // for blocks
  std::uint32_t own_frames = 0;  // of these, in the owner's own heap
  std::uint32_t metadata = 0;    // frames, for objects of several chunks
  std::uint32_t chunks = 0;      // of metadata, for all others
  std::uint32_t owners = 0;      // that will be created, the entry's among them
  std::uint32_t heaps = 0;
  std::size_t bytes = 0;
};

namespace {

// Pages for blocks of a heap that nothing else fills, where `bytes` are rounded, of which `blocks`
// lose up to `lost` before them.
std::uint32_t packed(std::size_t bytes, std::size_t blocks, std::size_t lost) {
  return static_cast<std::uint32_t>(divide_up(bytes + blocks * lost, config::kPageBytes));
}

// And of one with holes, or that others fill: each block on pages of its own.
std::uint32_t apart(std::size_t bytes, std::size_t blocks) {
  return static_cast<std::uint32_t>(bytes / config::kPageBytes + blocks);
}

// The nearest owner with a limit, `owner` among them; nullptr where there is none.
const Owner* limited(const Owner* owner) {
  while (owner != nullptr && owner->spec.limit == OwnerSpec::kNoLimit) {
    owner = owner->parent;
  }
  return owner;
}

bool is_below(const Owner* owner, const Owner* above) {
  while (owner != nullptr && owner != above) {
    owner = owner->parent;
  }
  return owner != nullptr;
}

}  // namespace

// --- sizes ---

// Whether admit() opens an elastic heap for the entry.
bool Memory::has_new_heap(const PlanEntry& entry) const {
  return entry.owner == nullptr &&
         heap_for(*entry.parent, entry.spec, entry.heap).kind == HeapKind::elastic;
}

Memory::Sizes Memory::sizes_of(const PlanEntry& entry, Shortage& shortage) const {
  const bool is_new = entry.owner == nullptr;
  const bool new_heap = has_new_heap(entry);
  const Owner& owner = is_new ? *entry.parent : *entry.owner;
  const std::size_t most = std::size_t{pool_.frames()} * config::kPageBytes;
  Sizes sizes;
  std::size_t own_bytes = 0;
  std::size_t own_lost = 0;
  std::uint32_t blocks = 0;
  std::uint32_t packed_blocks = 0;  // whose records lie together
  for (shortage.need = 0; shortage.need < entry.needs.size(); ++shortage.need) {
    const Need& need = entry.needs[shortage.need];
    if (need.blocks == 0) {
      continue;
    }
    const Request request{is_new ? entry.parent : entry.owner,
                          need.largest != 0 ? need.largest : need.bytes,
                          need.alignment,
                          need.flags,
                          {}};
    Route where = route(request);
    bool own = !is_new && where.slot != nullptr && where.slot->owner == &owner;
    bool fresh = own && where.slot->heap->stats().live_blocks == 0;
    // Requests are those of the core that the heap serves, whoever asks now.
    const bool own_elastic = own && where.slot->kind == HeapKind::elastic;
    if (new_heap || need.apart || own_elastic) {
      const bool is_keeper = is_new && is_private(entry.spec.kind);
      const Owner* keeper = is_keeper ? &owner : keeper_of(owner);
      keeper = !is_keeper && (need.flags & flag::kKernel) != 0 ? nullptr : keeper;
      const Intent intent = intent_of(need.flags, keeper);
      if (intent.place == Place::owner || intent.place == Place::any) {
        const bool for_all_cores =
            own_elastic && cores() > 1 && where.slot->core == HeapSlot::kAnyCore;
        where = rounded(request, intent, where.slot, for_all_cores);
        fresh = fresh || new_heap || need.apart;
        own = true;
      }
    }
    if (where.slot == nullptr) {
      shortage.reason = FailureReason::unsupported;
      return sizes;
    }
    if (need.bytes > most || need.blocks > most / config::kGranuleBytes) {
      shortage.reason = FailureReason::pool;
      shortage.asked = need.bytes;
      shortage.available = most;
      return sizes;
    }
    sizes.bytes += need.bytes;
    blocks += need.blocks;
    packed_blocks += own && !need.apart ? need.blocks : 0;
    const bool is_elastic = own ? fresh || where.slot->kind == HeapKind::elastic
                                : where.slot->kind == HeapKind::elastic;
    if (!is_elastic || (!fresh && where.slot->space != &space_)) {
      // Nothing can be kept there for one owner; it would do now.
      const std::size_t largest = where.slot->heap->largest_request(where.alignment);
      const std::size_t free = where.slot->heap->free_bytes();
      const std::size_t all = need.bytes + need.blocks * where.guard;
      if (where.bytes > largest || all > free) {
        shortage.asked = where.bytes > largest ? where.bytes : all;
        shortage.available = where.bytes > largest ? largest : free;
        shortage.reason = where.slot->heap->explain(shortage.asked, where.alignment);
        return sizes;
      }
      continue;
    }
    const std::size_t unit =
        where.unit > config::kGranuleBytes ? where.unit : config::kGranuleBytes;
    const std::size_t bytes = need.bytes + need.blocks * (where.guard + unit - 1);
    const std::size_t lost = where.alignment - config::kGranuleBytes;
    const std::uint32_t at_most = apart(bytes, need.blocks);
    if (need.apart) {
      const std::uint32_t close = packed(bytes, need.blocks, lost);
      sizes.frames += close < at_most ? close : at_most;
    } else if (fresh && lost < config::kPageBytes) {
      own_bytes += bytes;
      own_lost += need.blocks * lost;
    } else {
      sizes.frames += at_most;
      sizes.own_frames += own ? at_most : 0;
    }
  }
  // The spans that a heap gets one after the other may each leave a part of a page.
  std::uint32_t own = packed(own_bytes + own_lost, 0, 0);
  const std::uint32_t first = space_.largest_gap() / 64 + 1;
  for (std::uint32_t pages = first, spans = first; space_.has_mmu() && own > pages;
       pages += spans) {
    spans *= 2;
    ++own;
  }
  sizes.own_frames += own;
  sizes.frames += own;
  sizes.owners = entry.accounts + (is_new ? 1 : 0);
  sizes.heaps = entry.heaps + (new_heap ? 1 : 0);
  if (sizes.frames != 0) {  // else nothing is kept for it
    // Others may fill the chunks of what heaps have in common: descriptors and owners, and the
    // records of a shared heap.
    constexpr std::uint32_t kRecords = MetadataHeap::kChunkBytes / sizeof(Record);
    sizes.chunks =
        packed_blocks / kRecords + 1 + (blocks - packed_blocks) + sizes.frames + sizes.owners + 1;
    constexpr std::size_t kHeapChunks = divide_up(sizeof(HeapSlot), MetadataHeap::kChunkBytes);
    constexpr std::size_t kPerPage =
        (MetadataHeap::kChunksPerPage - MetadataHeap::kNoteChunks) / kHeapChunks;
    sizes.metadata = static_cast<std::uint32_t>(divide_up(sizes.heaps, kPerPage));
  }
  if (!is_new && owner.heap != kNoHeap) {
    const PageAccount& account = own_heap(owner).account;
    if (sizes.own_frames > account.limit - account.held) {
      shortage.reason = FailureReason::limit;
      shortage.asked = std::size_t{sizes.own_frames} * config::kPageBytes;
      shortage.available = std::size_t{account.limit - account.held} * config::kPageBytes;
    }
    const std::uint32_t unused = account.unused_guarantee();
    sizes.frames -= unused < sizes.own_frames ? unused : sizes.own_frames;
  } else if (new_heap && sizes.own_frames > entry.heap.frame_limit) {
    shortage.reason = FailureReason::limit;
    shortage.asked = std::size_t{sizes.own_frames} * config::kPageBytes;
    shortage.available = std::size_t{entry.heap.frame_limit} * config::kPageBytes;
  }
  return sizes;
}

// Whether all entries fit together; `shortage` says which does not.
bool Memory::check_plan(std::span<const PlanEntry> plan, Shortage& shortage) const {
  settle();
  set_metadata_aside(nullptr);
  // With what is kept for metadata that was promised.
  std::uint32_t chunks = promised_chunks_;
  std::uint32_t spare = pool_.free() - pool_.reserved() + pages_for_chunks(chunks);
  std::uint32_t owners = owners_.live() + promised_accounts(nullptr);
  std::uint32_t heaps = heaps_.live();
  for (const PlanEntry& entry : plan) {
    const Reservation* old = entry.owner != nullptr ? reservation_of(*entry.owner) : nullptr;
    if (old != nullptr) {  // is replaced
      spare += old->account.guarantee + old->metadata;
      chunks -= old->chunks;
      owners -= old->accounts;
    }
  }
  shortage = {};
  for (; shortage.entry < plan.size(); ++shortage.entry) {
    const PlanEntry& entry = plan[shortage.entry];
    const Sizes sizes = sizes_of(entry, shortage);
    if (shortage.reason != FailureReason::none) {
      return false;
    }
    owners += sizes.owners;
    heaps += sizes.heaps;
    if (owners > config_.max_owners || heaps > config_.max_heaps) {
      shortage.reason = FailureReason::limit;
      return false;
    }
    // Bytes of this entry and of those before it that a limit is for as well.
    const Owner* at = entry.owner != nullptr ? entry.owner : entry.parent;
    const Owner* limit = limited(at);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i <= shortage.entry; ++i) {
      const Owner* other = plan[i].owner != nullptr ? plan[i].owner : plan[i].parent;
      bool shares = i == shortage.entry;
      for (const Owner* above = limit; above != nullptr; above = limited(above->parent)) {
        shares = shares || is_below(other, above);
      }
      for (const Need& need : plan[i].needs) {
        bytes += shares ? need.bytes : 0;
      }
    }
    std::size_t room = room_below_limits(*at);
    if (entry.owner == nullptr && entry.spec.limit < room && sizes.bytes > entry.spec.limit) {
      room = entry.spec.limit;
    }
    if (bytes > room) {
      shortage.reason = FailureReason::limit;
      shortage.asked = bytes;
      shortage.available = room;
      return false;
    }
    chunks += sizes.chunks;
    const std::uint32_t metadata = sizes.metadata + pages_for_chunks(chunks);
    const std::uint32_t frames = sizes.frames + metadata;
    if (frames > spare) {
      const std::uint32_t free = pool_.free();
      shortage.reason = frames <= free ? FailureReason::guarantee : FailureReason::pool;
      shortage.asked = std::size_t{frames} * config::kPageBytes;
      shortage.available = std::size_t{spare} * config::kPageBytes;
      shortage.frames = {frames, metadata, free - spare, pool_.taken(), pool_.frames()};
      return false;
    }
    spare -= sizes.frames + sizes.metadata;
  }
  return true;
}

bool Memory::can_admit(std::span<const PlanEntry> plan, Shortage* shortage) const {
  const Call call(*this);
  release_all_waiting();
  Shortage missing;
  const bool fits = check_plan(plan, missing);
  if (!fits && shortage != nullptr) {
    *shortage = missing;
  }
  return fits;
}

// --- admission ---

bool Memory::admit(Plan plan, Shortage* shortage) {
  const Call call(*this);
  enter();
  release_all_waiting();
  Shortage missing;
  bool done = check_plan(plan, missing);
  ++admissions_;
  const std::uint32_t pages = metadata_.pages();
  for (std::size_t made = 0; done && made < plan.size(); ++made) {
    PlanEntry& entry = plan[made];
    Shortage none;
    const Sizes sizes = sizes_of(entry, none);
    const bool is_new = entry.owner == nullptr;
    entry.created = is_new;
    settle();
    const Reservation* old = is_new ? reservation_for(*entry.parent) : reservation_of(*entry.owner);
    entry.before = old != nullptr ? *old : Reservation{};
    if (is_new) {
      entry.owner = create_owner_locked(*entry.parent, entry.spec,
                                        heap_for(*entry.parent, entry.spec, entry.heap));
    }
    done = entry.owner != nullptr && reserve(*entry.owner, sizes, entry.accounts);
    if (!done) {
      // The port gave less than the pool has, or the owner's heap took what was counted as free.
      missing = {};
      missing.entry = made;
      missing.need = entry.needs.size();
      missing.reason = FailureReason::pool;
      undo_admission(plan.first(made + 1), pages);
    }
  }
  note_plan(plan, done);
  verify();
  if (!done) {
    fail_plan(plan[missing.entry], missing);
    if (shortage != nullptr) {
      *shortage = missing;
    }
  }
  return done;
}

// Has all as it was before the first of `plan`, of which the last one failed, with `pages` pages of
// metadata. Promises end first, so that there is room for those that come back.
void Memory::undo_admission(Plan plan, std::uint32_t pages) {
  settle();
  for (std::size_t i = plan.size(); i-- > 0;) {
    PlanEntry& entry = plan[i];
    if (!entry.created && entry.before.owner == nullptr) {
      drop_reservation(*entry.owner);
    } else if (!entry.created) {
      end_promise(*reservation_of(*entry.owner));
    } else if (entry.owner != nullptr) {
      destroy_owner_locked(*entry.owner, false, false);
      entry.owner = nullptr;
    }
  }
  for (std::size_t i = plan.size(); i-- > 0;) {
    const Reservation& before = plan[i].before;
    Reservation* reservation = before.owner != nullptr ? reservation_of(*before.owner) : nullptr;
    if (reservation != nullptr) {
      end_promise(*reservation);
      promise(*reservation, before);
    }
  }
  if (metadata_.pages() > pages) {
    metadata_.drop_spare();
  }
}

// Reserves for an owner in place of what was reserved for it, which is no more where that fails.
bool Memory::reserve(Owner& owner, const Sizes& sizes, std::uint32_t accounts) {
  settle();
  Reservation* reservation = reservation_of(owner);
  if (reservation == nullptr) {
    metadata_.hold_back(0);  // what the reservation itself takes is counted
    const std::uint16_t handle = reservations_.create();
    if (handle == SlotStore::kNone) {
      return false;
    }
    reservation = &reservations_[handle];
    reservation->owner = &owner;
    reservation->handle = handle;
    reservation->next = first_reservation_;
    first_reservation_ = handle;
  }
  end_promise(*reservation);
  const Claim claim = inner_claim(owner, nullptr);
  Reservation terms;
  terms.account.guarantee = terms.most = sizes.frames;
  terms.metadata = sizes.metadata;
  terms.chunks = terms.most_chunks = sizes.chunks;
  terms.accounts = accounts;
  terms.plan = admissions_;
  terms.bytes = claim.passed_on + claim.bytes + sizes.bytes;
  return promise(*reservation, terms);
}

void Memory::fail_plan(const PlanEntry& entry, const Shortage& shortage) {
  Owner& at = entry.owner != nullptr ? *entry.owner : *entry.parent;
  ++at.failures;
  if (observer_ == nullptr) {
    return;
  }
  const OwnerSpec& spec = entry.owner != nullptr ? entry.owner->spec : entry.spec;
  Failure failure;
  failure.owner_kind = spec.kind;
  failure.owner_id = spec.id;
  failure.owner_name = spec.name;
  failure.bytes = shortage.asked;
  failure.alignment = config::kGranuleBytes;
  if (shortage.need < entry.needs.size()) {
    failure.flags = entry.needs[shortage.need].flags;
    failure.alignment = entry.needs[shortage.need].alignment;
  }
  failure.reason = shortage.reason;
  failure.guarantee = shortage.frames;
  failure.free_bytes = shortage.available;
  failure.largest_request = largest_for(at, route({&at, 1, 0, failure.flags, {}}));
  collect_top_owners(*system_, failure);
  observer_->on_failure(failure);
}

void Memory::return_unused(Owner& owner) {
  const Call call(*this);
  note_upkeep(Upkeep::return_unused, &owner);
  drop_reservation(owner);
  verify();
}

std::uint32_t Memory::reserved_frames(const Owner& owner) const {
  const Call call(*this);
  settle();
  const Reservation* reservation = reservation_of(owner);
  return reservation != nullptr ? reservation->account.guarantee : 0;
}

}  // namespace modmem
