// Private heaps, regions and heaps of slots: owners that serve themselves, whatever the policy
// says.

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::is_aligned;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class PrivateOwner : public ::testing::TestWithParam<const Policy*> {
 protected:
  Owner& make(const OwnerSpec& spec, const HeapSpec& heap = {}) {
    Owner* owner = memory_.create_owner(memory_.system(), spec, heap);
    if (owner == nullptr) {
      throw std::runtime_error("no owner");
    }
    return *owner;
  }
  Owner& heap(std::size_t limit = OwnerSpec::kNoLimit) {
    return make({OwnerKind::heap, 0x11, "mine", limit});
  }
  Owner& region(std::size_t bytes) {
    return make({OwnerKind::region, 0x12, "region"}, {.kind = HeapKind::region, .bytes = bytes});
  }
  Owner& slots(std::span<const SlotBundle> bundles, bool contiguous = false) {
    return make({OwnerKind::slots, 0x13, "slots"}, {.kind = HeapKind::slots,
                                                    .bytes = 64 * kPage,
                                                    .bundles = bundles,
                                                    .contiguous = contiguous});
  }
  void* allocate(Owner& owner, std::size_t bytes, std::size_t alignment = 0, Flags flags = 0) {
    void* block = memory_.allocate({&owner, bytes, alignment, flags, MODMEM_HERE});
    EXPECT_TRUE(system_.check());
    return block;
  }
  bool has_own_heaps() const { return GetParam()->own != HeapKind::none; }

  TestSystem system_{preset("mtl"), *GetParam(), true};
  Memory& memory_ = system_.memory();
  testing::NotingObserver& seen_ = system_.seen();
  const testing::PoolState boot_ = system_.pool_state();
};

INSTANTIATE_TEST_SUITE_P(Policies, PrivateOwner, ::testing::ValuesIn(kPolicies),
                         [](const auto& test) { return testing::test_name(test.param->name); });

