// The model of a heap of slots against the real one.
#include "tuning/slot_model.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "modmem/presets.hpp"
#include "trace/least_memory.hpp"
#include "trace/replay.hpp"
#include "tuning/playing.hpp"
#include "tuning/slot_bound.hpp"
#include "tuning/testing/random_trace.hpp"

namespace modmem::tuning {
namespace {

using testing::Events;
using testing::Random;
using testing::RandomTrace;
using trace::Event;
using trace::OpKind;

SlotDemand demand_of(const std::vector<Event>& events, const Policy& policy) {
  Events source(events);
  SlotDemand demand(config::kDefaultPlatform, policy);
  demand.add(source);
  return demand;
}

// So many grains of each class, none of a few.
std::vector<std::uint32_t> random_table(Random& random, std::uint32_t classes) {
  std::vector<std::uint32_t> slots(classes);
  for (std::uint32_t i = 0; i < classes; ++i) {
    const bool is_there = i >= 3 && i < 3 + SlotHeap::kMaxBundles && random.below(3) != 0;
    slots[i] = is_there ? (1 + random.below(3)) * grain_of(i).slots : 0;
  }
  return slots;
}

std::vector<SlotBundle> bundles_of(const std::vector<std::uint32_t>& slots) {
  std::vector<SlotBundle> bundles;
  for (std::uint32_t i = 0; i < slots.size(); ++i) {
    if (slots[i] != 0) {
      bundles.push_back({SlotDemand::slot_bytes(i), slots[i]});
    }
  }
  return bundles;
}

// The heap of slots of a Memory, as it reports it.
std::optional<HeapReport> slots_report(const Memory& memory) {
  std::optional<HeapReport> found;
  memory.for_each_heap([&](const HeapReport& report) {
    if (report.kind == std::string("slots")) {
      found = report;
    }
  });
  return found;
}

// Whose other heaps have room for everything.
PlatformConfig ample_platform() {
  PlatformConfig platform = trace::scaled_platform(config::kDefaultPlatform, 8192);
  platform.slots_arena_bytes = std::size_t{16} << 20;
  platform.lp_sram_bytes = std::size_t{16} << 20;
  return platform;
}

class SlotModelTest : public ::testing::TestWithParam<const Policy*> {};

TEST_P(SlotModelTest, FailsWhereTheHeapFails) {
  std::uint64_t all_failures = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    RandomTrace shape;
    shape.events = 600;
    shape.blocks = 40;
    shape.largest = seed % 2 != 0 ? 3000 : 40000;
    const std::vector<Event> events = shape.make(seed);
    const SlotDemand demand = demand_of(events, *GetParam());
    Random random(seed);
    const std::vector<std::uint32_t> slots = random_table(random, demand.classes());
    const std::vector<SlotBundle> bundles = bundles_of(slots);
    if (bundles.empty()) {
      continue;
    }
    SlotModel model(demand);
    const std::uint64_t failures = model.failures(slots);
    all_failures += failures;

    Policy policy = *GetParam();
    policy.bundles = bundles;
    trace::Replay replay(ample_platform(), policy, quick());
    replay.play(events);
    EXPECT_EQ(replay.figures().failures, failures) << seed;
    const std::optional<HeapReport> heap = slots_report(replay.memory());
    ASSERT_TRUE(heap);
    ASSERT_EQ(heap->bundle_count, bundles.size());
    for (std::uint32_t i = 0, at = 0; i < slots.size(); ++i) {
      if (slots[i] != 0) {
        EXPECT_EQ(heap->bundles[at].most_used, model.most_used()[i]) << seed << ": " << i;
        ++at;
      }
    }
  }
  EXPECT_GT(all_failures, 400U);
}

INSTANTIATE_TEST_SUITE_P(Policies, SlotModelTest,
                         ::testing::Values(&kSlotsPolicy, &kSlotsModulesPolicy, &kSlotsAllPolicy),
                         [](const auto& one) {
                           std::string name = one.param->name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace modmem::tuning
