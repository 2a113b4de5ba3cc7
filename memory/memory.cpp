// Bringing the system up and down, and looking at it.

#include "memory/memory.hpp"

#include "base/check.hpp"

namespace modmem {

const char* Memory::config_error(const PlatformConfig& config) {
  constexpr std::size_t kPage = config::kPageBytes;
  constexpr std::size_t kMostPages = FrameInfo::kNone;
  if (config.sram_bytes % kPage != 0 || config.bank_bytes % kPage != 0 ||
      config.reserve_bytes % kPage != 0 || config.arena_bytes % kPage != 0) {
    return "SRAM, bank, reserve and arena must be multiples of the page";
  }
  if (!is_power_of_two(config.bank_bytes) || !is_power_of_two(config.cache_line_bytes) ||
      !is_power_of_two(config.dma_alignment)) {
    return "bank, cache line and DMA alignment must be powers of two";
  }
  if (config.cache_line_bytes < config::kGranuleBytes || config.cache_line_bytes > kPage ||
      config.dma_alignment > kPage) {
    return "the cache line must lie between granule and page, the DMA alignment within a page";
  }
  if (config.reserve_bytes >= config.sram_bytes) {
    return "the reserve leaves nothing for the pool";
  }
  if ((config.sram_bytes - config.reserve_bytes) / kPage >= kMostPages) {
    return "the pool has too many pages";
  }
  if (config.arena_bytes > config.sram_bytes - config.reserve_bytes) {
    return "the fixed arena is larger than the pool";
  }
  if (config.has_mmu && (config.window_bytes % kPage != 0 || config.span_bytes % kPage != 0 ||
                         config.span_bytes == 0 || config.window_bytes < config.span_bytes ||
                         config.window_bytes / kPage >= kMostPages)) {
    return "window and span must be multiples of the page, the window no smaller than a span";
  }
  if (config.max_heaps == 0 || config.max_heaps > kMaxHeaps || config.max_owners == 0 ||
      config.max_owners >= SlotStore::kNone) {
    return "heaps must be 1 to 254, owners 1 to 65534";
  }
  return nullptr;
}

std::size_t Memory::arena_bytes(const PlatformConfig& config, Port& port) {
  Memory probe;
  probe.config_ = config;
  probe.port_ = &port;
  MetadataArena measure;
  probe.set_up(measure);
  return measure.used();
}

bool Memory::set_up(MetadataArena& arena) {
  // Without short circuits: an arena that only measures must see every part.
  bool done = pool_.boot(config_, *port_, arena);
  done = space_.boot(config_, *port_, pool_, arena) && done;
  const std::size_t frames = pool_.frames();
  const std::size_t blocks = frames * kPageGranules;
  PageAccount& account = metadata_account_;
  done = descriptors_.boot(space_, kMetadataHeap, account, frames, arena) && done;
  done = records_.boot(space_, kMetadataHeap, account, blocks, arena) && done;
  done = owners_.boot(space_, kMetadataHeap, account, config_.max_owners, arena) && done;
  done = heaps_.boot(space_, kMetadataHeap, account, config_.max_heaps, arena) && done;
  arena_used_ = arena.used();
  return done;
}

bool Memory::boot(const PlatformConfig& config, const Policy& policy, Port& port,
                  MemoryObserver* observer, std::span<std::byte> arena) {
  MODMEM_ASSERT(system_ == nullptr);
  if (config_error(config) != nullptr) {
    return false;
  }
  config_ = config;
  policy_ = &policy;
  port_ = &port;
  observer_ = observer;
  MetadataArena tables(arena);
  return set_up(tables) && set_up_policy();
}

bool Memory::set_up_policy() {
  const std::uint16_t handle = owners_.create();
  if (handle == SlotStore::kNone) {
    return false;
  }
  system_ = &owners_[handle];
  system_->handle = handle;
  system_->spec = {.kind = OwnerKind::system, .name = "system"};
  system_heap_ = open_heap(policy_->system, *system_, "system");
  if (system_heap_ != nullptr) {
    system_->heap = HeapId{static_cast<std::uint8_t>(system_heap_->handle)};
    shared_heap_ = policy_->shared == HeapKind::none
                       ? system_heap_
                       : open_heap(policy_->shared, *system_, "shared");
  }
  if (shared_heap_ != nullptr) {
    return true;
  }
  shutdown();
  return false;
}

std::size_t Memory::shutdown() {
  const LockGuard guard(*port_);
  const std::size_t leaks = destroy_tree(*system_, nullptr);
  while (first_heap_ != SlotStore::kNone) {
    close_heap(heaps_[first_heap_]);
  }
  owners_.destroy(system_->handle);
  system_ = nullptr;
  system_heap_ = nullptr;
  shared_heap_ = nullptr;
  descriptors_.shutdown();
  records_.shutdown();
  owners_.shutdown();
  heaps_.shutdown();
  return leaks;
}

// --- heaps ---

std::uint32_t Memory::fixed_arena_pages() const {
  if (config_.arena_bytes != 0) {
    return static_cast<std::uint32_t>(config_.arena_bytes / config::kPageBytes);
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
  if (set_aside_ == 0) {
    return;
  }
  const std::uint32_t spare = pool.free() - pool.reserved();
  const std::uint32_t kept = set_aside_ < spare ? set_aside_ : spare;
  if (slot != nullptr && slot->account.guarantee != 0 &&
      slot->account.held <= slot->account.guarantee) {
    pool.set_guarantee(metadata_account_, metadata_account_.held + kept);
  } else {
    pool.set_guarantee(aside_account_, kept);
  }
}

// A slot for a heap. Its handle is the heap's number, and must be one that a HeapId can name.
std::uint16_t Memory::take_heap_handle() {
  const std::uint16_t handle = heaps_.create();
  if (handle == SlotStore::kNone || handle < kMaxHeaps) {
    return handle;
  }
  // The last page of the store has a few slots beyond: there is a free one before them.
  const std::uint16_t lower = take_heap_handle();
  heaps_.destroy(handle);
  return lower;
}

Memory::HeapSlot* Memory::open_heap(HeapKind kind, Owner& owner, const char* name) {
  const std::uint16_t handle =
      heaps_.live() < config_.max_heaps ? take_heap_handle() : SlotStore::kNone;
  if (handle == SlotStore::kNone) {
    return nullptr;
  }
  HeapSlot& slot = heaps_[handle];
  slot.handle = handle;
  slot.owner = &owner;
  slot.name = name;
  ElasticHeapOptions options;
  options.span_pages = static_cast<std::uint32_t>(config_.span_bytes / config::kPageBytes);
  options.retained_pages = config_.retained_pages;
  options.fixed_pages = kind == HeapKind::fixed ? fixed_arena_pages() : 0;
  const auto guarantee =
      static_cast<std::uint32_t>(divide_up(owner.spec.guarantee, config::kPageBytes));
  const HeapId id{static_cast<std::uint8_t>(handle)};
  const std::uint32_t share = guarantee != 0 ? metadata_share(guarantee) : 0;
  // A fixed arena of no pages would be another kind of heap.
  const bool nothing = kind == HeapKind::fixed && options.fixed_pages == 0;
  if (nothing || divide_up(owner.spec.guarantee, config::kPageBytes) > pool_.frames() ||
      guarantee + share > pool_.free() - pool_.reserved() ||
      !pool_.set_guarantee(slot.account, guarantee)) {
    heaps_.destroy(handle);
    return nullptr;
  }
  if (!slot.heap.open(space_, descriptors_, id, slot.account, options)) {
    pool_.set_guarantee(slot.account, 0);
    heaps_.destroy(handle);
    return nullptr;
  }
  set_aside_ += share;
  set_metadata_aside(nullptr);
  std::uint16_t* last = &first_heap_;
  while (*last != SlotStore::kNone) {
    last = &heaps_[*last].next;
  }
  *last = handle;
  return &slot;
}

void Memory::close_heap(HeapSlot& slot) {
  slot.heap.close();
  set_aside_ -= slot.account.guarantee != 0 ? metadata_share(slot.account.guarantee) : 0;
  pool_.set_guarantee(slot.account, 0);
  set_metadata_aside(nullptr);
  std::uint16_t* link = &first_heap_;
  while (*link != slot.handle) {
    link = &heaps_[*link].next;
  }
  *link = slot.next;
  heaps_.destroy(slot.handle);
}

HeapReport Memory::report(const HeapSlot& slot) const {
  const HeapStats stats = slot.heap.stats();
  HeapReport result;
  result.name = slot.name;
  result.kind = slot.heap.is_fixed() ? "fixed" : "elastic";
  result.owner = slot.owner;
  result.live_bytes = slot.live_bytes;
  result.peak_live_bytes = slot.peak_live_bytes;
  result.mapped_bytes = stats.mapped_bytes;
  result.peak_mapped_bytes = stats.peak_mapped_bytes;
  result.allocations = slot.allocations;
  result.frees = slot.frees;
  result.failures = slot.failures;
  return result;
}

HeapReport Memory::metadata_report() const {
  HeapReport result;
  result.name = "metadata";
  result.kind = "metadata";
  result.owner = system_;
  result.mapped_bytes = std::size_t{metadata_account_.held} * config::kPageBytes;
  result.peak_mapped_bytes = std::size_t{metadata_account_.peak} * config::kPageBytes;
  return result;
}

std::size_t Memory::metadata_bytes() const {
  const LockGuard guard(*port_);
  return arena_used_ + std::size_t{metadata_account_.held} * config::kPageBytes;
}

std::uint64_t Memory::audio_path_calls() const {
  const LockGuard guard(*port_);
  return audio_path_calls_;
}

Owner Memory::snapshot(const Owner& owner) const {
  const LockGuard guard(*port_);
  return owner;
}

HeapReport Memory::locate(const void* address) const {
  const std::optional<std::uint32_t> page = space_.page_of(address);
  if (!page) {
    return {.name = nullptr};
  }
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    if (heaps_[handle].heap.owns_page(*page)) {
      return report(heaps_[handle]);
    }
  }
  return space_.heap_of(*page) == kMetadataHeap ? metadata_report() : HeapReport{.name = nullptr};
}

// --- checks ---

void Memory::enter() const {
  if (port_->on_audio_path()) {
    ++audio_path_calls_;
  }
}

void Memory::verify() const {
  if constexpr (kChecks) {
    MODMEM_ASSERT(check_locked(config::kChecksLevel > 1 ? CheckDepth::deep : CheckDepth::cheap));
    MODMEM_ASSERT(check_accounts());
  }
}

bool Memory::check_owner(const Owner& owner, Sums& sums) const {
  std::size_t own = 0;
  std::uint16_t newer = SlotStore::kNone;
  for (std::uint16_t handle = owner.newest; handle != SlotStore::kNone;) {
    const Record& record = records_[handle];
    const std::uint32_t page = record.granule / kPageGranules;
    if (record.owner != owner.handle || record.newer != newer || !space_.is_busy(page) ||
        space_.heap_of(page) == kMetadataHeap) {
      return false;
    }
    sums.live_by_heap[number(space_.heap_of(page))] += record.bytes;
    ++sums.blocks;
    own += record.bytes;
    newer = handle;
    handle = record.older;
  }
  std::size_t tree = own;
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    if (child->parent != &owner || !check_owner(*child, sums)) {
      return false;
    }
    tree += child->tree;
  }
  return own == owner.own && tree == owner.tree && tree <= owner.spec.limit &&
         owner.own <= owner.own_peak && owner.tree <= owner.tree_peak;
}

