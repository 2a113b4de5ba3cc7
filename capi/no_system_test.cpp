// The C functions where no system is up and none comes up by itself, as in firmware before its
// boot: each does nothing, and says so by its result.

#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/audio/data_blob.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "capi/hooks.hpp"
#include "capi/lent_testing.hpp"

namespace modmem {

namespace {

int boots = 0;
std::string code_name;

}  // namespace

CSystem* boot_default() {
  ++boots;
  return nullptr;
}

// Not abort(): what was counted of the lines that ran is written at an exit.
void panic() {
  std::fputs("panic\n", stderr);
  std::exit(testing::kPanicked);
}

bool name_code(const void* /*code*/, char* text, std::size_t size) {
  std::snprintf(text, size, "%s", code_name.c_str());
  return !code_name.empty();
}

namespace testing {

int take_boots() { return std::exchange(boots, 0); }
void set_code_name(const std::string& name) { code_name = name; }

namespace {

class NoSystemTest : public HooksTest {
 protected:
  // Whether `function` was found misused with that pointer; it has an error result.
  void expect_foreign(const std::string& function, const void* pointer) {
    const SeenFault seen = fault();
    EXPECT_EQ(seen.kind, MODMEM_FAULT_FOREIGN);
    EXPECT_EQ(seen.function, function);
    EXPECT_EQ(seen.pointer, pointer);
    EXPECT_EQ(seen.heap, "");
    EXPECT_FALSE(seen.fatal);
  }

