// Hardening: each planted fault is found, told of once and with the right words; a correct program
// sees nothing of it.

#include "memory/hardening.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "memory/stray_access.hpp"
#include "memory/testing/random_driver.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::died_of_access;
using testing::preset;
using testing::RandomDriver;
using testing::small_platform;
using testing::TestSystem;

HardeningSettings with_quarantine(std::size_t bytes) {
  HardeningSettings settings = kHardeningStandard;
  settings.quarantine_bytes = bytes;
  return settings;
}

std::string text(const Fault& fault) {
  Line line;
  return describe_damage(line, fault).text();
}

struct Platform {
  const char* name;
  const Policy* policy;
};

std::string test_name(const ::testing::TestParamInfo<Platform>& test) {
  return testing::test_name(std::string(test.param.name) + "_" + test.param.policy->name);
}

class HardeningTest : public ::testing::TestWithParam<Platform> {
 protected:
  void start(const HardeningSettings& settings) {
    system_.emplace(preset(GetParam().name), *GetParam().policy, false, settings);
    pipeline_ = &system_->pipeline();
    module_ = &system_->module(*pipeline_, 0x10001);
  }
  void SetUp() override { start(kHardeningFull); }

  Memory& memory() { return system_->memory(); }
  std::vector<Fault>& faults() { return system_->seen().faults; }
  char* allocate(std::size_t bytes, Flags flags = 0) {
    return static_cast<char*>(memory().allocate({module_, bytes, 0, flags, Site{"take", 7}}));
  }
  PointerStatus free(void* block) { return memory().free(block, nullptr, Site{"give", 9}); }

  // One fault was told of: `length` bytes at `offset` of a block of `bytes` at `block`.
  void expect_damage(FaultKind kind, const void* block, std::size_t bytes, std::size_t offset,
                     std::size_t length) {
    ASSERT_EQ(faults().size(), 1U);
    const Fault fault = faults()[0];
    faults().clear();
    EXPECT_EQ(fault.kind, kind);
    EXPECT_EQ(fault.pointer, block);
    EXPECT_EQ(fault.bytes, bytes);
    EXPECT_EQ(fault.offset, offset);
    EXPECT_EQ(fault.length, length);
    EXPECT_EQ(fault.owner_kind, OwnerKind::module);
    EXPECT_EQ(fault.owner_id, 0x10001U);
    EXPECT_EQ(fault.site, (Site{"take", 7}));
  }

  std::optional<TestSystem> system_;
  Owner* pipeline_ = nullptr;
  Owner* module_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Platforms, HardeningTest,
                         ::testing::Values(Platform{"mtl", &kElasticPolicy},
                                           Platform{"mtl", &kModuleHeapsPolicy},
                                           Platform{"mtl", &kSinglePolicy},
                                           Platform{"mtl", &kSlotsAllPolicy},
                                           Platform{"mcu", &kElasticPolicy}),
                         test_name);

// --- guards ---

TEST_P(HardeningTest, AnOverrunIsFoundWhenTheBlockIsFreed) {
  for (const Flags flags : {Flags{0}, flag::kCoherent, flag::kShared, flag::kLargeBuffer}) {
    for (const HardeningSettings& level : {kHardeningStandard, kHardeningFull}) {
      start(level);
      char* block = allocate(100, flags);
      std::memset(block + 101, 'x', 4);
      EXPECT_EQ(free(block), PointerStatus::live);
      expect_damage(FaultKind::overrun, block, 100, 101, 4);
    }
  }
}

TEST_P(HardeningTest, AGuardLiesBehindABlockThatFillsItsGranules) {
  const bool has_guard = GetParam().policy != &kSlotsAllPolicy;
  char* block = allocate(128);
  const char before = block[128];
  block[128] = 'x';
  EXPECT_EQ(free(block), PointerStatus::live);
  if (has_guard) {
    EXPECT_EQ(before, static_cast<char>(Hardening::kGuard));
    expect_damage(FaultKind::overrun, block, 128, 128, 1);
  }
}

