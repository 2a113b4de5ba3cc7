// Plans that are refused, in the check or half-way: what is named, and that nothing has changed.

#include <gtest/gtest.h>

#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::Figures;
using testing::figures;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

PlanEntry entry_below(Owner& parent, std::span<const Need> needs, std::uint32_t id = 7,
                      OwnerKind kind = OwnerKind::pipeline) {
  PlanEntry entry;
  entry.parent = &parent;
  entry.spec = {.kind = kind, .id = id, .name = "planned"};
  entry.needs = needs;
  return entry;
}

PlanEntry entry_of(Owner& owner, std::span<const Need> needs) {
  PlanEntry entry;
  entry.owner = &owner;
  entry.needs = needs;
  return entry;
}

class PlanRefusal : public ::testing::Test {
 protected:
  // Asks for a plan that can't be had, and finds everything as before.
  Shortage refused(Plan plan) { return refused(system_, plan); }
  static Shortage refused(TestSystem& system, Plan plan) {
    Memory& memory = system.memory();
    const Figures before = figures(system);
    Shortage expected;
    EXPECT_FALSE(memory.can_admit(plan, &expected));
    EXPECT_FALSE(memory.can_admit(plan));
    system.seen().failures.clear();
    Shortage shortage;
    EXPECT_FALSE(memory.admit(plan, &shortage));
    EXPECT_FALSE(memory.admit(plan));
    EXPECT_EQ(figures(system), before);
    EXPECT_TRUE(system.check());
    EXPECT_EQ(shortage.reason, expected.reason);
    EXPECT_EQ(shortage.missing(), expected.missing());
    EXPECT_EQ(system.seen().failures.size(), 2U);
    const Failure& failure = system.seen().failures.front();
    EXPECT_EQ(failure.reason, shortage.reason);
    EXPECT_EQ(failure.bytes, shortage.asked);
    EXPECT_EQ(failure.free_bytes, shortage.available);
    const PlanEntry& entry = plan[shortage.entry];
    const OwnerSpec& spec = entry.owner != nullptr ? entry.owner->spec : entry.spec;
    EXPECT_EQ(failure.owner_id, spec.id);
    EXPECT_STREQ(failure.owner_name, spec.name);
    return shortage;
  }

  TestSystem system_{small_platform(true, 64)};
  Memory& memory_ = system_.memory();
};

TEST_F(PlanRefusal, NamesTheNeedThatNoPoolHas) {
  const Need needs[] = {
      {.bytes = 100, .blocks = 1},
      {.bytes = 65 * kPage, .blocks = 2, .largest = kPage, .alignment = 128, .flags = flag::kDma}};
  PlanEntry plan[] = {entry_below(memory_.system(), needs)};
  Shortage shortage = refused(plan);
  EXPECT_EQ(shortage.need, 1U);
  EXPECT_EQ(shortage.reason, FailureReason::pool);
  EXPECT_EQ(shortage.asked, 65 * kPage);
  EXPECT_EQ(shortage.available, 64 * kPage);
  EXPECT_EQ(shortage.missing(), kPage);
  const Failure& failure = system_.seen().failures.back();
  EXPECT_EQ(failure.flags, flag::kDma);
  EXPECT_EQ(failure.alignment, 128U);
  EXPECT_EQ(memory_.system().failures, 2U);

  // Few bytes in more blocks than there are granules.
  const Need crumbs[] = {{.bytes = 100, .blocks = 64 * kPage / config::kGranuleBytes + 1}};
  plan[0].needs = crumbs;
  shortage = refused(plan);
  EXPECT_EQ(shortage.reason, FailureReason::pool);
  EXPECT_EQ(shortage.need, 0U);
  EXPECT_EQ(shortage.missing(), 0U) << "it is not bytes that are missing";
}

TEST_F(PlanRefusal, NeedsOfNoBlocksAreNone) {
  const Need nothing[] = {{.bytes = 1000 * kPage, .blocks = 0}, {.flags = flag::kL3}};
  PlanEntry plan[] = {entry_below(memory_.system(), nothing)};
  ASSERT_TRUE(memory_.admit(plan));
  EXPECT_EQ(memory_.reserved_frames(*plan[0].owner), 0U);
  EXPECT_TRUE(system_.check());
}

