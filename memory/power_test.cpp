// Banks: what compaction saves, what it leaves alone, and that nobody sees it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "memory/testing/random_driver.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::preset;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;
constexpr std::uint32_t kAll = UINT32_MAX;

class MemoryPower : public ::testing::Test {
 protected:
  explicit MemoryPower(const Policy& policy = kElasticPolicy)
      : system_(small_platform(true, 62), policy), memory_(system_.memory()) {}

  void* allocate(Owner& owner, std::size_t bytes, Flags flags = 0) {
    return memory_.allocate({&owner, bytes, 0, flags, MODMEM_HERE});
  }
  std::uint16_t frame_of(const void* pointer) {
    return memory_.space().frame_of(*memory_.space().page_of(pointer));
  }
  std::uint32_t banks_on() { return memory_.pool().banks_on(); }
  // Whole pages for two owners in turn, filled with a pattern; then one of them goes. Returns the
  // pages that stay.
  std::vector<unsigned char*> every_other_page(std::uint32_t count) {
    Owner& stays = system_.pipeline(1);
    Owner& goes = system_.pipeline(2);
    std::vector<unsigned char*> blocks;
    for (std::uint32_t i = 0; i < count; ++i) {
      blocks.push_back(static_cast<unsigned char*>(allocate(stays, kPage)));
      std::memset(blocks.back(), static_cast<int>(i + 1), kPage);
      EXPECT_NE(allocate(goes, kPage), nullptr);
    }
    memory_.destroy_owner(goes);
    return blocks;
  }
  void expect_content(const std::vector<unsigned char*>& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_TRUE(std::all_of(blocks[i], blocks[i] + kPage, [i](unsigned char byte) {
        return byte == i + 1;
      })) << i;
    }
    EXPECT_TRUE(system_.check());
  }
  // Banks for what is taken now, if it lay as tightly as can be.
  std::uint32_t least_banks() {
    const PagePool& pool = memory_.pool();
    const std::uint32_t first = pool.frames_in(Bank{0});
    return pool.taken() <= first ? 1 : 1 + (pool.taken() - first + 3) / 4;
  }

  TestSystem system_;
  Memory& memory_;
};

TEST_F(MemoryPower, CompactionReachesTheFewestBanks) {
  const std::vector<unsigned char*> blocks = every_other_page(20);
  ASSERT_GT(banks_on(), least_banks() + 3);
  const Compaction done = memory_.compact(kAll);
  EXPECT_GT(done.moved, 0U);
  EXPECT_FALSE(done.more);
  EXPECT_EQ(banks_on(), least_banks());
  EXPECT_EQ(system_.port().banks_on() + 1, banks_on());  // the reserve's is on by itself
  expect_content(blocks);
  EXPECT_EQ(memory_.compact(kAll).moved, 0U);
  for (unsigned char* block : blocks) {
    EXPECT_EQ(memory_.free(block), PointerStatus::live);
  }
  EXPECT_TRUE(system_.check());
}

TEST_F(MemoryPower, CompactionGoesOnWhereItWasLeft) {
  const std::vector<unsigned char*> blocks = every_other_page(20);
  Compaction step{0, true};
  for (int steps = 0; step.more; ++steps) {
    ASSERT_LT(steps, 64);
    step = memory_.compact(1);
    EXPECT_LE(step.moved, 1U);
    expect_content(blocks);
  }
  EXPECT_EQ(banks_on(), least_banks());
}

TEST_F(MemoryPower, HolesAreFoundAfterTheirPagesMoved) {
  Owner& goes = system_.pipeline(2);
  Owner& stays = system_.pipeline(1);
  std::vector<void*> small;
  for (int i = 0; i < 200; ++i) {
    small.push_back(allocate(stays, 500 + static_cast<std::size_t>(i)));
    allocate(goes, kPage / 2);
  }
  for (std::size_t i = 0; i < small.size(); i += 3) {
    memory_.free(std::exchange(small[i], nullptr));
  }
  memory_.destroy_owner(goes);
  EXPECT_GT(memory_.compact(kAll).moved, 0U);
  EXPECT_TRUE(system_.check());
  const std::uint32_t taken = memory_.pool().taken();
  for (int i = 0; i < 20; ++i) {
    EXPECT_NE(allocate(stays, 400), nullptr);
    EXPECT_TRUE(system_.check());
  }
  EXPECT_EQ(memory_.pool().taken(), taken);
}

