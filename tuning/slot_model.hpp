// SlotModel: which requests a table of slots serves, by the rule of SlotHeap, without memory.
//
// A *table* here is a number of slots for each class of SlotDemand, tried from the smallest: a
// request takes a slot of the first class that is large enough and has a free one. A block that is
// resized stays where its slot is large enough, else it takes another slot before it gives back its
// own. A request that fails is counted, and later operations on its block do nothing.
//
// That is what SlotHeap does with such a table as long as frames and descriptors last, so that a
// real replay has the same failures and the same most used slots (slot_model_test.cpp).
// Cost: O(operations), a few ns each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tuning/slot_demand.hpp"

namespace modmem::tuning {

class SlotModel {
 public:
  // `demand` outlives it.
  explicit SlotModel(const SlotDemand& demand) : demand_(demand), slot_of_(demand.blocks()) {}

  // How many requests fail with `slots` slots of each class; `most` + 1 as soon as it is more than
  // `most`. Requires as many classes as the demand has, and at most SlotDemand::kMostClasses.
  std::uint64_t failures(std::span<const std::uint32_t> slots, std::uint64_t most = UINT64_MAX - 1);

  // Most slots of each class that the last failures() used at a time.
  const std::vector<std::uint32_t>& most_used() const { return most_used_; }
  // Operations played so far, in all.
  std::uint64_t played() const { return played_; }

 private:
  // Of a block that has no slot: it was refused, or lives in another heap.
  static constexpr std::uint8_t kNone = UINT8_MAX;
  static constexpr std::uint8_t kElsewhere = UINT8_MAX - 1;
  static constexpr std::uint8_t kMostSlots = SlotDemand::kMostClasses;

  bool take(std::uint32_t size_class, std::uint8_t& slot);
  void give(std::uint8_t slot);
  bool resize(std::uint32_t size_class, std::uint8_t& slot);

  const SlotDemand& demand_;
  std::vector<std::uint8_t> slot_of_;  // class of the slot that a block has
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> least_free_;
  std::vector<std::uint32_t> most_used_;
  std::uint32_t with_free_ = 0;  // bit c: class c has a free slot
  std::uint64_t played_ = 0;
};

}  // namespace modmem::tuning
