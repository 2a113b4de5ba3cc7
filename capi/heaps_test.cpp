// Heaps that C programs make: private ones, pages, regions and heaps of slots.

#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>

#include <cerrno>
#include <cstring>

#include "capi/capi_testing.hpp"

namespace modmem {
namespace {

class HeapsTest : public HostsTest {
 protected:
  static struct modmem_heap_info of(const struct k_heap* heap) {
    struct modmem_heap_info now {};
    EXPECT_EQ(modmem_heap_info(heap, &now), 0);
    return now;
  }
  static struct modmem_heap_info of(const struct vregion* region) {
    struct modmem_heap_info now {};
    EXPECT_EQ(modmem_vregion_heap_info(region, &now), 0);
    return now;
  }
  static struct modmem_heap_info of(const struct vmh_heap* heap) {
    struct modmem_heap_info now {};
    EXPECT_EQ(modmem_vmh_heap_info(heap, &now), 0);
    return now;
  }
};

constexpr std::size_t kPage = 4096;

TEST_P(HeapsTest, APrivateHeapHasItsOwnPagesAndLimit) {
  const auto before = info();
  k_heap* heap = modmem_heap_create("codec", 10000);
  ASSERT_NE(heap, nullptr);
  EXPECT_EQ(of(heap).limit, 10000U);
  EXPECT_EQ(of(heap).mapped_bytes, 0U);
  void* block = sof_heap_alloc(heap, SOF_MEM_FLAG_USER, 6000, 0);
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(modmem_is_mapped(block));
  EXPECT_EQ(of(heap).live_bytes, 6000U);
  EXPECT_EQ(of(heap).mapped_bytes, 2 * kPage);
  EXPECT_EQ(sof_heap_alloc(heap, 0, 5000, 0), nullptr);
  const auto lines = take_lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("owner codec 0x0"), std::string::npos);
  EXPECT_NE(lines[0].find("largest request 4000 bytes, reason limit"), std::string::npos);
  EXPECT_EQ(modmem_largest_request(heap, 0, 0), 4000U);
  sof_heap_free(nullptr, block);
  EXPECT_EQ(of(heap).mapped_bytes, 0U);
  EXPECT_FALSE(modmem_is_mapped(block) && !is_libc());
  void* leak = sof_heap_alloc(heap, 0, 100, 64);
  ASSERT_NE(leak, nullptr);
  EXPECT_EQ(modmem_heap_destroy(heap), 1);
  EXPECT_EQ(take_lines()[0].find("leak: 100 bytes, alignment 64 bytes, owner codec 0x0, from "),
            0U);
  EXPECT_EQ(info().mapped_bytes, before.mapped_bytes);
  EXPECT_EQ(modmem_heap_destroy(heap), -EINVAL);
  EXPECT_EQ(modmem_heap_destroy(nullptr), -EINVAL);
  EXPECT_EQ(modmem_heap_destroy(sof_sys_heap_get()), -EINVAL);
  EXPECT_FALSE(take_faults()[0].fatal);
}

TEST_P(HeapsTest, APrivateHeapHasPagesReady) {
  const auto before = info();
  k_heap* heap = modmem_heap_create("ready", 0);
  ASSERT_EQ(modmem_heap_premap(heap, 6, 100), 0);
  EXPECT_EQ(of(heap).mapped_bytes, 6 * kPage);
  const std::size_t mapped = info().mapped_bytes;  // metadata included
  for (int round = 0; round < 2; ++round) {
    std::vector<void*> blocks{sof_heap_alloc(heap, SOF_MEM_FLAG_USER, 4 * kPage + 1, 0)};
    while (blocks.size() < 100) {
      blocks.push_back(sof_heap_alloc(heap, 0, 32, 0));
      ASSERT_NE(blocks.back(), nullptr);
    }
    EXPECT_EQ(info().mapped_bytes, mapped);
    for (void* block : blocks) {
      rfree(block);
    }
    EXPECT_EQ(info().mapped_bytes, mapped);
  }
  // The system's, for which nobody has to say how many blocks.
  ASSERT_EQ(modmem_heap_premap(nullptr, 2, 0), 0);
  ASSERT_EQ(modmem_heap_premap(nullptr, 0, 0), 0);

  EXPECT_EQ(modmem_heap_premap(heap, 100000, 1), -ENOMEM);
  const auto lines = take_lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("owner ready 0x0"), std::string::npos);
  EXPECT_NE(lines[0].find("reason pool, asked 1"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find(" for metadata), guaranteed to others 0 frames, held"),
            std::string::npos);
  EXPECT_EQ(of(heap).mapped_bytes, 6 * kPage);
  ASSERT_EQ(modmem_heap_premap(heap, 0, 0), 0);
  EXPECT_EQ(of(heap).mapped_bytes, 0U);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  EXPECT_EQ(modmem_heap_premap(heap, 1, 1), -EINVAL);
  EXPECT_EQ(info().mapped_bytes, before.mapped_bytes);
}

TEST_P(HeapsTest, FlagsOfOtherMemoriesStayInAPrivateHeap) {
  k_heap* heap = modmem_heap_create("all", 0);
  for (const std::uint32_t flags : {0x4U, 0x10U, 0x20U, 0x40U, 0x80U, 0x100U, 0x200U, 0x400U}) {
    void* block = sof_heap_alloc(heap, flags, 100, 0);
    ASSERT_NE(block, nullptr) << flags;
    EXPECT_EQ(of(heap).live_bytes, 100U) << flags;
    rfree(block);
  }
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
}

TEST_P(HeapsTest, PagesAreWhole) {
  EXPECT_EQ(vpage_alloc(0), nullptr);
  EXPECT_TRUE(take_lines().empty());
  std::vector<void*> pages;
  for (unsigned int i = 0; i < 128; ++i) {
    const unsigned int count = 1 + i % 3;
    void* run = vpage_alloc(count);
    ASSERT_NE(run, nullptr) << i;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(run) % kPage, 0U);
    std::memset(run, 1, count * kPage);
    pages.push_back(run);
  }
  struct modmem_heap_info heap {};
  ASSERT_EQ(modmem_named_heap_info("pages", &heap), 0);
  EXPECT_EQ(heap.mapped_bytes, heap.live_bytes);
  vpage_free(nullptr);
  void* block = rmalloc(0, 100);
  vpage_free(block);
  vpage_free(static_cast<char*>(pages[2]) + kPage);
  ASSERT_EQ(take_faults().size(), 2U);
  rfree(block);
  for (void* run : pages) {
    vpage_free(run);
  }
  vpage_free(pages[0]);
  EXPECT_TRUE(take_faults()[0].fatal);
  ASSERT_EQ(modmem_named_heap_info("pages", &heap), 0);
  EXPECT_EQ(heap.mapped_bytes, 0U);
  EXPECT_EQ(modmem_named_heap_info("no such heap", &heap), -ENOENT);
  EXPECT_EQ(vpage_alloc(100000), nullptr);
  EXPECT_EQ(take_lines().size(), 4U);
}

