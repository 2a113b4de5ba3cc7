// The policy table: every row does what it says, and changing a row changes what its flag does.

#include "memory/policy.hpp"

#include <gtest/gtest.h>

#include <string>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::is_aligned;
using testing::preset;
using testing::TestSystem;

const Flags kEachFlag[] = {flag::kDma,  flag::kNoCopy,   flag::kCoherent,
                           flag::kL3,   flag::kLowPower, flag::kKernel,
                           flag::kUser, flag::kShared,   flag::kLargeBuffer};

const PolicyRow& row_of(const Policy& policy, Flags flag) {
  for (const PolicyRow& row : policy.rows) {
    if (row.flag == flag) {
      return row;
    }
  }
  throw std::logic_error("no row");
}

PolicyRow& row_of(Policy& policy, Flags flag) {
  return const_cast<PolicyRow&>(row_of(static_cast<const Policy&>(policy), flag));
}

// A policy of heaps for all roles whose rows say nothing at all.
Policy blank_policy() {
  Policy policy = kElasticPolicy;
  policy.slots = HeapKind::slots;
  policy.bundles = kProductionBundles;
  policy.unflagged = {0, Place::owner, false, false, false};
  for (PolicyRow& row : policy.rows) {
    row = {row.flag, Place::any, false, false, false};
  }
  return policy;
}

// What becomes of requests with some flags: the heap, the alignment and size, the alias.
struct Outcome {
  std::string heap;  // "" where refused
  bool starts_on_line = true;
  bool ends_on_line = true;
  bool dma_aligned = true;
  bool uncached = false;
};

Outcome outcome(const Policy& policy, Flags flags, bool side_memories = true) {
  // Not hardened: what a heap rounds up to is looked at.
  TestSystem system(preset("mtl"), policy, side_memories, kHardeningNone);
  Memory& memory = system.memory();
  Owner& module = system.module(system.pipeline());
  Outcome result;
  // Odd sizes, so that what is not rounded shows.
  for (const std::size_t bytes : {17U, 33U, 1U, 100U, 5000U, 17U, 16U}) {
    void* block = memory.allocate({&module, bytes, 0, flags, MODMEM_HERE});
    if (block == nullptr) {
      return {"", false, false, false, false};
    }
    const std::byte* cached = memory.space().to_cached(block);
    const std::size_t line = system.config().cache_line_bytes;
    result.heap = system.heap_of(block).name;
    result.uncached = memory.space().is_uncached(block);
    result.starts_on_line = result.starts_on_line && is_aligned(cached, line);
    result.ends_on_line = result.ends_on_line && memory.usable_size(block) % line == 0;
    result.dma_aligned = result.dma_aligned && is_aligned(cached, system.config().dma_alignment);
  }
  return result;
}

class PolicyFlag : public ::testing::TestWithParam<Flags> {};

INSTANTIATE_TEST_SUITE_P(Flags, PolicyFlag, ::testing::ValuesIn(kEachFlag),
                         [](const auto& test) { return std::to_string(test.param); });

TEST(Policy, HasARowForEveryFlag) {
  for (const Policy* policy : kPolicies) {
    Flags seen = 0;
    for (const PolicyRow& row : policy->rows) {
      EXPECT_EQ(seen & row.flag, 0U) << policy->name;
      seen |= row.flag;
    }
    EXPECT_EQ(seen, flag::kAll) << policy->name;
    EXPECT_EQ(policy->unflagged.flag, 0U);
  }
}

TEST(Policy, IsFoundByName) {
  EXPECT_EQ(find_policy("elastic"), &kElasticPolicy);
  EXPECT_EQ(find_policy("single"), &kSinglePolicy);
  EXPECT_EQ(find_policy("slots"), &kSlotsPolicy);
  EXPECT_EQ(find_policy("slots-modules"), &kSlotsModulesPolicy);
  EXPECT_EQ(find_policy("slots-all"), &kSlotsAllPolicy);
  EXPECT_EQ(find_policy(""), nullptr);
  EXPECT_EQ(find_policy("elast"), nullptr);
  EXPECT_EQ(find_policy("elastic2"), nullptr);
}

