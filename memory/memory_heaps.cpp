// Heaps: opened as the policy says, closed, and reported.

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

namespace {

// First spans of a 64th of what is left of the window each: 200 heaps leave a 20th of it.
constexpr std::uint32_t kSpanDivisor = 64;

// The bytes that `bundles` lie in.
std::size_t region_bytes(std::span<const SlotBundle> bundles) {
  std::size_t bytes = 0;
  for (const SlotBundle& bundle : bundles) {
    bytes += bundle.slot_bytes * bundle.slots;
  }
  return bytes;
}

}  // namespace

std::uint32_t Memory::fixed_arena_pages() const {
  const bool beside_slots = policy_->slots != HeapKind::none;
  const std::size_t bytes = beside_slots ? config_.slots_arena_bytes : config_.arena_bytes;
  if (beside_slots || bytes != 0) {
    return static_cast<std::uint32_t>(bytes / config::kPageBytes);
  }
  const std::uint32_t kept = metadata_share(pool_.frames());
  return pool_.free() > kept ? pool_.free() - kept : 0;
}

// Pages of metadata that go with `pages` of payload: a 64th for the descriptors of all of them, the
// rest for records, which is enough where blocks have a KiB on average. Never less than one of
// each.
std::uint32_t Memory::metadata_share(std::uint32_t pages) { return pages / 16 + 2; }

// Before frames are taken, for `slot` or nobody in particular: keeps frames aside for the metadata
// of guaranteed blocks, up to their share, as a guarantee is worth nothing where the page of
// records that it needs is not to be had. A heap within its guarantee may have metadata put there;
// for everybody else they are frames that nobody may take.
void Memory::set_metadata_aside(const HeapSlot* slot) const {
  PagePool& pool = space_.pool();
  pool.set_guarantee(metadata_account_, 0);
  pool.set_guarantee(aside_account_, 0);
  const std::uint32_t wanted = set_aside_ + pages_for_chunks(promised_chunks_);
  metadata_.hold_back(promised_chunks_ - lent_chunks_);
  if (wanted == 0) {
    return;
  }
  const std::uint32_t spare = pool.free() - pool.reserved();
  const std::uint32_t kept = wanted < spare ? wanted : spare;
  if (slot != nullptr && slot->account.guarantee != 0 &&
      slot->account.held <= slot->account.guarantee) {
    pool.set_guarantee(metadata_account_, metadata_account_.held + kept);
  } else {
    pool.set_guarantee(aside_account_, kept);
  }
}

// A slot for a heap, with a number; nullptr where one of the two is not to be had.
HeapSlot* Memory::add_heap() {
  std::uint32_t free = 0;
  while (free < config_.max_heaps && heap_handles_[free] != SlotStore::kNone) {
    ++free;
  }
  const std::uint16_t handle =
      free < config_.max_heaps ? heaps_.create() : std::uint16_t{SlotStore::kNone};
  if (handle == SlotStore::kNone) {
    return nullptr;
  }
  heap_handles_[free] = handle;
  HeapSlot& slot = heaps_[handle];
  slot.handle = handle;
  slot.number = static_cast<std::uint8_t>(free);
  return &slot;
}

// Ends a slot whose engine is not open.
void Memory::remove_heap(HeapSlot& slot) {
  slot.space->forget_heap(slot.id());
  heap_handles_[slot.number] = SlotStore::kNone;
  heaps_.destroy(slot.handle);
}

// What serves a role of the policy.
HeapSpec Memory::heap_of_role(HeapKind kind) const {
  return {.kind = kind, .bytes = region_bytes(policy_->bundles), .bundles = policy_->bundles};
}

// Opens the engine of `slot`, whose space, account and handle are set.
bool Memory::open_engine(HeapSlot& slot, const HeapSpec& spec) {
  if (slot.kind == HeapKind::slots) {
    return open_slots(slot, spec);
  }
  if (slot.kind == HeapKind::region) {
    return open_region(slot, spec);
  }
  slot.heap = &slot.elastic;
  ElasticHeapOptions options;
  options.span_pages = static_cast<std::uint32_t>(config_.span_bytes / config::kPageBytes);
  options.span_divisor = kSpanDivisor;
  options.retained_pages =
      spec.retained_pages != HeapSpec::kConfigured ? spec.retained_pages : config_.retained_pages;
  options.retained_us =
      spec.retained_us != HeapSpec::kConfigured ? spec.retained_us : config_.retained_us;
  options.fixed_pages = slot.kind == HeapKind::fixed ? fixed_arena_pages() : 0;
  // A fixed arena of no pages would be another kind of heap.
  return (slot.kind != HeapKind::fixed || options.fixed_pages != 0) &&
         slot.elastic.open(*slot.space, descriptors_, slot.id(), slot.account, options);
}

