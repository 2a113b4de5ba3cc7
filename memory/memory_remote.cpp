// Heaps and cores: which core a heap serves, the system's heap of each core, and blocks that end on
// another core than their heap's.
//
// A core's cache may hold lines of any block in its heaps, dirty ones too, and no other core can
// drop them. So memory that another core gives back must not be handed out before the heap's own
// core has dropped what it has of it: the block ends for its user at once (charge, record in its
// owner's list, view, status), and its record goes to the heap's queue. The heap's core takes
// kDrainStep of them back with each of its calls, and all of them where a request of it would fail
// else. Coherent blocks have no lines in any cache: their memory goes back at once.
//
// All of this is under Memory's one lock: the queue is there for the caches, not for speed.
//
// Invariants (check()): a queued record is in its page's list and in its heap's queue, and in no
// owner's; its block lives in the engine; a heap of a core is in that core's list of heaps exactly
// while its queue has something.

#include "memory/memory.hpp"

namespace modmem {

namespace {

// Of the system's heaps, by core.
constexpr std::array<const char*, 16> kCoreHeapNames{
    "system",    "system-1",  "system-2",  "system-3", "system-4",  "system-5",
    "system-6",  "system-7",  "system-8",  "system-9", "system-10", "system-11",
    "system-12", "system-13", "system-14", "system-15"};

}  // namespace

// Whether the system has a heap for each core: where heaps take what they need. A fixed arena or a
// heap of slots is one for all.
bool Memory::has_core_heaps() const { return cores() > 1 && policy_->system == HeapKind::elastic; }

// The core of an owner that is to be.
std::uint8_t Memory::core_for(const Owner& parent, const OwnerSpec& spec) const {
  if (spec.core != OwnerSpec::kNearest) {
    return spec.core;
  }
  const std::uint32_t core = calling_core();
  return &parent != system_ ? parent.spec.core
         : core < cores()   ? static_cast<std::uint8_t>(core)
                            : static_cast<std::uint8_t>(kPrimaryCore);
}

// The system's heap that serves the calling core.
HeapSlot* Memory::system_heap() const {
  const std::uint32_t core = calling_core();
  return cores() > 1 && core < kMaxCores && core_heaps_[core] != nullptr ? core_heaps_[core]
                                                                         : system_heap_;
}

// Opens the core's own heap of the system. Returns whether it did: not where it has one, and not
// where there is no room for another heap; then the primary core's serves it as well.
bool Memory::open_core_heap(std::uint32_t core) {
  if (!has_core_heaps() || core == kPrimaryCore || core >= cores() ||
      core_heaps_[core] != nullptr) {
    return false;
  }
  HeapSlot* slot = open_heap(heap_of_role(policy_->system), *system_, kCoreHeapNames[core], space_);
  if (slot == nullptr) {
    return false;
  }
  slot->core = static_cast<std::uint8_t>(core);
  core_heaps_[core] = slot;
  return true;
}

// Where a request goes, which may be the first one of its core to the system's heap.
Memory::Route Memory::route_opened(const Request& request) {
  const Route where = route(request);
  return where.slot == system_heap_ && open_core_heap(calling_core()) ? route(request) : where;
}

// --- blocks that other cores end ---

// Puts the heap into the list of those of its core whose queues have something, or out of it.
void Memory::link_queue(HeapSlot& slot) {
  slot.queue_next = queues_[slot.core];
  queues_[slot.core] = slot.handle;
}

void Memory::unlink_queue(const HeapSlot& slot) const {
  std::uint16_t* link = &queues_[slot.core];
  while (*link != slot.handle) {
    link = &heaps_[*link].queue_next;
  }
  *link = slot.queue_next;
}

// The block of that record has ended, and its memory waits for the heap's core.
void Memory::queue(std::uint16_t handle, HeapSlot& slot) {
  Record& record = records_[handle];
  unlink_from_owner(record);
  record.owner = SlotStore::kNone;
  record.newer = SlotStore::kNone;
  record.older = SlotStore::kNone;
  if (slot.queued_blocks == 0) {
    slot.queue_first = handle;
    link_queue(slot);
  } else {
    records_[slot.queue_last].older = handle;
  }
  slot.queue_last = handle;
  ++slot.queued_blocks;
  slot.queued_bytes += record.bytes;
}

// Takes the oldest record out of the queue, which has some, and gives it.
std::uint16_t Memory::take_queued(HeapSlot& slot) const {
  const std::uint16_t handle = slot.queue_first;
  slot.queue_first = records_[handle].older;
  slot.queued_bytes -= records_[handle].bytes;
  if (--slot.queued_blocks == 0) {
    unlink_queue(slot);
  }
  return handle;
}

// Takes back at most `most` blocks of the calling core's heaps. Returns how many it were.
std::uint32_t Memory::drain_locked(std::uint32_t most) const {
  const std::uint32_t core = calling_core();
  std::uint32_t count = 0;
  while (cores() > 1 && core < kMaxCores && queues_[core] != SlotStore::kNone && count < most) {
    HeapSlot& slot = heaps_[queues_[core]];
    const std::uint16_t handle = take_queued(slot);
    const Found found = find(handle);
    if (hardening() != nullptr) {
      check_guard(found, nullptr);
      wipe(found);
    }
    drop_lines(slot, found.block, 0);
    unlink_from_page(found);
    records_.destroy(slot.records, handle);
    slot.heap->free(found.block);
    ++count;
  }
  return count;
}

std::size_t Memory::drain(std::uint32_t most) {
  const Call call(*this);
  enter();
  drain_locked(most);
  metadata_.drop_spare();
  note_upkeep(Upkeep::drain, nullptr, most);
  std::size_t left = 0;
  const std::uint32_t core = calling_core();
  for (std::uint16_t handle = core < kMaxCores ? queues_[core] : SlotStore::kNone;
       handle != SlotStore::kNone; handle = heaps_[handle].queue_next) {
    left += heaps_[handle].queued_blocks;
  }
  verify();
  return left;
}

// Before the heap `from` is closed: what waits there goes with its memory, or, where that lives on
// in the heap `to`, of the same core, waits there.
void Memory::move_queue(HeapSlot& from, HeapSlot* to) {
  if (cores() == 1 || from.queued_blocks == 0) {
    return;
  }
  unlink_queue(from);
  if (to != nullptr && to->queued_blocks == 0) {
    to->queue_first = from.queue_first;
    link_queue(*to);
  } else if (to != nullptr) {
    records_[to->queue_last].older = from.queue_first;
  }
  if (to != nullptr) {
    to->queue_last = from.queue_last;
    to->queued_blocks += from.queued_blocks;
    to->queued_bytes += from.queued_bytes;
  }
  from.queued_blocks = 0;
  from.queued_bytes = 0;
}

// The heap that gets the pages of `slot` where others than its owners live in them when it is
// closed: the system's of the same core. nullptr where that one has none.
HeapSlot* Memory::heir_of(const HeapSlot& slot) const {
  const bool is_first = slot.core == HeapSlot::kAnyCore || slot.core == kPrimaryCore;
  return is_first || !has_core_heaps() ? system_heap_ : core_heaps_[slot.core];
}

bool Memory::check_queue(const HeapSlot& slot) const {
  std::uint32_t blocks = 0;
  std::size_t bytes = 0;
  std::uint16_t last = SlotStore::kNone;
  for (std::uint16_t handle = slot.queue_first; blocks < slot.queued_blocks;
       handle = records_[handle].older) {
    const Record& record = records_[handle];
    const std::byte* block = block_of(record);
    if (!is_queued(record) || &heap_of(record) != &slot ||
        slot.heap->status(block) != PointerStatus::live || find(block).handle != handle) {
      return false;
    }
    ++blocks;
    bytes += record.bytes;
    last = handle;
  }
  if (slot.core == HeapSlot::kAnyCore) {
    return blocks == 0;
  }
  std::uint32_t times = 0;
  for (std::uint16_t handle = queues_[slot.core]; handle != SlotStore::kNone;
       handle = heaps_[handle].queue_next) {
    times += handle == slot.handle ? 1 : 0;
  }
  return bytes == slot.queued_bytes && times == (blocks != 0 ? 1U : 0U) &&
         (blocks == 0 || last == slot.queue_last);
}

}  // namespace modmem