TEST_P(PolicyFlag, RowThatSaysNothingChangesNothing) {
  const Outcome plain = outcome(blank_policy(), GetParam());
  EXPECT_EQ(plain.heap, "pipeline");
  EXPECT_FALSE(plain.starts_on_line);
  EXPECT_FALSE(plain.ends_on_line);
  EXPECT_FALSE(plain.dma_aligned);
  EXPECT_FALSE(plain.uncached);
}

TEST_P(PolicyFlag, RowNamesTheHeap) {
  const std::pair<Place, const char*> places[] = {
      {Place::any, "pipeline"}, {Place::owner, "pipeline"}, {Place::system, "system"},
      {Place::slots, "slots"},  {Place::shared, "shared"},  {Place::lp, "low-power"},
      {Place::l3, "l3"}};
  for (const auto& [place, heap] : places) {
    Policy policy = blank_policy();
    row_of(policy, GetParam()).place = place;
    EXPECT_EQ(outcome(policy, GetParam()).heap, heap) << static_cast<int>(place);
    // and only for requests with the flag.
    EXPECT_EQ(outcome(policy, flag::kAll & ~GetParam()).heap, "pipeline");
    EXPECT_EQ(outcome(policy, 0).heap, "pipeline");
  }
}

TEST_P(PolicyFlag, RowAsksForWholeLines) {
  Policy policy = blank_policy();
  row_of(policy, GetParam()).whole_lines = true;
  const Outcome with = outcome(policy, GetParam());
  EXPECT_TRUE(with.starts_on_line);
  EXPECT_TRUE(with.ends_on_line);
  EXPECT_FALSE(with.dma_aligned);
  EXPECT_FALSE(outcome(policy, 0).ends_on_line);
  EXPECT_FALSE(outcome(policy, flag::kAll & ~GetParam()).ends_on_line);
}

TEST_P(PolicyFlag, RowAsksForDmaAlignment) {
  Policy policy = blank_policy();
  row_of(policy, GetParam()).dma_aligned = true;
  const Outcome with = outcome(policy, GetParam());
  EXPECT_TRUE(with.dma_aligned);
  EXPECT_FALSE(with.ends_on_line);
  EXPECT_FALSE(outcome(policy, 0).dma_aligned);
  EXPECT_FALSE(outcome(policy, flag::kAll & ~GetParam()).dma_aligned);
}

TEST_P(PolicyFlag, RowAsksForTheUncachedAlias) {
  Policy policy = blank_policy();
  row_of(policy, GetParam()).uncached = true;
  const Outcome with = outcome(policy, GetParam());
  EXPECT_TRUE(with.uncached);
  // What is not reached through the cache must share no line with what is.
  EXPECT_TRUE(with.starts_on_line);
  EXPECT_TRUE(with.ends_on_line);
  EXPECT_FALSE(outcome(policy, 0).uncached);
  EXPECT_FALSE(outcome(policy, flag::kAll & ~GetParam()).uncached);
}

TEST(Policy, UnflaggedRowIsWhereEveryRequestStarts) {
  const std::pair<Place, const char*> places[] = {
      {Place::any, "pipeline"}, {Place::owner, "pipeline"}, {Place::system, "system"},
      {Place::slots, "slots"},  {Place::shared, "shared"},  {Place::lp, "low-power"},
      {Place::l3, "l3"}};
  for (const auto& [place, heap] : places) {
    Policy policy = blank_policy();
    policy.unflagged.place = place;
    EXPECT_EQ(outcome(policy, 0).heap, heap) << static_cast<int>(place);
    EXPECT_EQ(outcome(policy, flag::kAll).heap, heap) << static_cast<int>(place);
  }
  Policy policy = blank_policy();
  policy.unflagged.whole_lines = true;
  EXPECT_TRUE(outcome(policy, 0).ends_on_line);
  EXPECT_TRUE(outcome(policy, flag::kAll).starts_on_line);
  policy = blank_policy();
  policy.unflagged.dma_aligned = true;
  EXPECT_TRUE(outcome(policy, 0).dma_aligned);
  policy = blank_policy();
  policy.unflagged.uncached = true;
  EXPECT_TRUE(outcome(policy, flag::kUser).uncached);
}