bool Memory::open_slots(HeapSlot& slot, const HeapSpec& spec) {
  slot.engine_handle = slot_heaps_.create();
  if (slot.engine_handle == SlotStore::kNone) {
    return false;
  }
  slot.slots = &slot_heaps_[slot.engine_handle];
  slot.heap = slot.slots;
  const bool opened = slot.slots->open(
      *slot.space, descriptors_, slot.id(), slot.account,
      {.region_bytes = spec.bytes, .bundles = spec.bundles, .contiguous = spec.contiguous});
  if (!opened) {
    slot_heaps_.destroy(slot.engine_handle);
  }
  return opened;
}

bool Memory::open_region(HeapSlot& slot, const HeapSpec& spec) {
  slot.engine_handle = regions_.create();
  if (slot.engine_handle == SlotStore::kNone) {
    return false;
  }
  slot.region = &regions_[slot.engine_handle];
  slot.heap = slot.region;
  const std::size_t line = config_.cache_line_bytes;
  const bool opened = slot.region->open(
      *slot.space, descriptors_, slot.id(), slot.account,
      {.bytes = spec.bytes,
       .grows = spec.grows,
       .block_alignment = line > Region::kMinBlockAlignment ? line : Region::kMinBlockAlignment});
  if (!opened) {
    regions_.destroy(slot.engine_handle);
  }
  return opened;
}

// Where others live in the heap's pages, those become the system's.
void Memory::close_engine(HeapSlot& slot) {
  records_.keep(slot.records, 0);
  if (slot.guests != 0) {
    HeapSlot& heir = *heir_of(slot);
    move_queue(slot, &heir);
    slot.elastic.close_into(heir.elastic);
    records_.splice(heir.records, slot.records);
    heir.live_bytes += slot.live_bytes;
    heir.peak_live_bytes =
        heir.live_bytes > heir.peak_live_bytes ? heir.live_bytes : heir.peak_live_bytes;
    heir.allocations += slot.guests;
    return;
  }
  move_queue(slot, nullptr);
  if (slot.heap->stats().live_blocks != 0) {
    drop_pages(slot);  // blocks end with the heap
  }
  if (slot.records.full != MetadataHeap::kNoChunk ||
      slot.records.with_room != MetadataHeap::kNoChunk) {
    records_.drop_all(slot.records);
  }
  if (slot.slots != nullptr) {
    slot.slots->close();
    slot_heaps_.destroy(slot.engine_handle);
  } else if (slot.region != nullptr) {
    slot.region->close();
    regions_.destroy(slot.engine_handle);
  } else {
    slot.elastic.close();
  }
}

HeapSlot* Memory::open_heap(const HeapSpec& spec, Owner& owner, const char* name,
                            AddressSpace& space) {
  HeapSlot* added = add_heap();
  if (added == nullptr) {
    return nullptr;
  }
  HeapSlot& slot = *added;
  slot.owner = &owner;
  slot.name = name;
  slot.kind = spec.kind;
  slot.core =
      &owner != system_ && spec.kind != HeapKind::slots ? owner.spec.core : HeapSlot::kAnyCore;
  slot.space = &space;
  slot.isolated = spec.isolated;
  slot.readable = spec.readable;
  slot.account.access = slot.common_access();
  slot.account.limit = spec.frame_limit;
  if (!begin_guarantee(slot, owner)) {
    remove_heap(slot);
    return nullptr;
  }
  if (!open_engine(slot, spec)) {
    end_guarantee(slot);
    remove_heap(slot);
    return nullptr;
  }
  set_metadata_aside(nullptr);
  std::uint16_t* last = &first_heap_;
  while (*last != SlotStore::kNone) {
    last = &heaps_[*last].next;
  }
  *last = slot.handle;
  if (slot.isolated) {
    domains_.store(static_cast<std::uint16_t>(domains_.load(std::memory_order_relaxed) + 1),
                   std::memory_order_relaxed);
  }
  return &slot;
}

void Memory::close_heap(HeapSlot& slot) {
  if (slot.isolated) {
    end_domain(slot);
  }
  release_waiting_in(slot);
  close_engine(slot);
  ended_frame_us_ += slot.space == &space_ ? pool_.frame_us(slot.account) : 0;
  settle_pins();
  end_guarantee(slot);
  set_metadata_aside(nullptr);
  std::uint16_t* link = &first_heap_;
  while (*link != slot.handle) {
    link = &heaps_[*link].next;
  }
  *link = slot.next;
  remove_heap(slot);
}

const char* Memory::memory_name(const AddressSpace& space) const {
  return &space == &space_ ? "sram" : &space == &l3_.space ? "l3" : "lp-sram";
}

