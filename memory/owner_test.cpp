// The tree of owners: charges, peaks, limits, guarantees, and how many there can be.

#include "memory/owner.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::preset;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class MemoryOwners : public ::testing::Test {
 protected:
  void* allocate(Owner& owner, std::size_t bytes, Flags flags = 0) {
    return memory_.allocate({&owner, bytes, 0, flags, MODMEM_HERE});
  }
  FailureReason last_reason() { return system_.seen().failures.back().reason; }

  TestSystem system_{preset("mtl")};
  Memory& memory_ = system_.memory();
};

TEST_F(MemoryOwners, ChargesRunUpTheTreeToTheByte) {
  Owner& pipeline = system_.pipeline();
  Owner& module = system_.module(pipeline);
  Owner& buffer = system_.owner(module, {.kind = OwnerKind::buffer, .id = 3, .name = "buffer"});
  Owner& sibling = system_.module(pipeline, 0x10002);
  void* one = allocate(buffer, 13);
  void* two = allocate(module, 1001, flag::kCoherent);
  void* three = allocate(pipeline, 70000, flag::kKernel);
  void* four = allocate(sibling, 7, flag::kShared | flag::kDma);
  EXPECT_EQ(buffer.own, 13U);
  EXPECT_EQ(buffer.tree, 13U);
  EXPECT_EQ(module.own, 1001U);
  EXPECT_EQ(module.tree, 1014U);
  EXPECT_EQ(sibling.tree, 7U);
  EXPECT_EQ(pipeline.own, 70000U);
  EXPECT_EQ(pipeline.tree, 71021U);
  EXPECT_EQ(memory_.system().own, 0U);
  EXPECT_EQ(memory_.system().tree, 71021U);
  EXPECT_EQ(pipeline.allocations, 1U);
  EXPECT_EQ(system_.heap("pipeline").live_bytes, 1014U);
  EXPECT_EQ(system_.heap("system").live_bytes, 70000U);
  EXPECT_EQ(system_.heap("shared").live_bytes, 7U);
  for (void* block : {one, two, three, four}) {
    memory_.free(block);
  }
  EXPECT_EQ(memory_.system().tree, 0U);
  EXPECT_EQ(pipeline.tree, 0U);
  EXPECT_EQ(module.frees, 1U);
  EXPECT_EQ(pipeline.tree_peak, 71021U);
  EXPECT_EQ(pipeline.own_peak, 70000U);
  EXPECT_EQ(module.tree_peak, 1014U);
  EXPECT_EQ(module.own_peak, 1001U);
  EXPECT_EQ(system_.heap("shared").peak_live_bytes, 7U);
}

TEST_F(MemoryOwners, PeaksAreTheMostThatWasEverHeldAtATime) {
  Owner& owner = system_.pipeline();
  void* block = allocate(owner, 500);
  memory_.free(block);
  block = allocate(owner, 300);
  void* other = allocate(owner, 199);
  EXPECT_EQ(owner.own_peak, 500U);
  memory_.free(other);
  other = allocate(owner, 201);
  EXPECT_EQ(owner.own_peak, 501U);
  EXPECT_EQ(owner.tree_peak, 501U);
  EXPECT_EQ(memory_.system().tree_peak, 501U);
  memory_.free(block);
  memory_.free(other);
}

TEST_F(MemoryOwners, LimitsHoldAtEveryLevelToTheByte) {
  for (const std::size_t level : {0U, 1U, 2U}) {
    SCOPED_TRACE(level);
    const auto limit_at = [&](std::size_t at) {
      return at == level ? std::size_t{1000} : OwnerSpec::kNoLimit;
    };
    Owner& pipeline = system_.pipeline(1, 0, limit_at(0));
    Owner& module = system_.module(pipeline, 2, limit_at(1));
    Owner& buffer = system_.owner(module, {OwnerKind::buffer, 3, "buffer", limit_at(2), 0});
    void* first = allocate(buffer, 400);
    ASSERT_NE(first, nullptr);
    for (const Flags flags : {Flags{0}, flag::kKernel, flag::kShared, flag::kCoherent}) {
      const auto before = figures(system_);
      EXPECT_EQ(memory_.largest_request({&buffer, 0, 0, flags, {}}), 600U);
      EXPECT_EQ(allocate(buffer, 601, flags), nullptr);
      EXPECT_EQ(last_reason(), FailureReason::limit);
      EXPECT_EQ(system_.seen().failures.back().largest_request, 600U);
      EXPECT_EQ(figures(system_), before);
      void* rest = allocate(buffer, 600, flags);
      ASSERT_NE(rest, nullptr);
      EXPECT_EQ(allocate(buffer, 1, flags), nullptr);
      EXPECT_EQ(last_reason(), FailureReason::limit);
      EXPECT_EQ(system_.seen().failures.back().largest_request, 0U);
      EXPECT_EQ(memory_.free(rest), PointerStatus::live);
    }
    // What stands above the limit is not bound by it.
    if (level > 0) {
      void* more = allocate(pipeline, 5000);
      EXPECT_NE(more, nullptr);
      memory_.free(more);
    }
    EXPECT_EQ(memory_.destroy_owner(pipeline), 1U);
  }
}

