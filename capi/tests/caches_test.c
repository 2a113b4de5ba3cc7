/*
 * Aliases and caches: the contract's section of that name.
 *
 *   sys_cache_cached_ptr_get(), sys_cache_uncached_ptr_get() conversions_go_back_and_forth
 *   sys_cache_is_ptr_cached(), sys_cache_is_ptr_uncached()   an_address_is_of_one_alias
 *   dcache_writeback_region()                                writeback_makes_writes_visible
 *   dcache_invalidate_region()                               invalidate_makes_writes_visible
 *   dcache_writeback_invalidate_region()                     writeback_invalidate_does_both
 *   infrastructure converts and synchronises; modules never
 *     do (module memory is cached, and either alias of it
 *     means the block)                                       modules_get_cached_memory
 *                                                            both_aliases_mean_the_same_block
 *   (an emptied page is gone at both aliases)                both_aliases_go_with_the_block
 * Under libc a block has no second alias: conversions return what they are given, which is cached.
 */
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <string.h>

#include "capi/tests/support.h"

static void conversions_go_back_and_forth(void** state) {
  (void)state;
  char* block = rmalloc(0, 200);
  char* uncached = sys_cache_uncached_ptr_get(block);
  assert_ptr_equal(sys_cache_cached_ptr_get(block), block);
  assert_ptr_equal(sys_cache_cached_ptr_get(uncached), block);
  assert_ptr_equal(sys_cache_uncached_ptr_get(uncached), uncached);
  if (host() == HOST_LIBC) {
    assert_ptr_equal(uncached, block);
  } else {
    assert_ptr_not_equal(uncached, block);
    /* The offset is constant. */
    char* other = rballoc(0, KIB(40));
    char* other_uncached = sys_cache_uncached_ptr_get(other);
    assert_int_equal(address_of(other_uncached) - address_of(other),
                     address_of(uncached) - address_of(block));
    assert_ptr_equal(sys_cache_uncached_ptr_get(other + 12345), other_uncached + 12345);
    rfree(other);
  }
  rfree(block);
}

static void an_address_is_of_one_alias(void** state) {
  (void)state;
  char local = 0;
  char* block = rmalloc(0, 200);
  char* uncached = sys_cache_uncached_ptr_get(block);
  assert_true(sys_cache_is_ptr_cached(block));
  assert_false(sys_cache_is_ptr_uncached(block));
  assert_int_equal(sys_cache_is_ptr_uncached(uncached), host() != HOST_LIBC);
  assert_int_equal(sys_cache_is_ptr_cached(uncached), host() == HOST_LIBC);
  assert_true(sys_cache_is_ptr_cached(&local));
  assert_false(sys_cache_is_ptr_uncached(&local));
  rfree(block);
}

static void writeback_makes_writes_visible(void** state) {
  (void)state;
  char* block = rballoc(0, 5000);
  char* uncached = sys_cache_uncached_ptr_get(block);
  fill(block, 5000, 1);
  dcache_writeback_region(block, 5000);
  assert_filled(uncached, 5000, 1);
  dcache_writeback_region(block, 0);
  dcache_writeback_region(block + 100, 1);
  assert_filled(block, 5000, 1);
  rfree(block);
}

static void invalidate_makes_writes_visible(void** state) {
  (void)state;
  char* block = rballoc(0, 5000);
  char* uncached = sys_cache_uncached_ptr_get(block);
  fill(uncached, 5000, 2);
  dcache_invalidate_region(block, 5000);
  assert_filled(block, 5000, 2);
  dcache_invalidate_region(block, 0);
  rfree(block);
}

static void writeback_invalidate_does_both(void** state) {
  (void)state;
  char* block = rballoc(0, 5000);
  char* uncached = sys_cache_uncached_ptr_get(block);
  fill(block, 2500, 3);
  dcache_writeback_invalidate_region(block, 2500);
  assert_filled(uncached, 2500, 3);
  fill(uncached, 5000, 4);
  dcache_writeback_invalidate_region(block, 5000);
  assert_filled(block, 5000, 4);
  dcache_writeback_invalidate_region(block, 0);
  rfree(block);
}

static void modules_get_cached_memory(void** state) {
  (void)state;
  struct processing_module module = {.dev_id = 0x21};
  mod_resource_init(&module);
  char* block = mod_alloc(&module, 300);
  char* large = mod_balloc(&module, 300);
  assert_non_null(block);
  assert_non_null(large);
  assert_true(sys_cache_is_ptr_cached(block));
  assert_true(sys_cache_is_ptr_cached(large));
  /* Infrastructure that holds the other alias may give it back. */
  assert_int_equal(mod_free(&module, sys_cache_uncached_ptr_get(block)), 0);
  assert_int_equal(mod_free(&module, large), 0);
  mod_free_all(&module);
}

static void both_aliases_mean_the_same_block(void** state) {
  (void)state;
  char* block = rmalloc(0, 300);
  char* uncached = sys_cache_uncached_ptr_get(block);
  assert_int_equal(modmem_usable_size(block), modmem_usable_size(uncached));
  assert_true(modmem_is_mapped(block));
  assert_true(modmem_is_mapped(uncached));
  memcpy(uncached, "abc", 4);
  assert_string_equal(block, "abc");
  uncached = rbrealloc(uncached, 0, 9000, 300);
  assert_non_null(uncached);
  assert_string_equal(uncached, "abc");
  rfree(uncached);
}

/* Policies elastic and module-heaps, where an empty heap has no page. */
static void both_aliases_go_with_the_block(void** state) {
  (void)state;
  SKIP_UNLESS(policy_is_elastic(), "its heaps keep their pages");
  SKIP_UNDER(HOST_LIBC, "blocks have no alias");
  char* block = rballoc_align(0, 2 * page_bytes(), (uint32_t)page_bytes());
  const uintptr_t cached = address_of(block);
  const uintptr_t uncached = address_of(sys_cache_uncached_ptr_get(block));
  if (host() == HOST_SIM) {
    assert_false(faults_at(cached));
    assert_false(faults_at(uncached));
  }
  rfree(block);
  assert_emptied(cached);
  assert_emptied(uncached);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(conversions_go_back_and_forth),    TEST(an_address_is_of_one_alias),
      TEST(writeback_makes_writes_visible),   TEST(invalidate_makes_writes_visible),
      TEST(writeback_invalidate_does_both),   TEST(modules_get_cached_memory),
      TEST(both_aliases_mean_the_same_block), TEST(both_aliases_go_with_the_block),
  };
  return RUN_TESTS("caches", kTests);
}