TEST_F(MemoryPower, PinnedBlocksStay) {
  const std::vector<unsigned char*> blocks = every_other_page(20);
  std::vector<std::uint16_t> frames;
  for (std::size_t i = 15; i < 20; ++i) {
    EXPECT_TRUE(memory_.pin(blocks[i]));
    frames.push_back(frame_of(blocks[i]));
  }
  memory_.compact(kAll);
  for (std::size_t i = 15; i < 20; ++i) {
    EXPECT_EQ(frame_of(blocks[i]), frames[i - 15]);
  }
  expect_content(blocks);
  for (std::size_t i = 15; i < 20; ++i) {
    EXPECT_TRUE(memory_.unpin(blocks[i]));
    EXPECT_FALSE(memory_.unpin(blocks[i]));
  }
  memory_.compact(kAll);
  EXPECT_EQ(banks_on(), least_banks());
  expect_content(blocks);
}

TEST_F(MemoryPower, PinsAreCountedAndCoverAllPagesOfTheBlock) {
  auto* block = static_cast<std::byte*>(allocate(system_.pipeline(), 3 * kPage));
  EXPECT_TRUE(memory_.pin(block));
  EXPECT_TRUE(memory_.pin(block));
  EXPECT_TRUE(memory_.unpin(block));
  for (std::size_t page = 0; page < 3; ++page) {
    EXPECT_TRUE(memory_.space().info(*memory_.space().page_of(block + page * kPage)).pinned);
  }
  EXPECT_TRUE(memory_.unpin(block));
  EXPECT_FALSE(memory_.space().info(*memory_.space().page_of(block)).pinned);
  EXPECT_FALSE(memory_.unpin(block));
}

TEST_F(MemoryPower, BlocksOfOnePageArePinnedEachForItself) {
  Owner& pipeline = system_.pipeline();
  void* one = allocate(pipeline, 100);
  void* other = allocate(pipeline, 100);
  const auto pinned = [&] { return memory_.space().info(*memory_.space().page_of(other)).pinned; };
  EXPECT_TRUE(memory_.pin(one));
  EXPECT_TRUE(memory_.pin(other));
  EXPECT_EQ(memory_.free(one), PointerStatus::live);
  EXPECT_TRUE(pinned());
  EXPECT_EQ(memory_.free(one), PointerStatus::not_live);
  EXPECT_TRUE(memory_.unpin(other));
  EXPECT_FALSE(pinned());
}

TEST_F(MemoryPower, APinEndsWithItsBlock) {
  Owner& pipeline = system_.pipeline();
  void* keeper = allocate(pipeline, 100);  // so that the page stays
  void* block = allocate(pipeline, 100);
  const auto pinned = [&] { return memory_.space().info(*memory_.space().page_of(keeper)).pinned; };
  EXPECT_TRUE(memory_.pin(block));
  memory_.free(block);
  EXPECT_FALSE(pinned());
  EXPECT_FALSE(memory_.unpin(block));
  EXPECT_EQ(allocate(pipeline, 100), block);  // another one, in the same place
  EXPECT_FALSE(memory_.unpin(block));

  Owner& module = system_.module(pipeline);
  EXPECT_TRUE(memory_.pin(allocate(module, 100)));
  EXPECT_TRUE(pinned());
  memory_.destroy_owner(module);
  EXPECT_FALSE(pinned());

  Owner& other = system_.pipeline(2);
  void* alone = allocate(other, 100);
  const std::uint16_t frame = frame_of(alone);
  EXPECT_TRUE(memory_.pin(alone));
  memory_.destroy_owner(other);
  EXPECT_FALSE(memory_.pool().is_held_on(memory_.pool().bank_of(Frame{frame})) &&
               memory_.pool().bank_of(Frame{frame}) != Bank{0});
  EXPECT_TRUE(system_.check());
}

