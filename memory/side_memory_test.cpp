// The memories beside the SRAM: low-power SRAM, and L3 with what outlives a power cycle.

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::ArenaMemory;
using testing::is_aligned;
using testing::NotingObserver;
using testing::preset;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class LowPower : public ::testing::Test {
 protected:
  void* take(std::size_t bytes, Flags flags = flag::kLowPower) {
    return memory_.allocate({&module_, bytes, 0, flags, MODMEM_HERE});
  }

  TestSystem system_{preset("mtl"), kElasticPolicy, true};
  Memory& memory_ = system_.memory();
  Owner& module_ = system_.module(system_.pipeline());
};

TEST_F(LowPower, IsAPoolOfItsOwn) {
  void* first = take(100);
  ASSERT_NE(first, nullptr);
  std::memset(first, 1, 100);
  const auto sram = system_.pool_state();
  void* block = take(5 * kPage);
  ASSERT_NE(block, nullptr);
  std::memset(block, 1, 5 * kPage);
  EXPECT_EQ(system_.pool_state(), sram);
  const HeapReport heap = system_.heap("low-power");
  EXPECT_STREQ(heap.memory, "lp-sram");
  EXPECT_STREQ(heap.kind, "elastic");
  EXPECT_EQ(heap.live_bytes, 100 + 5 * kPage);
  EXPECT_STREQ(system_.heap_of(block).name, "low-power");
  EXPECT_EQ(module_.own, 100 + 5 * kPage);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
  EXPECT_EQ(memory_.free(block), PointerStatus::not_live);
  EXPECT_EQ(memory_.free(first, &module_), PointerStatus::live);
  EXPECT_EQ(system_.heap("low-power").mapped_bytes, 0U);
  EXPECT_TRUE(system_.check());
}

TEST_F(LowPower, EndsWhereItEnds) {
  const std::size_t all = system_.config().lp_sram_bytes;
  void* block = take(all);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(take(1), nullptr);
  ASSERT_EQ(system_.seen().failures.size(), 1U);
  EXPECT_EQ(system_.seen().failures[0].reason, FailureReason::pool);
  EXPECT_EQ(system_.seen().failures[0].free_bytes, 0U);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
  EXPECT_EQ(memory_.largest_request({&module_, 1, 0, flag::kLowPower, {}}), all);
  EXPECT_EQ(take(all + 1), nullptr);
  EXPECT_TRUE(system_.check());
}

TEST_F(LowPower, KeepsAlignmentRangesAndMoves) {
  EXPECT_TRUE(is_aligned(take(10, flag::kLowPower | flag::kDma), system_.config().dma_alignment));
  const Range range = memory_.allocate_range({&module_, 100, 0, flag::kLowPower, MODMEM_HERE},
                                             std::size_t{1} << 20);
  // All but the headroom, an eighth of this very memory.
  EXPECT_LE(range.bytes, system_.config().lp_sram_bytes * 7 / 8);
  EXPECT_GT(range.bytes, system_.config().lp_sram_bytes * 3 / 4);
  void* block = take(100);
  std::memset(block, 7, 100);
  // Without the flag the owner's own heap serves it: the block moves, with its content.
  void* moved = memory_.reallocate(block, {&module_, 200, 0, 0, MODMEM_HERE});
  ASSERT_NE(moved, nullptr);
  EXPECT_STREQ(system_.heap_of(moved).name, "pipeline");
  EXPECT_EQ(static_cast<unsigned char*>(moved)[99], 7);
  EXPECT_TRUE(system_.check());
}

TEST_F(LowPower, GoesWithItsOwner) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_NE(take(300), nullptr);
  }
  EXPECT_EQ(memory_.destroy_owner(module_), 20U);
  EXPECT_EQ(system_.heap("low-power").mapped_bytes, 0U);
  EXPECT_TRUE(system_.check());
}

// A DSP that can be switched off and booted again.
class Dsp {
 public:
  explicit Dsp(const PlatformConfig& config) : config_(config), port_(config) { boot(); }
  ~Dsp() { memory_->shutdown(); }

