/*
 * Reallocating: sentences of the contract on the rmalloc family, in its order.
 *
 *   rbrealloc_align()                                        rbrealloc_align_keeps_content
 *   rbrealloc(): inline, cache-line aligned                  rbrealloc_is_line_aligned
 *   rbrealloc with ptr NULL allocates                        rbrealloc_of_null_allocates
 *   with bytes 0 returns NULL and leaves ptr alone           rbrealloc_to_0_leaves_the_block
 *   on failure leaves ptr alone                              rbrealloc_that_fails_leaves_the_block
 */
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <string.h>

#include "capi/tests/support.h"

static void rbrealloc_align_keeps_content(void** state) {
  (void)state;
  char* block = rballoc_align(0, 1000, 256);
  assert_non_null(block);
  fill(block, 1000, 3);
  char* larger = rbrealloc_align(block, 0, 5000, 1000, 512);
  assert_non_null(larger);
  assert_true(is_aligned(larger, 512));
  assert_filled(larger, 1000, 3);
  fill(larger, 5000, 4);
  char* smaller = rbrealloc_align(larger, 0, 300, 5000, 512);
  assert_non_null(smaller);
  assert_true(is_aligned(smaller, 512));
  assert_filled(smaller, 300, 4);
  /* A stricter alignment than the block has. */
  char* moved = rbrealloc_align(smaller, 0, 300, 300, 4096);
  assert_non_null(moved);
  assert_true(is_aligned(moved, 4096));
  assert_filled(moved, 300, 4);
  rfree(moved);
}

static void rbrealloc_is_line_aligned(void** state) {
  (void)state;
  char* block = rballoc(0, 100);
  assert_non_null(block);
  fill(block, 100, 5);
  size_t old_bytes = 100;
  for (size_t bytes = 150; bytes < 20000; bytes = bytes * 3 / 2) {
    char* larger = rbrealloc(block, 0, bytes, old_bytes);
    assert_non_null(larger);
    assert_true(is_aligned(larger, line_bytes()));
    assert_filled(larger, old_bytes, 5);
    fill(larger, bytes, 5);
    block = larger;
    old_bytes = bytes;
  }
  rfree(block);
}

static void rbrealloc_of_null_allocates(void** state) {
  (void)state;
  char* block = rbrealloc(NULL, 0, 500, 0);
  assert_non_null(block);
  assert_true(is_aligned(block, line_bytes()));
  fill(block, 500, 1);
  assert_filled(block, 500, 1);
  char* aligned = rbrealloc_align(NULL, 0, 500, 0, 2048);
  assert_non_null(aligned);
  assert_true(is_aligned(aligned, 2048));
  rfree(aligned);
  rfree(block);
}

static void rbrealloc_to_0_leaves_the_block(void** state) {
  (void)state;
  char* block = rballoc(0, 500);
  fill(block, 500, 1);
  assert_null(rbrealloc(block, 0, 0, 500));
  assert_null(rbrealloc_align(block, 0, 0, 500, 64));
  close_lines();
  assert_filled(block, 500, 1);
  rfree(block); /* a second free would be a fault */
}

static void rbrealloc_that_fails_leaves_the_block(void** state) {
  (void)state;
  char* block = rballoc(0, 500);
  fill(block, 500, 1);
  const size_t live = heap_live(NULL);
  assert_null(rbrealloc(block, 0, KIB(64 * 1024), 500));
  expect_line("no memory");
  assert_filled(block, 500, 1);
  assert_int_equal(heap_live(NULL), live);
  rfree(block);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(rbrealloc_align_keeps_content),         TEST(rbrealloc_is_line_aligned),
      TEST(rbrealloc_of_null_allocates),           TEST(rbrealloc_to_0_leaves_the_block),
      TEST(rbrealloc_that_fails_leaves_the_block),
  };
  return RUN_TESTS("reallocate", kTests);
}