TEST(Policy, FirstRowThatNamesAHeapDecides) {
  Policy policy = blank_policy();
  row_of(policy, flag::kCoherent).place = Place::shared;
  row_of(policy, flag::kDma).place = Place::system;
  EXPECT_EQ(outcome(policy, flag::kCoherent | flag::kDma).heap, "shared");
  EXPECT_EQ(outcome(policy, flag::kDma).heap, "system");
  // Low-power memory is a wish where there is none: the next row decides.
  row_of(policy, flag::kLowPower).place = Place::lp;
  EXPECT_EQ(outcome(policy, flag::kLowPower | flag::kDma).heap, "low-power");
  EXPECT_EQ(outcome(policy, flag::kLowPower | flag::kDma, false).heap, "system");
}

TEST(Policy, RulesOfSeveralRowsAddUp) {
  Policy policy = blank_policy();
  row_of(policy, flag::kUser).whole_lines = true;
  row_of(policy, flag::kNoCopy).dma_aligned = true;
  row_of(policy, flag::kKernel).uncached = true;
  const Outcome all = outcome(policy, flag::kUser | flag::kNoCopy | flag::kKernel);
  EXPECT_TRUE(all.ends_on_line && all.dma_aligned && all.uncached);
}

TEST(Policy, ElasticServesEachIntent) {
  const Policy& policy = kElasticPolicy;
  EXPECT_EQ(outcome(policy, 0).heap, "pipeline");
  EXPECT_EQ(outcome(policy, flag::kUser).heap, "pipeline");
  EXPECT_EQ(outcome(policy, flag::kKernel).heap, "system");
  EXPECT_EQ(outcome(policy, flag::kKernel | flag::kUser).heap, "system");
  EXPECT_EQ(outcome(policy, flag::kShared).heap, "shared");
  EXPECT_EQ(outcome(policy, flag::kShared | flag::kKernel).heap, "shared");
  EXPECT_EQ(outcome(policy, flag::kLowPower).heap, "low-power");
  EXPECT_EQ(outcome(policy, flag::kLowPower, false).heap, "pipeline");
  EXPECT_EQ(outcome(policy, flag::kNoCopy).heap, "pipeline");
  EXPECT_EQ(outcome(policy, flag::kL3).heap, "l3");
  EXPECT_EQ(outcome(policy, flag::kL3, false).heap, "");
  EXPECT_EQ(outcome(policy, flag::kL3 | flag::kCoherent).heap, "");
  EXPECT_FALSE(outcome(policy, 0).ends_on_line);
  EXPECT_FALSE(outcome(policy, flag::kUser).starts_on_line);
  for (const Flags lined : {flag::kShared, flag::kLargeBuffer, flag::kCoherent, flag::kDma}) {
    EXPECT_TRUE(outcome(policy, lined).starts_on_line) << lined;
    EXPECT_TRUE(outcome(policy, lined).ends_on_line) << lined;
    EXPECT_EQ(outcome(policy, lined).uncached, lined == flag::kCoherent);
    EXPECT_EQ(outcome(policy, lined).dma_aligned, lined == flag::kDma);
  }
}