  void boot() {
    arena_ = std::make_unique<ArenaMemory>(Memory::arena_bytes(config_, port_));
    memory_ = std::make_unique<Memory>();
    ASSERT_TRUE(memory_->boot(config_, kElasticPolicy, port_, &seen, arena_->span()));
  }
  void power_cycle() {
    port_.power_cycle();
    memory_.reset();  // without a shutdown: there was none
    boot();
  }
  Memory& memory() { return *memory_; }
  HostPort& port() { return port_; }
  const PlatformConfig& config() const { return config_; }
  bool check() { return memory_->check(CheckDepth::deep); }
  HeapReport l3() {
    HeapReport result;
    memory_->for_each_heap(
        [&](const HeapReport& heap) { result = std::string(heap.name) == "l3" ? heap : result; });
    return result;
  }
  void* take(std::size_t bytes, std::size_t alignment = 0, Flags flags = flag::kL3) {
    return memory_->allocate({nullptr, bytes, alignment, flags, MODMEM_HERE});
  }

  NotingObserver seen;

 private:
  PlatformConfig config_;
  HostPort port_;
  std::unique_ptr<ArenaMemory> arena_;
  std::unique_ptr<Memory> memory_;
};

TEST(L3, IsAHeapOfItsOwn) {
  Dsp dsp(preset("mtl"));
  void* block = dsp.take(3 << 20);
  ASSERT_NE(block, nullptr);
  std::memset(block, 3, 3 << 20);
  EXPECT_STREQ(dsp.l3().memory, "l3");
  EXPECT_EQ(dsp.l3().live_bytes, std::size_t{3} << 20);
  EXPECT_LT(dsp.memory().pool().taken(), 20U);
  EXPECT_EQ(dsp.memory().free(static_cast<char*>(block) + 16), PointerStatus::interior);
  EXPECT_EQ(dsp.memory().free(block), PointerStatus::live);
  EXPECT_EQ(dsp.l3().mapped_bytes, 0U);
  EXPECT_TRUE(dsp.check());
}

TEST(L3, IsForThePrimaryCoreAndItsCacheOnly) {
  Dsp dsp(preset("mtl"));
  EXPECT_EQ(dsp.take(100, 0, flag::kL3 | flag::kCoherent), nullptr);
  ASSERT_EQ(dsp.seen.failures.size(), 1U);
  EXPECT_EQ(dsp.seen.failures[0].reason, FailureReason::unsupported);
  set_host_core(1);
  EXPECT_EQ(dsp.take(100), nullptr);
  EXPECT_FALSE(dsp.memory().save_l3());
  EXPECT_FALSE(dsp.memory().restore_l3());
  set_host_core(0);
  ASSERT_EQ(dsp.seen.failures.size(), 2U);
  EXPECT_EQ(dsp.seen.failures[1].reason, FailureReason::unsupported);
  EXPECT_NE(dsp.take(100), nullptr);
}

TEST(L3, HoldsItsTablesItself) {
  PlatformConfig with = preset("mtl");
  PlatformConfig without = with;
  without.l3_bytes = 0;
  HostPort with_port(with);
  HostPort without_port(without);
  // All of L3's pages in the boot arena would be 64 KiB and more.
  EXPECT_LT(Memory::arena_bytes(with, with_port), Memory::arena_bytes(without, without_port) + 512);
}

TEST(L3, OutlivesAPowerCycle) {
  Dsp dsp(preset("mtl"));
  struct Block {
    unsigned char* pointer;
    std::size_t bytes;
    std::size_t alignment;
  };
  std::mt19937 random(7);
  std::vector<Block> blocks;
  for (int i = 0; i < 400; ++i) {
    const std::size_t bytes = i % 5 == 0 ? random() % 60000 + 1 : random() % 700 + 1;
    const std::size_t alignment = std::size_t{16} << random() % 6;
    auto* block = static_cast<unsigned char*>(dsp.take(bytes, alignment));
    ASSERT_NE(block, nullptr);
    std::memset(block, i & 0xff, bytes);
    blocks.push_back({block, bytes, alignment});
    if (i % 3 == 2) {  // holes between them
      const std::size_t at = random() % blocks.size();
      ASSERT_EQ(dsp.memory().free(blocks[at].pointer), PointerStatus::live);
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  std::vector<unsigned char> fills;
  for (const Block& block : blocks) {
    fills.push_back(block.pointer[0]);
  }
  const std::size_t live = dsp.l3().live_bytes;
  ASSERT_TRUE(dsp.memory().save_l3());
  ASSERT_TRUE(dsp.check());
  dsp.power_cycle();
  EXPECT_EQ(dsp.l3().live_bytes, 0U);
  ASSERT_TRUE(dsp.memory().restore_l3());
  ASSERT_TRUE(dsp.check());
  EXPECT_EQ(dsp.l3().live_bytes, live);
  EXPECT_EQ(dsp.memory().system().own, live);
  // What comes new lies in none of them.
  for (int i = 0; i < 100; ++i) {
    void* fresh = dsp.take(random() % 3000 + 1);
    ASSERT_NE(fresh, nullptr);
    std::memset(fresh, 0xee, dsp.memory().usable_size(fresh));
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t at = 0; at < blocks[i].bytes; ++at) {
      ASSERT_EQ(blocks[i].pointer[at], fills[i]) << i << " " << at;
    }
    EXPECT_TRUE(is_aligned(blocks[i].pointer, blocks[i].alignment));
    EXPECT_EQ(dsp.memory().free(blocks[i].pointer), PointerStatus::live);
  }
  EXPECT_TRUE(dsp.check());
  // It was used up.
  dsp.power_cycle();
  EXPECT_FALSE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.l3().mapped_bytes, 0U);
}

