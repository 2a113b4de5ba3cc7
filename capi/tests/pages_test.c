/*
 * Pages: the first sentence of the contract's section on pages and regions.
 *
 *   void *vpage_alloc(unsigned int pages): whole pages       vpage_alloc_gives_whole_pages
 *     virtually contiguous                                   pages_are_contiguous
 *   void vpage_free(void *ptr)                               vpage_free_gives_them_back
 *     at least 128 live ones                                 at_least_128_live_at_a_time
 *   (NEEDS c, L1: freeing one keeps the others' records)     vpage_free_keeps_the_others
 *   (pages 0: NULL; more than there are: NULL, one line)     what_cannot_be_had_is_null
 *   Misuse of a void free: vpage_free                        vpage_free_of_garbage_is_misuse
 */
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/lib/vpage.h>
#include <string.h>

#include "capi/tests/support.h"

static void vpage_alloc_gives_whole_pages(void** state) {
  (void)state;
  const size_t page = page_bytes();
  assert_int_equal(page, 4096);
  for (unsigned pages = 1; pages <= 9; pages += 2) {
    const size_t pool = pool_mapped();
    char* block = vpage_alloc(pages);
    assert_non_null(block);
    assert_true(is_aligned(block, page));
    assert_int_equal(modmem_usable_size(block), pages * page);
    assert_true(pool_mapped() >= pool + pages * page);
    for (unsigned i = 0; i < pages; i++) {
      assert_mapped(block + i * page);
    }
    vpage_free(block);
    assert_int_equal(pool_mapped(), pool);
  }
}

static void pages_are_contiguous(void** state) {
  (void)state;
  const size_t page = page_bytes();
  /* Frames are scattered: every other page is given back before. */
  char* single[40];
  for (size_t i = 0; i < COUNT(single); i++) {
    single[i] = vpage_alloc(1);
    assert_non_null(single[i]);
  }
  for (size_t i = 0; i < COUNT(single); i += 2) {
    vpage_free(single[i]);
  }
  char* block = vpage_alloc(30);
  assert_non_null(block);
  fill(block, 30 * page, 1);
  assert_filled(block, 30 * page, 1);
  for (size_t i = 1; i < COUNT(single); i += 2) {
    vpage_free(single[i]);
  }
  assert_filled(block, 30 * page, 1);
  vpage_free(block);
}

static void vpage_free_gives_them_back(void** state) {
  (void)state;
  const size_t page = page_bytes();
  const size_t pool = pool_mapped();
  char* block = vpage_alloc(3);
  const uintptr_t address = address_of(block);
  vpage_free(block);
  assert_int_equal(pool_mapped(), pool);
  for (size_t i = 0; i < 3; i++) {
    assert_emptied(address + i * page);
  }
  block = vpage_alloc(3);
  vpage_free(sys_cache_uncached_ptr_get(block));
  expect_quiet();
  assert_int_equal(pool_mapped(), pool);
  vpage_free(NULL);
  expect_quiet();
  for (int i = 0; i < 50; i++) {
    block = vpage_alloc(100);
    assert_non_null(block);
    vpage_free(block);
  }
  assert_int_equal(pool_mapped(), pool);
}

static void at_least_128_live_at_a_time(void** state) {
  (void)state;
  char* blocks[128];
  for (unsigned i = 0; i < COUNT(blocks); i++) {
    blocks[i] = vpage_alloc(1);
    assert_non_null(blocks[i]);
    fill(blocks[i], 4096, i);
  }
  /* In an order that meets first, last and middle ones. */
  for (size_t i = 0; i < COUNT(blocks); i++) {
    const size_t k = (i * 37) % COUNT(blocks);
    assert_filled(blocks[k], 4096, (unsigned)k);
    vpage_free(blocks[k]);
    expect_quiet();
  }
}

static void vpage_free_keeps_the_others(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  char* a = vpage_alloc(1);
  char* b = vpage_alloc(2);
  char* c = vpage_alloc(3);
  fill(b, 8192, 2);
  fill(c, 12288, 3);
  vpage_free(a);
  char* d = vpage_alloc(1);
  fill(d, 4096, 4);
  assert_filled(c, 12288, 3);
  vpage_free(c);
  expect_quiet();
  assert_filled(b, 8192, 2);
  assert_filled(d, 4096, 4);
  vpage_free(b);
  vpage_free(d);
  expect_quiet();
  assert_int_equal(pool_mapped(), pool);
}

static void what_cannot_be_had_is_null(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  assert_null(vpage_alloc(0));
  close_lines();
  assert_null(vpage_alloc(10000));
  expect_line("no memory");
  assert_null(vpage_alloc(0xffffffffU));
  expect_line("no memory");
  assert_null(vpage_alloc(0x100001U)); /* 4 GiB and a page */
  expect_line("no memory");
  assert_int_equal(pool_mapped(), pool);
}

static void vpage_free_of_garbage_is_misuse(void** state) {
  (void)state;
  char local = 0;
  char* block = vpage_alloc(3);
  fill(block, 3 * 4096, 1);
  vpage_free(block + 4096);
  expect_fault(MODMEM_FAULT_INTERIOR, "vpage_free", block + 4096);
  assert_true(last_fault()->fatal);
  vpage_free(&local);
  expect_fault(MODMEM_FAULT_FOREIGN, "vpage_free", &local);
  assert_filled(block, 3 * 4096, 1);
  char* keeper = vpage_alloc(1);
  const uintptr_t address = address_of(block);
  vpage_free(block);
  vpage_free((void*)address); /* NOLINT(performance-no-int-to-ptr) */
  expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : last_fault()->kind, "vpage_free",
               (void*)address);
  assert_int_not_equal(last_fault()->kind, MODMEM_FAULT_INTERIOR);
  vpage_free(keeper);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(vpage_alloc_gives_whole_pages),   TEST(pages_are_contiguous),
      TEST(vpage_free_gives_them_back),      TEST(at_least_128_live_at_a_time),
      TEST(vpage_free_keeps_the_others),     TEST(what_cannot_be_had_is_null),
      TEST(vpage_free_of_garbage_is_misuse),
  };
  return RUN_TESTS("pages", kTests);
}