bool Memory::check_accounts() const {
  Sums sums;
  if (!check_owner(*system_, sums) || sums.blocks != records_.live()) {
    return false;
  }
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    if (sums.live_by_heap[handle] != heaps_[handle].live_bytes) {
      return false;
    }
  }
  return true;
}

// Every block has a record that can be found from its address, and as many bytes as that says.
bool Memory::check_records(const Owner& owner) const {
  for (std::uint16_t handle = owner.newest; handle != SlotStore::kNone;
       handle = records_[handle].older) {
    const std::byte* block = block_of(records_[handle]);
    if (find_record(block) != handle ||
        slot_of(block)->heap.usable_size(block) < records_[handle].bytes) {
      return false;
    }
  }
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    if (!check_records(*child)) {
      return false;
    }
  }
  return true;
}

bool Memory::check(CheckDepth depth) const {
  const LockGuard guard(*port_);
  return check_locked(depth);
}

bool Memory::check_locked(CheckDepth depth) const {
  std::size_t live = 0;
  std::size_t blocks = 0;
  std::uint32_t pages = metadata_account_.held;
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    const HeapSlot& slot = heaps_[handle];
    if (!slot.heap.check(depth) || slot.live_bytes > slot.heap.stats().occupied_bytes) {
      return false;
    }
    live += slot.live_bytes;
    blocks += slot.heap.stats().live_blocks;
    pages += slot.account.held;
  }
  if (live != system_->tree || pages != pool_.taken() || pages != space_.mapped_pages() ||
      blocks != records_.live()) {
    return false;
  }
  return depth == CheckDepth::cheap ||
         (check_accounts() && check_records(*system_) && pool_.check() && space_.check() &&
          descriptors_.check() && records_.check() && owners_.check() && heaps_.check());
}

}  // namespace modmem
