// Accounting is exact, whatever happens: random calls against a reference model.

#include <gtest/gtest.h>

#include "memory/testing/random_driver.hpp"

namespace modmem {
namespace {

using testing::RandomDriver;
using testing::small_platform;
using testing::TestSystem;

struct Scenario {
  const char* name;
  bool has_mmu;
  const Policy* policy;
  RandomDriver::Options options;
  std::uint32_t retained_pages = 0;
  std::size_t frames = 64;
};

class MemoryAccounting : public ::testing::TestWithParam<Scenario> {};

const Scenario kRuns[] = {
    {"mmu_elastic", true, &kElasticPolicy, {6000, false}},
    {"mmu_single", true, &kSinglePolicy, {6000, false}},
    {"mcu_elastic", false, &kElasticPolicy, {6000, false}},
    {"mcu_single", false, &kSinglePolicy, {6000, false}},
    {"mmu_slots", true, &kSlotsPolicy, {6000, false}},
    {"mmu_slots_modules", true, &kSlotsModulesPolicy, {6000, false}},
    {"mmu_slots_all", true, &kSlotsAllPolicy, {40000, false}},
    {"mmu_slots_failing_maps", true, &kSlotsAllPolicy, {6000, true}},
    {"mmu_large", true, &kElasticPolicy, {40000, false}},
    {"mcu_large", false, &kElasticPolicy, {40000, false}},
    {"mmu_failing_maps", true, &kElasticPolicy, {6000, true}},
    {"mcu_failing_maps", false, &kElasticPolicy, {6000, true}},
    {"mmu_retained", true, &kElasticPolicy, {6000, false}, 3},
    {"mcu_retained", false, &kElasticPolicy, {6000, false}, 3},
    {"mmu_memories", true, &kElasticPolicy, {6000, false, true}},
    {"mcu_memories", false, &kSinglePolicy, {6000, false, true}},
    // Where a page of metadata more or less decides, and guarantees meet each other.
    {"mmu_tiny", true, &kElasticPolicy, {40000, false}, 0, 22},
    {"mcu_tiny", false, &kElasticPolicy, {40000, false}, 0, 17},
};

INSTANTIATE_TEST_SUITE_P(Runs, MemoryAccounting, ::testing::ValuesIn(kRuns),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(MemoryAccounting, HoldsThroughRandomCalls) {
  const Scenario& run = GetParam();
  std::uint64_t failures = 0;
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    PlatformConfig config = small_platform(run.has_mmu, run.frames);
    config.retained_pages = run.retained_pages;
    config.lp_sram_bytes = 4 * config::kPageBytes;
    config.l3_bytes = 16 * config::kPageBytes;
    TestSystem system(config, *run.policy, run.options.side_memories);
    const auto boot = system.pool_state();
    RandomDriver driver(system, seed, run.options);
    for (int i = 0; i < 4000; ++i) {
      ASSERT_NO_THROW(driver.step());
      if (i % 50 == 0) {
        ASSERT_NO_THROW(driver.compare());
      }
    }
    ASSERT_NO_THROW(driver.end_everything());
    ASSERT_NO_THROW(driver.compare());
    if (run.retained_pages == 0) {
      EXPECT_EQ(system.pool_state(), boot);
    }
    failures += driver.failures();
  }
  EXPECT_GT(failures, 0U) << "memory never ran out: the test is too weak";
}

}  // namespace
}  // namespace modmem
