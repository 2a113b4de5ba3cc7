/*
 * Names, argument order and types of every function of the contract, in its generation of 2026.
 * Each is assigned to a pointer of exactly the contract's type, so that a difference does not
 * compile; and called by the tests of its section.
 *
 *   Names, argument order, flag values ... are the ones that
 *     existing code relies on                                every_function_is_there; flags_test.c
 *   MODMEM_SOF_API ... 2026 (default)                        the _Static_assert below
 *   Headers, at the paths that such code includes            the includes below
 *   All usable from C11 and C++20                            capi/headers_test.py
 *   rballoc(), rbrealloc(), mod_alloc(), mod_zalloc(),
 *     mod_balloc() are inline                                inline_functions_are_no_symbols
 */
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/audio/data_blob.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/list.h>
#include <sof/objpool.h>

#include "capi/tests/support.h"

_Static_assert(MODMEM_SOF_API == 2026, "2026 is the default");

typedef struct processing_module Module;
typedef struct comp_data_blob_handler Handler;
typedef int (*Validator)(struct comp_dev* dev, void* new_data, uint32_t size);

/* rmalloc family */
static void* (*const kRmalloc)(uint32_t, size_t) = rmalloc;
static void* (*const kRmallocAlign)(uint32_t, size_t, uint32_t) = rmalloc_align;
static void* (*const kRzalloc)(uint32_t, size_t) = rzalloc;
static void* (*const kRballocAlign)(uint32_t, size_t, uint32_t) = rballoc_align;
static void* (*const kRballoc)(uint32_t, size_t) = rballoc;
static void* (*const kRbreallocAlign)(void*, uint32_t, size_t, size_t, uint32_t) = rbrealloc_align;
static void* (*const kRbrealloc)(void*, uint32_t, size_t, size_t) = rbrealloc;
static void (*const kRfree)(void*) = rfree;
static void* (*const kHeapAlloc)(struct k_heap*, uint32_t, size_t, size_t) = sof_heap_alloc;
static void (*const kHeapFree)(struct k_heap*, void*) = sof_heap_free;
static struct k_heap* (*const kSysHeap)(void) = sof_sys_heap_get;
static struct k_heap* (*const kUserHeap)(void) = sof_sys_user_heap_get;
static void (*const kL3Save)(void) = l3_heap_save;
static void (*const kTraceAll)(int) = heap_trace_all;
static void* (*const kCtxAlloc)(struct mod_alloc_ctx*, uint32_t, size_t, size_t) = sof_ctx_alloc;
static void* (*const kCtxZalloc)(struct mod_alloc_ctx*, uint32_t, size_t, size_t) = sof_ctx_zalloc;
static void (*const kCtxFree)(struct mod_alloc_ctx*, void*) = sof_ctx_free;
static struct k_heap* (*const kHeapCreate)(const char*, size_t) = modmem_heap_create;
static int (*const kHeapDestroy)(struct k_heap*) = modmem_heap_destroy;
/* aliases and caches */
static void* (*const kCachedGet)(void*) = sys_cache_cached_ptr_get;
static void* (*const kUncachedGet)(void*) = sys_cache_uncached_ptr_get;
static bool (*const kIsCached)(void*) = sys_cache_is_ptr_cached;
static bool (*const kIsUncached)(void*) = sys_cache_is_ptr_uncached;
static void (*const kWriteback)(void*, size_t) = dcache_writeback_region;
static void (*const kInvalidate)(void*, size_t) = dcache_invalidate_region;
static void (*const kWritebackInvalidate)(void*, size_t) = dcache_writeback_invalidate_region;
/* module memory */
static struct module_resources* (*const kResources)(Module*) = modmem_module_resources;
static uint32_t (*const kId)(const Module*) = modmem_module_id;
static void (*const kResourceInit)(Module*) = mod_resource_init;
static void* (*const kModAlloc)(Module*, size_t) = mod_alloc;
static void* (*const kModAllocAlign)(Module*, size_t, size_t) = mod_alloc_align;
static void* (*const kModZalloc)(Module*, size_t) = mod_zalloc;
static void* (*const kModAllocExt)(Module*, uint32_t, size_t, size_t) = mod_alloc_ext;
static void* (*const kModBalloc)(Module*, size_t) = mod_balloc;
static void* (*const kModBallocAlign)(Module*, size_t, size_t) = mod_balloc_align;
static int (*const kModFree)(Module*, const void*) = mod_free;
static void (*const kModFreeAll)(Module*) = mod_free_all;
static Handler* (*const kModBlobNew)(Module*) = mod_data_blob_handler_new;
static void (*const kModBlobFree)(Module*, Handler*) = mod_data_blob_handler_free;
static const void* (*const kModFastGet)(Module*, const void*, size_t) = mod_fast_get;
static void (*const kModFastPut)(Module*, const void*) = mod_fast_put;
static size_t (*const kUsage)(Module*, size_t*) = module_adapter_heap_usage;
static Handler* (*const kBlobNew)(struct comp_dev*, bool, void* (*)(size_t),
                                  void (*)(void*)) = comp_data_blob_handler_new_ext;
