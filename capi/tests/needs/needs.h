/*
 * What the tests of past mistakes have in common, beside capi/tests/support.h. Each is named after
 * its number in docs/regressions.md.
 */
#ifndef MODMEM_CAPI_TESTS_NEEDS_NEEDS_H
#define MODMEM_CAPI_TESTS_NEEDS_NEEDS_H

#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>
#include <stdlib.h>
#include <string.h>

#include "capi/tests/support.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

/* Pages of [address, address + bytes) that are mapped. */
static inline size_t mapped_pages(const void* address, size_t bytes) {
  const char* at = address;
  const size_t page = page_bytes();
  const size_t skew = (uintptr_t)at % page;
  size_t mapped = 0;
  for (size_t offset = 0; offset < skew + bytes; offset += page) {
    mapped += modmem_is_mapped(at - skew + offset) ? 1 : 0;
  }
  return mapped;
}

/* A request that can't be served, and its line. */
static inline void assert_refused(const void* result) {
  assert_null(result);
  close_lines();
}

/* A heap of slots of one size. */
static inline struct vmh_heap* heap_of_slots(size_t slot, size_t slots, bool contiguous) {
  struct vmh_heap_config config = {0};
  config.block_bundles_table[0].block_size = slot;
  config.block_bundles_table[0].number_of_blocks = slots;
  struct vmh_heap* heap = vmh_init_heap(&config, contiguous);
  assert_non_null(heap);
  return heap;
}

/* A module without memory. */
static inline void begin_module(struct processing_module* mod, uint32_t id) {
  memset(mod, 0, sizeof(*mod));
  mod->dev_id = id;
  mod_resource_init(mod);
}

#endif