TEST_F(MemoryOwners, ALimitIsSharedByAllBelowIt) {
  Owner& pipeline = system_.pipeline(1, 0, 1000);
  Owner& one = system_.module(pipeline, 2);
  Owner& two = system_.module(pipeline, 3);
  ASSERT_NE(allocate(one, 999), nullptr);
  EXPECT_EQ(allocate(two, 2), nullptr);
  EXPECT_EQ(two.failures, 1U);
  EXPECT_EQ(one.failures, 0U);
  EXPECT_EQ(pipeline.failures, 0U);
  EXPECT_NE(allocate(two, 1), nullptr);
  EXPECT_EQ(memory_.release_all(one), 1U);
  EXPECT_NE(allocate(two, 999), nullptr);
}

TEST_F(MemoryOwners, ALimitOfNothingGivesNothing) {
  Owner& owner = system_.pipeline(1, 0, 0);
  EXPECT_EQ(allocate(owner, 1), nullptr);
  EXPECT_EQ(last_reason(), FailureReason::limit);
}

// Takes all that `owner` can get, the largest first.
std::size_t exhaust(Memory& memory, Owner& owner, Flags flags = 0) {
  std::size_t taken = 0;
  for (;;) {
    const std::size_t most = memory.largest_request({&owner, 0, 0, flags, {}});
    if (most == 0 || memory.allocate({&owner, most, 0, flags, MODMEM_HERE}) == nullptr) {
      EXPECT_EQ(most, 0U);
      return taken;
    }
    taken += most;
  }
}

class MemoryGuarantee : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Platforms, MemoryGuarantee, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "mmu" : "mcu"; });