TEST_P(HardeningTest, AnOverrunIsFoundWhereTheBlockIsResized) {
  char* block = allocate(100);
  block[100] = 'x';
  block = static_cast<char*>(memory().reallocate(block, {module_, 90, 0, 0, Site{"take", 7}}));
  ASSERT_NE(block, nullptr);
  expect_damage(FaultKind::overrun, block, 100, 100, 1);
  block[90] = 'x';
  block = static_cast<char*>(memory().reallocate(block, {module_, 9000, 0, 0, Site{"take", 7}}));
  ASSERT_NE(block, nullptr);
  ASSERT_EQ(faults().size(), 1U);
  EXPECT_EQ(faults()[0].offset, 90U);
  faults().clear();
  std::memset(block, 'x', 9000);
  EXPECT_EQ(free(block), PointerStatus::live);
  EXPECT_TRUE(faults().empty());
}

TEST_P(HardeningTest, AnOverrunIsFoundWhenTheOwnerEnds) {
  char* block = allocate(100);
  block[100] = 'x';
  EXPECT_EQ(memory().destroy_owner(*module_), 1U);
  expect_damage(FaultKind::overrun, block, 100, 100, 1);

  start(kHardeningFull);
  block = allocate(100);
  block[103] = 'x';
  memory().release_owner(*pipeline_);
  expect_damage(FaultKind::overrun, block, 100, 103, 1);
}

TEST_P(HardeningTest, AllBlocksAreLookedAtOnDemand) {
  char* block = allocate(100);
  char* other = allocate(1000, flag::kCoherent);
  EXPECT_EQ(memory().check_blocks(), 0U);
  EXPECT_TRUE(faults().empty());
  block[100] = 'x';
  other[1003] = 'x';
  EXPECT_EQ(memory().check_blocks(), 2U);
  EXPECT_EQ(faults().size(), 2U);
  faults().clear();
  // Each is told of once.
  EXPECT_EQ(memory().check_blocks(), 0U);
  EXPECT_EQ(free(block), PointerStatus::live);
  EXPECT_EQ(free(other), PointerStatus::live);
  EXPECT_TRUE(faults().empty());
}

TEST_P(HardeningTest, WhatWasAskedForIsUsable) {
  for (const std::size_t bytes : {1U, 16U, 100U, 4096U, 10000U}) {
    char* block = allocate(bytes);
    EXPECT_EQ(memory().usable_size(block), bytes);
    std::memset(block, 'x', bytes);
    EXPECT_EQ(free(block), PointerStatus::live);
  }
  EXPECT_TRUE(faults().empty());
}

TEST_P(HardeningTest, WordsForAnOverrun) {
  char* block = allocate(100);
  std::memset(block + 100, 'x', 4);
  free(block);
  const std::string heap = memory().locate(block).name != nullptr ? faults()[0].heap : "pipeline";
  EXPECT_EQ(text(faults()[0]),
            "overrun: 4 bytes behind a block of 100 bytes of module (id "
            "0x10001), in heap " +
                heap);
  EXPECT_STREQ(advice(faults()[0].kind), "write within the block, or ask for more");
  faults().clear();
  block = allocate(100);
  block[109] = 'x';
  free(block);
  EXPECT_EQ(text(faults()[0]).substr(0, 60),
            "overrun: 1 byte, 9 bytes behind a block of 100 bytes of modu");
}

// --- what is freed ---

TEST_P(HardeningTest, WhatIsFreedIsFilled) {
  for (const bool zero : {false, true}) {
    for (const Flags flags : {Flags{0}, flag::kCoherent}) {
      HardeningSettings settings = kHardeningStandard;
      settings.zero = zero;
      start(settings);
      ASSERT_NE(allocate(40, flags), nullptr);  // keeps the page
      char* block = allocate(100, flags);
      std::memset(block, 'x', 100);
      ASSERT_EQ(free(block), PointerStatus::live);
      if (GetParam().policy == &kSlotsAllPolicy && !memory().is_mapped(block)) {
        continue;
      }
      const auto content = zero ? std::byte{0} : Hardening::kFreed;
      EXPECT_EQ(std::count(block, block + 100, static_cast<char>(content)), 100);
    }
  }
}

// --- quarantine ---