TEST_F(MemoryPower, APinFollowsABlockThatIsResized) {
  Owner& pipeline = system_.pipeline();
  auto* block = static_cast<std::byte*>(allocate(pipeline, kPage));
  EXPECT_TRUE(memory_.pin(block));
  const Request larger{&pipeline, 3 * kPage, 0, 0, MODMEM_HERE};
  ASSERT_EQ(memory_.reallocate(block, larger), block);
  EXPECT_TRUE(memory_.space().info(*memory_.space().page_of(block + 2 * kPage)).pinned);
  const Request smaller{&pipeline, 2 * kPage, 0, 0, MODMEM_HERE};
  ASSERT_EQ(memory_.reallocate(block, smaller), block);
  EXPECT_TRUE(memory_.unpin(block));
  EXPECT_FALSE(memory_.space().info(*memory_.space().page_of(block)).pinned);
  EXPECT_TRUE(system_.check());
}

TEST_F(MemoryPower, OnlyLiveBlocksArePinned) {
  auto* block = static_cast<std::byte*>(allocate(system_.pipeline(), 100));
  const int outside = 0;
  for (const void* pointer :
       {static_cast<const void*>(block + 16), static_cast<const void*>(&outside),
        static_cast<const void*>(nullptr)}) {
    EXPECT_FALSE(memory_.pin(pointer));
    EXPECT_FALSE(memory_.unpin(pointer));
  }
  EXPECT_FALSE(memory_.unpin(block));
  EXPECT_TRUE(memory_.pin(memory_.space().to_uncached(block)));  // either alias
  EXPECT_TRUE(memory_.unpin(block));
}

TEST_F(MemoryPower, FailuresInTheMiddleLeaveEverythingInPlace) {
  const std::vector<unsigned char*> blocks = every_other_page(12);
  for (std::uint64_t maps = 0; maps < 9; ++maps) {
    system_.port().host().fail_maps_after(maps);
    const Compaction done = memory_.compact(kAll);
    system_.port().host().fail_maps_after(HostPort::kNever);
    EXPECT_LE(done.moved, maps / 2);
    EXPECT_FALSE(done.more);
    expect_content(blocks);
  }
  memory_.compact(kAll);
  EXPECT_EQ(banks_on(), least_banks());
}

// The port's time is the test's.
class MemoryTime : public ::testing::Test {
 protected:
  explicit MemoryTime(std::uint32_t bank_hold_us = 0)
      : system_([=] {
          PlatformConfig config = small_platform(true, 62);
          config.bank_hold_us = bank_hold_us;
          return config;
        }()),
        memory_(system_.memory()) {}

  void* allocate(Owner& owner, std::size_t bytes) {
    return memory_.allocate({&owner, bytes, 0, 0, MODMEM_HERE});
  }
  Owner& pipeline(const HeapSpec& heap) {
    return *memory_.create_owner(memory_.system(), {.kind = OwnerKind::pipeline, .name = "p"},
                                 heap);
  }
  void pass(std::uint64_t time_us) { system_.port().host().set_time_us(now_ += time_us); }
  std::uint64_t held(const Owner& owner) { return memory_.heap_report(owner).mapped_bytes / kPage; }

  TestSystem system_;
  Memory& memory_;
  std::uint64_t now_ = system_.port().time_us() + 1'000'000;
};