TEST_P(PrivateOwner, APrivateHeapServesEveryIntentFromItsOwnPages) {
  Owner& mine = heap();
  for (const Flags flags : {Flags{0}, flag::kKernel, flag::kUser, flag::kShared, flag::kLargeBuffer,
                            flag::kCoherent, flag::kDma}) {
    void* block = allocate(mine, 100, 0, flags);
    ASSERT_NE(block, nullptr);
    EXPECT_STREQ(system_.heap_of(block).name, has_own_heaps() ? "mine" : "system");
    EXPECT_EQ(memory_.free(block), PointerStatus::live);
  }
  EXPECT_EQ(memory_.destroy_owner(mine), 0U);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(PrivateOwner, OwnersBelowAPrivateHeapAreServedThere) {
  Owner& mine = heap();
  Owner& module = system_.module(mine);
  void* block = allocate(module, 100, 0, flag::kUser | flag::kLargeBuffer);
  const char* where = system_.heap_of(block).name;
  EXPECT_STREQ(where, has_own_heaps() ? "mine" : "system");
  EXPECT_EQ(mine.tree, 100U);
}

// Whatever the policy gives a module of a pipeline.
TEST_P(PrivateOwner, ModulesBelowARegionOrAModuleHaveNoHeapOfTheirOwn) {
  Owner& shared = region(2 * kPage);
  Owner& module = system_.module(shared);
  const auto* block = static_cast<std::byte*>(allocate(module, 100, 0, flag::kUser));
  const std::byte* base = memory_.region_base(shared);
  EXPECT_TRUE(block >= base && block < base + 2 * kPage);
  EXPECT_EQ(module.heap, kNoHeap);
  Owner& whole = system_.module(memory_.system());
  Owner& part = system_.module(whole);
  EXPECT_EQ(part.heap, kNoHeap);
  EXPECT_STREQ(system_.heap_of(allocate(part, 100, 0, flag::kUser)).name,
               system_.heap_of(allocate(whole, 100, 0, flag::kUser)).name);
}

TEST_P(PrivateOwner, WhatAModuleTakesForTheKernelIsNotInItsOwnHeap) {
  Owner& mine = region(kPage);
  Owner& module = system_.module(mine);
  EXPECT_STREQ(system_.heap_of(allocate(module, 100, 0, flag::kUser)).name, "region");
  void* block = allocate(module, 100, 0, flag::kKernel);
  EXPECT_STREQ(system_.heap_of(block).name, "system");
  EXPECT_EQ(module.own, 200U);
  EXPECT_EQ(memory_.destroy_owner(module), 2U);
}

TEST_P(PrivateOwner, AKeptBlockIsFreedByNameOnly) {
  void* block = allocate(memory_.system(), 100, 0, flag::kKept);
  EXPECT_EQ(memory_.free(block), PointerStatus::foreign);
  EXPECT_EQ(memory_.status(block), PointerStatus::foreign);
  EXPECT_EQ(memory_.reallocate(block, {nullptr, 200, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(seen_.faults.size(), 2U);
  EXPECT_EQ(memory_.free(block, &memory_.system()), PointerStatus::live);
}

TEST_P(PrivateOwner, AHeldReferenceIsNotPutByOthers) {
  Owner& mine = region(kPage);
  memory_.get_region(mine, true);
  EXPECT_EQ(memory_.put_region(mine), RegionPut::dropped);
  EXPECT_EQ(memory_.put_region(mine), RegionPut::refused);
  EXPECT_EQ(memory_.region_info(mine).references, 1U);
  EXPECT_EQ(memory_.put_region(mine, true), RegionPut::last);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(PrivateOwner, ALimitHoldsForAPrivateHeapAndCanBeMoved) {
  Owner& mine = heap(1000);
  void* block = allocate(mine, 600);
  EXPECT_EQ(allocate(mine, 401), nullptr);
  EXPECT_EQ(seen_.failures.back().reason, FailureReason::limit);
  EXPECT_FALSE(memory_.set_limit(mine, 599));
  EXPECT_EQ(allocate(mine, 401), nullptr);
  EXPECT_TRUE(memory_.set_limit(mine, 1001));
  EXPECT_NE(allocate(mine, 401), nullptr);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
}

TEST_P(PrivateOwner, ARegionIsMappedWholeAndGoesWithItsLastReference) {
  Owner& mine = region(3 * kPage - 1);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 3 * kPage);
  EXPECT_STREQ(memory_.heap_report(mine).kind, "region");
  memory_.get_region(mine);
  void* block = allocate(mine, 5000, 0, flag::kUser);
  EXPECT_STREQ(system_.heap_of(block).name, "region");
  EXPECT_TRUE(is_aligned(block, system_.config().cache_line_bytes));
  EXPECT_EQ(memory_.put_region(mine), RegionPut::dropped);
  std::memset(block, 0x5a, 5000);
  EXPECT_EQ(memory_.put_region(mine), RegionPut::last);
  EXPECT_EQ(system_.pool_state(), boot_);
  EXPECT_TRUE(seen_.leaks.empty());
  EXPECT_EQ(memory_.free(block), PointerStatus::not_live);
}

TEST_P(PrivateOwner, ARegionBumpsThenServesWhatIsLeft) {
  Owner& mine = region(3 * kPage);
  void* first = allocate(mine, 6000);
  void* second = allocate(mine, 5000);
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(allocate(mine, 6000), nullptr);
  memory_.set_interim(mine);
  EXPECT_TRUE(memory_.region_info(mine).interim);
  EXPECT_NE(allocate(mine, 20), nullptr);
  void* thousand = allocate(mine, 1000);
  ASSERT_NE(thousand, nullptr);
  EXPECT_EQ(allocate(mine, 2000), nullptr);
  EXPECT_EQ(memory_.free(thousand), PointerStatus::live);
  EXPECT_EQ(allocate(mine, 1000), thousand);
  EXPECT_EQ(memory_.free(first), PointerStatus::live);
  EXPECT_EQ(memory_.free(first), PointerStatus::not_live);
  EXPECT_EQ(memory_.region_info(mine).freed_blocks, 1U);
  EXPECT_EQ(mine.own, 5000U + 20 + 1000);
  EXPECT_EQ(memory_.put_region(mine), RegionPut::last);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(PrivateOwner, ACoherentBlockOfARegionIsNamedByTheUncachedAlias) {
  Owner& mine = region(kPage);
  system_.port().forget_invalidations();
  auto* block = static_cast<std::byte*>(allocate(mine, 70, 0, flag::kCoherent));
  ASSERT_TRUE(memory_.space().is_uncached(block));
  EXPECT_TRUE(system_.port().invalidated(memory_.space().to_cached(block), 128));
  EXPECT_EQ(memory_.free(memory_.space().to_cached(block)), PointerStatus::live);
  EXPECT_EQ(memory_.put_region(mine), RegionPut::last);
}

TEST_P(PrivateOwner, WhatModulesHoldInARegionThatEndsIsALeak) {
  Owner& mine = region(kPage);
  Owner& module = system_.module(mine, 0x10002);
  ASSERT_NE(allocate(module, 40, 0, flag::kUser), nullptr);
  EXPECT_EQ(memory_.put_region(mine), RegionPut::last);
  ASSERT_EQ(seen_.leaks.size(), 1U);
  EXPECT_EQ(seen_.leaks[0].owner_id, 0x10002U);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(PrivateOwner, SlotsOfEightBytesHaveRecordsOfTheirOwn) {
  constexpr std::array kBundles{SlotBundle{8, 1024}, SlotBundle{16, 512}};
  Owner& mine = slots(kBundles);
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 1024; ++i) {
    blocks.push_back(static_cast<std::byte*>(memory_.allocate({&mine, 8, 0, 0, MODMEM_HERE})));
    ASSERT_NE(blocks.back(), nullptr);
    std::memset(blocks.back(), i, 8);
  }
  EXPECT_EQ(blocks[1] - blocks[0], 8);
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(memory_.free(blocks[0] + 4), PointerStatus::interior);
  for (std::size_t i = 0; i < blocks.size(); i += 2) {
    EXPECT_EQ(memory_.free(blocks[i]), PointerStatus::live);
  }
  EXPECT_TRUE(system_.check());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(memory_.free(blocks[i]), i % 2 == 0 ? PointerStatus::not_live : PointerStatus::live);
  }
  EXPECT_EQ(memory_.destroy_owner(mine), 0U);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(PrivateOwner, SlotsAreOfTheSizesAskedForUnderEveryPolicy) {
  constexpr std::array kBundles{SlotBundle{64, 64}, SlotBundle{4096, 2}};
  Owner& mine = slots(kBundles, true);
  auto* first = static_cast<std::byte*>(allocate(mine, 64, 0, flag::kUser));
  auto* second = static_cast<std::byte*>(allocate(mine, 65));
  EXPECT_EQ(second - first, 64);
  EXPECT_EQ(memory_.heap_report(mine).bundles[0].used, 3U);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, kPage);
  EXPECT_EQ(memory_.destroy_owner(mine), 2U);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(PrivateOwner, ARegionThatGrowsHasPagesForWhatItHolds) {
  Owner& mine = make({OwnerKind::region, 0x12, "region", 40 * kPage},
                     {.kind = HeapKind::region, .bytes = 64 * kPage, .grows = true});
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 0U);
  EXPECT_STREQ(memory_.heap_report(mine).kind, "region");
  std::byte* start = memory_.region_base(mine);
  EXPECT_EQ(allocate(mine, 3 * kPage + 1), start);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 4 * kPage);
  EXPECT_EQ(memory_.region_info(mine).mapped_bytes, 4 * kPage);
  EXPECT_EQ(memory_.region_info(mine).bytes, 64 * kPage);
  EXPECT_TRUE(memory_.region_info(mine).grows);
  // The owner's limit counts what is asked for, beside the most that the region can get.
  EXPECT_EQ(memory_.largest_request({&mine, 1, 0, 0, {}}), 37 * kPage - 1);
  EXPECT_EQ(allocate(mine, 37 * kPage), nullptr);
  EXPECT_EQ(seen_.failures.back().reason, FailureReason::limit);
  memory_.set_interim(mine);
  void* block = allocate(mine, 20 * kPage, 0, flag::kCoherent);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 24 * kPage);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 4 * kPage);
  EXPECT_EQ(memory_.put_region(mine), RegionPut::last);
  EXPECT_TRUE(seen_.leaks.empty());
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST(PrivateOwnerWithoutMmu, RefusesARegionThatGrows) {
  PlatformConfig config = preset("mtl");
  config.has_mmu = false;
  TestSystem system{config, kElasticPolicy, true};
  Memory& memory = system.memory();
  const testing::Figures before = figures(system);
  const OwnerSpec spec{OwnerKind::region, 1, "region"};
  EXPECT_EQ(memory.create_owner(memory.system(), spec,
                                {.kind = HeapKind::region, .bytes = kPage, .grows = true}),
            nullptr);
  EXPECT_EQ(figures(system), before);
  ASSERT_EQ(system.seen().failures.size(), 1U);
  EXPECT_EQ(system.seen().failures[0].reason, FailureReason::unsupported);
  Owner* fixed =
      memory.create_owner(memory.system(), spec, {.kind = HeapKind::region, .bytes = kPage});
  ASSERT_NE(fixed, nullptr);
  memory.destroy_owner(*fixed);
}

TEST_P(PrivateOwner, WhatCanNotBeOpenedLeavesNothing) {
  const testing::Figures before = figures(system_);
  constexpr std::array kOdd{SlotBundle{48, 256}};
  const OwnerSpec spec{OwnerKind::slots, 1, "bad"};
  EXPECT_EQ(memory_.create_owner(memory_.system(), spec,
                                 {.kind = HeapKind::slots, .bytes = 3 * kPage, .bundles = kOdd}),
            nullptr);
  EXPECT_EQ(memory_.create_owner(memory_.system(), {OwnerKind::region, 1, "empty"},
                                 {.kind = HeapKind::region, .bytes = 0}),
            nullptr);
  EXPECT_EQ(memory_.create_owner(memory_.system(), {OwnerKind::region, 1, "huge"},
                                 {.kind = HeapKind::region, .bytes = SIZE_MAX}),
            nullptr);
  EXPECT_EQ(figures(system_), before);
  EXPECT_EQ(seen_.failures.size(), 3U);
}

TEST_P(PrivateOwner, IsAnOwnerUntilItEnds) {
  Owner& first = heap();
  Owner& second = heap();
  EXPECT_TRUE(memory_.is_owner(&first));
  EXPECT_TRUE(memory_.is_owner(&memory_.system()));
  memory_.destroy_owner(first);
  EXPECT_FALSE(memory_.is_owner(&first));
  EXPECT_TRUE(memory_.is_owner(&second));
  memory_.destroy_owner(second);
  EXPECT_FALSE(memory_.is_owner(&second));
  const Owner never;
  EXPECT_FALSE(memory_.is_owner(&never));
  EXPECT_FALSE(memory_.is_owner(nullptr));
  seen_.failures.clear();
  EXPECT_EQ(memory_.allocate({&first, 100, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(memory_.allocate_range({&first, 100, 0, 0, MODMEM_HERE}, 200).pointer, nullptr);
  EXPECT_EQ(memory_.largest_request({&first, 1, 0, 0, MODMEM_HERE}), 0U);
  EXPECT_TRUE(seen_.failures.empty());
  EXPECT_TRUE(system_.check());
}

TEST_P(PrivateOwner, EndsOnlyWhileEmptyWhereThatIsAsked) {
  Owner& owner = heap();
  void* block = allocate(owner, 100);
  EXPECT_FALSE(memory_.destroy_empty_owner(owner));
  EXPECT_TRUE(memory_.is_owner(&owner));
  memory_.free(block);
  EXPECT_TRUE(memory_.destroy_empty_owner(owner));
  EXPECT_FALSE(memory_.is_owner(&owner));
  EXPECT_TRUE(seen_.leaks.empty());
}

TEST_P(PrivateOwner, AnElasticHeapCanBeAskedForUnderEveryPolicy) {
  Owner& mine = make({OwnerKind::heap, 0, "pages"}, {.kind = HeapKind::elastic});
  std::vector<void*> pages;
  for (int i = 0; i < 128; ++i) {
    pages.push_back(memory_.allocate({&mine, kPage, kPage, 0, MODMEM_HERE}));
    ASSERT_NE(pages.back(), nullptr);
    EXPECT_TRUE(is_aligned(pages.back(), kPage));
  }
  EXPECT_EQ(memory_.heap_report(mine).mapped_bytes, 128 * kPage);
  EXPECT_EQ(memory_.destroy_owner(mine), 128U);
  EXPECT_EQ(system_.pool_state(), boot_);
}

// --- probing, injected failures, leaks of other things than blocks ---

class Refusing final : public MemoryObserver {
 public:
  void on_failure(const Failure& failure) override { reasons.push_back(failure.reason); }
  void on_fault(const Fault&) override {}
  void on_leak(const Leak& leak) override { leaked += leak.bytes; }
  bool on_request(const Request& request) override { return request.bytes != refused; }

  std::size_t refused = 0;
  std::vector<FailureReason> reasons;
  std::size_t leaked = 0;
};

TEST(ProbingRequest, IsCountedAndNotExplained) {
  TestSystem system(preset("mtl"));
  Memory& memory = system.memory();
  EXPECT_EQ(memory.allocate({nullptr, std::size_t{1} << 30, 0, flag::kSilent, MODMEM_HERE}),
            nullptr);
  EXPECT_TRUE(system.seen().failures.empty());
  EXPECT_EQ(memory.system().failures, 1U);
}

TEST(RefusedRequest, FailsAsInjectedAndChangesNothing) {
  const PlatformConfig config = preset("mtl");
  testing::CheckingPort port(config);
  testing::ArenaMemory arena(Memory::arena_bytes(config, port));
  Refusing observer;
  Memory memory;
  ASSERT_TRUE(memory.boot(config, kElasticPolicy, port, &observer, arena.span()));
  void* block = memory.allocate({nullptr, 100, 0, 0, MODMEM_HERE});
  observer.refused = 200;
  const std::uint32_t taken = memory.pool().taken();
  EXPECT_EQ(memory.allocate({nullptr, 200, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(memory.allocate_range({nullptr, 200, 0, 0, MODMEM_HERE}, 400).pointer, nullptr);
  EXPECT_EQ(memory.reallocate(nullptr, {nullptr, 200, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(observer.reasons, std::vector(3, FailureReason::injected));
  EXPECT_EQ(memory.pool().taken(), taken);
  EXPECT_EQ(memory.free(block), PointerStatus::live);
  Leak leak;
  leak.bytes = 77;
  memory.report_leak(leak);
  EXPECT_EQ(observer.leaked, 77U);
  EXPECT_EQ(memory.shutdown(), 0U);
}

}  // namespace
}  // namespace modmem