TEST_P(HeapsTest, ARegionIsLifetimeFirstAndThenAHeap) {
  const auto before = info();
  EXPECT_EQ(vregion_create(0), nullptr);
  EXPECT_TRUE(take_lines().empty());
  EXPECT_EQ(vregion_create(SIZE_MAX), nullptr);
  EXPECT_EQ(take_lines().size(), 1U);
  EXPECT_EQ(vregion_create(64 << 20), nullptr);
  EXPECT_EQ(
      take_lines()[0].find("no memory: 67108864 bytes, alignment 4096 bytes, flags 0x0, owner "
                           "region 0x0, free "),
      0U);
  vregion* region = vregion_create(3 * kPage - 5);
  ASSERT_NE(region, nullptr);
  std::size_t bytes = 0;
  std::uintptr_t start = 0;
  vregion_mem_info(region, &bytes, &start);
  vregion_mem_info(region, nullptr, nullptr);
  EXPECT_EQ(bytes, 3 * kPage);
  EXPECT_EQ(of(region).mapped_bytes, 3 * kPage);
  void* first = vregion_alloc(region, 6000);
  void* second = vregion_alloc_align(region, 5000, 16);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  if (!is_libc()) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first), start);
  }
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second) % 64, 0U);
  vregion_set_interim(region);
  EXPECT_EQ(vregion_alloc(region, 6000), nullptr);
  vregion_free(region, second);
  vregion_free(region, first);
  EXPECT_EQ(vregion_alloc(region, 6000), nullptr);
  void* small = vregion_alloc(region, 20);
  void* large = vregion_alloc_align(region, 1000, 16);
  ASSERT_NE(small, nullptr);
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(vregion_alloc(region, 2000), nullptr);
  EXPECT_EQ(vregion_alloc(region, 0), nullptr);
  EXPECT_EQ(vregion_alloc_align(region, 8, 24), nullptr);
  EXPECT_EQ(vregion_alloc(nullptr, 8), nullptr);
  vregion_free(region, large);
  vregion_free(region, small);
  EXPECT_NE(vregion_alloc(region, 1000), nullptr);
  take_lines();
  vregion_info(region);
  EXPECT_EQ(take_lines()[0].find("region 0x"), 0U);
  EXPECT_EQ(vregion_get(region), region);
  EXPECT_EQ(vregion_put(region), region);
  EXPECT_EQ(vregion_put(region), nullptr);
  EXPECT_EQ(vregion_put(nullptr), nullptr);
  EXPECT_EQ(vregion_get(nullptr), nullptr);
  EXPECT_TRUE(take_lines().empty());
  EXPECT_TRUE(take_faults().empty());
  EXPECT_EQ(info().mapped_bytes, before.mapped_bytes);
  EXPECT_EQ(info().owners, before.owners);
}

