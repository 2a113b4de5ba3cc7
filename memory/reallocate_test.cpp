// reallocate(): in place where possible, else moved; content, owner and alias stay.

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::is_aligned;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class MemoryReallocate : public ::testing::TestWithParam<const char*> {
 protected:
  Request request(std::size_t bytes, Flags flags = 0, std::size_t alignment = 0) {
    return {&module_, bytes, alignment, flags, MODMEM_HERE};
  }
  char* allocate(std::size_t bytes, Flags flags = 0) {
    auto* block = static_cast<char*>(memory_.allocate(request(bytes, flags)));
    if (block != nullptr) {
      fill(block, bytes);
    }
    return block;
  }
  char* reallocate(void* block, std::size_t bytes, Flags flags = 0, std::size_t alignment = 0) {
    return static_cast<char*>(memory_.reallocate(block, request(bytes, flags, alignment)));
  }
  static void fill(char* block, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      block[i] = static_cast<char>(i * 7 + i / 256);
    }
  }
  static bool has_content(const char* block, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (block[i] != static_cast<char>(i * 7 + i / 256)) {
        return false;
      }
    }
    return true;
  }

  TestSystem system_{preset(GetParam())};
  Memory& memory_ = system_.memory();
  Owner& pipeline_ = system_.pipeline();
  Owner& module_ = system_.module(pipeline_, 0x10001);
  Owner& other_ = system_.module(pipeline_, 0x10002);
};

INSTANTIATE_TEST_SUITE_P(Platforms, MemoryReallocate, ::testing::Values("mtl", "mcu"),
                         [](const auto& test) { return test.param; });

TEST_P(MemoryReallocate, NullptrAllocates) {
  char* block = reallocate(nullptr, 100, flag::kCoherent);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(module_.own, 100U);
  EXPECT_EQ(module_.allocations, 1U);
  EXPECT_EQ(reallocate(nullptr, 0), nullptr);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
}

TEST_P(MemoryReallocate, NoBytesOrABadAlignmentChangeNothing) {
  char* block = allocate(100);
  const auto before = figures(system_);
  EXPECT_EQ(reallocate(block, 0), nullptr);
  EXPECT_EQ(reallocate(block, 50, 0, 24), nullptr);
  EXPECT_TRUE(has_content(block, 100));
  EXPECT_EQ(figures(system_), before);
  EXPECT_TRUE(system_.seen().failures.empty());
}

TEST_P(MemoryReallocate, ShrinksInPlaceAndGivesPagesBack) {
  char* block = allocate(10 * kPage);
  const std::uint32_t taken = memory_.pool().taken();
  const std::uint64_t allocations = module_.allocations;
  EXPECT_EQ(reallocate(block, 3 * kPage + 5), block);
  EXPECT_TRUE(has_content(block, 3 * kPage + 5));
  EXPECT_EQ(memory_.pool().taken(), taken - 6);
  EXPECT_EQ(module_.own, 3 * kPage + 5);
  EXPECT_EQ(reallocate(block, 1), block);
  EXPECT_EQ(module_.own, 1U);
  EXPECT_EQ(memory_.usable_size(block), 1U);
  // One block all along.
  EXPECT_EQ(module_.allocations, allocations);
  EXPECT_EQ(module_.frees, 0U);
  EXPECT_EQ(system_.heap("pipeline").frees, 0U);
  EXPECT_EQ(module_.own_peak, 10 * kPage);
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryReallocate, GrowsInPlaceIntoWhatIsFree) {
  char* block = allocate(100);
  for (const std::size_t bytes : {101U, 1000U, 4096U, 5000U, 50000U}) {
    EXPECT_EQ(reallocate(block, bytes), block) << bytes;
    EXPECT_TRUE(has_content(block, 100));
    EXPECT_GE(memory_.usable_size(block), bytes);
    EXPECT_EQ(module_.own, bytes);
    std::memset(block + 100, 1, bytes - 100);
    EXPECT_TRUE(system_.check());
  }
  EXPECT_EQ(module_.own_peak, 50000U);
  EXPECT_EQ(module_.allocations, 1U);
}

TEST_P(MemoryReallocate, MovesWhereItCannotGrow) {
  char* block = allocate(100);
  char* wall = allocate(100);
  ASSERT_EQ(wall, block + 112);
  char* moved = reallocate(block, 3000);
  ASSERT_NE(moved, nullptr);
  EXPECT_NE(moved, block);
  EXPECT_TRUE(has_content(moved, 100));
  EXPECT_EQ(module_.own, 3100U);
  EXPECT_EQ(module_.allocations, 3U);
  EXPECT_EQ(module_.frees, 1U);
  EXPECT_EQ(memory_.free(block), PointerStatus::not_live);
  EXPECT_EQ(memory_.free(moved, &module_), PointerStatus::live);
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryReallocate, KeepsTheOwner) {
  char* block = allocate(100);
  ASSERT_NE(allocate(100), nullptr);  // so that it must move
  Request others = request(5000);
  others.owner = &other_;
  void* moved = memory_.reallocate(block, others);
  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(other_.own, 0U);
  EXPECT_EQ(module_.own, 5100U);
  others.bytes = 6000;
  EXPECT_EQ(memory_.reallocate(moved, others), moved);
  EXPECT_EQ(module_.own, 6100U);
  EXPECT_EQ(other_.own_peak, 0U);
}

