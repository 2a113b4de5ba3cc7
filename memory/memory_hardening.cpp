// Hardening: guards behind blocks, filled free memory, and freed blocks that wait.
//
// Caches. What is written here must be what is read here later, maybe on another core, and must
// leave no dirty line of memory that nobody has. So what a cached block is filled with is written
// back at once, and a freed block's lines are dropped after that, as ever; neighbours in its first
// and last line are of the same core, and cleaned when they are freed in turn. Wherever a waiting
// block is taken back, no cache has a dirty line of it but by a write after its free. A guard of a
// block that other cores may use, which has whole lines, is read from memory. Cached blocks of
// another core's heap are looked at by that core: when it takes them back (memory_remote.cpp).

#include <cstring>

#include "base/check.hpp"
#include "memory/hardening.hpp"
#include "memory/memory.hpp"

namespace modmem {

namespace {

// The bytes of [bytes, bytes + count) from the first to the last that is not `value`.
struct Damage {
  std::size_t offset = 0;
  std::size_t length = 0;  // 0: all are
};

Damage damage_in(const std::byte* bytes, std::size_t count, std::byte value) {
  if (count == 0 || (bytes[0] == value && std::memcmp(bytes, bytes + 1, count - 1) == 0)) {
    return {};
  }
  std::size_t first = 0;
  while (bytes[first] == value) {
    ++first;
  }
  std::size_t last = count - 1;
  while (bytes[last] == value) {
    --last;
  }
  return {first, last - first + 1};
}

bool is_same(const char* one, const char* other) {
  while (*one != '\0' && *one == *other) {
    ++one;
    ++other;
  }
  return *one == *other;
}

}  // namespace

bool find_hardening(const char* name, HardeningSettings& settings) {
  if (is_same(name, config::kHardening)) {
    settings = {};
    return true;
  }
  for (const HardeningLevel& level : kHardeningLevels) {
    if (is_same(name, level.name)) {
      settings = level.settings;
      return true;
    }
  }
  return false;
}

// --- calls ---

void Memory::end_hardened_call() const {
  if (hardening_->settings_.read_only_metadata && system_ != nullptr) {
    set_metadata_writable(false);
  }
  const std::uint32_t count = hardening_->found_count_;
  if (count == 0) {
    port_->unlock();
    return;
  }
  const auto found = hardening_->found_;
  hardening_->found_count_ = 0;
  port_->unlock();
  for (std::uint32_t i = 0; i < count && observer_ != nullptr; ++i) {
    observer_->on_damage(found[i]);
  }
}

// Notes what is to be told of when the call is over: the first few of what one call finds.
void Memory::note_damage(const Found& found, const Owner* owner, FaultKind kind, std::size_t offset,
                         std::size_t length, std::uint16_t freed_at) const {
  Hardening& state = *hardening_;
  if (state.found_count_ == Hardening::kMostFound) {
    return;
  }
  const Record& record = records_[found.handle];
  const Owner& about = owner != nullptr ? *owner : *found.slot->owner;
  Fault& fault = state.found_[state.found_count_++];
  fault = {};
  fault.pointer = handed_out(record, found.block);
  fault.status = kind == FaultKind::overrun ? PointerStatus::live : PointerStatus::not_live;
  fault.heap = found.slot->name;
  fault.owner_kind = about.spec.kind;
  fault.owner_id = about.spec.id;
  fault.owner_name = about.spec.name;
  fault.kind = kind;
  fault.bytes = record.bytes;
  fault.site = sites_[record.site];
  fault.freed_at = sites_[freed_at];
  fault.offset = offset;
  fault.length = length;
}

// Writes back, and drops, what this core's cache has of the lines of [begin, end), a part of a
// block.
void Memory::sync_lines(const HeapSlot& slot, std::byte* begin, std::byte* end, bool drop) const {
  const std::size_t line = config_.cache_line_bytes;
  std::byte* first = begin - reinterpret_cast<std::uintptr_t>(begin) % line;
  const auto bytes = align_up(static_cast<std::size_t>(end - first), line);
  slot.space->port().cache_writeback(first, bytes);
  if (drop) {
    slot.space->port().cache_invalidate(first, bytes);
  }
}

// --- metadata ---

// The pages of metadata, and the boot arena, where what is noted of pages lies: so that is the
// first to be written, and the last to be left. Tables of L3, which lie in it, are not among them.
void Memory::set_metadata_writable(bool writable) const {
  const std::span<std::byte> arena = hardening_->arena_;
  hardening_->is_read_only_ = !writable;
  if (writable) {
    port_->set_writable(arena.data(), arena.size(), true);
  }
  if (port_->can_close_pages()) {
    metadata_.set_access(writable ? Access::open : Access::read_only);
  }
  if (!writable) {
    port_->set_writable(arena.data(), arena.size(), false);
  }
}

void Memory::abandon() {
  const LockGuard guard(*port_);
  if (hardening() != nullptr && hardening_->is_read_only_) {
    set_metadata_writable(true);
  }
}

// --- guards ---

// Bytes that a block there has more than was asked for, for its guard. Places of regions and slots
// have sizes of their own.
std::size_t Memory::guard_bytes(const HeapSlot* slot) const {
  const bool longer =
      has_guards() && slot != nullptr && slot->slots == nullptr && slot->region == nullptr;
  return longer ? hardening_->settings_.guard_bytes : 0;
}

void Memory::fill_guard(const Found& found) const {
  const Record& record = records_[found.handle];
  const HeapSlot& slot = *found.slot;
  const std::size_t usable = slot.heap->usable_size(found.block);
  if (usable == record.bytes) {
    return;
  }
  std::byte* start = found.block + record.bytes;
  std::byte* end = found.block + usable;
  const internal::OpenBlock open(slot, start, usable - record.bytes);
  std::memset(handed_out(record, start), static_cast<int>(Hardening::kGuard),
              usable - record.bytes);
  if (record.uncached == 0 && cores() > 1) {
    sync_lines(slot, start, end, slot.core == HeapSlot::kAnyCore || is_of_another_core(slot));
  }
}

// Looks at the guard of a block, whose owner is nullptr where it is not known any more, and mends
// it. Returns whether it was whole.
bool Memory::check_guard(const Found& found, const Owner* owner) const {
  if (!has_guards()) {
    return true;
  }
  const Record& record = records_[found.handle];
  const HeapSlot& slot = *found.slot;
  const std::size_t usable = slot.heap->usable_size(found.block);
  const std::size_t bytes = usable - record.bytes;
  if (bytes == 0 || (record.uncached == 0 && is_of_another_core(slot))) {
    return true;
  }
  std::byte* start = found.block + record.bytes;
  const internal::OpenBlock open(slot, start, bytes);
  if (record.uncached == 0 && cores() > 1 && slot.core == HeapSlot::kAnyCore) {
    sync_lines(slot, start, start + bytes, true);
  }
  const auto* guard = static_cast<const std::byte*>(handed_out(record, start));
  const Damage damage = damage_in(guard, bytes, Hardening::kGuard);
  if (damage.length == 0) {
    return true;
  }
  note_damage(found, owner, FaultKind::overrun, record.bytes + damage.offset, damage.length,
              SiteTable::kUnknown);
  fill_guard(found);
  return false;
}

// --- what is freed ---

// Fills a block that has ended.
void Memory::wipe(const Found& found) const {
  if (hardening() == nullptr || !hardening_->settings_.poison) {
    return;
  }
  const Record& record = records_[found.handle];
  const std::size_t bytes = found.slot->heap->usable_size(found.block);
  const internal::OpenBlock open(*found.slot, found.block, bytes);
  std::memset(handed_out(record, found.block), static_cast<int>(hardening_->fill()), bytes);
  if (record.uncached == 0) {
    sync_lines(*found.slot, found.block, found.block + bytes, false);
  }
}

// Looks at a block that waits. Returns whether it is as wipe() left it.
bool Memory::check_wiped(const Found& found, const Hardening::Waiting& block) const {
  const Record& record = records_[found.handle];
  HeapSlot& slot = *found.slot;
  const std::size_t bytes = slot.heap->usable_size(found.block);
  const internal::OpenBlock open(slot, found.block, bytes);
  std::size_t from = 0;
  std::size_t to = bytes;
  if (record.uncached == 0) {
    // Of lines that another core's blocks lie in, only that core knows what is right.
    const Lines own = lines_of(slot, found.block);
    if (own.begin < own.end) {
      sync_lines(slot, own.begin, own.end, true);
    }
    if (is_of_another_core(slot)) {
      from = own.begin > found.block ? static_cast<std::size_t>(own.begin - found.block) : 0;
      const std::ptrdiff_t behind = own.end - found.block;
      to = behind < static_cast<std::ptrdiff_t>(bytes) ? static_cast<std::size_t>(behind) : bytes;
    }
  }
  const auto* content = static_cast<const std::byte*>(handed_out(record, found.block));
  const Damage damage =
      from < to ? damage_in(content + from, to - from, hardening_->fill()) : Damage{};
  if (damage.length != 0) {
    note_damage(found, &owners_[block.owner], FaultKind::write_after_free, from + damage.offset,
                damage.length, block.freed_at);
  }
  return damage.length == 0;
}

// --- quarantine ---

// Has a block that has ended for its owner wait, where the level says so. Not what is larger than
// the quarantine, nor in heaps whose owner counts on their pages.
bool Memory::quarantine(const Found& found, const Owner& owner, const Site& from) {
  if (hardening() == nullptr || !hardening_->settings_.poison ||
      hardening_->settings_.quarantine_bytes == 0) {
    return false;
  }
  Hardening& state = *hardening_;
  const std::size_t bytes = found.slot->heap->usable_size(found.block);
  const std::size_t most = state.settings_.quarantine_bytes;
  if (bytes > most || is_premapped(*found.slot)) {
    return false;
  }
  while (state.count_ == Hardening::kMostWaiting || state.waiting_bytes_ > most - bytes) {
    release_waiting(0);
  }
  Record& record = records_[found.handle];
  unlink_from_owner(record);
  record.owner = SlotStore::kNone;
  record.newer = SlotStore::kNone;
  record.older = SlotStore::kNone;
  state.add({found.handle, owner.handle, sites_.number_of(from)});
  state.waiting_bytes_ += bytes;
  return true;
}

// The `at`th oldest block that waits has waited long enough.
void Memory::release_waiting(std::uint32_t at) const {
  const Hardening::Waiting block = hardening_->remove(at);
  const Found found = find(block.record);
  HeapSlot& slot = *found.slot;
  hardening_->waiting_bytes_ -= slot.heap->usable_size(found.block);
  check_wiped(found, block);
  drop_lines(slot, found.block, 0);  // those that it was looked at through
  unlink_from_page(found);
  records_.destroy(slot.records, found.handle);
  make_ready(&slot, owners_[block.owner]);
  slot.heap->free(found.block);
}

std::uint32_t Memory::release_all_waiting() const {
  std::uint32_t count = 0;
  for (; has_waiting(); ++count) {
    release_waiting(0);
  }
  return count;
}

void Memory::release_waiting_of(const Owner& owner) const {
  for (std::uint32_t at = 0; has_waiting() && at < hardening_->count_;) {
    if (hardening_->waiting(at).owner == owner.handle) {
      release_waiting(at);
    } else {
      ++at;
    }
  }
}

void Memory::release_waiting_in(const HeapSlot& slot) const {
  for (std::uint32_t at = 0; has_waiting() && at < hardening_->count_;) {
    if (&heap_of(records_[hardening_->waiting(at).record]) == &slot) {
      release_waiting(at);
    } else {
      ++at;
    }
  }
}

// Before a request fails: whatever has ended and was kept is to be had for it. Returns whether
// there was something.
bool Memory::take_back_ended() const {
  const std::uint32_t drained = drain_locked(UINT32_MAX);
  return release_all_waiting() + drained != 0;
}

// What is known of a block that starts at `pointer` and waits; nullptr where none does.
const Hardening::Waiting* Memory::waiting_at(const void* pointer) const {
  const HeapSlot* slot = has_waiting() ? slot_of(pointer) : nullptr;
  if (slot == nullptr || slot->heap->status(pointer) != PointerStatus::live) {
    return nullptr;
  }
  const std::uint16_t handle = find(pointer).handle;
  for (std::uint32_t at = 0; at < hardening_->count_; ++at) {
    if (hardening_->waiting(at).record == handle) {
      return &hardening_->waiting(at);
    }
  }
  return nullptr;
}

Fault Memory::freed_block(const void* pointer) const {
  const Call call(*this);
  Fault fault;
  const Hardening::Waiting* block = waiting_at(in_window(pointer));
  if (block != nullptr) {
    const Record& record = records_[block->record];
    const OwnerSpec& owner = owners_[block->owner].spec;
    fault.pointer = pointer;
    fault.status = PointerStatus::not_live;
    fault.owner_kind = owner.kind;
    fault.owner_id = owner.id;
    fault.owner_name = owner.name;
    fault.bytes = record.bytes;
    fault.site = sites_[record.site];
    fault.freed_at = sites_[block->freed_at];
  }
  return fault;
}

std::size_t Memory::empty_quarantine() {
  const Call call(*this);
  enter();
  const std::size_t count = release_all_waiting();
  verify();
  return count;
}

std::size_t Memory::quarantined_bytes() const {
  const Call call(*this);
  return hardening() != nullptr ? hardening_->waiting_bytes_ : 0;
}

std::size_t Memory::quarantined_blocks() const {
  const Call call(*this);
  return hardening() != nullptr ? hardening_->count_ : 0;
}

// --- looking at all of it ---

std::size_t Memory::check_blocks_of(const Owner& owner) const {
  std::size_t damaged = 0;
  for (std::uint16_t handle = owner.newest; handle != SlotStore::kNone;
       handle = records_[handle].older) {
    damaged += check_guard(find(handle), &owner) ? 0 : 1;
  }
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    damaged += check_blocks_of(*child);
  }
  return damaged;
}