TEST_F(MemoryTime, AnOwnerKeepsEmptyPagesForItsTime) {
  pass(0);
  Owner& owner = pipeline({.retained_pages = 2, .retained_us = 50'000});
  std::vector<void*> blocks;
  for (int i = 0; i < 3; ++i) {
    blocks.push_back(allocate(owner, kPage));
  }
  memory_.free(blocks[0]);
  pass(40'000);
  memory_.free(blocks[1]);
  memory_.free(blocks[2]);
  EXPECT_EQ(held(owner), 2U);
  memory_.trim();
  EXPECT_EQ(held(owner), 2U);
  pass(10'000);
  memory_.trim();
  EXPECT_EQ(held(owner), 1U);
  EXPECT_TRUE(system_.check());
  pass(40'000);
  memory_.compact(0);
  EXPECT_EQ(held(owner), 0U);
  EXPECT_TRUE(system_.check());
}

TEST_F(MemoryTime, AKeptPageThatIsUsedStays) {
  pass(0);
  Owner& owner = pipeline({.retained_pages = 1, .retained_us = 50'000});
  memory_.free(allocate(owner, kPage));
  pass(60'000);
  void* block = allocate(owner, 100);
  memory_.trim();
  EXPECT_EQ(held(owner), 1U);
  memory_.free(block);
  memory_.trim();
  EXPECT_EQ(held(owner), 1U);
  EXPECT_TRUE(system_.check());
}

TEST_F(MemoryTime, WithoutALimitPagesAreKept) {
  pass(0);
  Owner& owner = pipeline({.retained_pages = 1, .retained_us = 0});
  Owner& none = pipeline({});
  memory_.free(allocate(owner, kPage));
  memory_.free(allocate(none, kPage));
  pass(std::uint64_t{1} << 40);
  memory_.trim();
  EXPECT_EQ(held(owner), 1U);
  EXPECT_EQ(held(none), 0U);
}

TEST_F(MemoryTime, EnergyIsWhatHeapsHoldOverTime) {
  pass(0);
  Owner& one = pipeline({});
  Owner& two = pipeline({});
  const Energy before = memory_.energy();
  allocate(one, 3 * kPage);
  allocate(two, kPage);
  const std::uint32_t banks = memory_.pool().banks_on();
  pass(4'000'000);
  const Energy after = memory_.energy();
  EXPECT_EQ(memory_.heap_report(one).bank_us, 3'000'000U);  // 3 of the 4 frames of a bank
  EXPECT_EQ(memory_.heap_report(two).bank_us, 1'000'000U);
  EXPECT_EQ(after.total_us - before.total_us, banks * 4'000'000U);
  EXPECT_EQ(after.total_us, after.heaps_us + after.ended_us + after.idle_us);
  EXPECT_EQ(after.ended_us, 0U);
  memory_.destroy_owner(one);
  EXPECT_EQ(memory_.energy().ended_us, 3'000'000U);
  EXPECT_EQ(memory_.energy().total_us, after.total_us);
}

class MemoryBankHold : public MemoryTime {
 protected:
  MemoryBankHold() : MemoryTime(20'000) {}
};

TEST_F(MemoryBankHold, AnEmptyBankStaysOnForItsTime) {
  pass(0);
  memory_.trim();
  const std::uint32_t before = memory_.pool().banks_on();
  Owner& owner = pipeline({});
  void* block = allocate(owner, 12 * kPage);
  const std::uint32_t on = memory_.pool().banks_on();
  ASSERT_GT(on, before + 1);
  memory_.free(block);
  memory_.compact(kAll);
  EXPECT_EQ(memory_.pool().banks_on(), on);
  pass(20'000);
  memory_.compact(kAll);
  EXPECT_LT(memory_.pool().banks_on(), on);
  EXPECT_TRUE(system_.check());
}

class SinglePower : public MemoryPower {
 protected:
  SinglePower() : MemoryPower(kSinglePolicy) {}
};

TEST_F(SinglePower, FixedArenasStay) {
  for (int i = 0; i < 3; ++i) {
    allocate(memory_.system(), kPage);
  }
  EXPECT_EQ(memory_.compact(kAll).moved, 0U);
  EXPECT_TRUE(system_.check());
}

TEST(MemoryPowerNoMmu, NothingMoves) {
  TestSystem system(small_platform(false, 62));
  Owner& stays = system.pipeline(1);
  Owner& goes = system.pipeline(2);
  for (int i = 0; i < 10; ++i) {
    system.memory().allocate({&stays, kPage, 0, 0, MODMEM_HERE});
    system.memory().allocate({&goes, kPage, 0, 0, MODMEM_HERE});
  }
  system.memory().destroy_owner(goes);
  EXPECT_EQ(system.memory().compact(kAll).moved, 0U);
  EXPECT_TRUE(system.check());
}

// Any calls, with compaction and pins between them.
TEST(MemoryPowerRandom, NobodySeesPagesMove) {
  for (const Policy* policy :
       {&kElasticPolicy, &kModuleHeapsPolicy, &kSlotsPolicy, &kSlotsAllPolicy}) {
    for (std::uint32_t seed = 1; seed <= 4; ++seed) {
      TestSystem system(small_platform(true, 126), *policy);
      testing::RandomDriver driver(system, seed, {.failing_maps = seed % 2 == 0});
      std::uint64_t moved = 0;
      std::uint32_t pins = 0;
      for (int step = 0; step < 1500; ++step) {
        driver.step();
        if (void* block = step % 7 == 0 ? driver.some_block() : nullptr) {
          pins += step % 14 == 0 ? system.memory().pin(block) : !system.memory().unpin(block);
        }
        if (step % 5 == 0) {
          moved += system.memory().compact(static_cast<std::uint32_t>(step % 11)).moved;
          ASSERT_TRUE(system.check()) << policy->name << " seed " << seed << " step " << step;
        }
        if (step % 50 == 0) {
          driver.compare();
        }
      }
      EXPECT_GT(moved, 0U) << policy->name;
      EXPECT_GT(pins, 0U);
      driver.end_everything();
      system.port().host().fail_maps_after(HostPort::kNever);
      EXPECT_TRUE(system.check());
    }
  }
}

// Pages of metadata move with all others, and what is noted there is found afterwards; pages of
// another core's heap stay.
TEST(MemoryPowerMetadata, MovesAsWell) {
  PlatformConfig config = small_platform(true, 62);
  config.metadata_bytes = 0;
  TestSystem system(config);
  Memory& memory = system.memory();
  Owner& mine = system.pipeline(1);
  Owner& others =
      system.owner(memory.system(), {.kind = OwnerKind::pipeline, .name = "other", .core = 1});
  std::vector<void*> goes;
  std::vector<void*> stays;
  for (int i = 0; i < 24; ++i) {
    goes.push_back(memory.allocate({&mine, kPage, 0, 0, {}}));
    if (i % 6 == 0) {
      stays.push_back(memory.allocate({i == 12 ? &others : &mine, kPage, 0, 0, {}}));
    }
    if (i % 5 == 0) {
      for (int small = 0; small < 150; ++small) {
        stays.push_back(memory.allocate({&mine, 16, 0, 0, {}}));
        ASSERT_NE(stays.back(), nullptr);
      }
    }
  }
  for (void* block : goes) {
    ASSERT_EQ(memory.free(block), PointerStatus::live);
  }
  const void* of_other = stays.front();
  for (const void* block : stays) {
    of_other = system.heap_of(block).owner == &others ? block : of_other;
  }
  ASSERT_EQ(system.heap_of(of_other).owner, &others);
  const std::uint16_t frame = memory.space().frame_of(*memory.space().page_of(of_other));
  const std::uint32_t banks = memory.pool().banks_on();
  EXPECT_GT(memory.compact(kAll).moved, 0U);
  EXPECT_LT(memory.pool().banks_on(), banks);
  EXPECT_EQ(memory.space().frame_of(*memory.space().page_of(of_other)), frame);
  EXPECT_TRUE(system.check());
  for (void* block : stays) {
    ASSERT_EQ(memory.free(block), PointerStatus::live);
  }
  EXPECT_TRUE(system.check());
}

// A block is pinned as often as a pin can count, and no more.
TEST_F(MemoryPower, PinsCountOnlySoFar) {
  void* block = allocate(memory_.system(), 100);
  for (std::uint32_t i = 0; i < UINT16_MAX; ++i) {
    ASSERT_TRUE(memory_.pin(block)) << i;
  }
  EXPECT_FALSE(memory_.pin(block));
  EXPECT_TRUE(memory_.unpin(block));
  EXPECT_TRUE(memory_.pin(block));
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
}

}  // namespace
}  // namespace modmem
