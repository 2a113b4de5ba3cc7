// Banks: pages move so that banks can go off, and blocks are pinned so that they do not move.

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

// Knows which heaps' pages may move.
class Memory::Mover final : public PageMover {
 public:
  explicit Mover(Memory& memory) : memory_(memory) {}

  // A fixed arena stands for memory that is one piece physically. What a heap of slots or a region
  // has in one piece are addresses, which stay. What another core works with may be in its cache.
  bool may_move(std::uint32_t page) override {
    const HeapId id = memory_.space_.heap_of(page);
    if (id == kMetadataHeap) {
      return true;
    }
    const HeapSlot& slot = memory_.heap_at(id);
    return slot.kind != HeapKind::fixed && !memory_.is_of_another_core(slot);
  }

 private:
  Memory& memory_;
};

Compaction Memory::compact(std::uint32_t budget) {
  const Call call(*this);
  enter();
  trim_locked();
  Mover mover(*this);
  const Compaction done = space_.compact(budget, mover);
  note_upkeep(Upkeep::compact, nullptr, budget, done.moved);
  verify();
  return done;
}

void Memory::trim() {
  const Call call(*this);
  enter();
  trim_locked();
  note_upkeep(Upkeep::trim);
  verify();
}

void Memory::trim_locked() {
  const std::uint64_t time = port_->time_us();
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    if (heaps_[handle].heap == &heaps_[handle].elastic) {
      heaps_[handle].elastic.give_back_kept(time);
    }
  }
  pool_.trim();
}

Energy Memory::energy() const {
  const Call call(*this);
  Energy energy;
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    energy.heaps_us += heaps_[handle].space == &space_ ? report(heaps_[handle]).bank_us : 0;
  }
  energy.heaps_us += metadata_report().bank_us;
  energy.ended_us = ended_frame_us_ / pool_.bank_frames();
  energy.total_us = pool_.powered_frame_us() / pool_.bank_frames();
  // Time passes between the readings of the clock, and each is rounded down.
  const std::uint64_t used = energy.heaps_us + energy.ended_us;
  energy.total_us = energy.total_us > used ? energy.total_us : used;
  energy.idle_us = energy.total_us - used;
  return energy;
}

// Where a block of the SRAM starts, in places from the start of the window.
std::uint32_t Memory::place_of(const void* block) const {
  return static_cast<std::uint32_t>(
      static_cast<std::size_t>(space_.to_cached(block) - space_.address_of(0)) /
      Record::kPlaceBytes);
}

// The pin of the block that starts at `block`, kNone where it has none.
std::uint16_t Memory::find_pin(const void* block) const {
  const std::uint32_t place = place_of(block);
  std::uint16_t handle = first_pin_;
  while (handle != SlotStore::kNone && pins_[handle].place != place) {
    handle = pins_[handle].next;
  }
  return handle;
}

// Marks the pages of all pins, or takes the marks away where the pages are there still.
void Memory::mark_pins(bool pinned) {
  for (std::uint16_t handle = first_pin_; handle != SlotStore::kNone; handle = pins_[handle].next) {
    const Pin& pin = pins_[handle];
    for (std::uint32_t page = pin.first; page < std::uint32_t{pin.first} + pin.pages; ++page) {
      if (space_.is_mapped(page)) {
        space_.set_pinned(page, pinned);
      }
    }
  }
}

// Blocks have ended or been resized: drops the pins of those that are no more, and marks the pages
// of the others anew.
void Memory::settle_pins() {
  mark_pins(false);
  for (std::uint16_t* link = &first_pin_; *link != SlotStore::kNone;) {
    Pin& pin = pins_[*link];
    std::byte* const block = space_.address_of(0) + std::size_t{pin.place} * Record::kPlaceBytes;
    if (pin.count == 0 || status_of(block) != PointerStatus::live) {
      const std::uint16_t handle = *link;
      *link = pin.next;
      pins_.destroy(handle);
      continue;
    }
    const std::size_t bytes = slot_of(block)->heap->usable_size(block);
    const std::uint32_t last = *space_.page_of(block + bytes - 1);
    pin.first = static_cast<std::uint16_t>(*space_.page_of(block));
    pin.pages = static_cast<std::uint16_t>(last - pin.first + 1);
    link = &pin.next;
  }
  mark_pins(true);
}

bool Memory::pin(const void* pointer) {
  const Call call(*this);
  const void* block = in_window(pointer);
  if (status_of(block) != PointerStatus::live) {
    return false;
  }
  if (&space_of(block) != &space_) {
    return true;  // nothing moves there
  }
  std::uint16_t handle = find_pin(block);
  if (handle == SlotStore::kNone) {
    set_metadata_aside(nullptr);
    handle = pins_.create();
    if (handle == SlotStore::kNone) {
      return false;
    }
    pins_[handle].place = place_of(block);
    pins_[handle].next = first_pin_;
    first_pin_ = handle;
  }
  if (pins_[handle].count == UINT16_MAX) {
    return false;
  }
  ++pins_[handle].count;
  note_upkeep(Upkeep::pin, nullptr, place_of(block));
  settle_pins();
  verify();
  return true;
}

bool Memory::unpin(const void* pointer) {
  const Call call(*this);
  const void* block = in_window(pointer);
  if (status_of(block) != PointerStatus::live) {
    return false;
  }
  if (&space_of(block) != &space_) {
    return true;
  }
  const std::uint16_t handle = find_pin(block);
  if (handle == SlotStore::kNone) {
    return false;
  }
  --pins_[handle].count;
  note_upkeep(Upkeep::unpin, nullptr, place_of(block));
  settle_pins();
  verify();
  return true;
}

}  // namespace modmem
