// Containers of the standard library in module memory and on a heap: charged, aligned, refused
// without harm, and gone with their module.

#include "hosted/memory_resource.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory_resource>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "heap/elastic_heap.hpp"
#include "heap/testing/heap_world.hpp"
#include "memory/testing/test_system.hpp"
#include "module/testing/two_modules.hpp"

namespace modmem {
namespace {

using testing::Figures;
using testing::figures;
using testing::is_aligned;

class ModuleResourceTest : public testing::TwoModules {
 protected:
  ModuleResourceTest() : TwoModules(20000) {}
};

INSTANTIATE_TEST_SUITE_P(Policies, ModuleResourceTest, ::testing::ValuesIn(kPolicies),
                         [](const auto& test) { return testing::test_name(test.param->name); });

TEST_P(ModuleResourceTest, ChargesContainersToTheModule) {
  ModuleResource resource(module_);
  {
    std::pmr::vector<std::uint32_t> numbers(1000, &resource);
    EXPECT_EQ(module_.held_bytes(), 4000U);
    std::iota(numbers.begin(), numbers.end(), 0U);
    const std::pmr::string text(100, 'x', &resource);
    EXPECT_EQ(module_.held_bytes(), 4101U);
    std::pmr::map<int, std::pmr::string> names(&resource);
    for (int i = 0; i < 50; ++i) {
      names.emplace(i, "a name that is too long to lie in the string itself " + std::to_string(i));
    }
    // Strings inside take their memory where the map does.
    EXPECT_EQ(names.at(7).get_allocator().resource(), &resource);
    EXPECT_GT(module_.held_bytes(), 4101U + 50 * (sizeof(std::pmr::string) + 50));
    EXPECT_EQ(names.at(49).back(), '9');
    EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0U), 499500U);
    EXPECT_TRUE(memory_.check(CheckDepth::deep));
  }
  EXPECT_EQ(module_.held_bytes(), 0U);
  EXPECT_GT(module_.high_water_mark(), 4101U);
  EXPECT_EQ(other_.high_water_mark(), 0U);
  EXPECT_EQ(module_.close(), 0U);
  EXPECT_TRUE(seen_.faults.empty());
}

TEST_P(ModuleResourceTest, ServesAllocatorsOfAnyType) {
  struct alignas(256) Line {
    std::byte bytes[256];
  };
  ModuleResource resource(module_);
  std::pmr::polymorphic_allocator<> allocator(&resource);
  Line* line = allocator.new_object<Line>();
  EXPECT_TRUE(is_aligned(line, 256));
  auto* number = allocator.new_object<std::int64_t>(-5);
  EXPECT_EQ(*number, -5);
  EXPECT_EQ(module_.held_bytes(), 256U + 8U);
  allocator.delete_object(number);
  allocator.delete_object(line);
  EXPECT_EQ(module_.held_bytes(), 0U);
  // No bytes are a block too.
  void* none = resource.allocate(0, 1);
  EXPECT_NE(none, nullptr);
  resource.deallocate(none, 0, 1);
  EXPECT_EQ(module_.held_bytes(), 0U);
}

TEST_P(ModuleResourceTest, HonoursAlignmentAndFlags) {
  ModuleResource resource(module_);
  ModuleResource coherent(module_, flag::kUser | flag::kCoherent);
  for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    void* const block = resource.allocate(24, alignment);
    EXPECT_TRUE(is_aligned(block, alignment)) << alignment;
    EXPECT_EQ(memory_.space().to_cached(block), block);
    resource.deallocate(block, 24, alignment);
  }
  void* const uncached = coherent.allocate(24, 8);
  EXPECT_NE(memory_.space().to_cached(uncached), uncached);
  coherent.deallocate(uncached, 24, 8);
}

TEST_P(ModuleResourceTest, IsEqualWhereTheMemoryIs) {
  const ModuleResource one(module_);
  const ModuleResource coherent(module_, flag::kUser | flag::kCoherent);
  const ModuleResource other(other_);
  EXPECT_TRUE(one == one);
  EXPECT_TRUE(one == coherent);
  EXPECT_FALSE(one == other);
  EXPECT_FALSE(one == *std::pmr::new_delete_resource());
  EXPECT_FALSE(*std::pmr::new_delete_resource() == one);
}