TEST_P(HardeningTest, WhatIsFreedWaits) {
  start(with_quarantine(1024));
  char* block = allocate(100);
  free(block);
  EXPECT_EQ(memory().quarantined_blocks(), 1U);
  EXPECT_GE(memory().quarantined_bytes(), 100U);
  EXPECT_EQ(module_->own, 0U);
  EXPECT_EQ(memory().status(block), PointerStatus::not_live);
  EXPECT_EQ(memory().usable_size(block), 0U);
  for (int i = 0; i < 6; ++i) {
    char* next = allocate(100);
    EXPECT_NE(next, block);
    EXPECT_EQ(free(next), PointerStatus::live);
    EXPECT_TRUE(system_->check());
  }
  std::vector<char*> more;
  while (std::find(more.begin(), more.end(), block) == more.end() && more.size() < 100) {
    more.push_back(allocate(100));
    free(allocate(100));
  }
  EXPECT_LT(more.size(), 100U) << "is used again";
  EXPECT_LE(memory().quarantined_bytes(), 1024U);
  EXPECT_TRUE(faults().empty());
}

TEST_P(HardeningTest, NotMoreBlocksWaitThanThereIsRoomFor) {
  start(with_quarantine(std::size_t{1} << 20));
  std::vector<char*> blocks;
  for (std::uint32_t i = 0; i < Hardening::kMostWaiting + 10; ++i) {
    blocks.push_back(allocate(20));
    ASSERT_NE(blocks.back(), nullptr);
  }
  for (char* block : blocks) {
    EXPECT_EQ(free(block), PointerStatus::live);
  }
  EXPECT_EQ(memory().quarantined_blocks(), Hardening::kMostWaiting);
  EXPECT_EQ(memory().empty_quarantine(), Hardening::kMostWaiting);
  EXPECT_EQ(memory().quarantined_bytes(), 0U);
  EXPECT_TRUE(system_->check());
}

TEST_P(HardeningTest, AWriteAfterFreeIsFound) {
  for (const Flags flags : {Flags{0}, flag::kCoherent, flag::kShared}) {
    start(with_quarantine(4096));
    char* block = allocate(100, flags);
    free(block);
    block[16] = 'x';
    block[18] = 'x';
    EXPECT_TRUE(faults().empty());
    EXPECT_EQ(memory().empty_quarantine(), 1U);
    ASSERT_EQ(faults().size(), 1U);
    EXPECT_EQ(faults()[0].freed_at, (Site{"give", 9}));
    EXPECT_EQ(text(faults()[0]).substr(0, 73),
              "write after free: 3 bytes, 16 bytes into a block of 100 bytes of module (");
    expect_damage(FaultKind::write_after_free, block, 100, 16, 3);
  }
}

TEST_P(HardeningTest, AWriteAfterFreeIsFoundOnDemand) {
  start(with_quarantine(4096));
  char* block = allocate(100);
  free(block);
  EXPECT_EQ(memory().check_blocks(), 0U);
  block[0] = 'x';
  EXPECT_EQ(memory().check_blocks(), 1U);
  expect_damage(FaultKind::write_after_free, block, 100, 0, 1);
  EXPECT_EQ(memory().check_blocks(), 0U);
  memory().empty_quarantine();
  EXPECT_TRUE(faults().empty());
}

TEST_P(HardeningTest, AWriteAfterFreeIsFoundWhenTheOwnerEnds) {
  start(with_quarantine(4096));
  char* block = allocate(100);
  free(block);
  block[99] = 'x';
  EXPECT_EQ(memory().destroy_owner(*module_), 0U);
  expect_damage(FaultKind::write_after_free, block, 100, 99, 1);
  EXPECT_EQ(memory().quarantined_blocks(), 0U);
}

TEST_P(HardeningTest, ASecondFreeNamesTheFirst) {
  start(with_quarantine(4096));
  char* block = allocate(100);
  free(block);
  EXPECT_EQ(memory().free(block, nullptr, Site{"again", 11}), PointerStatus::not_live);
  ASSERT_EQ(faults().size(), 1U);
  EXPECT_EQ(faults()[0].kind, FaultKind::pointer);
  EXPECT_EQ(faults()[0].status, PointerStatus::not_live);
  EXPECT_EQ(faults()[0].bytes, 100U);
  EXPECT_EQ(faults()[0].site, (Site{"take", 7}));
  EXPECT_EQ(faults()[0].freed_at, (Site{"give", 9}));
}

