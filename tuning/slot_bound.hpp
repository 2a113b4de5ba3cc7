// SlotBound: the least memory that any table can have that serves a demand.
//
// Whoever places the blocks, and wherever: at each moment every block is in a slot of its class or
// a larger one. So a table without failures has, for each class c,
//   slots of class c and larger >= most live blocks of class c and larger
// in whole pages for each size, and in at most as many sizes as a heap has bundles. The cheapest
// such table is found by dynamic programming over the classes, from the largest; what it takes no
// table can do without. That table itself may fail: blocks do not move between slots, and nobody
// knows what comes next.
//
// Cost: O(classes x bundles x slots) once.
#pragma once

#include <cstdint>
#include <vector>

#include "tuning/slot_demand.hpp"

namespace modmem::tuning {

// How slots of a class come: so many at a time, in so many pages.
struct SlotGrain {
  std::uint32_t slots = 1;
  std::uint32_t pages = 1;
};
SlotGrain grain_of(std::uint32_t size_class);

class SlotBound {
 public:
  static constexpr std::uint32_t kImpossible = UINT32_MAX;

  // `at_least`: of the class and larger ones, how many slots there must be; it does not grow with
  // the class.
  SlotBound(const std::vector<std::uint32_t>& at_least, std::uint32_t bundles);

  // Least pages that the classes below `classes` take, in at most `bundles` sizes, where larger
  // ones have `slots` slots in all; kImpossible where there is no such table. O(1).
  std::uint32_t pages_below(std::uint32_t classes, std::uint32_t bundles,
                            std::uint32_t slots) const {
    return classes == 0 ? 0 : pages_[index(classes, bundles, slots < most_ ? slots : most_)];
  }
  // Least pages of all classes.
  std::uint32_t pages() const { return pages_below(classes_, bundles_, 0); }
  // Slots of each class of a table that takes so much; all 0 where there is none.
  std::vector<std::uint32_t> table() const;

 private:
  bool enough_for(std::uint32_t classes, std::uint32_t slots) const {
    return slots >= at_least_[classes - 1];
  }
  std::size_t index(std::uint32_t classes, std::uint32_t bundles, std::uint32_t slots) const {
    return (std::size_t{classes} * (bundles_ + 1) + bundles) * (most_ + 1) + slots;
  }

  std::uint32_t classes_;
  std::uint32_t bundles_;
  std::uint32_t most_;  // slots that are ever needed
  std::vector<std::uint32_t> at_least_;
  std::vector<std::uint32_t> pages_;
};

}  // namespace modmem::tuning