TEST_F(PlanRefusal, LimitsInFramesAreOfTheHeapThatIsThere) {
  Owner* owner = memory_.create_owner(memory_.system(), {.kind = OwnerKind::pipeline, .name = "p"},
                                      {.frame_limit = 8});
  ASSERT_NE(owner, nullptr);
  ASSERT_NE(memory_.allocate({owner, 3 * kPage, 0, 0, {}}), nullptr);
  const Need six[] = {{.bytes = 6 * kPage, .blocks = 1}};
  const Need four[] = {{.bytes = 4 * kPage, .blocks = 1}};
  PlanEntry plan[] = {entry_of(*owner, six)};
  const Shortage shortage = refused(plan);
  EXPECT_EQ(shortage.reason, FailureReason::limit);
  EXPECT_EQ(shortage.available, 5 * kPage);
  EXPECT_GE(shortage.asked, 6 * kPage);
  EXPECT_EQ(owner->failures, 2U);
  plan[0].needs = four;
  ASSERT_TRUE(memory_.admit(plan));
  EXPECT_FALSE(plan[0].created);
  EXPECT_NE(memory_.allocate({owner, 4 * kPage, 0, 0, {}}), nullptr);
}

TEST_F(PlanRefusal, LimitsOfWhoIsToBeCreatedCountFromTheFirstByte) {
  const Need needs[] = {{.bytes = 5 * kPage, .blocks = 4}};
  PlanEntry plan[] = {entry_below(memory_.system(), needs)};
  plan[0].spec.limit = 4 * kPage;
  const Shortage shortage = refused(plan);
  EXPECT_EQ(shortage.reason, FailureReason::limit);
  EXPECT_EQ(shortage.asked, 5 * kPage);
  EXPECT_EQ(shortage.available, 4 * kPage);
  plan[0].spec.limit = 5 * kPage;
  EXPECT_TRUE(memory_.admit(plan));
}

// Whoever is below a limit, however deep, shares it with all others of the plan; who is not, not.
TEST_F(PlanRefusal, LimitsAreSharedByAllBelow) {
  Owner& group = system_.owner(memory_.system(), {.kind = OwnerKind::module, .limit = 8 * kPage});
  Owner& deep = system_.module(system_.module(group, 2), 3);
  const Need needs[] = {{.bytes = 5 * kPage, .blocks = 4}};
  PlanEntry plan[] = {entry_below(deep, needs, 1), entry_below(memory_.system(), needs, 2),
                      entry_below(group, needs, 3)};
  const Shortage shortage = refused(plan);
  EXPECT_EQ(shortage.entry, 2U);
  EXPECT_EQ(shortage.reason, FailureReason::limit);
  EXPECT_EQ(shortage.missing(), 2 * kPage);
  EXPECT_TRUE(memory_.admit(std::span(plan).first(2)));
}

TEST_F(PlanRefusal, AnotherPlanTakesThePlaceOfTheFirst) {
  Owner& owner = system_.pipeline(1);
  const Need first[] = {{.bytes = 30 * kPage, .blocks = 10, .largest = 3 * kPage}};
  const Need second[] = {{.bytes = 45 * kPage, .blocks = 9, .largest = 5 * kPage}};
  const Need third[] = {{.bytes = 62 * kPage, .blocks = 2, .largest = 31 * kPage}};
  PlanEntry plan[] = {entry_of(owner, first)};
  plan[0].accounts = 5;
  ASSERT_TRUE(memory_.admit(plan));
  plan[0].needs = second;  // both would be more than there is
  ASSERT_TRUE(memory_.admit(plan));
  const std::uint32_t reserved = memory_.reserved_frames(owner);
  EXPECT_GE(reserved, 45U);
  EXPECT_LT(reserved, 30U + 45U);
  EXPECT_TRUE(system_.check());
  plan[0].needs = third;
  EXPECT_EQ(refused(plan).reason, FailureReason::pool);
  EXPECT_EQ(memory_.reserved_frames(owner), reserved) << "the second one holds";
  for (int i = 0; i < 9; ++i) {
    EXPECT_NE(memory_.allocate({&owner, 5 * kPage, 0, 0, {}}), nullptr) << i;
  }
  EXPECT_TRUE(system_.check());
}

TEST_F(PlanRefusal, WhatTheSystemReservesIsForTheSystemAlone) {
  const Need needs[] = {{.bytes = 30 * kPage, .blocks = 30, .largest = kPage}};
  PlanEntry plan[] = {entry_of(memory_.system(), needs)};
  ASSERT_TRUE(memory_.admit(plan));
  const std::uint32_t reserved = memory_.reserved_frames(memory_.system());
  Owner& other = system_.pipeline(1);
  while (memory_.allocate({&other, kPage, 0, flag::kSilent, {}}) != nullptr) {
  }
  EXPECT_EQ(memory_.reserved_frames(memory_.system()), reserved);
  EXPECT_EQ(memory_.allocate({&other, kPage, 0, flag::kKernel, {}}), nullptr);
  for (int i = 0; i < 30; ++i) {
    EXPECT_NE(memory_.allocate({nullptr, kPage, 0, 0, {}}), nullptr) << i;
  }
  EXPECT_TRUE(system_.check());
}

