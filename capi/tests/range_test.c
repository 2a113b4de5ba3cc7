/*
 * Buffers: the contract's section of that name, modmem_alloc_range().
 *
 *   the largest multiple of minimum not above preferred      preferred_is_what_one_gets
 *     (rounded up to a multiple of minimum)                  preferred_is_rounded_up_to_minimum
 *                                                            the_largest_multiple_there_is
 *   in one query, never a descending loop                    it_is_one_query
 *   minimum 0 or preferred < minimum: NULL and an error      bad_arguments_are_an_error
 *   (ctx: as sof_ctx_alloc())                                a_range_comes_from_the_context
 *   (alignment)                                              alignment_is_honoured
 *   (not even minimum: NULL, one line)                       too_much_is_null_and_one_line
 */
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <string.h>

#include "capi/tests/support.h"

static void preferred_is_what_one_gets(void** state) {
  (void)state;
  static const struct {
    size_t preferred;
    size_t minimum;
  } kRequests[] = {{1000, 100}, {4096, 4096}, {9600, 192}, {100, 1}, {64 * 300, 64}};
  for (size_t i = 0; i < COUNT(kRequests); i++) {
    size_t actual = 0;
    char* block = modmem_alloc_range(NULL, SOF_MEM_FLAG_USER, kRequests[i].preferred,
                                     kRequests[i].minimum, 0, &actual);
    assert_non_null(block);
    assert_int_equal(actual, kRequests[i].preferred);
    assert_true(is_aligned(block, line_bytes())); /* a large buffer */
    fill(block, actual, 1);
    assert_filled(block, actual, 1);
    rfree(block);
  }
  char* block = modmem_alloc_range(NULL, 0, 1000, 100, 0, NULL);
  assert_non_null(block);
  rfree(block);
}

static void preferred_is_rounded_up_to_minimum(void** state) {
  (void)state;
  static const struct {
    size_t preferred;
    size_t minimum;
    size_t actual;
  } kRequests[] = {{1001, 100, 1100}, {1099, 100, 1100}, {5000, 4096, 8192}, {193, 192, 384}};
  for (size_t i = 0; i < COUNT(kRequests); i++) {
    size_t actual = 0;
    char* block =
        modmem_alloc_range(NULL, 0, kRequests[i].preferred, kRequests[i].minimum, 64, &actual);
    assert_non_null(block);
    assert_int_equal(actual, kRequests[i].actual);
    fill(block, actual, 1);
    rfree(block);
  }
}

static void the_largest_multiple_there_is(void** state) {
  (void)state;
  static const size_t kMinima[] = {1920, 4096, 10000, 49152, 64};
  struct modmem_info info;
  assert_int_equal(modmem_info(&info), 0);
  for (size_t i = 0; i < COUNT(kMinima); i++) {
    const size_t minimum = kMinima[i];
    /* A region: all that there is. */
    struct vregion* region = vregion_create(KIB(64));
    struct mod_alloc_ctx ctx = {NULL, region};
    size_t actual = 0;
    char* block = modmem_alloc_range(&ctx, 0, KIB(1024), minimum, 64, &actual);
    assert_non_null(block);
    assert_int_equal(actual, KIB(64) / minimum * minimum);
    memset(block, 0x5a, actual);
    assert_null(vregion_put(region));
    /* The heap of the system: all but the headroom that is left to others (docs/c-api.md, a
     * deliberate difference): an eighth of the pool, or of the arena or the slots that serve. */
    const size_t largest = modmem_largest_request(NULL, SOF_MEM_FLAG_LARGE_BUFFER, 64);
    block = modmem_alloc_range(NULL, 0, KIB(64 * 1024), minimum, 64, &actual);
    assert_non_null(block);
    assert_int_equal(actual % minimum, 0);
    assert_in_range(actual, largest - info.pool_bytes / 8 - minimum - 2 * page_bytes(), largest);
    if (policy_is_elastic()) {
      assert_in_range(modmem_largest_request(NULL, SOF_MEM_FLAG_LARGE_BUFFER, 64),
                      info.pool_bytes / 8, info.pool_bytes / 8 + minimum + 2 * page_bytes());
    }
    memset(block, 0x5a, actual);
    rfree(block);
  }
}

