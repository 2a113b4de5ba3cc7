// Handles that a C program keeps for too long, or never had: heaps, regions and heaps of slots that
// have ended, and NULL. All of it is reported, and nothing is touched.

#include <gtest/gtest.h>
#include <modmem/module.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>

#include <cerrno>

#include "capi/capi_testing.hpp"

namespace modmem {
namespace {

class HandlesTest : public QuietTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    boot(GetParam());
    modmem_heap_destroy(heap_ = modmem_heap_create("gone", 0));
    vregion_put(region_ = vregion_create(8192));
    vmh_free_heap(slots_ = vmh_init_heap(nullptr, false));
  }

  // Whether `function` was found misused once, with a pointer to what does not live.
  void expect_ended(const char* function, const void* handle, bool fatal = false) {
    const SeenFault seen = fault();
    EXPECT_EQ(seen.kind, MODMEM_FAULT_NOT_LIVE) << function;
    EXPECT_EQ(seen.function, function);
    EXPECT_EQ(seen.pointer, handle) << function;
    EXPECT_EQ(seen.fatal, fatal) << function;
    EXPECT_EQ(said(std::string(function) + ": 0x"), 1U) << function;
  }

  k_heap* heap_ = nullptr;
  vregion* region_ = nullptr;
  vmh_heap* slots_ = nullptr;
};

MODMEM_ON_ALL_HOSTS(HandlesTest);

TEST_P(HandlesTest, ACopyIsNotFreedAsABlock) {
  static const int kSource[16] = {1};
  const void* copy = fast_get(nullptr, kSource, sizeof kSource);
  ASSERT_NE(copy, nullptr);
  rfree(const_cast<void*>(copy));
  EXPECT_EQ(fault().kind, MODMEM_FAULT_FOREIGN);
  EXPECT_EQ(said("rfree: 0x"), 1U);
  EXPECT_EQ(rbrealloc(const_cast<void*>(copy), 0, 200, 64), nullptr);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_FOREIGN);
  EXPECT_EQ(said("rbrealloc_align: 0x"), 1U);
  EXPECT_EQ(fast_get(nullptr, kSource, sizeof kSource), copy);
  EXPECT_EQ(*static_cast<const int*>(copy), 1);
  fast_put(nullptr, nullptr, copy);
  fast_put(nullptr, nullptr, copy);
}

TEST_P(HandlesTest, ARegionThatAModuleWorksInOutlivesOnePutTooMany) {
  vregion* region = vregion_create(8192);
  mod_alloc_ctx ctx{nullptr, region};
  processing_module module{};
  ASSERT_EQ(modmem_module_set_ctx(&module, &ctx), 0);
  void* block = mod_alloc(&module, 100);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(vregion_put(region), region);
  EXPECT_EQ(vregion_put(region), region);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_IN_USE);
  EXPECT_EQ(said("vregion_put: 0x"), 1U);
  EXPECT_EQ(mod_free(&module, block), 0);
  mod_free_all(&module);
  EXPECT_EQ(vregion_put(region), nullptr);
  expect_ended("vregion_put", region, true);
}

TEST_P(HandlesTest, AHeapThatHasEnded) {
  EXPECT_EQ(sof_heap_alloc(heap_, 0, 100, 0), nullptr);
  expect_ended("sof_heap_alloc", heap_);
  mod_alloc_ctx ctx{heap_, nullptr};
  EXPECT_EQ(sof_ctx_alloc(&ctx, 0, 100, 0), nullptr);
  expect_ended("sof_ctx_alloc", heap_);
  EXPECT_EQ(sof_ctx_zalloc(&ctx, 0, 100, 0), nullptr);
  expect_ended("sof_ctx_zalloc", heap_);
  std::size_t actual = 1;
  EXPECT_EQ(modmem_alloc_range(&ctx, 0, 200, 100, 0, &actual), nullptr);
  EXPECT_EQ(actual, 0U);
  expect_ended("modmem_alloc_range", heap_);
  objpool_head pool{};
  pool.heap = heap_;
  EXPECT_EQ(objpool_alloc(&pool, 16, 0), nullptr);
  expect_ended("objpool_alloc", heap_);
  processing_module module{};
  EXPECT_EQ(modmem_module_set_ctx(&module, &ctx), -EINVAL);
  expect_ended("modmem_module_set_ctx", heap_);
  struct modmem_heap_info info {};
  EXPECT_EQ(modmem_heap_info(heap_, &info), -EINVAL);
  EXPECT_EQ(modmem_set_limit(heap_, 100), -EINVAL);
  EXPECT_EQ(modmem_largest_request(heap_, 0, 0), 0U);
}