TEST_P(HeapsTest, AContextSaysWhereMemoryComesFrom) {
  vregion* region = vregion_create(4 * kPage);
  k_heap* heap = modmem_heap_create("private", 0);
  mod_alloc_ctx in_region{.heap = heap, .vreg = region};
  mod_alloc_ctx in_heap{.heap = heap, .vreg = nullptr};
  char* one = static_cast<char*>(sof_ctx_zalloc(&in_region, SOF_MEM_FLAG_USER, 100, 0));
  void* two = sof_ctx_alloc(&in_heap, SOF_MEM_FLAG_USER, 100, 0);
  void* three = sof_ctx_alloc(nullptr, 0, 100, 0);
  void* four = sof_ctx_alloc(&in_region, SOF_MEM_FLAG_COHERENT, 100, 256);
  ASSERT_TRUE(one != nullptr && two != nullptr && three != nullptr && four != nullptr);
  EXPECT_EQ(one[0], 0);
  EXPECT_EQ(one[99], 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(four) % 256, 0U);
  EXPECT_EQ(of(region).live_bytes, 200U);
  EXPECT_EQ(of(heap).live_bytes, 100U);
  EXPECT_EQ(of(sof_sys_heap_get()).live_bytes, 100U);
  // To where it came from, whatever the context says.
  sof_ctx_free(&in_region, two);
  sof_ctx_free(&in_region, three);
  sof_ctx_free(&in_heap, one);
  sof_ctx_free(nullptr, four);
  sof_ctx_free(&in_region, nullptr);
  EXPECT_EQ(of(region).live_bytes, 0U);
  EXPECT_EQ(of(heap).live_bytes, 0U);
  EXPECT_EQ(of(sof_sys_heap_get()).live_bytes, 0U);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  EXPECT_EQ(vregion_put(region), nullptr);
  EXPECT_TRUE(take_faults().empty());
}