TEST(L3, SavesWhatLivesAtThatMoment) {
  Dsp dsp(preset("mtl"));
  void* stays = dsp.take(100);
  void* goes = dsp.take(100);
  ASSERT_TRUE(dsp.memory().save_l3());
  dsp.memory().free(goes);
  void* later = dsp.take(5000);
  ASSERT_TRUE(dsp.memory().save_l3());  // in place of the first
  EXPECT_TRUE(dsp.check());
  dsp.power_cycle();
  ASSERT_TRUE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.l3().live_bytes, 5100U);
  EXPECT_EQ(dsp.memory().free(goes), PointerStatus::not_live);
  EXPECT_EQ(dsp.memory().free(stays), PointerStatus::live);
  EXPECT_EQ(dsp.memory().free(later), PointerStatus::live);
  EXPECT_TRUE(dsp.check());
}

TEST(L3, SavesNothingAsNothing) {
  Dsp dsp(preset("mtl"));
  ASSERT_TRUE(dsp.memory().save_l3());
  dsp.power_cycle();
  EXPECT_TRUE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.l3().live_bytes, 0U);
  EXPECT_TRUE(dsp.check());
}

TEST(L3, BringsBackNothingThatWasNotSavedWhole) {
  const auto saved = [](auto damage) {
    Dsp dsp(preset("mtl"));
    for (int i = 0; i < 10; ++i) {
      EXPECT_NE(dsp.take(1000), nullptr);
    }
    EXPECT_TRUE(dsp.memory().save_l3());
    dsp.power_cycle();
    damage(dsp);
    const bool restored = dsp.memory().restore_l3();
    EXPECT_TRUE(dsp.check());
    EXPECT_EQ(dsp.l3().live_bytes, restored ? 10000U : 0U);
    EXPECT_EQ(dsp.l3().mapped_bytes == 0, !restored);
    return restored;
  };
  EXPECT_TRUE(saved([](Dsp&) {}));
  const std::size_t header = preset("mtl").l3_bytes - kPage;
  for (const std::size_t at : {0U, 8U, 12U, 16U, 20U, 24U, 32U, 40U}) {
    EXPECT_FALSE(saved([&](Dsp& dsp) { dsp.port().l3()->window()[header + at] ^= std::byte{1}; }))
        << at;
  }
  // In use already.
  EXPECT_FALSE([] {
    Dsp dsp(preset("mtl"));
    EXPECT_NE(dsp.take(10), nullptr);
    EXPECT_TRUE(dsp.memory().save_l3());
    return dsp.memory().restore_l3();
  }());
  // Never saved, and content from nowhere.
  Dsp fresh(preset("mtl"));
  EXPECT_FALSE(fresh.memory().restore_l3());
}

TEST(L3, KeepsTheEarlierSaveWhereThereIsNoRoomForAnother) {
  PlatformConfig config = preset("mtl");
  config.l3_bytes = 32 * kPage;
  Dsp dsp(config);
  void* first = dsp.take(100);
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(dsp.memory().save_l3());
  const std::size_t room = dsp.memory().largest_request({nullptr, 1, 0, flag::kL3, {}});
  void* rest = dsp.take(room);
  ASSERT_NE(rest, nullptr);
  while (dsp.take(16) != nullptr) {
  }
  EXPECT_FALSE(dsp.memory().save_l3());
  EXPECT_TRUE(dsp.check());
  dsp.power_cycle();
  ASSERT_TRUE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.l3().live_bytes, 100U);
}