TEST_P(HandlesTest, AModuleWhoseHeapHasEnded) {
  k_heap* heap = modmem_heap_create("short", 0);
  mod_alloc_ctx ctx{heap, nullptr};
  processing_module module{};
  module.dev_id = 7;
  EXPECT_EQ(modmem_module_set_ctx(&module, &ctx), 0);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  EXPECT_EQ(mod_alloc(&module, 100), nullptr);
  EXPECT_EQ(said("the heap of module 0x7 has ended"), 1U);
}

TEST_P(HandlesTest, ARegionThatHasEnded) {
  mod_alloc_ctx ctx{nullptr, region_};
  EXPECT_EQ(sof_ctx_alloc(&ctx, 0, 100, 0), nullptr);
  expect_ended("sof_ctx_alloc", region_);
  EXPECT_EQ(vregion_alloc(region_, 100), nullptr);
  expect_ended("vregion_alloc", region_);
  EXPECT_EQ(vregion_get(region_), nullptr);
  expect_ended("vregion_get", region_);
  EXPECT_EQ(vregion_put(region_), nullptr);
  expect_ended("vregion_put", region_, true);
  vregion_set_interim(region_);
  expect_ended("vregion_set_interim", region_, true);
  vregion_info(region_);
  expect_ended("vregion_info", region_, true);
  std::size_t size = 1;
  std::uintptr_t start = 1;
  vregion_mem_info(region_, &size, &start);
  EXPECT_EQ(size + start, 0U);
  expect_ended("vregion_mem_info", region_, true);
  struct modmem_heap_info info {};
  EXPECT_EQ(modmem_vregion_heap_info(region_, &info), -EINVAL);
}

TEST_P(HandlesTest, AHeapOfSlotsThatHasEnded) {
  EXPECT_EQ(vmh_alloc(slots_, 100), nullptr);
  expect_ended("vmh_alloc", slots_);
  EXPECT_EQ(vmh_free(slots_, &slots_), -EINVAL);
  expect_ended("vmh_free", slots_);
  EXPECT_EQ(vmh_free_heap(slots_), -EINVAL);
  expect_ended("vmh_free_heap", slots_);
  vmh_log_stats(slots_);
  expect_ended("vmh_log_stats", slots_, true);
  struct modmem_heap_info info {};
  EXPECT_EQ(modmem_vmh_heap_info(slots_, &info), -EINVAL);
}

TEST_P(HandlesTest, WhatIsOfAnotherKind) {
  auto* system = reinterpret_cast<vmh_heap*>(sof_sys_heap_get());
  EXPECT_EQ(vmh_free_heap(system), -EINVAL);
  expect_ended("vmh_free_heap", system);
  k_heap* heap = modmem_heap_create("heap", 0);
  vregion_put(reinterpret_cast<vregion*>(heap));
  expect_ended("vregion_put", heap, true);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
}

TEST_P(HandlesTest, NoModule) {
  const auto misused = [&](const char* function) {
    const SeenFault seen = fault();
    EXPECT_EQ(seen.function, function);
    EXPECT_FALSE(seen.fatal);
    EXPECT_EQ(said(function), 1U);
  };
  int block = 0;
  mod_resource_init(nullptr);
  EXPECT_EQ(mod_alloc(nullptr, 100), nullptr);
  misused("mod_alloc_align");
  EXPECT_EQ(mod_balloc(nullptr, 100), nullptr);
  misused("mod_balloc_align");
  EXPECT_EQ(mod_free(nullptr, &block), -EINVAL);
  misused("mod_free");
  mod_free_all(nullptr);
  misused("mod_free_all");
  EXPECT_EQ(mod_data_blob_handler_new(nullptr), nullptr);
  misused("mod_data_blob_handler_new");
  EXPECT_EQ(mod_fast_get(nullptr, &block, sizeof block), nullptr);
  misused("mod_fast_get");
  mod_fast_put(nullptr, &block);
  misused("mod_fast_put");
  EXPECT_EQ(module_adapter_heap_usage(nullptr, nullptr), 0U);
  misused("module_adapter_heap_usage");
}

TEST_P(HandlesTest, NoPool) {
  EXPECT_EQ(objpool_alloc(nullptr, 16, 0), nullptr);
  EXPECT_EQ(objpool_iterate(nullptr, nullptr, nullptr), -ENOENT);
  objpool_prune(nullptr);
  EXPECT_EQ(objpool_free(nullptr, nullptr), 0);
  int object = 0;
  EXPECT_EQ(objpool_free(nullptr, &object), -EINVAL);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_FOREIGN);
  EXPECT_EQ(said("objpool_free: 0x"), 1U);
}

}  // namespace
}  // namespace modmem
