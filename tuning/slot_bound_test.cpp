// The bound against all tables, where there are few.
#include "tuning/slot_bound.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tuning/testing/random_trace.hpp"

namespace modmem::tuning {
namespace {

using testing::Random;

constexpr std::uint32_t kFirst = 6;  // slots of 512 B: 8 a page

// Fewest pages of tables with at most `most` grains of each class from kFirst.
std::uint32_t least_of_all(const std::vector<std::uint32_t>& at_least, std::uint32_t bundles,
                           std::uint32_t most) {
  std::uint32_t least = SlotBound::kImpossible;
  std::vector<std::uint32_t> grains(at_least.size());
  const auto visit = [&](auto& self, std::size_t size_class, std::uint32_t slots,
                         std::uint32_t pages, std::uint32_t used) -> void {
    if (size_class-- == kFirst) {
      least = slots >= at_least.front() && used <= bundles ? std::min(least, pages) : least;
      return;
    }
    const SlotGrain grain = grain_of(static_cast<std::uint32_t>(size_class));
    for (std::uint32_t i = 0; i <= most; ++i) {
      const std::uint32_t more = slots + i * grain.slots;
      if (more >= at_least[size_class]) {
        self(self, size_class, more, pages + i * grain.pages, used + (i != 0 ? 1 : 0));
      }
    }
  };
  visit(visit, at_least.size(), 0, 0, 0);
  return least;
}

TEST(SlotBound, IsTheLeastOfAllTables) {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    std::vector<std::uint32_t> at_least(kFirst + 1 + random.below(5));
    std::uint32_t slots = 0;
    for (std::size_t at = at_least.size(); at-- > kFirst;) {
      slots += random.below(4);
      at_least[at] = slots;
    }
    std::fill_n(at_least.begin(), kFirst, slots);
    const std::uint32_t bundles = 1 + random.below(5);
    const SlotBound bound(at_least, bundles);
    ASSERT_EQ(bound.pages(), least_of_all(at_least, bundles, slots)) << i;

    // The table that it gives is one of those.
    const std::vector<std::uint32_t> table = bound.table();
    std::uint32_t pages = 0;
    std::uint32_t sum = 0;
    std::uint32_t used = 0;
    for (std::uint32_t at = static_cast<std::uint32_t>(table.size()); at-- > 0;) {
      const SlotGrain grain = grain_of(at);
      ASSERT_EQ(table[at] % grain.slots, 0U);
      pages += table[at] / grain.slots * grain.pages;
      used += table[at] != 0 ? 1 : 0;
      sum += table[at];
      ASSERT_GE(sum, at_least[at]);
    }
    EXPECT_EQ(pages, bound.pages());
    EXPECT_LE(used, bundles);
  }
}

TEST(SlotBound, OfNothingIsNothing) {
  EXPECT_EQ(SlotBound({}, 10).pages(), 0U);
  EXPECT_EQ(SlotBound({0, 0, 0}, 10).pages(), 0U);
  EXPECT_EQ(SlotBound({1}, 0).pages(), SlotBound::kImpossible);
}

}  // namespace
}  // namespace modmem::tuning