// The heap that each single flag, no flag at all, and some pairs lead to, under `policy`.
void expect_heaps(const Policy& policy, const char* plain, const char* user, const char* large,
                  const char* shared) {
  const std::pair<Flags, const char*> expected[] = {
      {0, plain},
      {flag::kDma, plain},
      {flag::kNoCopy, plain},
      {flag::kCoherent, plain},
      {flag::kKernel, plain},
      {flag::kL3, "l3"},
      {flag::kLowPower, "low-power"},
      {flag::kUser, user},
      {flag::kUser | flag::kCoherent, user},
      {flag::kLargeBuffer, large},
      {flag::kLargeBuffer | flag::kUser, large},
      {flag::kLargeBuffer | flag::kKernel, large},
      {flag::kLargeBuffer | flag::kDma | flag::kCoherent, large},
      {flag::kShared, shared},
      {flag::kShared | flag::kLargeBuffer, shared}};
  for (const auto& [flags, heap] : expected) {
    const Outcome result = outcome(policy, flags);
    EXPECT_EQ(result.heap, heap) << policy.name << " " << flags;
    EXPECT_TRUE(result.starts_on_line) << policy.name << " " << flags;
    EXPECT_TRUE(result.ends_on_line) << policy.name << " " << flags;
    EXPECT_EQ(result.uncached, (flags & flag::kCoherent) != 0) << policy.name << " " << flags;
    EXPECT_TRUE(result.dma_aligned || (flags & flag::kDma) == 0) << policy.name << " " << flags;
  }
}

TEST(Policy, SinglePutsEverythingOnLinesOfOneArena) {
  expect_heaps(kSinglePolicy, "system", "system", "system", "system");
  EXPECT_EQ(outcome(kSinglePolicy, flag::kL3, false).heap, "");
  EXPECT_EQ(outcome(kSinglePolicy, flag::kLowPower, false).heap, "system");
}

TEST(Policy, SlotsTakesLargeBuffersAlone) {
  expect_heaps(kSlotsPolicy, "system", "system", "slots", "shared");
  TestSystem system(preset("mtl"), kSlotsPolicy);
  EXPECT_STREQ(system.heap("system").kind, "fixed");
  EXPECT_EQ(system.heap("system").mapped_bytes, 0x40000U);
  EXPECT_STREQ(system.heap("slots").kind, "slots");
  EXPECT_EQ(system.heap("slots").mapped_bytes, 0U);
}

TEST(Policy, SlotsModulesTakesAllOfModules) {
  expect_heaps(kSlotsModulesPolicy, "system", "slots", "slots", "shared");
}

TEST(Policy, SlotsAllTakesEverything) {
  expect_heaps(kSlotsAllPolicy, "system", "system", "system", "system");
  TestSystem system(preset("mtl"), kSlotsAllPolicy);
  EXPECT_STREQ(system.heap("system").kind, "slots");
  EXPECT_EQ(system.heap("system").mapped_bytes, 0U);
}

// The figures of a slot heap come from the table in the policy: another table is another heap.
TEST(Policy, SlotsAreThoseOfItsTable) {
  static constexpr SlotBundle kTwo[] = {{4096, 2}};
  Policy policy = kSlotsPolicy;
  policy.bundles = kTwo;
  TestSystem system(preset("mtl"), policy);
  const Request request{nullptr, 4000, 0, flag::kLargeBuffer, MODMEM_HERE};
  EXPECT_NE(system.memory().allocate(request), nullptr);
  void* second = system.memory().allocate(request);
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(system.memory().allocate(request), nullptr);
  ASSERT_EQ(system.seen().failures.size(), 1U);
  EXPECT_EQ(system.seen().failures[0].reason, FailureReason::slots);
  EXPECT_EQ(system.memory().free(second), PointerStatus::live);
  EXPECT_NE(system.memory().allocate(request), nullptr);
  EXPECT_TRUE(system.check());
}

// The examples of docs/policies.md.

TEST(Policy, AFlagAloneCanDecide) {
  Policy mine = kSlotsPolicy;
  for (PolicyRow& row : mine.rows) {
    row.place = row.flag == flag::kLargeBuffer ? Place::slots : Place::any;
  }
  for (const Flags each : kEachFlag) {
    const bool large = each == flag::kLargeBuffer;
    EXPECT_EQ(outcome(mine, each).heap, large ? "slots" : "system") << each;
    EXPECT_EQ(outcome(mine, each | flag::kLargeBuffer).heap, "slots") << each;
  }
}

