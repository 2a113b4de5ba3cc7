// Heaps and cores: each core has a heap of the system's and its owners' heaps to itself, so blocks
// share cache lines only where one core works with all of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "memory/testing/cores_fixture.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::is_aligned;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kGranule = config::kGranuleBytes;
constexpr std::size_t kLine = 64;

class Cores : public testing::CoresFixture {
 protected:
  std::vector<std::string> heap_names() {
    std::vector<std::string> names;
    memory_.for_each_heap([&](const HeapReport& heap) { names.emplace_back(heap.name); });
    return names;
  }

  Owner& all_ = memory_.system();
};

TEST_F(Cores, EachGetsAHeapOfTheSystemWithItsFirstRequest) {
  EXPECT_EQ(heap_names(), (std::vector<std::string>{"system", "shared", "metadata"}));
  std::vector<std::byte*> blocks;
  for (std::uint32_t core = 0; core < kCores; ++core) {
    blocks.push_back(take(core, all_, 100));
    const std::string name = core == 0 ? "system" : "system-" + std::to_string(core);
    EXPECT_EQ(system_.heap_of(blocks.back()).name, name);
    EXPECT_EQ(system_.heap(name).live_bytes, 100U);
  }
  EXPECT_EQ(heap_names(),
            (std::vector<std::string>{"system", "shared", "system-1", "system-2", "metadata"}));
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(system_.shutdown(), kCores);
  EXPECT_EQ(system_.seen().leaks.size(), kCores);
}

TEST_F(Cores, NoHeapIsOpenedForWhatOthersServeButAnHeirs) {
  Owner& pipeline = pipeline_of(2);
  EXPECT_NE(take(2, pipeline, 100), nullptr);
  EXPECT_NE(take(2, pipeline, 100, flag::kShared), nullptr);
  EXPECT_NE(take(1, pipeline, 100, flag::kLowPower | flag::kShared), nullptr);
  EXPECT_EQ(system_.heap("system-1").name, nullptr);
  EXPECT_STREQ(system_.heap("system-2").name, "system-2") << "a pipeline's heir";
}

TEST_F(Cores, BlocksOfACoresOwnHeapsAreNotRoundedToLines) {
  for (std::uint32_t core = 0; core < kCores; ++core) {
    for (Owner* owner : {&all_, &pipeline_of(static_cast<std::uint8_t>(core))}) {
      std::byte* first = take(core, *owner, kGranule);
      EXPECT_EQ(take(core, *owner, kGranule), first + kGranule);
      // But those that others see, or that skip the cache.
      for (const Flags flags : {flag::kCoherent, flag::kShared, flag::kLargeBuffer}) {
        std::byte* line = take(core, *owner, kGranule, flags);
        EXPECT_TRUE(is_aligned(line, kLine));
        EXPECT_EQ(take(core, *owner, kGranule, flags), line + kLine);
      }
    }
  }
}

TEST_F(Cores, WhatOneCoreTakesInAnothersHeapHasItsLinesToItself) {
  Owner& pipeline = pipeline_of(1);
  std::byte* own = take(1, pipeline, kGranule);
  std::byte* other = take(2, pipeline, kGranule);
  EXPECT_STREQ(system_.heap_of(other).name, "pipeline");
  EXPECT_TRUE(is_aligned(other, kLine));
  EXPECT_EQ(take(1, pipeline, kGranule), own + kGranule);
  EXPECT_EQ(take(2, pipeline, kGranule), other + kLine);
}

TEST_F(Cores, AnOwnerIsOfTheCoreThatCreatesItOrOfItsParents) {
  set_host_core(2);
  Owner& pipeline = system_.pipeline();
  EXPECT_EQ(pipeline.spec.core, 2U);
  set_host_core(1);
  EXPECT_EQ(system_.module(pipeline).spec.core, 2U);
  EXPECT_EQ(system_.pipeline().spec.core, 1U);
  EXPECT_EQ(pipeline_of(0).spec.core, 0U);
  const testing::Figures before = figures(system_);
  EXPECT_EQ(memory_.create_owner(all_, {.kind = OwnerKind::pipeline, .core = kCores}), nullptr);
  EXPECT_EQ(figures(system_), before);
  ASSERT_EQ(system_.seen().failures.size(), 1U);
  EXPECT_EQ(system_.seen().failures[0].reason, FailureReason::unsupported);
}

TEST_F(Cores, WithoutAnotherHeapTheFirstCoresServesInWholeLines) {
  PlatformConfig config = preset("mtl");
  config.max_heaps = 2;  // system and shared
  TestSystem system(config, kElasticPolicy, false, kHardeningNone);
  std::byte* first = static_cast<std::byte*>(
      system.memory().allocate({&system.memory().system(), kGranule, 0, 0, MODMEM_HERE}));
  set_host_core(1);
  for (int i = 0; i < 2; ++i) {
    void* block = system.memory().allocate({&system.memory().system(), kGranule, 0, 0, {}});
    EXPECT_STREQ(system.heap_of(block).name, "system");
    EXPECT_TRUE(is_aligned(block, kLine));
    EXPECT_EQ(system.memory().usable_size(block), kLine);
    EXPECT_EQ(system.memory().free(block), PointerStatus::live);
  }
  set_host_core(0);
  EXPECT_EQ(system.memory().free(first), PointerStatus::live);
  EXPECT_TRUE(system.seen().failures.empty());
}