TEST_P(MemoryGuarantee, IsThereForItsHolderAlone) {
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  Owner& greedy = system.pipeline(1);
  Owner& holder = system.pipeline(2, 10 * kPage);
  Owner& module = system.module(holder);
  EXPECT_GE(memory.pool().reserved(), 10U);
  EXPECT_LE(memory.pool().reserved(), 12U);
  const std::size_t taken = exhaust(memory, greedy);
  EXPECT_GT(taken, 40 * kPage);
  EXPECT_GE(memory.pool().free(), 10U);

  EXPECT_EQ(memory.allocate({&greedy, kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::guarantee);
  EXPECT_EQ(memory.allocate({nullptr, kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::guarantee);
  EXPECT_EQ(memory.allocate({&greedy, kPage, 0, flag::kShared, MODMEM_HERE}), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::guarantee);
  // More than is free at all is another matter.
  EXPECT_EQ(memory.allocate({&greedy, 14 * kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::pool);

  // The holder's own, or of those below it: in one piece or page by page.
  void* whole = memory.allocate({&module, 10 * kPage, 0, 0, MODMEM_HERE});
  EXPECT_NE(whole, nullptr);
  EXPECT_LE(memory.pool().reserved(), 2U);
  memory.free(whole);
  EXPECT_GE(memory.pool().reserved(), 10U);
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(memory.allocate({&holder, kPage, 0, 0, MODMEM_HERE}), nullptr) << i;
  }
  EXPECT_TRUE(system.check());
  memory.destroy_owner(holder);
  EXPECT_EQ(memory.pool().reserved(), 0U);
  EXPECT_NE(memory.allocate({&greedy, kPage, 0, 0, MODMEM_HERE}), nullptr);
}

TEST_P(MemoryGuarantee, HoldsThoughOthersMetadataFillsItsPages) {
  // Small blocks of others, until no record and no descriptor is free: in pools that leave them one
  // frame more each, so that now payload, now metadata has the last one; and in a larger one.
  for (const std::size_t metadata_bytes : {std::size_t{0}, std::size_t{2048}}) {
    for (const std::uint32_t frames : {14U, 15U, 16U, 17U, 18U, 19U, 30U}) {
      SCOPED_TRACE(frames);
      PlatformConfig config = small_platform(GetParam(), frames);
      config.metadata_bytes = metadata_bytes;
      TestSystem system(config);
      Memory& memory = system.memory();
      Owner& greedy = system.pipeline(1);
      Owner& holder = system.pipeline(2, 10 * kPage);
      const std::uint32_t before = memory.pool().taken();
      while (memory.allocate({&greedy, 16, 0, 0, MODMEM_HERE}) != nullptr) {
      }
      EXPECT_EQ(system.seen().failures.back().reason, FailureReason::guarantee);
      EXPECT_GT(memory.pool().taken(), before);
      for (int i = 0; i < 10; ++i) {
        EXPECT_NE(memory.allocate({&holder, kPage, 0, 0, MODMEM_HERE}), nullptr) << i;
      }
      EXPECT_TRUE(system.check());
    }
  }
}

TEST_P(MemoryGuarantee, IsRefusedWhereItCannotBeKept) {
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  const OwnerSpec all{OwnerKind::pipeline, 1, "all", OwnerSpec::kNoLimit, 64 * kPage};
  const auto before = system.pool_state();
  EXPECT_EQ(memory.create_owner(memory.system(), all), nullptr);
  OwnerSpec more = all;
  more.guarantee = SIZE_MAX;
  EXPECT_EQ(memory.create_owner(memory.system(), more), nullptr);
  EXPECT_EQ(system.pool_state(), before);
  Owner& first = system.pipeline(1, 40 * kPage);
  more.guarantee = 30 * kPage;
  EXPECT_EQ(memory.create_owner(memory.system(), more), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::guarantee);
  memory.destroy_owner(first);
  EXPECT_NE(memory.create_owner(memory.system(), more), nullptr);
}

TEST_P(MemoryGuarantee, IsRoundedUpToPages) {
  TestSystem system(small_platform(GetParam(), 64));
  const auto guaranteed = [&](std::size_t bytes) {
    Owner& owner = system.pipeline(1, bytes);
    const std::uint32_t reserved = system.memory().pool().reserved();
    system.memory().destroy_owner(owner);
    return reserved;
  };
  EXPECT_EQ(guaranteed(0), 0U);
  EXPECT_EQ(guaranteed(1), guaranteed(kPage));
  EXPECT_EQ(guaranteed(kPage + 1), guaranteed(kPage) + 1);
  EXPECT_EQ(system.memory().pool().reserved(), 0U);
}

class MemoryCapacity : public ::testing::TestWithParam<const Policy*> {};

INSTANTIATE_TEST_SUITE_P(Policies, MemoryCapacity, ::testing::ValuesIn(kPolicies),
                         [](const auto& test) { return testing::test_name(test.param->name); });

TEST_P(MemoryCapacity, OfOwners) {
  PlatformConfig config = preset("mtl");
  config.max_owners = 100;
  TestSystem system(config, *GetParam());
  Memory& memory = system.memory();
  const auto before = system.pool_state();
  std::vector<Owner*> owners;
  while (Owner* owner = memory.create_owner(
             memory.system(), {.kind = OwnerKind::buffer, .id = 7, .name = "one of many"})) {
    owners.push_back(owner);
  }
  EXPECT_EQ(owners.size(), 99U);  // and the system's
  ASSERT_EQ(system.seen().failures.size(), 1U);
  EXPECT_EQ(system.seen().failures[0].reason, FailureReason::limit);
  EXPECT_EQ(system.seen().failures[0].owner_id, 7U);
  EXPECT_TRUE(system.check());
  memory.destroy_owner(*owners.back());
  owners.back() = memory.create_owner(memory.system(), {});
  EXPECT_NE(owners.back(), nullptr);
  for (Owner* owner : owners) {
    memory.destroy_owner(*owner);
  }
  EXPECT_EQ(system.pool_state(), before);
}

TEST_P(MemoryCapacity, OfHeaps) {
  for (const std::uint32_t most : {4U, 10U, 64U, 254U}) {
    SCOPED_TRACE(most);
    PlatformConfig config = preset("mtl");
    config.max_heaps = most;
    config.span_bytes = 4 * kPage;  // so that the window has one for every heap
    TestSystem system(config, *GetParam());
    Memory& memory = system.memory();
    const auto before = system.pool_state();
    std::vector<Owner*> owners;
    const bool own_heaps = GetParam()->pipeline != HeapKind::none;
    const std::uint32_t wanted = own_heaps ? 300 : 100;  // no more than there are slots
    for (std::uint32_t id = 1; id <= wanted; ++id) {
      Owner* owner = memory.create_owner(
          memory.system(), {OwnerKind::pipeline, id, "pipeline", OwnerSpec::kNoLimit, 0});
      if (owner == nullptr) {
        break;
      }
      ASSERT_NE(memory.allocate({owner, 100, 0, 0, MODMEM_HERE}), nullptr);
      owners.push_back(owner);
    }
    EXPECT_EQ(owners.size(), own_heaps ? most - 2 : wanted);  // the system's and the shared one
    EXPECT_TRUE(system.check());
    // As many again, in whatever order they went: every second one, or the first half.
    for (std::size_t i = 0; i < owners.size(); i += 2) {
      EXPECT_EQ(memory.destroy_owner(*owners[i]), 1U);
      owners[i] = &system.pipeline(1000);
    }
    for (std::size_t i = 0; i < owners.size() / 2; ++i) {
      memory.destroy_owner(*owners[i]);
    }
    for (std::size_t i = 0; i < owners.size() / 2; ++i) {
      owners[i] = &system.pipeline(1000);
    }
    for (Owner* owner : owners) {
      memory.destroy_owner(*owner);
    }
    EXPECT_EQ(system.pool_state(), before);
    EXPECT_TRUE(system.check());
  }
}

}  // namespace
}  // namespace modmem