TEST(Policy, ATableOfOnesOwnIsAHeapOfOnesOwn) {
  static constexpr SlotBundle kMyBundles[] = {{64, 512}, {256, 128}, {4096, 32}, {65536, 8}};
  Policy mine = kSlotsAllPolicy;
  mine.bundles = kMyBundles;
  TestSystem system(preset("mtl"), mine);
  for (int i = 0; i < 400; ++i) {
    ASSERT_NE(system.memory().allocate({nullptr, 60, 0, 0, MODMEM_HERE}), nullptr);
  }
  const HeapReport heap = system.heap("system");
  ASSERT_EQ(heap.bundle_count, 4U);
  EXPECT_EQ(heap.bundles[0].slots, 512U);
  EXPECT_EQ(heap.bundles[0].used, 400U);
}

TEST(Policy, ModulesCanHaveHeapsOfTheirOwn) {
  TestSystem system(preset("mtl"), kModuleHeapsPolicy);
  Owner& pipeline = system.pipeline();
  const auto before = system.pool_state();
  Owner& first = system.module(pipeline, 1);
  Owner& second = system.module(pipeline, 2);
  void* blocks[] = {system.memory().allocate({&first, 100, 0, flag::kUser, MODMEM_HERE}),
                    system.memory().allocate({&second, 100, 0, flag::kUser, MODMEM_HERE}),
                    system.memory().allocate({&pipeline, 100, 0, 0, MODMEM_HERE})};
  EXPECT_EQ(system.heap_of(blocks[0]).owner, &first);
  EXPECT_EQ(system.heap_of(blocks[1]).owner, &second);
  EXPECT_EQ(system.heap_of(blocks[2]).owner, &pipeline);
  EXPECT_TRUE(system.check());
  EXPECT_EQ(system.memory().destroy_owner(first), 1U);
  EXPECT_EQ(system.memory().free(blocks[0]), PointerStatus::not_live);
  EXPECT_EQ(system.memory().destroy_owner(second), 1U);
  EXPECT_EQ(system.memory().free(blocks[2]), PointerStatus::live);
  EXPECT_EQ(system.pool_state(), before);
}

TEST(Policy, IgnoresFlagsThatItDoesNotKnow) {
  for (const Policy* policy : kPolicies) {
    const Outcome plain = outcome(*policy, 0);
    const Outcome odd = outcome(*policy, ~flag::kAll);
    EXPECT_EQ(odd.heap, plain.heap);
    EXPECT_EQ(odd.ends_on_line, plain.ends_on_line);
    EXPECT_EQ(odd.dma_aligned, plain.dma_aligned);
    EXPECT_EQ(odd.uncached, plain.uncached);
  }
}

TEST(Policy, SaysWhichHeapsExist) {
  Policy policy = kElasticPolicy;
  policy.pipeline = HeapKind::none;
  EXPECT_EQ(outcome(policy, flag::kUser).heap, "system");
  policy.shared = HeapKind::none;
  EXPECT_EQ(outcome(policy, flag::kShared).heap, "system");
  policy.system = HeapKind::fixed;
  TestSystem system(preset("mtl"), policy);
  EXPECT_STREQ(system.heap("system").kind, "fixed");
  EXPECT_EQ(system.heap("shared").name, nullptr);
  EXPECT_EQ(system.pipeline().heap, kNoHeap);
}

// A table may start everything in low-power memory: a wish, as everywhere.
TEST(Policy, LowPowerMemoryIsAWishWhereEveryRequestStartsAsWell) {
  Policy policy = blank_policy();
  policy.unflagged.place = Place::lp;
  EXPECT_EQ(outcome(policy, 0).heap, "low-power");
  EXPECT_EQ(outcome(policy, 0, false).heap, "pipeline");
}

}  // namespace
}  // namespace modmem
