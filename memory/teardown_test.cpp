// The end of owners: leaks are reported, heaps go as a whole, and the pool is as it was.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

struct Platform {
  const char* name;
  const Policy* policy;
};

class MemoryTeardown : public ::testing::TestWithParam<Platform> {
 protected:
  void* allocate(Owner& owner, std::size_t bytes, Flags flags = 0, Site site = MODMEM_HERE) {
    return memory_.allocate({&owner, bytes, 0, flags, site});
  }

  TestSystem system_{preset(GetParam().name), *GetParam().policy};
  Memory& memory_ = system_.memory();
  const testing::PoolState boot_ = system_.pool_state();
  testing::NotingObserver& seen_ = system_.seen();
};

INSTANTIATE_TEST_SUITE_P(
    Platforms, MemoryTeardown,
    ::testing::Values(Platform{"mtl", &kElasticPolicy}, Platform{"mtl", &kSinglePolicy},
                      Platform{"mtl", &kSlotsPolicy}, Platform{"mtl", &kSlotsModulesPolicy},
                      Platform{"mtl", &kSlotsAllPolicy}, Platform{"mcu", &kElasticPolicy},
                      Platform{"mcu", &kSinglePolicy}),
    [](const auto& test) {
      return testing::test_name(std::string(test.param.name) + "_" + test.param.policy->name);
    });