static void (*const kBlobFree)(Handler*) = comp_data_blob_handler_free;
static void* (*const kBlobGet)(Handler*, size_t*, uint32_t*) = comp_get_data_blob;
static bool (*const kBlobIsNew)(Handler*) = comp_is_new_data_blob_available;
static bool (*const kBlobIsValid)(Handler*) = comp_is_current_data_blob_valid;
static int (*const kBlobInit)(Handler*, uint32_t, const void*) = comp_init_data_blob;
static int (*const kBlobSet)(Handler*, bool, bool, uint32_t, const char*) = ipc4_comp_data_blob_set;
static void (*const kBlobValidator)(Handler*, Validator) = comp_data_blob_set_validator;
/* virtual memory heap */
static struct vmh_heap* (*const kVmhInit)(const struct vmh_heap_config*, bool) = vmh_init_heap;
static void* (*const kVmhAlloc)(struct vmh_heap*, uint32_t) = vmh_alloc;
static int (*const kVmhFree)(struct vmh_heap*, void*) = vmh_free;
static int (*const kVmhFreeHeap)(struct vmh_heap*) = vmh_free_heap;
static void (*const kVmhStats)(struct vmh_heap*) = vmh_log_stats;
/* pages and regions */
static void* (*const kVpageAlloc)(unsigned int) = vpage_alloc;
static void (*const kVpageFree)(void*) = vpage_free;
static struct vregion* (*const kRegionCreate)(size_t) = vregion_create;
static struct vregion* (*const kRegionGet)(struct vregion*) = vregion_get;
static struct vregion* (*const kRegionPut)(struct vregion*) = vregion_put;
static void* (*const kRegionAlloc)(struct vregion*, size_t) = vregion_alloc;
static void* (*const kRegionAlign)(struct vregion*, size_t, size_t) = vregion_alloc_align;
static void* (*const kRegionCoherent)(struct vregion*, size_t) = vregion_alloc_coherent;
static void* (*const kRegionCoherentAlign)(struct vregion*, size_t,
                                           size_t) = vregion_alloc_coherent_align;
static void (*const kRegionFree)(struct vregion*, void*) = vregion_free;
static void (*const kRegionInterim)(struct vregion*) = vregion_set_interim;
static void (*const kRegionInfo)(struct vregion*) = vregion_info;
static void (*const kRegionMemInfo)(struct vregion*, size_t*, uintptr_t*) = vregion_mem_info;
/* object pool, shared copies, buffers */
static void* (*const kPoolAlloc)(struct objpool_head*, size_t, uint32_t) = objpool_alloc;
static int (*const kPoolFree)(struct objpool_head*, void*) = objpool_free;
static void (*const kPoolPrune)(struct objpool_head*) = objpool_prune;
static int (*const kPoolIterate)(struct objpool_head*, bool (*)(void* data, void* arg),
                                 void*) = objpool_iterate;
static const void* (*const kFastGet)(struct mod_alloc_ctx*, const void*, size_t) = fast_get;
static void (*const kFastPut)(struct mod_alloc_ctx*, struct k_mem_domain*, const void*) = fast_put;
static void* (*const kRange)(struct mod_alloc_ctx*, uint32_t, size_t, size_t, size_t,
                             size_t*) = modmem_alloc_range;