std::size_t Memory::check_blocks() {
  const Call call(*this);
  enter();
  std::size_t damaged = has_guards() ? check_blocks_of(*system_) : 0;
  for (std::uint32_t at = 0; has_waiting() && at < hardening_->count_; ++at) {
    const Hardening::Waiting& block = hardening_->waiting(at);
    const Found found = find(block.record);
    if (!check_wiped(found, block)) {
      ++damaged;
      wipe(found);
    }
    drop_lines(*found.slot, found.block, 0);
  }
  verify();
  return damaged;
}

bool Memory::check_waiting() const {
  std::size_t bytes = 0;
  for (std::uint32_t at = 0; has_waiting() && at < hardening_->count_; ++at) {
    const Hardening::Waiting& block = hardening_->waiting(at);
    const Record& record = records_[block.record];
    const Found found = find(block.record);
    if (!is_queued(record) || found.handle != block.record ||
        found.slot->heap->status(found.block) != PointerStatus::live ||
        owners_[block.owner].handle != block.owner) {
      return false;
    }
    bytes += found.slot->heap->usable_size(found.block);
  }
  return hardening() == nullptr ||
         (bytes == hardening_->waiting_bytes_ && bytes <= hardening_->settings_.quarantine_bytes);
}

}  // namespace modmem