TEST_P(MemoryTeardown, NothingHeldIsNoLeak) {
  Owner& pipeline = system_.pipeline();
  Owner& module = system_.module(pipeline);
  memory_.free(allocate(module, 1000));
  EXPECT_EQ(memory_.destroy_owner(module), 0U);
  EXPECT_EQ(memory_.destroy_owner(pipeline), 0U);
  EXPECT_TRUE(seen_.leaks.empty());
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(MemoryTeardown, LeaksAreReportedNewestFirstWithAllThatIsKnown) {
  Owner& module = system_.module(system_.pipeline(), 0x10007);
  const std::size_t line = system_.config().cache_line_bytes;
  const bool lines = GetParam().policy->unflagged.whole_lines;
  const std::uint32_t at = __LINE__ + 1;
  ASSERT_NE(allocate(module, 10), nullptr);
  ASSERT_NE(allocate(module, 2000, flag::kCoherent), nullptr);
  memory_.free(allocate(module, 30));
  ASSERT_NE(memory_.allocate({&module, 40, 2 * kPage, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(memory_.destroy_owner(module), 3U);
  ASSERT_EQ(seen_.leaks.size(), 3U);
  const std::size_t bytes[] = {40, 2000, 10};
  const std::size_t alignments[] = {2 * kPage, line, lines ? line : config::kGranuleBytes};
  const std::uint32_t lines_of_calls[] = {at + 3, at + 1, at};
  for (std::size_t i = 0; i < 3; ++i) {
    const Leak& leak = seen_.leaks[i];
    EXPECT_EQ(leak.owner_kind, OwnerKind::module);
    EXPECT_EQ(leak.owner_id, 0x10007U);
    EXPECT_STREQ(leak.owner_name, "module");
    EXPECT_EQ(leak.bytes, bytes[i]);
    EXPECT_EQ(leak.alignment, alignments[i]);
    EXPECT_EQ(leak.site.line, lines_of_calls[i]);
    EXPECT_NE(std::string(static_cast<const char*>(leak.site.where)).find("teardown_test.cpp"),
              std::string::npos);
  }
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryTeardown, ASiteCanBeACodeAddress) {
  Owner& owner = system_.pipeline();
  const Site site{reinterpret_cast<const void*>(0x1234), 0};
  ASSERT_NE(allocate(owner, 10, 0, site), nullptr);
  EXPECT_EQ(memory_.destroy_owner(owner), 1U);
  EXPECT_EQ(seen_.leaks[0].site.where, site.where);
  EXPECT_EQ(seen_.leaks[0].site.line, 0U);
}

TEST_P(MemoryTeardown, APipelineTakesAllBelowItWithIt) {
  Owner& pipeline = system_.pipeline(1);
  Owner& inner = system_.owner(pipeline, {OwnerKind::pipeline, 2, "inner", OwnerSpec::kNoLimit, 0});
  std::map<std::uint32_t, std::size_t> held;
  for (std::uint32_t id = 0x10; id < 0x18; ++id) {
    Owner& module = system_.module(id % 2 == 0 ? pipeline : inner, id);
    Owner& buffer = system_.owner(module, {OwnerKind::buffer, id + 0x100, "buffer"});
    for (const Flags flags : {Flags{0}, flag::kKernel, flag::kShared, flag::kCoherent}) {
      ASSERT_NE(allocate(module, 100 + id, flags), nullptr);
      ASSERT_NE(allocate(buffer, 2500, flags), nullptr);
      held[id] += 100 + id;
      held[id + 0x100] += 2500;
    }
  }
  Owner& other = system_.pipeline(3);
  void* stays = allocate(other, 777);
  EXPECT_EQ(memory_.destroy_owner(pipeline), 64U);
  EXPECT_EQ(seen_.leaks.size(), 64U);
  for (const Leak& leak : seen_.leaks) {
    held[leak.owner_id] -= leak.bytes;
  }
  for (const auto& [id, bytes] : held) {
    EXPECT_EQ(bytes, 0U) << id;
  }
  EXPECT_EQ(memory_.system().tree, 777U);
  EXPECT_EQ(memory_.free(stays, &other), PointerStatus::live);
  memory_.destroy_owner(other);
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(MemoryTeardown, OwnersGoInAnyOrder) {
  std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  do {
    std::vector<Owner*> owners;
    for (std::uint32_t i = 0; i < 5; ++i) {
      owners.push_back(i % 2 == 0 ? &system_.pipeline(i) : &system_.module(*owners[i - 1], i));
      // Pages of all of them mix in the shared heaps.
      ASSERT_NE(allocate(*owners[i], 700), nullptr);
      ASSERT_NE(allocate(*owners[i], 700, flag::kKernel), nullptr);
      ASSERT_NE(allocate(*owners[i], 700, flag::kShared), nullptr);
    }
    std::vector<bool> gone(5);
    for (const std::size_t i : order) {
      if (gone[i]) {
        continue;
      }
      const bool with_child = i % 2 == 0 && i + 1 < 5 && !gone[i + 1];
      EXPECT_EQ(memory_.destroy_owner(*owners[i]), with_child ? 6U : 3U);
      gone[i] = true;
      if (with_child) {
        gone[i + 1] = true;
      }
    }
    ASSERT_EQ(system_.pool_state(), boot_);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryTeardown, ReleaseAllIsNoLeak) {
  Owner& pipeline = system_.pipeline();
  Owner& module = system_.module(pipeline);
  void* stays = allocate(pipeline, 50);
  for (int i = 0; i < 20; ++i) {
    ASSERT_NE(allocate(module, 3000, i % 2 == 0 ? flag::kCoherent : flag::kKernel), nullptr);
  }
  EXPECT_EQ(memory_.release_all(module), 20U);
  EXPECT_EQ(memory_.release_all(module), 0U);
  EXPECT_EQ(module.own, 0U);
  EXPECT_EQ(module.frees, 20U);
  EXPECT_EQ(pipeline.tree, 50U);
  EXPECT_TRUE(seen_.leaks.empty());
  EXPECT_NE(allocate(module, 10), nullptr);  // the account lives on
  EXPECT_EQ(memory_.free(stays), PointerStatus::live);
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryTeardown, AThousandCyclesAreAFlatLine) {
  testing::PoolState first;
  std::size_t peak = 0;
  for (int cycle = 0; cycle < 1000; ++cycle) {
    Owner& playback = system_.pipeline(1);
    Owner& capture = system_.pipeline(2);
    for (std::uint32_t id = 0; id < 4; ++id) {
      Owner& module = system_.module(id % 2 == 0 ? playback : capture, id);
      for (const std::size_t bytes : {40U, 392U, 8192U, 100U}) {
        ASSERT_NE(allocate(module, bytes, flag::kUser), nullptr);
      }
      ASSERT_NE(allocate(module, 768, flag::kCoherent), nullptr);
      ASSERT_NE(allocate(module, 64, flag::kKernel), nullptr);
      if (id % 2 == 0) {
        memory_.release_all(module);
      }
    }
    (cycle % 2 == 0) ? memory_.destroy_owner(playback) : memory_.destroy_owner(capture);
    (cycle % 2 == 0) ? memory_.destroy_owner(capture) : memory_.destroy_owner(playback);
    ASSERT_EQ(system_.pool_state(), boot_) << cycle;
    peak = cycle == 0 ? memory_.pool().peak_taken() : peak;
  }
  EXPECT_EQ(memory_.pool().peak_taken(), peak);
  EXPECT_EQ(seen_.leaks.size(), 1000U * 2 * 6);
  EXPECT_TRUE(system_.check());
}

// Fills memory with blocks of all kinds until not even a byte is to be had, and returns everything.
TEST_P(MemoryTeardown, FullMemoryComesBackWhole) {
  for (const bool by_block : {true, false}) {
    Owner& pipeline = system_.pipeline();
    std::vector<void*> blocks;
    std::uint32_t random = 7;
    std::size_t largest = std::size_t{1} << 17;
    while (largest > 0) {
      random = random * 1664525U + 1013904223U;
      // Large ones first: a hundred thousand small ones would take the test all day.
      const std::size_t bytes = largest - (random >> 10) % (largest / 4 + 1);
      void* block = nullptr;
      for (const Flags flags : {(random & 0x100) != 0 ? flag::kUser | flag::kCoherent : flag::kUser,
                                flag::kKernel, flag::kLargeBuffer, flag::kShared}) {
        block = block != nullptr ? block : allocate(pipeline, bytes, flags);
      }
      if (block != nullptr) {
        blocks.push_back(block);
      } else {
        largest /= 2;
      }
    }
    EXPECT_TRUE(system_.check());
    for (const Flags flags : {Flags{0}, flag::kKernel, flag::kShared, flag::kCoherent}) {
      EXPECT_EQ(memory_.largest_request({&pipeline, 1, 0, flags, {}}), 0U) << flags;
    }
    if (by_block) {
      for (std::size_t i = 0; i < blocks.size(); i += 2) {
        EXPECT_EQ(memory_.free(blocks[i]), PointerStatus::live);
      }
      for (std::size_t i = 1; i < blocks.size(); i += 2) {
        EXPECT_EQ(memory_.free(blocks[i]), PointerStatus::live);
      }
      EXPECT_EQ(memory_.destroy_owner(pipeline), 0U);
    } else {
      EXPECT_EQ(memory_.destroy_owner(pipeline), blocks.size());
    }
    EXPECT_TRUE(system_.check());
    EXPECT_EQ(system_.pool_state(), boot_);
  }
}

}  // namespace
}  // namespace modmem