TEST_P(HardeningTest, TheQuarantineIsEmptiedBeforeARequestFails) {
  start(with_quarantine(std::size_t{1} << 20));
  const Request any{module_, 1, 0, 0, {}};
  const std::size_t largest = memory().largest_request(any);
  std::vector<char*> blocks;
  while (char* block = allocate(2000)) {
    blocks.push_back(block);
  }
  system_->seen().failures.clear();
  for (char* block : blocks) {
    free(block);
  }
  EXPECT_NE(memory().quarantined_blocks(), 0U);
  blocks.clear();
  while (char* block = allocate(2000)) {
    blocks.push_back(block);
  }
  for (char* block : blocks) {
    free(block);
  }
  EXPECT_EQ(memory().largest_request(any), largest);
  EXPECT_EQ(memory().quarantined_blocks(), 0U);
  EXPECT_TRUE(faults().empty());
}

TEST_P(HardeningTest, NothingIsLeftBehind) {
  const testing::PoolState before = [&] {
    start(kHardeningFull);
    system_->shutdown();
    start(kHardeningFull);
    memory().destroy_owner(*pipeline_);
    return system_->pool_state();
  }();
  pipeline_ = &system_->pipeline();
  module_ = &system_->module(*pipeline_);
  for (int i = 0; i < 20; ++i) {
    free(allocate(500));
  }
  EXPECT_EQ(memory().destroy_owner(*pipeline_), 0U);
  memory().empty_quarantine();
  EXPECT_EQ(system_->pool_state(), before);
}

// --- random places ---

// Where the blocks of a run lie, in its order.
std::vector<std::size_t> places(const HardeningSettings& settings) {
  TestSystem system(preset("mtl"), kElasticPolicy, false, settings);
  Owner& pipeline = system.pipeline();
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < 60; ++i) {
    void* block = system.memory().allocate({&pipeline, 100 + i * 37 % 300, 0, 0, {}});
    places.push_back(system.memory().space().offset_of(block));
  }
  EXPECT_TRUE(system.check());
  return places;
}

TEST(Hardening, PlacesFollowTheSeed) {
  HardeningSettings settings = kHardeningNone;
  const auto in_order = places(settings);
  settings.seed = 2;
  EXPECT_EQ(places(settings), in_order);
  settings.random_placement = true;
  const auto random = places(settings);
  EXPECT_NE(random, in_order);
  EXPECT_EQ(places(settings), random) << "the same seed, the same places";
  settings.seed = 3;
  EXPECT_NE(places(settings), random);
}

// --- metadata ---

using HardeningDeathTest = HardeningTest;
INSTANTIATE_TEST_SUITE_P(Platforms, HardeningDeathTest,
                         ::testing::Values(Platform{"mtl", &kElasticPolicy},
                                           Platform{"mcu", &kElasticPolicy}),
                         test_name);

TEST_P(HardeningDeathTest, MetadataThatIsGivenUpIsWritable) {
  allocate(100);
  auto* owner = reinterpret_cast<volatile char*>(module_);
  memory().abandon();
  *owner = *owner;
  memory().abandon();  // once is enough
  allocate(100);
  const auto read = *owner;
  EXPECT_EXIT(*owner = read, died_of_access, "");
  EXPECT_TRUE(system_->check());
}

TEST_P(HardeningDeathTest, OnlyTheLibraryWritesMetadata) {
  allocate(100);
  auto* owner = reinterpret_cast<volatile char*>(module_);
  const auto read = *owner;  // everybody may
  EXPECT_EXIT(*owner = read, died_of_access, "");
  // ... also where that lies in pages of the pool, through either alias.
  const AddressSpace& space = memory().space();
  std::byte* page = nullptr;
  while (!space.page_of(page)) {
    page =
        reinterpret_cast<std::byte*>(memory().create_owner(*module_, {.kind = OwnerKind::buffer}));
    ASSERT_NE(page, nullptr);
  }
  Line line;
  EXPECT_EQ(describe_stray_access(line, memory(), page).text(),
            std::string("page of the library's own, which nobody else writes, in heap metadata of "
                        "system system (id 0x0)"));
  for (std::byte* alias : {space.to_cached(page), space.to_uncached(space.to_cached(page))}) {
    EXPECT_EXIT(*static_cast<volatile std::byte*>(alias) = std::byte{1}, died_of_access, "");
  }
  EXPECT_TRUE(system_->check());
}

