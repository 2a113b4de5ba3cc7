// Bringing the system up and down: every preset, every policy.

#include <gtest/gtest.h>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::ArenaMemory;
using testing::CheckingPort;
using testing::NotingObserver;
using testing::TestSystem;

struct Platform {
  PlatformConfig config;
  const Policy* policy;
};

class MemoryBoot : public ::testing::TestWithParam<Platform> {};

std::vector<Platform> all_platforms() {
  std::vector<Platform> platforms;
  for (const PlatformConfig& config : config::kPresets) {
    for (const Policy* policy : kPolicies) {
      platforms.push_back({config, policy});
    }
  }
  return platforms;
}

INSTANTIATE_TEST_SUITE_P(Presets, MemoryBoot, ::testing::ValuesIn(all_platforms()),
                         [](const auto& test) {
                           return std::string(test.param.config.name) + "_" +
                                  test.param.policy->name;
                         });

TEST_P(MemoryBoot, ServesAndReturnsEverything) {
  TestSystem system(GetParam().config, *GetParam().policy);
  Memory& memory = system.memory();
  ASSERT_TRUE(system.check());
  const auto boot = system.pool_state();
  Owner& pipeline = system.pipeline();
  Owner& module = system.module(pipeline);
  std::vector<void*> blocks;
  for (const Flags flags : {Flags{0}, flag::kUser, flag::kKernel, flag::kShared, flag::kCoherent,
                            flag::kDma, flag::kLargeBuffer, flag::kLowPower, flag::kNoCopy}) {
    for (const std::size_t bytes : {1U, 100U, 4096U, 10000U}) {
      void* block = memory.allocate({&module, bytes, 0, flags, MODMEM_HERE});
      ASSERT_NE(block, nullptr) << flags << " " << bytes;
      static_cast<char*>(block)[0] = 1;
      static_cast<char*>(block)[bytes - 1] = 1;
      blocks.push_back(block);
      ASSERT_TRUE(system.check());
    }
  }
  for (void* block : blocks) {
    EXPECT_EQ(memory.free(block, &module), PointerStatus::live);
    ASSERT_TRUE(system.check());
  }
  EXPECT_EQ(memory.destroy_owner(pipeline), 0U);
  EXPECT_TRUE(system.check());
  EXPECT_EQ(system.pool_state(), boot);
  EXPECT_EQ(system.shutdown(), 0U);
  EXPECT_EQ(memory.pool().taken(), 0U);
  EXPECT_EQ(system.port().mapped_pages(), 0U);
}

}  // namespace
}  // namespace modmem
