// The search against all tables, where there are few; the integer program that knows nothing of it
// is in tools/tune_test.py.
#include "tuning/slot_search.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "modmem/presets.hpp"
#include "tuning/testing/random_trace.hpp"

namespace modmem::tuning {
namespace {

using testing::Events;
using testing::Random;
using testing::RandomTrace;
using trace::Event;
using trace::OpKind;

SlotDemand demand_of(std::vector<Event> events) {
  Events source(std::move(events));
  SlotDemand demand(config::kDefaultPlatform, kSlotsAllPolicy);
  demand.add(source);
  return demand;
}

Event take(std::uint32_t block, std::uint32_t bytes) {
  Event event;
  event.block = block;
  event.bytes = bytes;
  return event;
}

Event give(std::uint32_t block) {
  Event event;
  event.kind = OpKind::free;
  event.block = block;
  return event;
}

using Score = std::pair<std::uint64_t, std::uint32_t>;  // failures, pages

// The best score of all tables of at most `most` pages.
Score best_of_all(const SlotDemand& demand, std::uint32_t bundles, std::uint32_t most,
                  bool must_serve) {
  SlotModel model(demand);
  std::vector<std::uint32_t> slots(demand.classes());
  Score best{std::numeric_limits<std::uint64_t>::max(), 0};
  const auto visit = [&](auto& self, std::uint32_t size_class, std::uint32_t pages,
                         std::uint32_t used) -> void {
    if (size_class-- == 0) {
      const Score score{model.failures(slots), pages};
      best = !must_serve || score.first == 0 ? std::min(best, score) : best;
      return;
    }
    const SlotGrain grain = grain_of(size_class);
    for (std::uint32_t i = 0; pages + i * grain.pages <= most && used + (i != 0 ? 1 : 0) <= bundles;
         ++i) {
      // Smaller than all that is asked for: no use.
      if (i != 0 && SlotDemand::slot_bytes(size_class) < 1024) {
        break;
      }
      slots[size_class] = i * grain.slots;
      self(self, size_class, pages + i * grain.pages, used + (i != 0 ? 1 : 0));
    }
    slots[size_class] = 0;
  };
  visit(visit, demand.classes(), 0, 0);
  return best;
}

RandomTrace small_trace(bool resizes) {
  RandomTrace shape;
  shape.events = 24;
  shape.blocks = 7;
  shape.largest = 8000;
  shape.resizes = resizes;
  shape.flags = false;
  return shape;
}

// Sizes from 513 B, so that there are few classes.
std::vector<Event> few_classes(std::vector<Event> events) {
  for (Event& event : events) {
    event.bytes += 512;
    event.alignment = 0;
  }
  return events;
}

TEST(SlotSearch, FindsTheBestOfAllTables) {
  std::uint32_t above = 0;
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    const SlotDemand demand = demand_of(few_classes(small_trace(seed % 2 != 0).make(seed)));
    SlotSearchOptions options;
    options.bundles = 1 + static_cast<std::uint32_t>(seed % 5);
    const SlotChoice choice = SlotSearch(demand, options).find();
    ASSERT_TRUE(choice.proved);
    ASSERT_EQ(choice.failures, 0U);
    ASSERT_EQ(best_of_all(demand, options.bundles, choice.pages, true), Score(0, choice.pages))
        << seed;
    EXPECT_LE(choice.least_pages, choice.pages);
    EXPECT_LE(choice.bundles().size(), options.bundles);
    above += choice.least_pages < choice.pages ? 1 : 0;
  }
  EXPECT_GT(above, 0U);  // the bound alone would not do
}

TEST(SlotSearch, FailsAsLittleAsItCanWithinABudget) {
  std::uint32_t failing = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const SlotDemand demand = demand_of(few_classes(small_trace(true).make(seed)));
    SlotSearchOptions options;
    options.budget_pages = static_cast<std::uint32_t>(seed % 7);
    const SlotChoice choice = SlotSearch(demand, options).find();
    ASSERT_TRUE(choice.proved);
    ASSERT_LE(choice.pages, *options.budget_pages);
    ASSERT_EQ(best_of_all(demand, 10, *options.budget_pages, false),
              Score(choice.failures, choice.pages))
        << seed;
    failing += choice.failures != 0 ? 1 : 0;
  }
  EXPECT_GT(failing, 20U);
}

// Why no table can be judged by another: with one slot more, a block stays out of the others' way
// at first and in it later.
TEST(SlotSearch, MoreSlotsCanFailWhereFewerDoNot) {
  constexpr std::uint32_t kSmall = 4096;
  constexpr std::uint32_t kMiddle = 8192;
  constexpr std::uint32_t kLarge = 16384;
  const SlotDemand demand = demand_of(
      {take(0, kSmall), take(1, kSmall), give(0), take(2, kMiddle), give(1), take(3, kLarge)});
  SlotModel model(demand);
  std::vector<std::uint32_t> slots(demand.classes());
  slots[demand.classes() - 2] = slots[demand.classes() - 1] = 1;
  EXPECT_EQ(model.failures(slots), 0U);
  slots[demand.classes() - 3] = 1;
  EXPECT_EQ(model.failures(slots), 1U);

  const SlotChoice choice = SlotSearch(demand, {}).find();
  EXPECT_TRUE(choice.proved);
  EXPECT_EQ(choice.pages, 6U);
}

TEST(SlotSearch, NothingNeedsNothing) {
  const SlotChoice choice = SlotSearch(demand_of({}), {}).find();
  EXPECT_TRUE(choice.proved);
  EXPECT_TRUE(choice.bundles().empty());
  EXPECT_EQ(choice.pages, 0U);
}

TEST(SlotSearch, ABudgetOfNothingFailsEverything) {
  SlotSearchOptions options;
  options.budget_pages = 0;
  const SlotChoice choice = SlotSearch(demand_of({take(0, 100), take(1, 100)}), options).find();
  EXPECT_TRUE(choice.proved);
  EXPECT_EQ(choice.failures, 2U);
  EXPECT_TRUE(choice.bundles().empty());
}

// Where there are too many tables it says that it does not know, and still serves everything.
TEST(SlotSearch, GivesUpWhereItTakesTooLong) {
  RandomTrace shape;
  shape.events = 4000;
  shape.blocks = 200;
  shape.largest = 60000;
  const SlotDemand demand = demand_of(shape.make(1));
  SlotSearchOptions options;
  options.effort = 10000;
  const SlotChoice choice = SlotSearch(demand, options).find();
  SlotModel model(demand);
  EXPECT_EQ(model.failures(choice.slots), 0U);
  EXPECT_GE(choice.pages, choice.least_pages);
  EXPECT_EQ(choice.proved, choice.pages == choice.least_pages);
}

}  // namespace
}  // namespace modmem::tuning