// --- domains, plans, random programs ---

TEST(Hardening, BlocksOfADomainAreLookedAtWhileItIsClosed) {
  TestSystem system(preset("mtl"), kElasticPolicy, false, kHardeningFull);
  Memory& memory = system.memory();
  Owner* domain = memory.create_owner(memory.system(), {.kind = OwnerKind::heap, .id = 5},
                                      {.kind = HeapKind::elastic, .isolated = true});
  ASSERT_NE(domain, nullptr);
  auto* block = static_cast<char*>(memory.allocate({domain, 100, 0, 0, {}}));
  auto* other = static_cast<char*>(memory.allocate({domain, 100, 0, 0, {}}));
  memory.enter_domain(domain);
  block[100] = 'x';
  memory.enter_domain(nullptr);
  EXPECT_EQ(memory.check_blocks(), 1U);
  memory.free(block);
  memory.enter_domain(domain);
  block[50] = 'x';
  memory.enter_domain(nullptr);
  memory.free(other);
  EXPECT_EQ(memory.check_blocks(), 1U);
  EXPECT_EQ(system.seen().faults.size(), 2U);
  memory.destroy_owner(*domain);
  EXPECT_EQ(system.seen().faults.size(), 2U);
}

TEST(Hardening, WhatIsAdmittedIsThereWithItsGuards) {
  TestSystem system(small_platform(true, 40), kElasticPolicy, false, kHardeningFull);
  Memory& memory = system.memory();
  Need need;
  need.bytes = 60000;
  need.blocks = 500;
  PlanEntry entry;
  entry.parent = &memory.system();
  entry.spec.kind = OwnerKind::pipeline;
  entry.needs = {&need, 1};
  ASSERT_TRUE(memory.admit({&entry, 1}));
  while (memory.allocate({nullptr, 500, 0, flag::kSilent, {}}) != nullptr) {
  }
  for (int i = 0; i < 500; ++i) {
    ASSERT_NE(memory.allocate({entry.owner, 120, 0, 0, {}}), nullptr) << i;
  }
}

struct Run {
  bool has_mmu;
  const Policy* policy;
  const char* level;
};

class HardeningRandom : public ::testing::TestWithParam<Run> {};

INSTANTIATE_TEST_SUITE_P(
    Levels, HardeningRandom,
    ::testing::Values(Run{true, &kElasticPolicy, "none"}, Run{true, &kElasticPolicy, "full"},
                      Run{false, &kElasticPolicy, "full"}, Run{true, &kSinglePolicy, "full"},
                      Run{true, &kSlotsPolicy, "full"}, Run{true, &kModuleHeapsPolicy, "full"}),
    [](const auto& test) {
      return testing::test_name(std::string(test.param.level) + "_" + test.param.policy->name +
                                (test.param.has_mmu ? "" : "_mcu"));
    });

TEST_P(HardeningRandom, ACorrectProgramSeesNothing) {
  const auto* level = std::find_if(
      kHardeningLevels.begin(), kHardeningLevels.end(),
      [](const HardeningLevel& one) { return one.name == std::string(GetParam().level); });
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    HardeningSettings settings = level->settings;
    settings.seed = seed;
    TestSystem system(small_platform(GetParam().has_mmu, 80), *GetParam().policy, false, settings);
    RandomDriver driver(system, seed, {.failing_maps = seed == 2});
    for (int i = 0; i < 3000; ++i) {
      driver.step();
      if (i % 100 == 0) {
        driver.compare();
        ASSERT_EQ(system.memory().check_blocks(), 0U);
      }
    }
    driver.end_everything();
    driver.compare();
  }
}

}  // namespace
}  // namespace modmem