TEST_P(HeapsTest, SlotsOfTheFirstBundleThatFits) {
  const vmh_heap_config config = {{{128, 32}, {4096, 2}}};
  vmh_heap* heap = vmh_init_heap(&config, false);
  ASSERT_NE(heap, nullptr);
  EXPECT_EQ(of(heap).mapped_bytes, 0U);
  EXPECT_EQ(vmh_alloc(heap, 0), nullptr);
  EXPECT_EQ(vmh_alloc(nullptr, 8), nullptr);
  void* small = vmh_alloc(heap, 100);
  void* large = vmh_alloc(heap, 129);
  ASSERT_TRUE(small != nullptr && large != nullptr);
  EXPECT_EQ(of(heap).mapped_bytes, 2 * kPage);
  ASSERT_NE(vmh_alloc(heap, 4096), nullptr);
  leaks_ = 1;
  EXPECT_EQ(vmh_alloc(heap, 4096), nullptr);
  EXPECT_EQ(take_lines().size(), 1U);
  vmh_log_stats(heap);
  const auto lines = take_lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[1].find("slots of 4096 bytes: 2, in use 2, at most 2, run out 1 times"),
            std::string::npos);
  EXPECT_EQ(vmh_free(heap, static_cast<char*>(small) + 16), -EINVAL);
  EXPECT_EQ(vmh_free(heap, nullptr), -EINVAL);
  EXPECT_EQ(vmh_free(nullptr, small), -EINVAL);
  EXPECT_EQ(vmh_free_heap(heap), -ENOTEMPTY);
  EXPECT_EQ(vmh_free(heap, small), 0);
  EXPECT_EQ(vmh_free(heap, small), -EINVAL);
  EXPECT_EQ(vmh_free(heap, large), 0);
  EXPECT_EQ(of(heap).mapped_bytes, kPage);
  const auto faults = take_faults();
  ASSERT_EQ(faults.size(), 5U);
  EXPECT_EQ(faults[3].kind, MODMEM_FAULT_IN_USE);
  for (const SeenFault& fault : faults) {
    EXPECT_FALSE(fault.fatal);
  }
  EXPECT_EQ(take_lines().size(), 5U);
}

TEST_P(HeapsTest, AHeapOfSlotsWithoutATable) {
  vmh_heap* heap = vmh_init_heap(nullptr, true);
  ASSERT_NE(heap, nullptr);
  vmh_log_stats(heap);
  const auto lines = take_lines();
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_NE(lines[0].find("slots of 64 bytes: 4096,"), std::string::npos);
  EXPECT_NE(lines[4].find("slots of 1024 bytes: 256,"), std::string::npos);
  void* block = vmh_alloc(heap, 1616);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(vmh_free(heap, block), 0);
  EXPECT_EQ(vmh_free_heap(heap), 0);
  EXPECT_EQ(vmh_free_heap(nullptr), -EINVAL);
}

TEST_P(HeapsTest, TablesThatDoNotHold) {
  const vmh_heap_config tables[] = {{{{96, 4096}}},
                                    {{{4096, 2}, {64, 1}}},
                                    {{{4096, 321}}},
                                    {{{0, 0}}},
                                    {{{4096, SIZE_MAX}}},
                                    {{{SIZE_MAX, 1}}},
                                    {{{4096, 300}, {4096, 21}}}};
  for (const vmh_heap_config& table : tables) {
    EXPECT_EQ(vmh_init_heap(&table, false), nullptr);
    EXPECT_EQ(take_lines()[0].find("vmh_init_heap: "), 0U);
  }
  const vmh_heap_config production = {{{128, 32},
                                       {512, 8},
                                       {1024, 44},
                                       {2048, 8},
                                       {4096, 11},
                                       {8192, 10},
                                       {32768, 8},
                                       {65536, 3},
                                       {131072, 1},
                                       {524288, 1}}};
  vmh_heap* heap = vmh_init_heap(&production, false);
  ASSERT_NE(heap, nullptr);
  EXPECT_EQ(vmh_free_heap(heap), 0);
}

MODMEM_ON_ALL_HOSTS(HeapsTest);

}  // namespace
}  // namespace modmem