// A fixed arena and low-power memory serve who has a reservation without touching it.
TEST_F(PlanRefusal, ReservationsAreForElasticHeapsOfTheSram) {
  TestSystem system(testing::preset("mtl"), kElasticPolicy, true);
  Memory& memory = system.memory();
  Owner& owner = system.pipeline(1);
  const Need needs[] = {{.bytes = 4 * kPage, .blocks = 4}};
  PlanEntry plan[] = {entry_of(owner, needs)};
  ASSERT_TRUE(memory.admit(plan));
  const std::uint32_t reserved = memory.reserved_frames(owner);
  void* block = memory.allocate({&owner, 5000, 0, flag::kLowPower, {}});
  ASSERT_NE(block, nullptr);
  EXPECT_STREQ(system.heap_of(block).name, "low-power");
  EXPECT_EQ(memory.reserved_frames(owner), reserved);
  // What is reserved is no way around the limit of the heap, which has room for one more page.
  ASSERT_TRUE(memory.set_frame_limit(owner, 1));
  EXPECT_EQ(memory.allocate({&owner, 2 * kPage, 0, 0, {}}), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::limit);
  EXPECT_NE(memory.allocate({&owner, kPage, 0, 0, {}}), nullptr);
  EXPECT_TRUE(system.check());
}

// The sums of all blocks count, where no one of them is too large.
TEST_F(PlanRefusal, AFixedArenaHasOnlySoMuchForAllOfThem) {
  TestSystem system(small_platform(true, 64), kSlotsPolicy);
  const Need needs[] = {{.bytes = 17 * kPage, .blocks = 3, .largest = 6 * kPage}};
  PlanEntry plan[] = {entry_below(system.memory().system(), needs)};
  const Shortage shortage = refused(system, plan);
  EXPECT_EQ(shortage.need, 0U);
  EXPECT_GE(shortage.asked, 17 * kPage);
  EXPECT_EQ(shortage.available, 16 * kPage);
  EXPECT_EQ(shortage.reason, FailureReason::pool);
}

// Modules with heaps of their own: each of them fills pages that nobody else does.
TEST_F(PlanRefusal, HeapsOfModulesAreThereWhateverOthersTake) {
  for (const std::size_t alignment : {std::size_t{0}, kPage}) {
    TestSystem system(small_platform(true, 64), kModuleHeapsPolicy);
    Memory& memory = system.memory();
    const Need needs[] = {
        {.bytes = 30 * 300, .blocks = 30, .largest = 300, .alignment = alignment, .apart = true},
        {.bytes = 100, .blocks = 1}};
    PlanEntry plan[] = {entry_below(memory.system(), needs)};
    plan[0].accounts = 1;
    plan[0].heaps = 1;
    ASSERT_TRUE(memory.admit(plan));
    Owner& other = system.pipeline(1);
    for (const std::size_t bytes : {kPage, std::size_t{16}}) {
      while (memory.allocate({&other, bytes, 0, flag::kSilent, {}}) != nullptr) {
      }
    }
    Owner* module = memory.create_owner(*plan[0].owner, {.kind = OwnerKind::module, .name = "m"});
    ASSERT_NE(module, nullptr);
    EXPECT_NE(memory.heap_report(*module).name, nullptr);
    for (int i = 0; i < 30; ++i) {
      ASSERT_NE(memory.allocate({module, 300, alignment, 0, {}}), nullptr) << alignment << " " << i;
    }
    EXPECT_NE(memory.allocate({plan[0].owner, 100, 0, 0, {}}), nullptr);
    EXPECT_TRUE(system.check());
  }
}