TEST_P(ModuleResourceTest, MovesContentsBetweenEqualResourcesAndCopiesItBetweenOthers) {
  ModuleResource one(module_);
  ModuleResource same(module_, flag::kUser | flag::kShared);
  ModuleResource other(other_);
  std::pmr::vector<int> from(100, 7, &one);
  const int* const place = from.data();
  std::pmr::vector<int> near(&same);
  near = std::move(from);
  EXPECT_EQ(near.data(), place);
  std::pmr::vector<int> far(&other);
  far = std::move(near);
  EXPECT_NE(far.data(), place);
  EXPECT_EQ(far, std::pmr::vector<int>(100, 7));
  EXPECT_EQ(other_.held_bytes(), 400U);
}

// What is held and where it lies, without what a refusal counts.
TEST_P(ModuleResourceTest, OutOfMemoryLeavesAllAsBefore) {
  ModuleResource resource(module_);
  std::pmr::vector<std::uint64_t> numbers(1000, 3, &resource);
  std::pmr::map<int, std::pmr::string> names(&resource);
  names.emplace(1, "one, at a length that does not lie in the string itself");
  const Figures before = figures(system_);
  const std::uint64_t* const place = numbers.data();

  EXPECT_THROW(numbers.reserve(2000), std::bad_alloc);
  EXPECT_THROW(numbers.insert(numbers.end(), 600, 4), std::bad_alloc);
  EXPECT_THROW(numbers.push_back(4), std::bad_alloc);
  EXPECT_THROW(names[1].resize(30000), std::bad_alloc);
  EXPECT_THROW((std::pmr::vector<int>(5000, &resource)), std::bad_alloc);

  EXPECT_EQ(numbers.data(), place);
  EXPECT_EQ(numbers, std::pmr::vector<std::uint64_t>(1000, 3));
  EXPECT_EQ(names.at(1), "one, at a length that does not lie in the string itself");
  EXPECT_EQ(module_.failures(), 5U);
  ASSERT_EQ(seen_.failures.size(), 5U);
  EXPECT_EQ(seen_.failures[0].reason, FailureReason::limit);
  EXPECT_EQ(figures(system_), before);
  EXPECT_TRUE(system_.check());
}

TEST_P(ModuleResourceTest, TakesBackWhatAHalfMadeElementHeld) {
  ModuleResource resource(module_);
  std::pmr::map<int, std::pmr::string> names(&resource);
  const Figures before = figures(system_);
  // The node fits, its string does not.
  EXPECT_THROW(names.emplace(1, std::string(30000, 'x')), std::bad_alloc);
  EXPECT_TRUE(names.empty());
  EXPECT_EQ(module_.held_bytes(), 0U);
  EXPECT_EQ(figures(system_).pool, before.pool);
}

TEST_P(ModuleResourceTest, ThrowsWhereTheModuleIsNotOpen) {
  ModuleMemory closed;
  ModuleResource resource(closed);
  EXPECT_THROW((void)resource.allocate(1, 1), std::bad_alloc);
}

TEST_P(ModuleResourceTest, AContainerThatOutlivesItsModuleIsALeak) {
  const std::uint32_t line = __LINE__ + 1;
  ModuleResource resource(module_);
  std::optional<std::pmr::vector<int>> numbers(std::in_place, 250, 1, &resource);
  EXPECT_EQ(module_.close(), 1U);
  ASSERT_EQ(seen_.leaks.size(), 1U);
  EXPECT_EQ(seen_.leaks[0].bytes, 1000U);
  EXPECT_EQ(seen_.leaks[0].owner_id, 0x10001U);
  EXPECT_EQ(seen_.leaks[0].site.line, line);
  EXPECT_NE(std::string(static_cast<const char*>(seen_.leaks[0].site.where))
                .find("memory_resource_test.cpp"),
            std::string::npos);
  const auto before = system_.pool_state();
  numbers.reset();  // gives back what is no more, which does no harm
  EXPECT_EQ(system_.pool_state(), before);
  EXPECT_TRUE(system_.check());
}

