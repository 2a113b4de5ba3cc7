// allocate_range(): as much as fits, of what may be taken, in one query.

#include <gtest/gtest.h>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;
constexpr std::size_t kFrames = 64;

struct Platform {
  const char* name;
  bool has_mmu;
  const Policy* policy;
};

class MemoryRange : public ::testing::TestWithParam<Platform> {
 protected:
  Request request(std::size_t minimum, Flags flags = 0, Owner* owner = nullptr) {
    return {owner != nullptr ? owner : &module_, minimum, 0, flags, MODMEM_HERE};
  }
  std::size_t headroom() const { return kFrames / system_.config().headroom_divisor * kPage; }
  bool fixed() const { return GetParam().policy->system == HeapKind::fixed; }

  TestSystem system_{small_platform(GetParam().has_mmu, kFrames), *GetParam().policy};
  Memory& memory_ = system_.memory();
  Owner& pipeline_ = system_.pipeline();
  Owner& module_ = system_.module(pipeline_);
};

INSTANTIATE_TEST_SUITE_P(Platforms, MemoryRange,
                         ::testing::Values(Platform{"mmu", true, &kElasticPolicy},
                                           Platform{"mmu_single", true, &kSinglePolicy},
                                           Platform{"mcu", false, &kElasticPolicy},
                                           Platform{"mcu_single", false, &kSinglePolicy}),
                         [](const auto& test) { return test.param.name; });

TEST_P(MemoryRange, GivesWhatIsPreferredWhereThereIsPlenty) {
  const Range range = memory_.allocate_range(request(1000), 5000);
  ASSERT_NE(range.pointer, nullptr);
  EXPECT_EQ(range.bytes, 5000U);
  EXPECT_GE(memory_.usable_size(range.pointer), 5000U);
  EXPECT_EQ(module_.own, 5000U);
  EXPECT_EQ(memory_.free(range.pointer), PointerStatus::live);
}

TEST_P(MemoryRange, IsTheMinimumAndWholeSteps) {
  EXPECT_EQ(memory_.allocate_range(request(1000), 1999, 1000).bytes, 1000U);
  EXPECT_EQ(memory_.allocate_range(request(1000), 2000, 1000).bytes, 2000U);
  EXPECT_EQ(memory_.allocate_range(request(1000), 3999, 1000).bytes, 3000U);
  EXPECT_EQ(memory_.allocate_range(request(7), 30, 5).bytes, 27U);
  EXPECT_EQ(memory_.allocate_range(request(7), 7, 5).bytes, 7U);
  EXPECT_EQ(memory_.allocate_range(request(7), 30, SIZE_MAX).bytes, 7U);
}

TEST_P(MemoryRange, LeavesTheHeadroomOfAnArenaToOthers) {
  if (!fixed()) {
    return;
  }
  const std::size_t arena = system_.heap("system").mapped_bytes;
  const std::size_t headroom = arena / system_.config().headroom_divisor;
  const Range range = memory_.allocate_range(request(kPage), SIZE_MAX / 4);
  ASSERT_NE(range.pointer, nullptr);
  EXPECT_GE(range.bytes, arena * 3 / 4);
  const std::size_t left = memory_.largest_request(request(1));
  EXPECT_GE(left, headroom - kPage);
  EXPECT_LE(left, headroom + kPage);
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryRange, LeavesTheHeadroomToOthers) {
  if (fixed()) {
    return;  // its frames are taken from the start
  }
  for (const Flags flags : {Flags{0}, flag::kLargeBuffer, flag::kCoherent | flag::kDma}) {
    const Range range = memory_.allocate_range(request(kPage, flags), SIZE_MAX / 4);
    ASSERT_NE(range.pointer, nullptr);
    EXPECT_GE(range.bytes, (kFrames / 2) * kPage);
    EXPECT_GE(memory_.pool().free() * kPage, headroom());
    // and not a page more than that and what metadata took.
    EXPECT_LE(memory_.pool().free() * kPage, headroom() + 2 * kPage);
    Owner& next = system_.pipeline(2);
    EXPECT_NE(memory_.allocate(request(headroom() / 2, 0, &next)), nullptr);
    memory_.destroy_owner(next);
    EXPECT_EQ(memory_.free(range.pointer), PointerStatus::live);
    EXPECT_TRUE(system_.check());
  }
}

TEST_P(MemoryRange, TakesTheMinimumFromTheHeadroom) {
  const std::size_t most = memory_.largest_request(request(1));
  const Range range = memory_.allocate_range(request(most), SIZE_MAX / 4);
  ASSERT_NE(range.pointer, nullptr);
  EXPECT_EQ(range.bytes, most);
}

TEST_P(MemoryRange, LeavesNothingWithoutHeadroom) {
  PlatformConfig config = small_platform(GetParam().has_mmu, kFrames);
  config.headroom_divisor = 0;
  TestSystem system(config, *GetParam().policy);
  Owner& module = system.module(system.pipeline());
  const std::size_t most = system.memory().largest_request({&module, 1, 0, 0, {}});
  const Range range = system.memory().allocate_range({&module, 1, 0, 0, MODMEM_HERE}, SIZE_MAX / 4);
  EXPECT_EQ(range.bytes, most);
  EXPECT_EQ(system.memory().largest_request({&module, 1, 0, flag::kLargeBuffer, {}}) / kPage, 0U);
}

