/*
 * Shared copies: the second sentence of the contract's section on object pools and shared copies.
 * (2025's signatures: api_2025_test.c. A module's: modules_test.c.)
 *
 *   fast_get(ctx, dram_ptr, size), fast_put(ctx, domain,
 *     sram_ptr)                                              fast_get_copies
 *   One SRAM copy of read-only DRAM data                     there_is_one_copy
 *     shared by reference count                              the_last_put_frees_it
 *   the same address with another size is an error           another_size_is_an_error
 *   a failed copy leaves no entry behind                     a_failed_copy_leaves_no_entry
 *   (nothing to copy)                                        nothing_is_no_copy
 *   Misuse of a void free: fast_put                          fast_put_of_garbage_is_misuse
 *   (a context changes nothing about a copy: others share)   a_copy_outlives_who_asked_first
 */
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/lib/fast-get.h>
#include <stdlib.h>
#include <string.h>

#include "capi/tests/support.h"

/* Larger than a page, and no whole number of lines. */
static char table[5001];
static char other_table[300];

/* As fast_get() gives it, but for comparing after it is gone. */
static const char* get(const void* source, size_t bytes) { return fast_get(NULL, source, bytes); }
static void put(const void* copy) { fast_put(NULL, NULL, copy); }

static void fast_get_copies(void** state) {
  (void)state;
  fill(table, sizeof(table), 1);
  const size_t pool = pool_mapped();
  const char* copy = get(table, sizeof(table));
  assert_non_null(copy);
  assert_ptr_not_equal(copy, table);
  assert_filled(copy, sizeof(table), 1);
  assert_true(is_aligned(copy, line_bytes()));
  assert_true(modmem_usable_size(copy) >= sizeof(table));
  assert_true(modmem_is_mapped(copy));
  if (policy_is_elastic()) { /* whose heaps map pages under live data alone */
    assert_true(pool_mapped() >= pool + 2 * page_bytes());
  }
  const uintptr_t address = address_of(copy);
  put(copy);
  expect_quiet();
  assert_int_equal(pool_mapped(), pool);
  if (policy_is_elastic()) {
    assert_emptied(address);
    assert_emptied(address + 4096);
  }
}

static void there_is_one_copy(void** state) {
  (void)state;
  fill(table, sizeof(table), 1);
  fill(other_table, sizeof(other_table), 2);
  const char* copy = get(table, sizeof(table));
  const size_t live = system_live();
  const size_t pool = pool_mapped();
  for (int i = 0; i < 10; i++) {
    assert_ptr_equal(get(table, sizeof(table)), copy);
  }
  assert_int_equal(system_live(), live);
  assert_int_equal(pool_mapped(), pool);
  const char* other = get(other_table, sizeof(other_table));
  assert_ptr_not_equal(other, copy);
  assert_filled(other, sizeof(other_table), 2);
  /* From another core: the same. */
  modmem_host_set_core(1);
  assert_ptr_equal(get(table, sizeof(table)), copy);
  put(copy);
  modmem_host_set_core(0);
  put(other);
  for (int i = 0; i < 11; i++) {
    assert_filled(copy, sizeof(table), 1);
    put(copy);
  }
  expect_quiet();
}

static void the_last_put_frees_it(void** state) {
  (void)state;
  fill(table, sizeof(table), 1);
  const size_t live = system_live();
  const char* copy = get(table, sizeof(table));
  assert_true(system_live() >= live + sizeof(table));
  assert_ptr_equal(get(table, sizeof(table)), copy);
  put(copy);
  assert_true(system_live() >= live + sizeof(table));
  put(copy);
  assert_int_equal(system_live(), live);
  /* Then it is a new one, of what is there now. */
  fill(table, sizeof(table), 3);
  copy = get(table, sizeof(table));
  assert_filled(copy, sizeof(table), 3);
  put(copy);
  put(NULL);
  expect_quiet();
}

static void another_size_is_an_error(void** state) {
  (void)state;
  fill(table, sizeof(table), 1);
  const char* copy = get(table, 1000);
  assert_non_null(copy);
  assert_null(get(table, 1001));
  expect_error("1001 bytes");
  assert_non_null(strstr(last_line(), "1000 bytes"));
  assert_null(get(table, 999));
  expect_error("999 bytes");
  /* That counted no reference: one put is the last. */
  put(copy);
  copy = get(table, 1001);
  assert_non_null(copy);
  put(copy);
  expect_quiet();
}

static void a_failed_copy_leaves_no_entry(void** state) {
  (void)state;
  /* More than the pool has; it is never read. */
  const size_t bytes = KIB(16 * 1024);
  char* huge = malloc(bytes);
  assert_non_null(huge);
  memset(huge, 1, 4096);
  const size_t live = system_live();
  for (int i = 0; i < 3; i++) {
    assert_null(get(huge, bytes));
    expect_line("no memory");
    assert_int_equal(system_live(), live);
  }
  /* With an entry this would be another size. */
  const char* copy = get(huge, 4096);
  assert_non_null(copy);
  assert_memory_equal(copy, huge, 4096);
  put(copy);
  expect_quiet();
  free(huge);
}

static void nothing_is_no_copy(void** state) {
  (void)state;
  assert_null(get(NULL, 100));
  assert_null(get(table, 0));
  close_lines();
}

static void fast_put_of_garbage_is_misuse(void** state) {
  (void)state;
  fill(table, sizeof(table), 1);
  const char* copy = get(table, sizeof(table));
  put(table); /* the source is not the copy */
  expect_fault(MODMEM_FAULT_FOREIGN, "fast_put", table);
  assert_true(last_fault()->fatal);
  put(copy + 64);
  expect_fault(MODMEM_FAULT_INTERIOR, "fast_put", copy + 64);
  char* block = rmalloc(0, 100);
  put(block);
  expect_fault(MODMEM_FAULT_FOREIGN, "fast_put", block);
  rfree(block);
  assert_filled(copy, sizeof(table), 1);
  const uintptr_t address = address_of(copy);
  put(copy);
  put((const void*)address); /* NOLINT(performance-no-int-to-ptr) */
  expect_fault(MODMEM_FAULT_FOREIGN, "fast_put", (void*)address);
}

static void a_copy_outlives_who_asked_first(void** state) {
  (void)state;
  fill(table, sizeof(table), 1);
  struct k_heap* heap = modmem_heap_create("first", 0);
  struct vregion* region = vregion_create(KIB(8));
  struct mod_alloc_ctx of_heap = {heap, NULL};
  struct mod_alloc_ctx of_region = {NULL, region};
  const char* copy = fast_get(&of_heap, table, sizeof(table));
  assert_non_null(copy);
  assert_ptr_equal(fast_get(&of_region, table, sizeof(table)), copy);
  assert_ptr_equal(get(table, sizeof(table)), copy);
  fast_put(&of_heap, NULL, copy);
  assert_int_equal(modmem_heap_destroy(heap), 0);
  fast_put(&of_region, NULL, copy);
  assert_null(vregion_put(region));
  assert_filled(copy, sizeof(table), 1);
  put(copy);
  expect_quiet();
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(fast_get_copies),
      TEST(there_is_one_copy),
      TEST(the_last_put_frees_it),
      TEST(another_size_is_an_error),
      TEST(a_failed_copy_leaves_no_entry),
      TEST(nothing_is_no_copy),
      TEST(fast_put_of_garbage_is_misuse),
      TEST(a_copy_outlives_who_asked_first),
  };
  return RUN_TESTS("fast_get", kTests);
}