TEST_P(ModuleResourceTest, PoolsOfTheStandardLibraryStandOnIt) {
  ModuleResource resource(module_);
  {
    std::pmr::unsynchronized_pool_resource pool(
        {.max_blocks_per_chunk = 8, .largest_required_pool_block = 64}, &resource);
    std::pmr::vector<std::pmr::string> words(&pool);
    for (int i = 0; i < 20; ++i) {
      words.emplace_back("a word of more than sixteen bytes");
    }
    EXPECT_GT(module_.held_bytes(), 20U * 33);
  }
  EXPECT_EQ(module_.held_bytes(), 0U);
}

class HeapResourceTest : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr std::uint32_t kFrames = 16;

  void SetUp() override {
    ASSERT_TRUE(heap_.open(world_.space(), world_.descriptors(), HeapId{1}, account_,
                           {.span_pages = kFrames}));
  }

  HeapWorld world_{small_platform(GetParam(), kFrames), PortKind::host};
  PageAccount account_;
  ElasticHeap heap_;
};

INSTANTIATE_TEST_SUITE_P(Platforms, HeapResourceTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "mmu" : "no_mmu"; });

TEST_P(HeapResourceTest, HoldsContainers) {
  HeapResource resource(heap_);
  const HeapStats before = heap_.stats();
  {
    std::pmr::map<std::pmr::string, std::pmr::vector<int>> table(&resource);
    for (int i = 0; i < 40; ++i) {
      table["the key of a row, which is " + std::pmr::string(1, static_cast<char>('A' + i))].assign(
          static_cast<std::size_t>(i), i);
    }
    EXPECT_EQ(table.size(), 40U);
    EXPECT_GE(heap_.stats().live_blocks, 119U);
    EXPECT_EQ(heap_.status(&*table.begin()), PointerStatus::interior);
    EXPECT_TRUE(heap_.check(CheckDepth::deep));
  }
  EXPECT_EQ(heap_.stats().live_blocks, before.live_blocks);
  EXPECT_EQ(heap_.stats().occupied_bytes, before.occupied_bytes);
  EXPECT_EQ(heap_.stats().mapped_bytes, before.mapped_bytes);
}

TEST_P(HeapResourceTest, OutOfMemoryLeavesAllAsBefore) {
  HeapResource resource(heap_);
  std::pmr::vector<char> bytes(24000, 'x', &resource);
  const WorldState before(world_, heap_);
  EXPECT_THROW(bytes.resize(200000), std::bad_alloc);
  EXPECT_THROW(bytes.push_back('y'), std::bad_alloc);  // wants twice as much
  EXPECT_EQ(WorldState(world_, heap_).difference(before), "");
  EXPECT_EQ(bytes, std::pmr::vector<char>(24000, 'x'));
}

TEST_P(HeapResourceTest, HonoursAlignmentAndServesNoBytes) {
  HeapResource resource(heap_);
  for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    void* const block = resource.allocate(3, alignment);
    EXPECT_TRUE(is_aligned(block, alignment)) << alignment;
    resource.deallocate(block, 3, alignment);
  }
  void* const none = resource.allocate(0, 1);
  EXPECT_EQ(heap_.status(none), PointerStatus::live);
  resource.deallocate(none, 0, 1);
  EXPECT_EQ(heap_.stats().live_blocks, 0U);
}

TEST_P(HeapResourceTest, IsEqualOverTheSameHeap) {
  ElasticHeap second;
  const HeapResource one(heap_);
  const HeapResource same(heap_);
  const HeapResource other(second);
  EXPECT_TRUE(one == same);
  EXPECT_FALSE(one == other);
  EXPECT_FALSE(one == *std::pmr::new_delete_resource());
}

}  // namespace
}  // namespace modmem