TEST_P(MemoryRange, NeverEatsTheGuaranteeOfOthers) {
  if (fixed()) {
    return;
  }
  Owner& holder = system_.pipeline(2, 20 * kPage);
  const Range range = memory_.allocate_range(request(kPage), SIZE_MAX / 4);
  ASSERT_NE(range.pointer, nullptr);
  EXPECT_GE(memory_.pool().free() * kPage, 20 * kPage + headroom());
  EXPECT_NE(memory_.allocate(request(20 * kPage, 0, &holder)), nullptr);
  // Its own guarantee is no headroom for others: it may be taken whole.
  memory_.destroy_owner(holder);
  memory_.free(range.pointer);
  Owner& rich = system_.pipeline(3, 30 * kPage);
  Owner& greedy = system_.pipeline(4);
  while (memory_.allocate(request(kPage, 0, &greedy)) != nullptr) {
  }
  EXPECT_EQ(memory_.allocate_range(request(1, 0, &rich), SIZE_MAX / 4).bytes, 30 * kPage);
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryRange, HoldsEveryLimit) {
  Owner& limited = system_.pipeline(2, 0, 10000);
  Owner& module = system_.module(limited, 3);
  ASSERT_NE(memory_.allocate(request(1000, 0, &limited)), nullptr);
  const Range range = memory_.allocate_range(request(500, 0, &module), SIZE_MAX / 4);
  EXPECT_EQ(range.bytes, 9000U);
  EXPECT_EQ(memory_.free(range.pointer), PointerStatus::live);
  EXPECT_EQ(memory_.allocate_range(request(500, 0, &module), SIZE_MAX / 4, 4000).bytes, 8500U);
  EXPECT_EQ(memory_.allocate_range(request(501, 0, &module), 600).pointer, nullptr);
  EXPECT_EQ(system_.seen().failures.back().reason, FailureReason::limit);
  EXPECT_EQ(system_.seen().failures.back().bytes, 501U);
  EXPECT_EQ(system_.seen().failures.back().largest_request, 500U);
}

TEST_P(MemoryRange, IsOneCallAndFindsItsSizeByQuery) {
  const std::uint64_t allocations = module_.allocations;
  const std::uint64_t maps = system_.port().maps();
  const Range range = memory_.allocate_range(request(1), SIZE_MAX / 4);
  ASSERT_NE(range.pointer, nullptr);
  EXPECT_EQ(module_.allocations, allocations + 1);
  EXPECT_EQ(module_.failures, 0U);
  EXPECT_EQ(module_.frees, 0U);
  EXPECT_TRUE(system_.seen().failures.empty());
  // Nothing was mapped for a trial: each page once, and a few of metadata.
  EXPECT_LE(system_.port().maps() - maps, range.bytes / kPage + 8);
}

TEST_P(MemoryRange, FailsOnceWhereNotEvenTheMinimumFits) {
  const std::size_t most = memory_.largest_request(request(1));
  const auto before = figures(system_);
  const Range range = memory_.allocate_range(request(most + 1), SIZE_MAX / 4);
  EXPECT_EQ(range.pointer, nullptr);
  EXPECT_EQ(range.bytes, 0U);
  ASSERT_EQ(system_.seen().failures.size(), 1U);
  EXPECT_EQ(system_.seen().failures[0].bytes, most + 1);
  EXPECT_EQ(system_.seen().failures[0].largest_request, most);
  EXPECT_EQ(module_.failures, 1U);
  EXPECT_EQ(figures(system_), before);
}

TEST_P(MemoryRange, BadBoundsGiveNothing) {
  const auto before = figures(system_);
  EXPECT_EQ(memory_.allocate_range(request(0), 100).pointer, nullptr);
  EXPECT_EQ(memory_.allocate_range(request(101), 100).pointer, nullptr);
  EXPECT_EQ(memory_.allocate_range(request(50), 100, 0).pointer, nullptr);
  EXPECT_EQ(figures(system_), before);
}

TEST_P(MemoryRange, FitsBetweenFragments) {
  // Every second page of the pool is taken: the largest run decides, not the sum.
  std::vector<void*> pages;
  while (void* page = memory_.allocate(request(kPage))) {
    pages.push_back(page);
  }
  for (std::size_t i = 0; i < pages.size(); i += 2) {
    memory_.free(pages[i]);
  }
  system_.seen().failures.clear();
  const std::size_t most = memory_.largest_request(request(1));
  const Range range = memory_.allocate_range(request(16), SIZE_MAX / 4);
  ASSERT_NE(range.pointer, nullptr);
  EXPECT_GE(range.bytes, kPage);
  EXPECT_LE(range.bytes, most);
  EXPECT_TRUE(system_.seen().failures.empty());
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryRange, TakesLessWhereThePlatformMapsLess) {
  if (fixed()) {
    return;
  }
  void* block = memory_.allocate(request(100));
  system_.port().host().fail_maps_after(0);
  const Range range = memory_.allocate_range(request(200), 20 * kPage);
  EXPECT_NE(range.pointer, nullptr);
  EXPECT_EQ(range.bytes, 200U);
  EXPECT_TRUE(system_.seen().failures.empty());
  system_.port().host().fail_maps_after(HostPort::kNever);
  memory_.free(block);
  EXPECT_TRUE(system_.check());
}

}  // namespace
}  // namespace modmem