HeapReport Memory::report(const HeapSlot& slot) const {
  const HeapStats stats = slot.heap->stats();
  HeapReport result;
  result.name = slot.name;
  result.kind = to_string(slot.kind);
  result.memory = memory_name(*slot.space);
  result.owner = slot.owner;
  result.live_bytes = slot.live_bytes;
  result.peak_live_bytes = slot.peak_live_bytes;
  result.mapped_bytes = stats.mapped_bytes;
  result.peak_mapped_bytes = stats.peak_mapped_bytes;
  result.ready_bytes = in_frames(slot.elastic.ready());
  result.queued_bytes = slot.queued_bytes;
  result.allocations = slot.allocations;
  result.frees = slot.frees;
  result.failures = slot.failures;
  result.bank_us = slot.space->pool().frame_us(slot.account) / slot.space->pool().bank_frames();
  if (slot.kind == HeapKind::slots) {
    result.bundle_count = slot.slots->bundle_count();
    for (std::uint32_t i = 0; i < result.bundle_count; ++i) {
      result.bundles[i] = slot.slots->bundle(i);
    }
  }
  return result;
}

HeapReport Memory::metadata_report() const {
  HeapReport result;
  result.name = "metadata";
  result.kind = "metadata";
  result.memory = memory_name(space_);
  result.owner = system_;
  result.mapped_bytes = std::size_t{metadata_account_.held} * config::kPageBytes;
  result.peak_mapped_bytes = std::size_t{metadata_account_.peak} * config::kPageBytes;
  result.bank_us = pool_.frame_us(metadata_account_) / pool_.bank_frames();
  return result;
}

std::size_t Memory::metadata_bytes() const {
  const Call call(*this);
  return arena_used_ + std::size_t{metadata_account_.held} * config::kPageBytes;
}

MetadataUse Memory::metadata_use() const {
  const Call call(*this);
  const std::size_t set_aside =
      metadata_.arena_bytes() + config_.max_sites * SiteTable::kEntryBytes;
  return {.tables = arena_used_ - set_aside + sites_.used() * SiteTable::kTargetBytes +
                    kTargetBytes<Memory>,
          .live = metadata_.use(),
          .peak = metadata_.peak_use()};
}

std::uint64_t Memory::audio_path_calls() const {
  const Call call(*this);
  return audio_path_calls_;
}

Owner Memory::snapshot(const Owner& owner) const {
  const Call call(*this);
  return owner;
}

HeapSlot& Memory::own_heap(const Owner& owner) const {
  MODMEM_ASSERT(owner.heap != kNoHeap);
  return heap_at(owner.heap);
}

HeapReport Memory::heap_report(const Owner& owner) const {
  const Call call(*this);
  return owner.heap != kNoHeap ? report(own_heap(owner)) : HeapReport{.name = nullptr};
}

HeapReport Memory::locate(const void* address) const {
  address = in_window(address);
  const AddressSpace& space = space_of(address);
  const std::optional<std::uint32_t> page = space.page_of(address);
  if (!page) {
    return {.name = nullptr};
  }
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    if (heaps_[handle].space == &space && heaps_[handle].owns_page(*page)) {
      return report(heaps_[handle]);
    }
  }
  const HeapId last = space.last_heap_of(*page);
  if (number(last) < kMaxHeaps) {
    HeapReport former = report(heap_at(last));
    former.former = true;
    return former;
  }
  return space.heap_of(*page) == kMetadataHeap ? metadata_report() : HeapReport{.name = nullptr};
}

// Whether the address is one of the tables that were given at boot.
bool Memory::is_in_arena(const void* address) const {
  const std::span<std::byte> arena = hardening_->arena_;
  return reinterpret_cast<std::uintptr_t>(address) -
             reinterpret_cast<std::uintptr_t>(arena.data()) <
         arena.size();
}

PageState Memory::page_state(const void* address) const {
  address = in_window(address);
  const AddressSpace& space = space_of(address);
  const std::optional<std::uint32_t> page = space.page_of(address);
  const bool guarded = hardening() != nullptr && hardening()->settings_.read_only_metadata;
  if (guarded && is_in_arena(address)) {
    return PageState::own;
  }
  if (page && space.is_mapped(*page)) {
    if (space.heap_of(*page) == kMetadataHeap && guarded) {
      return PageState::own;
    }
    const Access access = space.info(*page).access;
    return access == Access::open        ? PageState::open
           : access == Access::read_only ? PageState::read_only
                                         : PageState::closed;
  }
  const bool is_off =
      page && !space.has_mmu() &&
      !space.pool().is_powered(space.pool().bank_of(Frame{static_cast<std::uint16_t>(*page)}));
  return is_off ? PageState::bank_off : PageState::not_mapped;
}

}  // namespace modmem
