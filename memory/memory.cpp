// Bringing the system up and down.

#include "memory/memory.hpp"

#include "base/check.hpp"

namespace modmem {

const char* Memory::config_error(const PlatformConfig& config) {
  constexpr std::size_t kPage = config::kPageBytes;
  constexpr std::size_t kMostPages = FrameInfo::kNone;
  if (config.sram_bytes % kPage != 0 || config.bank_bytes % kPage != 0 ||
      config.reserve_bytes % kPage != 0 || config.arena_bytes % kPage != 0 ||
      config.slots_arena_bytes % kPage != 0) {
    return "SRAM, bank, reserve and arena must be multiples of the page";
  }
  if (config.lp_sram_bytes % kPage != 0 || config.l3_bytes % kPage != 0 ||
      config.lp_sram_bytes / kPage >= kMostPages || config.l3_bytes / kPage >= kMostPages) {
    return "low-power SRAM and L3 must be multiples of the page, of fewer than 65535 pages";
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
  if ((config.has_mmu && !config::kMmuSupport) || (config.cores > 1 && !config::kMulticore) ||
      (config.lp_sram_bytes + config.l3_bytes != 0 && !config::kSideMemories)) {
    return "the library is built without what the platform has: see MMU_SUPPORT, MULTICORE, "
           "SIDE_MEMORIES";
  }
  if (config.max_sites == 0 || config.max_sites >= SiteTable::kUnknown) {
    return "sites must be 1 to 65534";
  }
  if (config.metadata_bytes % config::kGranuleBytes != 0 ||
      config.metadata_bytes > MetadataHeap::kReachBytes) {
    return "metadata must be a multiple of the granule, in whole pages of fewer than 65536 units "
           "of "
           "16 bytes";
  }
  if (config.cores == 0 || config.cores > kMaxCores) {
    return "cores must be 1 to 16";
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
  done = set_up_low_power(arena) && done;
  heap_handles_ = arena.take<std::uint16_t>(config_.max_heaps);
  done = heap_handles_ != nullptr && done;
  for (std::uint32_t i = 0; done && i < config_.max_heaps; ++i) {
    heap_handles_[i] = SlotStore::kNone;
  }
  done = sites_.boot(config_.max_sites, arena) && done;
  done = metadata_.boot(space_, kMetadataHeap, metadata_account_, config_.metadata_bytes, arena) &&
         done;
  descriptors_.boot(metadata_);
  records_.boot(metadata_);
  owners_.boot(metadata_);
  heaps_.boot(metadata_);
  slot_heaps_.boot(metadata_);
  regions_.boot(metadata_);
  reservations_.boot(metadata_);
  pins_.boot(metadata_);
  grants_.boot(metadata_);
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
  views_ = port.blocks();
  hardening_ = views_ == nullptr ? hardening_ : nullptr;
  if (hardening() != nullptr && hardening()->settings_.random_placement) {
    for (AddressSpace* space : {&space_, &low_power_.space, &l3_.space}) {
      space->random().use(&hardening()->random_);
    }
  }
  if (hardening() != nullptr) {
    hardening()->arena_ = arena;
  }
  observer_ = observer;
  MetadataArena tables(arena);
  if (!set_up(tables)) {
    return false;
  }
  pool_.start_energy();
  if (!set_up_policy()) {
    return false;
  }
  const Call call(*this);  // whose end has metadata read-only, where that is wanted
  return true;
}

bool Memory::set_up_policy() {
  watch_sram(true);
  queues_.fill(SlotStore::kNone);
  const std::uint16_t handle = owners_.create();
  if (handle == SlotStore::kNone) {
    watch_sram(false);
    return false;
  }
  system_ = &owners_[handle];
  system_->handle = handle;
  system_->spec = {.kind = OwnerKind::system, .name = "system"};
  note_owner(system_, *system_, system_->spec, {});
  system_heap_ = open_heap(heap_of_role(policy_->system), *system_, "system", space_);
  if (system_heap_ != nullptr) {
    system_heap_->core = has_core_heaps() ? kPrimaryCore : HeapSlot::kAnyCore;
    system_->heap = system_heap_->id();
    slots_heap_ = open_or(policy_->slots, "slots");
    shared_heap_ = open_or(policy_->shared, "shared");
  }
  if (slots_heap_ != nullptr && shared_heap_ != nullptr &&
      open_side_heap(low_power_, "low-power") && set_up_l3()) {
    return true;
  }
  shutdown();
  return false;
}

// The heap of a role that the policy may leave to the system's.
HeapSlot* Memory::open_or(HeapKind kind, const char* name) {
  return kind == HeapKind::none ? system_heap_
                                : open_heap(heap_of_role(kind), *system_, name, space_);
}

// Has the host watch a memory whose first `pages` pages are for blocks and metadata, where it has a
// view of them.
void Memory::watch(const AddressSpace& space, std::size_t pages, bool on) {
  if (views() == nullptr) {
    return;
  }
  std::byte* window = space.address_of(0);
  on ? views()->start(window, pages * config::kPageBytes)
     : views()->stop(window, pages * config::kPageBytes);
}

void Memory::watch_sram(bool on) {
  watch(space_, space_.window_pages(), on);
  if (low_power_.port != nullptr) {
    watch(low_power_.space, low_power_.space.window_pages(), on);
  }
}

std::size_t Memory::shutdown() {
  const Call call(*this);
  note_upkeep(Upkeep::shutdown);
  const std::size_t leaks = destroy_tree(*system_, nullptr, true);
  while (first_heap_ != SlotStore::kNone) {
    close_heap(heaps_[first_heap_]);
  }
  end_owner(*system_);
  system_ = nullptr;
  system_heap_ = nullptr;
  core_heaps_ = {};
  slots_heap_ = nullptr;
  shared_heap_ = nullptr;
  close_l3();
  metadata_.shutdown();
  sites_.clear();
  watch_sram(false);
  return leaks;
}

}  // namespace modmem
