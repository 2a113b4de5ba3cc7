// Guarantees: frames that nobody else can take, and that their holder can use.

#include <gtest/gtest.h>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

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
  // Small blocks of others, until no record and no descriptor is free.
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  Owner& greedy = system.pipeline(1);
  Owner& holder = system.pipeline(2, 10 * kPage);
  while (memory.allocate({&greedy, 16, 0, 0, MODMEM_HERE}) != nullptr) {
  }
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::guarantee);
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(memory.allocate({&holder, kPage, 0, 0, MODMEM_HERE}), nullptr) << i;
  }
  EXPECT_TRUE(system.check());
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

}  // namespace
}  // namespace modmem