TEST_F(Cores, FixedArenasAreOneForAllInWholeLines) {
  for (const Policy* policy : {&kSinglePolicy, &kSlotsPolicy, &kSlotsAllPolicy}) {
    TestSystem system(preset("mtl"), *policy);
    for (std::uint32_t core = 0; core < kCores; ++core) {
      set_host_core(core);
      void* block =
          system.memory().allocate({&system.memory().system(), kGranule, 0, 0, MODMEM_HERE});
      EXPECT_STREQ(system.heap_of(block).name, "system") << policy->name;
      EXPECT_TRUE(is_aligned(block, kLine)) << policy->name;
    }
  }
}

// All blocks that there are, pair by pair: no line holds bytes of two that different cores asked
// for, in whatever heap.
TEST_F(Cores, NoLineIsSharedBetweenCores) {
  struct Block {
    std::byte* start;
    std::size_t bytes;
    std::uint32_t core;
  };
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t most) { return random() % most; };
    std::vector<Owner*> owners{&all_};
    for (std::uint8_t core = 0; core < kCores; ++core) {
      owners.push_back(&pipeline_of(core));
      owners.push_back(&system_.module(*owners.back()));
    }
    constexpr Flags kFlags[] = {0, 0, 0, flag::kKernel, flag::kShared, flag::kCoherent, flag::kDma};
    std::vector<Block> live;
    for (int step = 0; step < 300; ++step) {
      if (below(3) != 0 || live.empty()) {
        const auto core = static_cast<std::uint32_t>(below(kCores));
        const std::size_t bytes = 1 + below(below(8) == 0 ? 6000 : 150);
        std::byte* block =
            take(core, *owners[below(owners.size())], bytes, kFlags[below(std::size(kFlags))]);
        ASSERT_NE(block, nullptr);
        live.push_back({memory_.space().to_cached(block), bytes, core});
      } else {
        const std::size_t index = below(live.size());
        set_host_core(static_cast<std::uint32_t>(below(kCores)));
        ASSERT_EQ(memory_.free(live[index].start), PointerStatus::live);
        live[index] = live.back();
        live.pop_back();
      }
      ASSERT_TRUE(memory_.check(CheckDepth::cheap));
    }
    ASSERT_TRUE(system_.check());
    std::map<std::uintptr_t, std::uint32_t> core_of_line;
    for (const Block& block : live) {
      const auto start = reinterpret_cast<std::uintptr_t>(block.start);
      for (std::uintptr_t line = start / kLine; line <= (start + block.bytes - 1) / kLine; ++line) {
        const auto [at, is_new] = core_of_line.emplace(line, block.core);
        ASSERT_EQ(at->second, block.core) << "seed " << seed;
      }
    }
    for (const Block& block : live) {
      ASSERT_EQ(memory_.free(block.start), PointerStatus::live);
    }
    for (std::size_t i = 1; i < owners.size(); i += 2) {
      ASSERT_EQ(memory_.destroy_owner(*owners[i]), 0U);
    }
  }
}

// Lines that stay dirty in a cache would be written over what is there next, for another core too.
TEST_F(Cores, ALineIsDroppedWithTheLastOfItsBlocks) {
  Owner& mine = pipeline_of(1);
  for (const bool upwards : {true, false}) {
    std::byte* blocks[] = {take(1, mine, kGranule), take(1, mine, 2 * kGranule),
                           take(1, mine, kGranule), take(1, mine, kLine + kGranule)};
    ASSERT_TRUE(is_aligned(blocks[0], kLine));
    ASSERT_EQ(blocks[2] + kGranule, blocks[3]) << "a line and a part of the next one but one";
    if (!upwards) {
      std::reverse(std::begin(blocks), std::end(blocks) - 1);
    }
    std::byte* line = upwards ? blocks[0] : blocks[2];
    system_.port().forget_invalidations();
    end(1, blocks[0]);
    end(1, blocks[1]);
    EXPECT_TRUE(system_.port().invalidations().empty()) << "others live in the line";
    end(1, blocks[2]);
    EXPECT_TRUE(system_.port().invalidated(line, kLine));
    end(1, blocks[3]);
    EXPECT_TRUE(system_.port().invalidated(line, 3 * kLine)) << "nobody lives behind it";
  }
  EXPECT_TRUE(system_.check());
}

TEST_F(Cores, WhatBecomesSmallerDropsALineThatNobodyElseUses) {
  Owner& mine = pipeline_of(1);
  std::byte* block = take(1, mine, kLine + kGranule);
  ASSERT_TRUE(is_aligned(block, kLine));
  system_.port().forget_invalidations();
  EXPECT_EQ(memory_.reallocate(block, {&mine, kGranule, 0, 0, {}}), block);
  EXPECT_FALSE(system_.port().invalidated(block, kLine));
  EXPECT_TRUE(system_.port().invalidated(block + kLine, kLine));
}

TEST_F(Cores, ALineIsDroppedOnceTheCoreTakesItsLastBlockBack) {
  Owner& mine = pipeline_of(1);
  std::byte* first = take(1, mine, kGranule);
  std::byte* second = take(1, mine, kGranule);
  ASSERT_EQ(first + kGranule, second);
  end(1, second);
  end(2, first);
  system_.port().forget_invalidations();
  set_host_core(1);
  memory_.drain(1);
  EXPECT_TRUE(system_.port().invalidated(first, kLine));
}

TEST_F(Cores, AnOwnerEndsWithTheLinesOfItsBlocks) {
  for (const bool releases : {false, true}) {
    Owner& mine = pipeline_of(1);
    std::byte* first = take(1, mine, kGranule);
    take(1, mine, kGranule);
    system_.port().forget_invalidations();
    if (releases) {
      memory_.release_owner(mine);
    } else {
      EXPECT_EQ(memory_.destroy_owner(mine), 2U);
    }
    EXPECT_TRUE(system_.port().invalidated(first, kLine)) << releases;
  }
}

}  // namespace
}  // namespace modmem