TEST_P(MemoryReallocate, KeepsTheAlias) {
  char* block = allocate(100, flag::kCoherent);
  char* grown = reallocate(block, 5000, flag::kCoherent);
  EXPECT_EQ(grown, block);
  EXPECT_TRUE(has_content(grown, 100));
  ASSERT_NE(allocate(3 * kPage - 200), nullptr);
  // Through either alias it is the same block, and comes back as what it was handed out as.
  std::byte* cached = memory_.space().to_cached(grown);
  EXPECT_EQ(reallocate(cached, 4000, flag::kCoherent), block);
  char* moved = reallocate(block, 20 * kPage, flag::kCoherent);
  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(memory_.space().is_uncached(moved), system_.config().has_mmu);
  EXPECT_TRUE(has_content(moved, 100));
  EXPECT_EQ(memory_.usable_size(moved) % system_.config().cache_line_bytes, 0U);
}

TEST_P(MemoryReallocate, MovesToWhereOtherFlagsWantIt) {
  char* block = allocate(100);
  char* coherent = reallocate(block, 100, flag::kCoherent);
  ASSERT_NE(coherent, nullptr);
  EXPECT_TRUE(has_content(coherent, 100));
  EXPECT_EQ(memory_.space().is_uncached(coherent), system_.config().has_mmu);
  EXPECT_TRUE(is_aligned(coherent, system_.config().cache_line_bytes));
  char* kernel = reallocate(coherent, 100, flag::kKernel);
  EXPECT_TRUE(has_content(kernel, 100));
  EXPECT_STREQ(system_.heap_of(kernel).name, "system");
  EXPECT_FALSE(memory_.space().is_uncached(kernel));
  char* aligned = reallocate(kernel, 100, flag::kKernel, 2 * kPage);
  EXPECT_TRUE(has_content(aligned, 100));
  EXPECT_TRUE(is_aligned(aligned, 2 * kPage));
  EXPECT_EQ(module_.own, 100U);
  EXPECT_TRUE(system_.check());
}

TEST_P(MemoryReallocate, NeedNotCopyWithNoCopy) {
  char* block = allocate(100);
  ASSERT_NE(allocate(100), nullptr);
  char* moved = reallocate(block, 200, flag::kNoCopy);
  ASSERT_NE(moved, nullptr);
  EXPECT_NE(moved, block);
  EXPECT_FALSE(has_content(moved, 100));  // a fresh place
}

TEST_P(MemoryReallocate, FailureLeavesTheBlock) {
  for (const Flags flags : {Flags{0}, flag::kCoherent}) {
    char* block = allocate(2 * kPage, flags);
    const auto before = figures(system_);
    const std::uint64_t failures = module_.failures;
    for (const std::size_t bytes : {std::size_t{8} << 20, SIZE_MAX, SIZE_MAX - kPage}) {
      EXPECT_EQ(reallocate(block, bytes, flags), nullptr);
      EXPECT_EQ(system_.seen().failures.back().bytes, bytes);
    }
    EXPECT_EQ(reallocate(block, 100, flag::kL3), nullptr);
    EXPECT_TRUE(has_content(block, 2 * kPage));
    EXPECT_EQ(module_.failures, failures + 4);
    EXPECT_EQ(figures(system_), before);
    EXPECT_EQ(memory_.free(block), PointerStatus::live);
  }
}

TEST_P(MemoryReallocate, HoldsTheLimit) {
  Owner& owner = system_.pipeline(2, 0, 1000);
  void* block = memory_.allocate({&owner, 600, 0, 0, MODMEM_HERE});
  EXPECT_EQ(memory_.reallocate(block, {&owner, 1001, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(system_.seen().failures.back().reason, FailureReason::limit);
  EXPECT_EQ(memory_.reallocate(block, {&owner, 1000, 0, 0, MODMEM_HERE}), block);
  EXPECT_EQ(memory_.reallocate(block, {&owner, 1, 0, 0, MODMEM_HERE}), block);
  EXPECT_EQ(owner.own_peak, 1000U);
}

TEST_P(MemoryReallocate, NotALiveBlockIsAFault) {
  char* block = allocate(100);
  EXPECT_EQ(reallocate(block + 16, 200), nullptr);
  EXPECT_EQ(system_.seen().faults.back().status, PointerStatus::interior);
  EXPECT_EQ(reallocate(&block, 200), nullptr);
  EXPECT_EQ(system_.seen().faults.back().status, PointerStatus::foreign);
  memory_.free(block);
  EXPECT_EQ(reallocate(block, 200), nullptr);
  EXPECT_EQ(system_.seen().faults.back().status, PointerStatus::not_live);
  EXPECT_EQ(system_.seen().faults.size(), 3U);
  EXPECT_TRUE(system_.seen().failures.empty());
}

TEST_P(MemoryReallocate, CoherentMemoryThatChangesHandsIsInvalidated) {
  char* block = allocate(100, flag::kCoherent);
  std::byte* cached = memory_.space().to_cached(block);
  system_.port().forget_invalidations();
  // What is added may have been in cached use.
  ASSERT_EQ(reallocate(block, 1000, flag::kCoherent), block);
  EXPECT_TRUE(system_.port().invalidated(cached + 128, 1024 - 128));
  system_.port().forget_invalidations();
  // What is given back may be in cached use next.
  ASSERT_EQ(reallocate(block, 200, flag::kCoherent), block);
  EXPECT_TRUE(system_.port().invalidated(cached + 256, 1024 - 256));
}

TEST_P(MemoryReallocate, SiteIsWhereTheBlockGotItsSize) {
  char* block = allocate(100);
  const std::uint32_t line = __LINE__ + 1;
  ASSERT_NE(memory_.reallocate(block, {&module_, 200, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(memory_.destroy_owner(module_), 1U);
  EXPECT_EQ(system_.seen().leaks.back().bytes, 200U);
  EXPECT_EQ(system_.seen().leaks.back().site.line, line);
}

}  // namespace
}  // namespace modmem
