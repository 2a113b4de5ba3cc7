/*
 * A program of the 2025 generation.
 *
 *   MODMEM_SOF_API selects 2025 or 2026 (default) where
 *     signatures differ                                      here: 2025; api_2026_test.c: the
 * default the library holds both (2025's differing names as inline wrappers) both link with the
 * same library 2025: fast_get(dram_ptr, size), fast_put(sram_ptr)       fast_get_of_2025 (what did
 * not change compiles as it was)                 the_rest_is_as_it_was
 */
#define MODMEM_SOF_API 2025

#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/audio/data_blob.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/regions_mm.h>
#include <sof/list.h>
#include <sof/objpool.h>

#include "capi/tests/support.h"

_Static_assert(MODMEM_SOF_API == 2025, "as the program says");

static const void* (*const kFastGet)(const void* dram_ptr, size_t size) = fast_get;
static void (*const kFastPut)(const void* sram_ptr) = fast_put;

static char table[700];

static void fast_get_of_2025(void** state) {
  (void)state;
  fill(table, sizeof(table), 1);
  const size_t pool = pool_mapped();
  const char* copy = fast_get(table, sizeof(table));
  assert_non_null(copy);
  assert_ptr_not_equal(copy, table);
  assert_filled(copy, sizeof(table), 1);
  assert_ptr_equal(kFastGet(table, sizeof(table)), copy);
  assert_null(fast_get(table, 100));
  expect_error("100 bytes");
  fast_put(copy);
  assert_filled(copy, sizeof(table), 1);
  kFastPut(copy);
  fast_put(NULL);
  expect_quiet();
  assert_int_equal(pool_mapped(), pool);
  fast_put(table);
  expect_fault(MODMEM_FAULT_FOREIGN, "fast_put", table);
}

static bool count_objects(void* data, void* arg) {
  (void)data;
  ++*(int*)arg;
  return false;
}

static void the_rest_is_as_it_was(void** state) {
  (void)state;
  char* block = rmalloc(SOF_MEM_FLAG_USER, 100);
  char* zeroed = rzalloc(SOF_MEM_FLAG_USER | SOF_MEM_FLAG_COHERENT, 100);
  char* large = rballoc(SOF_MEM_FLAG_USER, 5000);
  assert_non_null(block);
  assert_zero(zeroed, 100);
  assert_true(is_aligned(large, 64));
  large = rbrealloc(large, SOF_MEM_FLAG_USER, 9000, 5000);
  assert_non_null(large);
  rfree(large);
  rfree(zeroed);
  rfree(block);

  struct processing_module module = {.dev_id = 0x61};
  mod_resource_init(&module);
  char* held = mod_alloc(&module, 100);
  char* aligned = mod_alloc_align(&module, 100, 128);
  char* balloc = mod_balloc_align(&module, 100, 128);
  assert_non_null(held);
  assert_true(is_aligned(aligned, 128));
  assert_true(is_aligned(balloc, 128));
  const void* copy = mod_fast_get(&module, table, sizeof(table));
  assert_non_null(copy);
  mod_fast_put(&module, copy);
  assert_int_equal(mod_free(&module, held), 0);
  struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&module);
  assert_int_equal(comp_init_data_blob(handler, 100, NULL), 0);
  mod_data_blob_handler_free(&module, handler);
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 200);
  mod_free_all(&module);

  struct vmh_heap* heap = vmh_init_heap(NULL, false);
  char* slot = vmh_alloc(heap, 100);
  assert_int_equal(vmh_free(heap, slot), 0);
  assert_int_equal(vmh_free_heap(heap), 0);

  struct objpool_head head = {.list = LIST_INIT(head.list)};
  int count = 0;
  assert_non_null(objpool_alloc(&head, 40, 0));
  assert_int_equal(objpool_iterate(&head, count_objects, &count), -ENOENT);
  assert_int_equal(count, 1);
  objpool_prune(&head);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(fast_get_of_2025),
      TEST(the_rest_is_as_it_was),
  };
  return RUN_TESTS("api_2025", kTests);
}
