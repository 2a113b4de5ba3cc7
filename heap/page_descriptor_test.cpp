#include "heap/page_descriptor.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace modmem {
namespace {

// One letter a granule: '.' free, 'S' the start of a block, 'o' the rest of one.
using Model = std::vector<char>;

PageDescriptor descriptor_of(const Model& model) {
  PageDescriptor page;
  for (std::uint32_t i = 0; i < kPageGranules; ++i) {
    if (model[i] != '.') {
      page.occupy(i, i + 1);
    }
    if (model[i] == 'S') {
      page.set_start(i);
    }
  }
  return page;
}

// A page as a heap leaves it: perhaps the end of a block from before, then blocks and holes.
Model any_page() {
  Model model;
  const auto piece = rc::gen::pair(
      rc::gen::element('S', 'S', '.'),
      rc::gen::oneOf(rc::gen::inRange<std::size_t>(1, 6), rc::gen::inRange<std::size_t>(1, 150)));
  if (*rc::gen::arbitrary<bool>()) {
    model.assign(*rc::gen::inRange<std::size_t>(1, kPageGranules + 1), 'o');
  }
  while (model.size() < kPageGranules) {
    const std::pair<char, std::size_t> next = *piece;
    const std::size_t length = std::min(next.second, kPageGranules - model.size());
    model.push_back(next.first);
    model.insert(model.end(), length - 1, next.first == 'S' ? 'o' : '.');
  }
  return model;
}

// The maximal runs of free granules, [first, last).
std::vector<std::pair<std::uint32_t, std::uint32_t>> holes_of(const Model& model) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> holes;
  for (std::uint32_t i = 0; i < kPageGranules;) {
    std::uint32_t end = i;
    while (end < kPageGranules && model[end] == '.') {
      ++end;
    }
    if (end > i) {
      holes.emplace_back(i, end);
    }
    i = end + 1;
  }
  return holes;
}

std::uint32_t largest_hole_of(const Model& model) {
  std::uint32_t largest = 0;
  for (const auto& [first, last] : holes_of(model)) {
    largest = std::max(largest, last - first);
  }
  return largest;
}

std::uint32_t count_of(const Model& model, char what) {
  return static_cast<std::uint32_t>(std::count(model.begin(), model.end(), what));
}

RC_GTEST_PROP(PageDescriptor, AnswersAsTheModelDoes, ()) {
  const Model model = any_page();
  const PageDescriptor page = descriptor_of(model);
  RC_ASSERT(page.check());
  RC_ASSERT(page.start_count() == count_of(model, 'S'));
  RC_ASSERT(page.occupied_count() == kPageGranules - count_of(model, '.'));
  RC_ASSERT(page.empty() == (count_of(model, '.') == kPageGranules));
  const auto holes = holes_of(model);
  RC_ASSERT(page.largest_hole() == largest_hole_of(model));
  RC_ASSERT(page.head_hole() == (model.front() == '.' ? holes.front().second : 0));
  RC_ASSERT(page.tail_hole_start() == (model.back() == '.' ? holes.back().first : kPageGranules));
  for (const auto& [first, last] : holes) {
    for (std::uint32_t granule = first; granule < last; ++granule) {
      RC_ASSERT(page.hole_start(granule) == first);
      RC_ASSERT(page.hole_end(granule) == last);
    }
  }
  for (std::uint32_t granule = 0; granule < kPageGranules; ++granule) {
    RC_ASSERT(page.is_occupied(granule) == (model[granule] != '.'));
    RC_ASSERT(page.is_start(granule) == (model[granule] == 'S'));
    std::uint32_t end = granule;
    while (end < kPageGranules && model[end] == 'o') {
      ++end;
    }
    RC_ASSERT(page.block_end(granule) == end);
  }
  RC_ASSERT(page.block_end(kPageGranules) == kPageGranules);
}

RC_GTEST_PROP(PageDescriptor, FindsTheSmallestHoleThatFits, ()) {
  Model model = any_page();
  const auto granules = *rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(1, 12),
                                        rc::gen::inRange<std::uint32_t>(1, kPageGranules + 1));
  const std::uint32_t alignment = 1U << *rc::gen::inRange<std::uint32_t>(0, 9);
  std::uint32_t smallest = UINT32_MAX;
  for (const auto& [first, last] : holes_of(model)) {
    for (std::uint32_t start = first; start + granules <= last; ++start) {
      if (start % alignment == 0) {
        smallest = std::min(smallest, last - first);
      }
    }
  }
  const PageDescriptor::Fit fit = descriptor_of(model).best_hole(granules, alignment);
  if (smallest == UINT32_MAX) {
    RC_ASSERT(fit.start == kPageGranules);
    RC_ASSERT(fit.largest_after == largest_hole_of(model));
    return;
  }
  RC_ASSERT(fit.start + granules <= kPageGranules);
  RC_ASSERT(fit.start % alignment == 0U);
  const PageDescriptor page = descriptor_of(model);
  RC_ASSERT(!page.is_occupied(fit.start));
  RC_ASSERT(page.hole_end(fit.start) >= fit.start + granules);
  RC_ASSERT(page.hole_end(fit.start) - page.hole_start(fit.start) == smallest);
  std::fill_n(model.begin() + fit.start, granules, 'o');
  RC_ASSERT(fit.largest_after == largest_hole_of(model));
}