// What a private owner takes for the kernel comes from the system's heap, all else from its own.
TEST_F(PlanRefusal, PrivateHeapsGetWhatTheyPlannedForThemselvesAndForTheKernel) {
  const Need needs[] = {{.bytes = 10 * kPage, .blocks = 10, .largest = kPage},
                        {.bytes = 4 * kPage, .blocks = 4, .largest = kPage, .flags = flag::kKernel},
                        {.bytes = 900, .blocks = 3, .largest = 300, .flags = flag::kShared}};
  PlanEntry plan[] = {entry_below(memory_.system(), needs, 3, OwnerKind::heap)};
  for (const bool is_new : {true, false}) {
    ASSERT_TRUE(memory_.admit(plan)) << is_new;
    EXPECT_EQ(plan[0].created, is_new);
    Owner& owner = *plan[0].owner;
    std::vector<void*> others;
    while (void* block = memory_.allocate({nullptr, kPage, 0, flag::kSilent, {}})) {
      others.push_back(block);
    }
    for (const Need& need : needs) {
      for (std::uint32_t i = 0; i < need.blocks; ++i) {
        ASSERT_NE(memory_.allocate({&owner, need.largest, 0, need.flags, {}}), nullptr)
            << need.flags << " " << i;
      }
    }
    memory_.release_all(owner);
    for (void* block : others) {
      memory_.free(block);
    }
    EXPECT_TRUE(system_.check());
  }
}

// The heap of a new owner may itself take pages, which are known once it is there.
TEST_F(PlanRefusal, ARegionThatLeavesTooLittleIsNotMade) {
  const Need needs[] = {{.bytes = 30 * kPage, .blocks = 3, .flags = flag::kShared | flag::kKernel}};
  PlanEntry plan[] = {entry_below(memory_.system(), needs, 4, OwnerKind::region)};
  plan[0].heap = {.kind = HeapKind::region, .bytes = 40 * kPage};
  const Figures before = figures(system_);
  Shortage shortage;
  EXPECT_FALSE(memory_.admit(plan, &shortage));
  EXPECT_EQ(plan[0].owner, nullptr);
  EXPECT_EQ(shortage.reason, FailureReason::pool);
  EXPECT_EQ(figures(system_), before);
  EXPECT_TRUE(system_.check());
  plan[0].heap.bytes = 10 * kPage;
  EXPECT_TRUE(memory_.admit(plan));
}

// Wherever the port stops mapping, each of the plan's owners is as it was: those that are there
// with what was reserved for them before, those to be created not created.
TEST_F(PlanRefusal, IsUndoneWhereverThePortFails) {
  PlatformConfig config = small_platform(true, 64);
  config.metadata_bytes = 0;
  config.max_owners = 200;
  TestSystem system(config);
  Memory& memory = system.memory();
  Owner& first = system.pipeline(1);
  const Need few[] = {{.bytes = 2 * kPage, .blocks = 2}};
  const Need more[] = {{.bytes = 4 * kPage, .blocks = 4}};
  PlanEntry earlier[] = {entry_of(first, few)};
  ASSERT_TRUE(memory.admit(earlier));
  // Without the page that metadata keeps for the next call, and with what is kept aside for it.
  const auto settled = [&] {
    memory.drain(0);
    EXPECT_TRUE(memory.can_admit({}));
    return figures(system);
  };
  std::size_t failed = 0;
  // With ever more owners, so that the page that is missing is that of ever another object.
  for (std::uint32_t owners = 0; owners < 60; ++owners) {
    std::vector<PlanEntry> plan{entry_of(first, more)};
    for (std::uint32_t id = 10; id < 14; ++id) {
      plan.push_back(entry_below(memory.system(), few, id));
    }
    const Figures before = settled();
    const std::uint32_t reserved = memory.reserved_frames(first);
    bool done = false;
    for (std::uint64_t maps = 0; !done; ++maps) {
      ASSERT_LT(maps, 10U);
      system.seen().failures.clear();
      Shortage shortage;
      system.port().host().fail_maps_after(maps);
      done = memory.admit(plan, &shortage);
      system.port().host().fail_maps_after(HostPort::kNever);
      ASSERT_TRUE(system.check()) << owners << " " << maps;
      if (done) {
        break;
      }
      ++failed;
      ASSERT_EQ(settled(), before) << owners << " " << maps << " entry " << shortage.entry;
      EXPECT_EQ(memory.reserved_frames(first), reserved);
      EXPECT_EQ(shortage.reason, FailureReason::pool);
      EXPECT_EQ(shortage.need, plan[shortage.entry].needs.size());
      ASSERT_EQ(system.seen().failures.size(), 1U);
      EXPECT_EQ(system.seen().failures[0].reason, FailureReason::pool);
      for (const PlanEntry& entry : plan) {
        EXPECT_EQ(entry.owner, &entry == plan.data() ? &first : nullptr);
      }
    }
    for (std::size_t i = 1; i < plan.size(); ++i) {
      memory.release_owner(*plan[i].owner);
    }
    ASSERT_TRUE(memory.admit(earlier));
    system.module(first, 100 + owners);
  }
  EXPECT_GT(failed, 0U);
}

}  // namespace
}  // namespace modmem
