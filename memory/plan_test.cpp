// Admission: all of a plan or nothing, and then every request of it, whatever others do.

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

PlanEntry new_pipeline(Memory& memory, std::span<const Need> needs, std::uint32_t accounts = 0) {
  PlanEntry entry;
  entry.parent = &memory.system();
  entry.spec = {.kind = OwnerKind::pipeline, .id = 7, .name = "planned"};
  entry.accounts = accounts;
  entry.needs = needs;
  return entry;
}

// Takes all that there is, down to the last granule.
void exhaust(Memory& memory, Owner* owner, Flags flags = 0) {
  for (const std::size_t bytes : {16 * kPage, kPage, std::size_t{64}, std::size_t{1}}) {
    while (memory.allocate({owner, bytes, 0, flags | flag::kSilent, {}}) != nullptr) {
    }
  }
}

TEST(Plan, ReservesWhatItNeedsAndGivesBackWhatIsLeft) {
  TestSystem system(small_platform(true, 64));
  Memory& memory = system.memory();
  const Need needs[] = {{.bytes = 40 * 100, .blocks = 40, .largest = 100},
                        {.bytes = 20 * kPage, .blocks = 2, .largest = 12 * kPage}};
  PlanEntry plan[] = {new_pipeline(memory, needs, 2)};
  ASSERT_TRUE(memory.can_admit(plan));
  ASSERT_TRUE(memory.admit(plan));
  Owner& owner = *plan[0].owner;
  EXPECT_EQ(owner.spec.id, 7U);
  EXPECT_GE(memory.reserved_frames(owner), 21U);
  EXPECT_TRUE(system.check());
  exhaust(memory, &system.pipeline(1));
  exhaust(memory, nullptr);

  Owner& module = system.module(owner, 2);
  ASSERT_NE(memory.allocate({&module, 12 * kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_TRUE(system.check());
  memory.return_unused(owner);
  EXPECT_EQ(memory.reserved_frames(owner), 0U);
  EXPECT_EQ(memory.pool().reserved(), 0U);
  EXPECT_NE(memory.allocate({nullptr, 6 * kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_TRUE(system.check());
}

TEST(Plan, IsRefusedAsAWhole) {
  TestSystem system(small_platform(true, 64));
  Memory& memory = system.memory();
  const Need small[] = {{.bytes = 20 * kPage, .blocks = 4}};
  const Need large[] = {{.bytes = 30 * kPage, .blocks = 4}, {.bytes = 16, .blocks = 1}};
  PlanEntry plan[] = {new_pipeline(memory, small), new_pipeline(memory, large),
                      new_pipeline(memory, small)};
  plan[2].spec.id = 9;
  const auto before = figures(system);
  Shortage shortage;
  EXPECT_FALSE(memory.can_admit(plan, &shortage));
  EXPECT_EQ(figures(system), before);
  EXPECT_TRUE(system.seen().failures.empty());
  EXPECT_EQ(shortage.entry, 2U);
  EXPECT_EQ(shortage.reason, FailureReason::guarantee);
  EXPECT_GT(shortage.missing(), 0U);
  EXPECT_GT(shortage.frames.asked,
            shortage.frames.total - shortage.frames.guaranteed - shortage.frames.held);

  EXPECT_FALSE(memory.admit(plan, &shortage));
  EXPECT_EQ(figures(system), before);
  for (const PlanEntry& entry : plan) {
    EXPECT_EQ(entry.owner, nullptr);
  }
  ASSERT_EQ(system.seen().failures.size(), 1U);
  EXPECT_EQ(system.seen().failures[0].owner_id, 9U);
  EXPECT_EQ(system.seen().failures[0].guarantee.asked, shortage.frames.asked);
  EXPECT_TRUE(memory.admit(std::span(plan).first(2)));
  EXPECT_TRUE(system.check());
}

TEST(Plan, IsRefusedByLimits) {
  TestSystem system(small_platform(true, 64));
  Memory& memory = system.memory();
  Owner& group = system.owner(memory.system(), {.kind = OwnerKind::module, .limit = 8 * kPage});
  const Need needs[] = {{.bytes = 5 * kPage, .blocks = 4}};
  PlanEntry plan[] = {new_pipeline(memory, needs), new_pipeline(memory, needs)};
  plan[0].parent = plan[1].parent = &group;
  Shortage shortage;
  EXPECT_FALSE(memory.can_admit(plan, &shortage));
  EXPECT_EQ(shortage.reason, FailureReason::limit);
  EXPECT_EQ(shortage.entry, 1U);
  EXPECT_EQ(shortage.missing(), 2 * kPage);
  ASSERT_TRUE(memory.admit(std::span(plan).first(1)));
  exhaust(memory, &system.module(group, 4));
  EXPECT_LE(group.tree, 3 * kPage);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(memory.allocate({plan[0].owner, 5 * kPage / 4, 0, 0, {}}), nullptr) << i;
  }
  EXPECT_TRUE(system.check());

  // In frames.
  plan[1].parent = &memory.system();
  plan[1].heap.frame_limit = 4;
  EXPECT_FALSE(memory.can_admit(std::span(plan).last(1), &shortage));
  EXPECT_EQ(shortage.reason, FailureReason::limit);
  plan[1].heap.frame_limit = 20;
  EXPECT_TRUE(memory.can_admit(std::span(plan).last(1)));
}

TEST(Plan, KeepsPlacesForOwners) {
  PlatformConfig config = small_platform(true, 64);
  config.max_owners = 6;
  TestSystem system(config);
  Memory& memory = system.memory();
  const Need needs[] = {{.bytes = 100, .blocks = 1}};
  PlanEntry plan[] = {new_pipeline(memory, needs, 5)};
  Shortage shortage;
  EXPECT_FALSE(memory.can_admit(plan, &shortage));
  EXPECT_EQ(shortage.reason, FailureReason::limit);
  plan[0].accounts = 3;
  ASSERT_TRUE(memory.admit(plan));
  system.pipeline(1);
  EXPECT_EQ(memory.create_owner(memory.system(), {.kind = OwnerKind::module}), nullptr);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_NE(memory.create_owner(*plan[0].owner, {.kind = OwnerKind::module}), nullptr) << i;
  }
  EXPECT_EQ(memory.create_owner(*plan[0].owner, {.kind = OwnerKind::module}), nullptr);
  EXPECT_TRUE(system.check());
}

TEST(Plan, ChecksHeapsInWhichNothingCanBeKept) {
  TestSystem system(small_platform(true, 64), kSlotsPolicy);
  Memory& memory = system.memory();
  const Need needs[] = {{.bytes = 32 * kPage, .blocks = 1, .flags = flag::kUser}};
  PlanEntry plan[] = {new_pipeline(memory, needs)};
  Shortage shortage;
  EXPECT_FALSE(memory.can_admit(plan, &shortage));
  EXPECT_EQ(shortage.need, 0U);
  EXPECT_EQ(shortage.asked, 32 * kPage);
  const Need less[] = {{.bytes = 4 * kPage, .blocks = 1, .flags = flag::kUser}};
  plan[0].needs = less;
  EXPECT_TRUE(memory.admit(plan));
  EXPECT_TRUE(system.check());
  const Need nowhere[] = {{.bytes = 100, .blocks = 1, .flags = flag::kL3 | flag::kCoherent}};
  plan[0] = new_pipeline(memory, nowhere);
  EXPECT_FALSE(memory.can_admit(plan, &shortage));
  EXPECT_EQ(shortage.reason, FailureReason::unsupported);
}

// Plans of all kinds against siblings that take and free whatever they can between any two of its
// requests.
TEST(Plan, IsExactWhateverOthersDo) {
  std::size_t admitted = 0;
  std::size_t refused = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    TestSystem system(small_platform(true, 96),
                      seed % 4 == 0 ? kModuleHeapsPolicy : kElasticPolicy);
    Memory& memory = system.memory();
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t end) {
      return static_cast<std::uint32_t>(random() % end);
    };
    std::vector<Owner*> hostile{nullptr, &system.pipeline(1), &system.pipeline(2)};
    std::vector<void*> taken;
    const auto attack = [&] {
      Owner* owner = hostile[below(3)];
      switch (below(4)) {
        case 0:
          exhaust(memory, owner, below(2) == 0 ? Flags{0} : flag::kShared);
          break;
        case 1:
          while (!taken.empty() && below(8) != 0) {
            std::swap(taken[below(static_cast<std::uint32_t>(taken.size()))], taken.back());
            memory.free(taken.back());
            taken.pop_back();
          }
          break;
        default:
          for (int i = 0; i < 20; ++i) {
            const std::size_t bytes = 1 + below(below(2) == 0 ? 100 : 3 * kPage);
            void* block = memory.allocate({owner, bytes, 0, flag::kSilent, {}});
            if (block != nullptr) {
              taken.push_back(block);
            }
          }
      }
    };
    attack();
    // The requests first, then the plan that they make.
    struct Planned {
      std::size_t bytes, alignment;
      Flags flags;
    };
    std::vector<Planned> requests;
    std::vector<Need> needs;
    const std::uint32_t kinds = 1 + below(3);
    for (std::uint32_t kind = 0; kind < kinds; ++kind) {
      Need need;
      need.flags = below(3) == 0 ? flag::kShared : below(3) == 0 ? flag::kLargeBuffer : 0;
      need.alignment = below(3) == 0 ? std::size_t{16} << below(6) : 0;
      const std::uint32_t blocks = 1 + below(need.flags == flag::kShared ? 4 : 60);
      const std::uint32_t largest = below(4) == 0 ? 5 * kPage : 300;
      while (need.blocks < blocks && need.bytes < 30 * kPage) {
        const std::size_t bytes = 1 + below(largest);
        requests.push_back({bytes, need.alignment, need.flags});
        need.largest = bytes > need.largest ? bytes : need.largest;
        need.bytes += bytes;
        ++need.blocks;
      }
      needs.push_back(need);
    }
    PlanEntry plan[] = {new_pipeline(memory, needs)};
    const bool fits = memory.can_admit(plan);
    ASSERT_EQ(memory.admit(plan), fits);
    ASSERT_TRUE(system.check());
    if (!fits) {
      ++refused;
      continue;
    }
    ++admitted;
    std::shuffle(requests.begin(), requests.end(), random);
    std::size_t done = 0;
    for (const Planned& request : requests) {
      attack();
      ASSERT_TRUE(system.check()) << "seed " << seed;
      ASSERT_NE(memory.allocate(
                    {plan[0].owner, request.bytes, request.alignment, request.flags, MODMEM_HERE}),
                nullptr)
          << "seed " << seed << ", " << done << " of " << requests.size() << ", " << request.bytes
          << " B, " << to_string(system.seen().failures.back().reason);
      ASSERT_TRUE(system.check()) << "seed " << seed;
      ++done;
    }
    memory.return_unused(*plan[0].owner);
    ASSERT_TRUE(system.check());
    ASSERT_EQ(memory.pool().reserved(), 0U);
  }
  EXPECT_GT(admitted, 10U);
  EXPECT_GT(refused, 5U);
}

}  // namespace
}  // namespace modmem