  // What is no handle of anything, and is not looked at.
  char nothing_[64] = {};
  k_heap* heap_ = reinterpret_cast<k_heap*>(nothing_);
  vregion* region_ = reinterpret_cast<vregion*>(nothing_);
  vmh_heap* slots_ = reinterpret_cast<vmh_heap*>(nothing_);
};

TEST_F(NoSystemTest, NoBlocks) {
  EXPECT_EQ(rmalloc(0, 100), nullptr);
  EXPECT_EQ(rmalloc_align(0, 100, 64), nullptr);
  EXPECT_EQ(rzalloc(0, 100), nullptr);
  EXPECT_EQ(rballoc_align(0, 100, 64), nullptr);
  EXPECT_EQ(rbrealloc_align(nothing_, 0, 100, 50, 64), nullptr);
  EXPECT_EQ(sof_heap_alloc(nullptr, 0, 100, 0), nullptr);
  EXPECT_EQ(sof_heap_alloc(heap_, 0, 100, 0), nullptr);
  mod_alloc_ctx ctx{heap_, nullptr};
  EXPECT_EQ(sof_ctx_alloc(&ctx, 0, 100, 0), nullptr);
  EXPECT_EQ(sof_ctx_zalloc(&ctx, 0, 100, 0), nullptr);
  std::size_t actual = 1;
  EXPECT_EQ(modmem_alloc_range(nullptr, 0, 200, 100, 0, &actual), nullptr);
  EXPECT_EQ(actual, 0U);
  EXPECT_EQ(take_boots(), 10);  // each asked for one
  rfree(nothing_);
  sof_heap_free(heap_, nothing_);
  sof_ctx_free(&ctx, nothing_);
  l3_heap_save();
  EXPECT_EQ(sof_sys_heap_get(), nullptr);
  EXPECT_EQ(sof_sys_user_heap_get(), nullptr);
  EXPECT_EQ(vpage_alloc(1), nullptr);
  vpage_free(nothing_);
}

TEST_F(NoSystemTest, NoHeaps) {
  EXPECT_EQ(modmem_heap_create("heap", 0), nullptr);
  EXPECT_EQ(modmem_heap_destroy(heap_), -EINVAL);
  expect_foreign("modmem_heap_destroy", heap_);
  EXPECT_EQ(modmem_heap_premap(nullptr, 1, 1), -EINVAL);
  EXPECT_EQ(modmem_set_limit(nullptr, 1000), -EINVAL);
  EXPECT_EQ(modmem_drain(100), 0U);
  EXPECT_EQ(vmh_init_heap(nullptr, false), nullptr);
  EXPECT_EQ(vmh_alloc(slots_, 100), nullptr);
  EXPECT_EQ(vmh_free(slots_, nothing_), -EINVAL);
  expect_foreign("vmh_free", nothing_);
  EXPECT_EQ(vmh_free_heap(slots_), -EINVAL);
  expect_foreign("vmh_free_heap", slots_);
  vmh_log_stats(slots_);
}

TEST_F(NoSystemTest, NoRegions) {
  EXPECT_EQ(vregion_create(4096), nullptr);
  EXPECT_EQ(modmem_vregion_create_growing(4096), nullptr);
  EXPECT_EQ(vregion_get(region_), nullptr);
  EXPECT_EQ(vregion_put(region_), nullptr);
  EXPECT_EQ(vregion_alloc(region_, 10), nullptr);
  EXPECT_EQ(vregion_alloc_align(region_, 10, 64), nullptr);
  EXPECT_EQ(vregion_alloc_coherent(region_, 10), nullptr);
  EXPECT_EQ(vregion_alloc_coherent_align(region_, 10, 64), nullptr);
  vregion_free(region_, nothing_);
  vregion_set_interim(region_);
  vregion_info(region_);
  std::size_t size = 1;
  std::uintptr_t start = 1;
  vregion_mem_info(region_, &size, &start);
  EXPECT_EQ(size, 0U);
  EXPECT_EQ(start, 0U);
}

TEST_F(NoSystemTest, NoModules) {
  processing_module module{};
  module.dev_id = 0x10001;
  module.resources.manager = 1234;
  module.resources.check_thread = 1;
  module.resources.high_water_mark = 5;
  mod_resource_init(&module);
  modmem_module_init(&module, true);
  EXPECT_EQ(modmem_module_set_ctx(&module, nullptr), -EINVAL);
  EXPECT_EQ(mod_alloc(&module, 100), nullptr);
  EXPECT_EQ(mod_zalloc(&module, 100), nullptr);
  EXPECT_EQ(mod_balloc(&module, 100), nullptr);
  EXPECT_EQ(mod_alloc_ext(&module, 0, 100, 0), nullptr);
  EXPECT_EQ(mod_free(&module, nothing_), -EINVAL);
  EXPECT_EQ(mod_free(&module, nullptr), -EINVAL);
  mod_free_all(&module);
  EXPECT_EQ(mod_data_blob_handler_new(&module), nullptr);
  mod_data_blob_handler_free(&module, reinterpret_cast<comp_data_blob_handler*>(nothing_));
  EXPECT_EQ(mod_fast_get(&module, nothing_, sizeof nothing_), nullptr);
  mod_fast_put(&module, nothing_);
  std::size_t most = 1;
  EXPECT_EQ(module_adapter_heap_usage(&module, &most), 0U);
  EXPECT_EQ(most, 0U);
  EXPECT_EQ(module.resources.account, nullptr);
  EXPECT_EQ(module.resources.manager, 1234U);
  EXPECT_EQ(module.resources.high_water_mark, 5U);
  EXPECT_EQ(module.resources.check_thread, 1U);
}

TEST_F(NoSystemTest, NoHandlersCopiesOrPools) {
  EXPECT_EQ(comp_data_blob_handler_new(nullptr), nullptr);
  comp_data_blob_handler_free(reinterpret_cast<comp_data_blob_handler*>(nothing_));
  EXPECT_EQ(ipc4_comp_data_blob_set(nullptr, true, true, 4, nothing_), -EINVAL);
  EXPECT_EQ(fast_get(nullptr, nothing_, sizeof nothing_), nullptr);
  fast_put(nullptr, nullptr, nothing_);
  objpool_head pool{};
  EXPECT_EQ(objpool_alloc(&pool, 16, 0), nullptr);
  EXPECT_TRUE(list_is_empty(&pool.list));
  EXPECT_EQ(objpool_free(&pool, nothing_), -EINVAL);
  expect_foreign("objpool_free", nothing_);
  objpool_prune(&pool);
}

TEST_F(NoSystemTest, NothingToLookAt) {
  struct modmem_heap_info heap {};
  EXPECT_EQ(modmem_heap_info(nullptr, &heap), -EINVAL);
  EXPECT_EQ(modmem_vregion_heap_info(region_, &heap), -EINVAL);
  EXPECT_EQ(modmem_vmh_heap_info(slots_, &heap), -EINVAL);
  EXPECT_EQ(modmem_named_heap_info("system", &heap), -EINVAL);
  EXPECT_EQ(heap.name, nullptr);
  struct modmem_info info {};
  EXPECT_EQ(modmem_info(&info), -EINVAL);
  EXPECT_EQ(info.platform, nullptr);
  EXPECT_EQ(modmem_largest_request(nullptr, 0, 0), 0U);
  heap_trace_all(1);
  take_boots();
  EXPECT_EQ(modmem_usable_size(nothing_), 0U);
  EXPECT_EQ(modmem_l3_check(nothing_), -EINVAL);
  EXPECT_TRUE(modmem_check(true));
  EXPECT_EQ(modmem_check_blocks(), 0U);
  EXPECT_FALSE(modmem_is_mapped(nothing_));
  EXPECT_EQ(modmem_audio_path_calls(nullptr, 0), 0U);
  EXPECT_EQ(take_boots(), 0);  // who only looks boots nothing
}

TEST_F(NoSystemTest, AddressesAreWhatTheyAre) {
  EXPECT_EQ(sys_cache_cached_ptr_get(nothing_), nothing_);
  EXPECT_EQ(sys_cache_uncached_ptr_get(nothing_), nothing_);
  EXPECT_TRUE(sys_cache_is_ptr_cached(nothing_));
  EXPECT_FALSE(sys_cache_is_ptr_uncached(nothing_));
  dcache_writeback_region(nothing_, sizeof nothing_);
  dcache_invalidate_region(nothing_, sizeof nothing_);
  dcache_writeback_invalidate_region(nothing_, sizeof nothing_);
  EXPECT_EQ(take_boots(), 7);
}

TEST_F(NoSystemTest, LinesGoToTheSinkAndElseToNobody) {
  Line text;
  text << "a line";
  EXPECT_TRUE(log_line(LogLevel::error, text));
  EXPECT_EQ(line(), "a line");
  EXPECT_TRUE(log_line(LogLevel::debug, text));  // not wanted
  modmem_set_log_sink(nullptr, nullptr);
  EXPECT_FALSE(log_line(LogLevel::error, text));
}

TEST_F(NoSystemTest, WhatIsSetAgainIsAsItWas) {
  const modmem_fault_handler first = [](const modmem_fault*, void*) {};
  const modmem_fault_handler second = [](const modmem_fault*, void* context) {
    ++*static_cast<int*>(context);
  };
  int mine = 0;
  int others = 0;
  modmem_set_fault_handler(first, &mine);
  EXPECT_EQ(modmem_set_fault_handler(second, &mine), first);
  EXPECT_EQ(modmem_set_fault_handler(second, &mine), second);
  EXPECT_EQ(modmem_set_fault_handler(second, &others), second);
  vmh_free(nullptr, nothing_);
  line();
  EXPECT_EQ(mine, 0);
  EXPECT_EQ(others, 1);
}

TEST_F(NoSystemTest, AFatalMisuseEndsTheProgramUnlessItIsToBeReported) {
  const auto report = [&](modmem_fault_mode mode, bool fatal) {
    modmem_set_log_sink(nullptr, nullptr);
    modmem_set_fault_handler(nullptr, nullptr);
    modmem_set_fault_mode(mode);
    report_misuse({.function = "rfree", .pointer = nothing_, .site = {}, .fatal = fatal});
    std::exit(0);
  };
  const auto panicked = ::testing::ExitedWithCode(kPanicked);
  const auto went_on = ::testing::ExitedWithCode(0);
  EXPECT_EXIT(report(MODMEM_FAULT_DEFAULT, true), panicked, "panic");
  EXPECT_EXIT(report(MODMEM_FAULT_ABORT, true), panicked, "panic");
  EXPECT_EXIT(report(MODMEM_FAULT_ABORT, false), went_on, "");
  EXPECT_EXIT(report(MODMEM_FAULT_REPORT, true), went_on, "");
}

}  // namespace

}  // namespace testing

}  // namespace modmem