static void it_is_one_query(void** state) {
  (void)state;
  struct modmem_heap_info before;
  struct modmem_heap_info after;
  struct k_heap* heap = modmem_heap_create("ranged", 100000);
  struct mod_alloc_ctx ctx = {heap, NULL};
  assert_int_equal(modmem_heap_info(heap, &before), 0);
  size_t actual = 0;
  char* block = modmem_alloc_range(&ctx, 0, KIB(4096), 256, 0, &actual);
  assert_non_null(block);
  assert_int_equal(modmem_heap_info(heap, &after), 0);
  assert_int_equal(after.failures, before.failures); /* nothing was tried in vain */
  assert_int_equal(after.allocations, before.allocations + 1);
  assert_int_equal(actual, 100000 / 256 * 256); /* what the limit leaves */
  assert_int_equal(after.live_bytes, actual);
  expect_quiet();
  rfree(block);
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void bad_arguments_are_an_error(void** state) {
  (void)state;
  size_t actual = 1;
  assert_null(modmem_alloc_range(NULL, 0, 1000, 0, 0, &actual));
  expect_error("minimum");
  assert_int_equal(actual, 0);
  actual = 1;
  assert_null(modmem_alloc_range(NULL, 0, 100, 101, 0, &actual));
  expect_error("minimum");
  assert_int_equal(actual, 0);
  assert_null(modmem_alloc_range(NULL, 0, 0, 0, 0, NULL));
  expect_error("minimum");
  assert_null(modmem_alloc_range(NULL, 0, 1000, 100, 48, &actual));
  expect_error("alignment");
  assert_null(modmem_alloc_range(NULL, 0, SIZE_MAX, SIZE_MAX / 2 + 1, 64, &actual));
  assert_true(close_lines() >= 1);
  assert_int_equal(actual, 0);
}

static void a_range_comes_from_the_context(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("ranged", 0);
  struct vregion* region = vregion_create(KIB(16));
  struct mod_alloc_ctx of_heap = {heap, NULL};
  struct mod_alloc_ctx of_region = {heap, region};
  size_t actual = 0;
  char* block = modmem_alloc_range(&of_heap, 0, 3000, 1000, 0, &actual);
  assert_non_null(block);
  assert_int_equal(actual, 3000);
  assert_int_equal(heap_live(heap), 3000);
  rfree(block);
  block = modmem_alloc_range(&of_region, SOF_MEM_FLAG_COHERENT, 3000, 1000, 0, &actual);
  assert_non_null(block);
  assert_int_equal(actual, 3000);
  assert_int_equal(heap_live(heap), 0);
  assert_true(host() == HOST_LIBC || sys_cache_is_ptr_uncached(block));
  struct modmem_heap_info info;
  assert_int_equal(modmem_vregion_heap_info(region, &info), 0);
  assert_true(info.live_bytes >= 3000);
  assert_null(vregion_put(region));
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void alignment_is_honoured(void** state) {
  (void)state;
  for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    char* small = rballoc(0, 1);
    char* block = modmem_alloc_range(NULL, 0, 3000, 100, alignment, NULL);
    assert_non_null(block);
    assert_true(is_aligned(block, alignment));
    assert_true(is_aligned(block, line_bytes()));
    rfree(block);
    rfree(small);
  }
}

static void too_much_is_null_and_one_line(void** state) {
  (void)state;
  size_t actual = 1;
  assert_null(modmem_alloc_range(NULL, 0, KIB(64 * 1024), KIB(32 * 1024), 0, &actual));
  expect_line("no memory");
  assert_int_equal(actual, 0);
  assert_null(
      modmem_alloc_range(NULL, MODMEM_MEM_FLAG_SILENT, KIB(64 * 1024), KIB(32 * 1024), 0, &actual));
  expect_quiet();
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(preferred_is_what_one_gets),    TEST(preferred_is_rounded_up_to_minimum),
      TEST(the_largest_multiple_there_is), TEST(it_is_one_query),
      TEST(bad_arguments_are_an_error),    TEST(a_range_comes_from_the_context),
      TEST(alignment_is_honoured),         TEST(too_much_is_null_and_one_line),
  };
  return RUN_TESTS("range", kTests);
}