RC_GTEST_PROP(PageDescriptor, TheTightestHoleIsTheSmallestThatFits, ()) {
  const Model model = any_page();
  const std::uint32_t largest = largest_hole_of(model);
  RC_PRE(largest > 0);
  const auto granules = *rc::gen::inRange<std::uint32_t>(1, largest + 1);
  const PageDescriptor page = descriptor_of(model);
  const PageDescriptor::Fit fit = page.tight_hole(granules, largest);
  const PageDescriptor::Fit expected = page.best_hole(granules, 1);
  RC_ASSERT(fit.start == expected.start);
  RC_ASSERT(fit.largest_after == expected.largest_after);
}

RC_GTEST_PROP(PageDescriptor, TheLargestFitFitsAndNothingLarger, ()) {
  const PageDescriptor page = descriptor_of(any_page());
  const std::uint32_t alignment = 1U << *rc::gen::inRange<std::uint32_t>(0, 9);
  const std::uint32_t largest = page.largest_fit(alignment);
  RC_ASSERT(largest == 0 || page.best_hole(largest, alignment).start != kPageGranules);
  RC_ASSERT(page.best_hole(largest + 1, alignment).start == kPageGranules);
}

RC_GTEST_PROP(PageDescriptor, FollowsBlocksThatComeAndGo, ()) {
  Model model(kPageGranules, '.');
  PageDescriptor page;
  const int steps = *rc::gen::inRange(1, 120);
  for (int step = 0; step < steps; ++step) {
    const auto granule = *rc::gen::inRange<std::uint32_t>(0, kPageGranules);
    if (model[granule] == '.') {
      const std::uint32_t room = page.hole_end(granule) - granule;
      const auto length = *rc::gen::inRange<std::uint32_t>(1, std::min(room, 40U) + 1);
      page.put(granule, granule + length);
      std::fill_n(model.begin() + granule, length, 'o');
      model[granule] = 'S';
    } else {
      const auto start = std::find(model.rend() - granule - 1, model.rend(), 'S').base() - 1;
      const auto first = static_cast<std::uint32_t>(start - model.begin());
      const std::uint32_t end = page.block_end(first + 1);
      page.clear_start(first);
      const std::uint32_t hole = page.release(first, end);
      std::fill(model.begin() + first, model.begin() + end, '.');
      RC_ASSERT(hole == page.hole_end(first) - page.hole_start(first));
    }
    RC_ASSERT(page.check());
    RC_ASSERT(page.start_count() == count_of(model, 'S'));
    RC_ASSERT(page.occupied_count() == kPageGranules - count_of(model, '.'));
    RC_ASSERT(page.largest_hole() == largest_hole_of(model));
  }
}

// check() is what the other tests rely on: it has to see what is wrong.
RC_GTEST_PROP(PageDescriptor, TheCheckSeesWhatCannotBe, ()) {
  Model model(kPageGranules);
  for (char& granule : model) {
    granule = *rc::gen::element('.', 'S', 'o');
  }
  bool possible = true;
  bool in_block = true;
  for (const char granule : model) {
    possible = possible && (granule != 'o' || in_block);
    in_block = granule != '.';
  }
  RC_ASSERT(descriptor_of(model).check() == possible);
}

TEST(PageDescriptor, AStartWithoutItsGranuleIsSeen) {
  PageDescriptor page;
  page.occupy(3, 9);
  page.set_start(3);
  EXPECT_TRUE(page.check());
  page.vacate(3, 4);
  EXPECT_FALSE(page.check());
}

TEST(PageDescriptor, AnEmptyPageIsOneHole) {
  const PageDescriptor page;
  EXPECT_TRUE(page.check());
  EXPECT_TRUE(page.empty());
  EXPECT_EQ(page.largest_hole(), kPageGranules);
  EXPECT_EQ(page.head_hole(), kPageGranules);
  EXPECT_EQ(page.tail_hole_start(), 0U);
  EXPECT_EQ(page.best_hole(kPageGranules, 1).start, 0U);
  EXPECT_EQ(page.best_hole(kPageGranules, 1).largest_after, 0U);
  EXPECT_EQ(page.largest_fit(kPageGranules), kPageGranules);
}

TEST(PageDescriptor, CostsTwoBitsAGranule) { EXPECT_EQ(sizeof(PageDescriptor), kPageGranules / 4); }

}  // namespace
}  // namespace modmem
