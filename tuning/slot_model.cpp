#include "tuning/slot_model.hpp"

#include <algorithm>
#include <bit>

namespace modmem::tuning {

static_assert(SlotDemand::kMostClasses <= 32);

// Puts a block into a slot of the first class that has one. False where none has.
bool SlotModel::take(std::uint32_t size_class, std::uint8_t& slot) {
  const std::uint32_t fitting = with_free_ >> size_class;
  if (fitting == 0) {
    return false;
  }
  const std::uint32_t at = size_class + static_cast<std::uint32_t>(std::countr_zero(fitting));
  const std::uint32_t left = --free_[at];
  least_free_[at] = std::min(least_free_[at], left);
  if (left == 0) {
    with_free_ &= ~(std::uint32_t{1} << at);
  }
  slot = static_cast<std::uint8_t>(at);
  return true;
}

void SlotModel::give(std::uint8_t slot) {
  if (slot < kMostSlots) {
    ++free_[slot];
    with_free_ |= std::uint32_t{1} << slot;
  }
}

bool SlotModel::resize(std::uint32_t size_class, std::uint8_t& slot) {
  if (slot < kMostSlots && size_class <= slot) {
    return true;
  }
  const std::uint8_t before = slot;
  if (!take(size_class, slot)) {
    return false;
  }
  give(before);
  return true;
}

std::uint64_t SlotModel::failures(std::span<const std::uint32_t> slots, std::uint64_t most) {
  free_.assign(slots.begin(), slots.end());
  least_free_ = free_;
  with_free_ = 0;
  for (std::uint32_t i = 0; i < free_.size(); ++i) {
    with_free_ |= free_[i] != 0 ? std::uint32_t{1} << i : 0;
  }
  std::fill(slot_of_.begin(), slot_of_.end(), kNone);
  std::uint64_t failed = 0;
  for (const SlotOperation& operation : demand_.operations()) {
    ++played_;
    std::uint8_t& slot = slot_of_[operation.block];
    bool served = true;
    switch (operation.kind) {
      case SlotOperation::Kind::take:
        served = take(operation.size_class, slot = kNone);
        break;
      case SlotOperation::Kind::enter:
        served = take(operation.size_class, slot = kElsewhere);
        break;
      case SlotOperation::Kind::resize:
        served = slot != kNone && resize(operation.size_class, slot);
        break;
      case SlotOperation::Kind::leave:
        served = slot != kNone;
        give(slot);
        slot = served ? kElsewhere : kNone;
        break;
      case SlotOperation::Kind::give:
        give(slot);
        slot = kNone;
        break;
    }
    failed += served ? 0 : 1;
    if (failed > most) {
      break;
    }
  }
  most_used_.resize(free_.size());
  for (std::size_t i = 0; i < free_.size(); ++i) {
    most_used_[i] = slots[i] - least_free_[i];
  }
  return failed;
}

}  // namespace modmem::tuning