/* boot */
static int (*const kBoot)(const struct modmem_config*) = modmem_boot;
static int (*const kShutdown)(void) = modmem_shutdown;

static void every_function_is_there(void** state) {
  (void)state;
  /* Read back through a volatile, or the compiler knows the answer without the linker. */
  void (*volatile function)(void) = NULL;
#define IS_THERE(pointer)                 \
  do {                                    \
    function = (void (*)(void))(pointer); \
    assert_true(function != NULL);        \
  } while (0)
  IS_THERE(kRmalloc);
  IS_THERE(kRmallocAlign);
  IS_THERE(kRzalloc);
  IS_THERE(kRballocAlign);
  IS_THERE(kRballoc);
  IS_THERE(kRbreallocAlign);
  IS_THERE(kRbrealloc);
  IS_THERE(kRfree);
  IS_THERE(kHeapAlloc);
  IS_THERE(kHeapFree);
  IS_THERE(kSysHeap);
  IS_THERE(kUserHeap);
  IS_THERE(kL3Save);
  IS_THERE(kTraceAll);
  IS_THERE(kCtxAlloc);
  IS_THERE(kCtxZalloc);
  IS_THERE(kCtxFree);
  IS_THERE(kHeapCreate);
  IS_THERE(kHeapDestroy);
  IS_THERE(kCachedGet);
  IS_THERE(kUncachedGet);
  IS_THERE(kIsCached);
  IS_THERE(kIsUncached);
  IS_THERE(kWriteback);
  IS_THERE(kInvalidate);
  IS_THERE(kWritebackInvalidate);
  IS_THERE(kResources);
  IS_THERE(kId);
  IS_THERE(kResourceInit);
  IS_THERE(kModAlloc);
  IS_THERE(kModAllocAlign);
  IS_THERE(kModZalloc);
  IS_THERE(kModAllocExt);
  IS_THERE(kModBalloc);
  IS_THERE(kModBallocAlign);
  IS_THERE(kModFree);
  IS_THERE(kModFreeAll);
  IS_THERE(kModBlobNew);
  IS_THERE(kModBlobFree);
  IS_THERE(kModFastGet);
  IS_THERE(kModFastPut);
  IS_THERE(kUsage);
  IS_THERE(kBlobNew);
  IS_THERE(kBlobFree);
  IS_THERE(kBlobGet);
  IS_THERE(kBlobIsNew);
  IS_THERE(kBlobIsValid);
  IS_THERE(kBlobInit);
  IS_THERE(kBlobSet);
  IS_THERE(kBlobValidator);
  IS_THERE(kVmhInit);
  IS_THERE(kVmhAlloc);
  IS_THERE(kVmhFree);
  IS_THERE(kVmhFreeHeap);
  IS_THERE(kVmhStats);
  IS_THERE(kVpageAlloc);
  IS_THERE(kVpageFree);
  IS_THERE(kRegionCreate);
  IS_THERE(kRegionGet);
  IS_THERE(kRegionPut);
  IS_THERE(kRegionAlloc);
  IS_THERE(kRegionAlign);
  IS_THERE(kRegionCoherent);
  IS_THERE(kRegionCoherentAlign);
  IS_THERE(kRegionFree);
  IS_THERE(kRegionInterim);
  IS_THERE(kRegionInfo);
  IS_THERE(kRegionMemInfo);
  IS_THERE(kPoolAlloc);
  IS_THERE(kPoolFree);
  IS_THERE(kPoolPrune);
  IS_THERE(kPoolIterate);
  IS_THERE(kFastGet);
  IS_THERE(kFastPut);
  IS_THERE(kRange);
  IS_THERE(kBoot);
  IS_THERE(kShutdown);
}

static void inline_functions_are_no_symbols(void** state) {
  (void)state;
  assert_true(has_symbol("rballoc_align"));
  assert_false(has_symbol("rballoc"));
  assert_false(has_symbol("rbrealloc"));
  assert_false(has_symbol("mod_alloc"));
  assert_false(has_symbol("mod_zalloc"));
  assert_false(has_symbol("mod_balloc"));
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(every_function_is_there),
      TEST(inline_functions_are_no_symbols),
  };
  return RUN_TESTS("api_2026", kTests);
}