TEST(L3, ChangesNothingWhereRecordsHaveNoRoom) {
  PlatformConfig config = small_platform(true, 24);
  config.l3_bytes = std::size_t{1} << 20;
  Dsp dsp(config);
  int blocks = 0;
  for (; blocks < 2000 && dsp.take(16) != nullptr; ++blocks) {
  }
  ASSERT_TRUE(dsp.memory().save_l3());
  dsp.power_cycle();
  // All of the pool but a page or two goes to somebody else.
  while (dsp.memory().allocate({nullptr, kPage, 0, 0, MODMEM_HERE}) != nullptr) {
  }
  const std::uint32_t taken = dsp.memory().pool().taken();
  EXPECT_FALSE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.memory().pool().taken(), taken);
  EXPECT_EQ(dsp.l3().live_bytes, 0U);
  EXPECT_EQ(dsp.l3().mapped_bytes, 0U);
  EXPECT_TRUE(dsp.check());
}

TEST(L3, GivesEverythingBackAtShutdown) {
  HostPort port(preset("mtl"));
  for (int i = 0; i < 3; ++i) {
    const ArenaMemory arena(Memory::arena_bytes(preset("mtl"), port));
    Memory memory;
    NotingObserver seen;
    ASSERT_TRUE(memory.boot(preset("mtl"), kElasticPolicy, port, &seen, arena.span()));
    ASSERT_NE(memory.allocate({nullptr, 100, 0, flag::kL3, MODMEM_HERE}), nullptr);
    ASSERT_TRUE(memory.save_l3());
    EXPECT_EQ(memory.shutdown(), 1U);
    EXPECT_EQ(seen.leaks.size(), 1U);
  }
}

// Where the port maps no page for the list, the save before stays, and so does what was saved.
TEST(L3, KeepsWhatWasSavedWhereThePortDoesNotMap) {
  Dsp dsp(preset("mtl"));
  auto* l3 = static_cast<SimulatedMemory*>(dsp.port().l3());
  void* block = dsp.take(300);
  std::memset(block, 5, 300);
  ASSERT_TRUE(dsp.memory().save_l3());
  std::memset(block, 6, 300);
  l3->fail_maps_after(0);
  EXPECT_FALSE(dsp.memory().save_l3());
  l3->fail_maps_after(SimulatedMemory::kNever);
  EXPECT_TRUE(dsp.check());
  std::memset(block, 5, 300);
  dsp.power_cycle();
  l3->fail_maps_after(0);
  EXPECT_FALSE(dsp.memory().restore_l3());
  l3->fail_maps_after(1);  // the list, and not the block
  EXPECT_FALSE(dsp.memory().restore_l3());
  l3->fail_maps_after(SimulatedMemory::kNever);
  EXPECT_EQ(dsp.l3().live_bytes, 0U);
  EXPECT_EQ(dsp.l3().mapped_bytes, 0U);
  EXPECT_TRUE(dsp.check());
  ASSERT_TRUE(dsp.memory().restore_l3());
  EXPECT_EQ(dsp.l3().live_bytes, 300U);
  EXPECT_EQ(static_cast<unsigned char*>(block)[299], 5);
}

// Nothing moves there, so that whoever pins a block is served, and a pin is nothing to be ended.
TEST_F(LowPower, BlocksThereStayPinnedOrNot) {
  void* block = take(100);
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(memory_.pin(block));
  EXPECT_TRUE(memory_.unpin(block));
  EXPECT_TRUE(memory_.unpin(block));
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
  EXPECT_FALSE(memory_.pin(block));
  EXPECT_FALSE(memory_.unpin(block));
}

// Energy is that of the SRAM's banks.
TEST_F(LowPower, TakesNoBankOfTheSram) {
  HostPort& host = system_.port().host();
  host.set_time_us(host.time_us());
  ASSERT_NE(take(3 * kPage), nullptr);
  const Energy before = memory_.energy();
  host.set_time_us(host.time_us() + 1000000);
  const Energy after = memory_.energy();
  EXPECT_EQ(after.heaps_us, before.heaps_us);
}

}  // namespace
}  // namespace modmem
