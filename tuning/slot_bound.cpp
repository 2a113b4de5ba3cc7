#include "tuning/slot_bound.hpp"

#include <algorithm>

namespace modmem::tuning {

SlotGrain grain_of(std::uint32_t size_class) {
  const std::size_t bytes = SlotDemand::slot_bytes(size_class);
  return {static_cast<std::uint32_t>(std::max<std::size_t>(config::kPageBytes / bytes, 1)),
          static_cast<std::uint32_t>(std::max<std::size_t>(bytes / config::kPageBytes, 1))};
}

namespace {

std::uint32_t sum(std::uint32_t pages, std::uint32_t more) {
  return more == SlotBound::kImpossible ? more : pages + more;
}

}  // namespace

SlotBound::SlotBound(const std::vector<std::uint32_t>& at_least, std::uint32_t bundles)
    : classes_(static_cast<std::uint32_t>(at_least.size())),
      bundles_(bundles),
      most_(at_least.empty() ? 0 : at_least.front()),
      at_least_(at_least),
      pages_(index(classes_ + 1, 0, 0)) {
  // As pages_, where the class right below has its bundle already and may add to it: for as many
  // bundles, and for one fewer.
  std::vector<std::uint32_t> begun(most_ + 1);
  std::vector<std::uint32_t> before(most_ + 1);
  for (std::uint32_t classes = 1; classes <= classes_; ++classes) {
    const SlotGrain grain = grain_of(classes - 1);
    std::fill(before.begin(), before.end(), kImpossible);
    for (std::uint32_t left = 0; left <= bundles_; ++left) {
      for (std::uint32_t slots = most_ + 1; slots-- > 0;) {
        const std::uint32_t more = std::min(slots + grain.slots, most_);
        const std::uint32_t enough =
            enough_for(classes, slots) ? pages_below(classes - 1, left, slots) : kImpossible;
        begun[slots] = slots == most_ ? enough : std::min(enough, sum(grain.pages, begun[more]));
        pages_[index(classes, left, slots)] = std::min(enough, sum(grain.pages, before[more]));
      }
      begun.swap(before);
    }
  }
}

std::vector<std::uint32_t> SlotBound::table() const {
  std::vector<std::uint32_t> table(classes_);
  std::uint32_t left = bundles_;
  std::uint32_t slots = 0;
  std::uint32_t pages = this->pages();
  for (std::uint32_t classes = classes_; classes > 0 && pages != kImpossible; --classes) {
    const SlotGrain grain = grain_of(classes - 1);
    std::uint32_t grains = 0;
    // What is left after each number of grains, until it comes out.
    while (!enough_for(classes, slots + grains * grain.slots) ||
           sum(grains * grain.pages, pages_below(classes - 1, left - (grains != 0 ? 1 : 0),
                                                 slots + grains * grain.slots)) != pages) {
      ++grains;
    }
    table[classes - 1] = grains * grain.slots;
    slots += grains * grain.slots;
    pages -= grains * grain.pages;
    left -= grains != 0 ? 1 : 0;
  }
  return table;
}

}  // namespace modmem::tuning
