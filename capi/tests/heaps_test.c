/*
 * Private heaps and contexts: the sentences of the section on the rmalloc family about them.
 *
 *   sof_heap_alloc(), sof_heap_free()                      sof_heap_alloc_takes_from_the_heap
 *   sof_sys_heap_get(), sof_sys_user_heap_get(): may be NULL
 *         the_system_heaps_serve_if_they_are_there
 *   struct mod_alloc_ctx { heap, vreg }                    a_context_names_a_heap_or_a_region
 *   sof_ctx_alloc()                                        sof_ctx_alloc_takes_from_the_context
 *   sof_ctx_zalloc()                                       sof_ctx_zalloc_zeroes
 *   sof_ctx_free()                                         sof_ctx_alloc_takes_from_the_context
 *   sof_heap_alloc: heap NULL means that the policy decides
 *         heap_null_means_that_the_policy_decides
 *   sof_heap_free with the wrong heap still frees from the right one
 *         sof_heap_free_finds_the_right_heap
 *   A context with a vregion allocates from and frees to that region
 *         a_context_with_a_region_uses_it
 *   memory taken elsewhere is still freed to where it came from
 *         sof_ctx_free_finds_where_memory_came_from
 *   struct k_heap is modmem's private heap object: modmem_heap_create(name, limit)
 *         modmem_heap_create_limits_and_names
 *   modmem_heap_premap(heap, pages, blocks)                modmem_heap_premap_has_pages_ready
 *   modmem_heap_destroy(heap)                              modmem_heap_destroy_reports_leaks
 *         what_is_no_heap_is_refused
 *         a_private_heap_shares_no_page
 *   Misuse of a void free: sof_heap_free                   sof_heap_free_of_garbage_is_misuse
 */
#include <rtos/alloc.h>
#include <sof/lib/vregion.h>
#include <string.h>

#include "capi/tests/support.h"

static void sof_heap_alloc_takes_from_the_heap(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("mine", 0);
  assert_non_null(heap);
  assert_int_equal(heap_live(heap), 0);
  char* block = sof_heap_alloc(heap, SOF_MEM_FLAG_USER, 300, 128);
  assert_non_null(block);
  assert_true(is_aligned(block, 128));
  fill(block, 300, 1);
  assert_int_equal(heap_live(heap), 300);
  char* coherent = sof_heap_alloc(heap, SOF_MEM_FLAG_COHERENT, 100, 0);
  assert_non_null(coherent);
  assert_int_equal(heap_live(heap), 400);
  sof_heap_free(heap, coherent);
  assert_int_equal(heap_live(heap), 300);
  assert_filled(block, 300, 1);
  sof_heap_free(heap, block);
  assert_int_equal(heap_live(heap), 0);
  sof_heap_free(heap, NULL);
  expect_quiet();
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void the_system_heaps_serve_if_they_are_there(void** state) {
  (void)state;
  struct k_heap* heaps[] = {sof_sys_heap_get(), sof_sys_user_heap_get()};
  for (size_t i = 0; i < COUNT(heaps); i++) {
    char* block = sof_heap_alloc(heaps[i], 0, 500, 0);
    assert_non_null(block);
    fill(block, 500, 1);
    assert_filled(block, 500, 1);
    sof_heap_free(heaps[i], block);
  }
  assert_ptr_equal(sof_sys_heap_get(), heaps[0]);
  assert_ptr_equal(sof_sys_user_heap_get(), heaps[1]);
}

static void a_context_names_a_heap_or_a_region(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("mine", 0);
  struct mod_alloc_ctx of_policy = {.heap = NULL, .vreg = NULL};
  struct mod_alloc_ctx of_heap = {.heap = heap, .vreg = NULL};
  const size_t system = heap_live(NULL);
  char* first = sof_ctx_alloc(&of_policy, 0, 100, 0);
  assert_non_null(first);
  assert_int_equal(heap_live(heap), 0);
  assert_int_equal(heap_live(NULL), system + 100);
  char* second = sof_ctx_alloc(&of_heap, 0, 100, 0);
  assert_non_null(second);
  assert_int_equal(heap_live(heap), 100);
  sof_ctx_free(&of_heap, second);
  sof_ctx_free(&of_policy, first);
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void sof_ctx_alloc_takes_from_the_context(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("mine", 0);
  struct mod_alloc_ctx ctx = {heap, NULL};
  char* block = sof_ctx_alloc(&ctx, SOF_MEM_FLAG_USER | SOF_MEM_FLAG_LARGE_BUFFER, 1000, 16);
  assert_non_null(block);
  assert_true(is_aligned(block, line_bytes()));
  assert_int_equal(heap_live(heap), 1000);
  sof_ctx_free(&ctx, block);
  assert_int_equal(heap_live(heap), 0);
  sof_ctx_free(&ctx, NULL);
  expect_quiet();
  assert_null(sof_ctx_alloc(&ctx, 0, 0, 0));
  close_lines();
  assert_null(sof_ctx_alloc(&ctx, 0, 100, 24));
  expect_error("alignment");
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void sof_ctx_zalloc_zeroes(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("mine", 0);
  struct mod_alloc_ctx contexts[] = {{heap, NULL}, {NULL, NULL}, {NULL, vregion_create(KIB(16))}};
  for (size_t i = 0; i < COUNT(contexts); i++) {
    char* keeper = sof_ctx_alloc(&contexts[i], 0, 64, 0);
    char* used = sof_ctx_alloc(&contexts[i], 0, 2000, 0);
    assert_non_null(used);
    memset(used, 0xa5, 2000);
    sof_ctx_free(&contexts[i], used);
    char* block = sof_ctx_zalloc(&contexts[i], 0, 2000, 64);
    assert_non_null(block);
    assert_true(is_aligned(block, 64));
    assert_zero(block, 2000);
    sof_ctx_free(&contexts[i], block);
    sof_ctx_free(&contexts[i], keeper);
  }
  assert_null(vregion_put(contexts[2].vreg));
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void heap_null_means_that_the_policy_decides(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("mine", 0);
  const size_t system = heap_live(NULL);
  char* block = sof_heap_alloc(NULL, 0, 100, 0);
  assert_non_null(block);
  assert_int_equal(heap_live(NULL), system + 100);
  assert_int_equal(heap_live(heap), 0);
  sof_heap_free(NULL, block);
  assert_int_equal(modmem_heap_destroy(heap), 0);
  /* Policy slots sends large buffers elsewhere: a slot, of a power of two. */
  reboot_policy("slots");
  char* large = sof_heap_alloc(NULL, SOF_MEM_FLAG_LARGE_BUFFER, 3000, 0);
  assert_non_null(large);
  assert_slots(large, 4096, 3000);
  assert_int_equal(named_live("slots"), 3000);
  sof_heap_free(NULL, large);
}

static void sof_heap_free_finds_the_right_heap(void** state) {
  (void)state;
  struct k_heap* one = modmem_heap_create("one", 0);
  struct k_heap* two = modmem_heap_create("two", 0);
  char* of_one = sof_heap_alloc(one, 0, 100, 0);
  char* of_two = sof_heap_alloc(two, 0, 200, 0);
  char* of_system = sof_heap_alloc(NULL, 0, 300, 0);
  const size_t system = heap_live(NULL);
  sof_heap_free(two, of_one);
  expect_quiet();
  assert_int_equal(heap_live(one), 0);
  assert_int_equal(heap_live(two), 200);
  sof_heap_free(NULL, of_two);
  expect_quiet();
  assert_int_equal(heap_live(two), 0);
  sof_heap_free(one, of_system);
  expect_quiet();
  assert_true(heap_live(NULL) <= system - 300);
  assert_int_equal(modmem_heap_destroy(one), 0);
  assert_int_equal(modmem_heap_destroy(two), 0);
}

static void a_context_with_a_region_uses_it(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(12));
  struct k_heap* heap = modmem_heap_create("mine", 0);
  struct mod_alloc_ctx ctx = {heap, region};
  size_t size = 0;
  uintptr_t start = 0;
  vregion_mem_info(region, &size, &start);
  assert_int_equal(size, KIB(12));
  char* block = sof_ctx_alloc(&ctx, 0, 6000, 0);
  assert_non_null(block);
  assert_int_equal(heap_live(heap), 0);
  if (host() != HOST_LIBC) { /* whose blocks lie in the C library */
    assert_in_range(address_of(block), start, start + size - 6000);
  }
  /* It is the region that is full, not the pool. */
  assert_null(sof_ctx_alloc(&ctx, 0, 8000, 0));
  expect_line("no memory");
  /* Freed to that region: its heap gives the place again. */
  vregion_set_interim(region);
  sof_ctx_free(&ctx, block);
  char* interim = sof_ctx_alloc(&ctx, 0, 5000, 0);
  assert_non_null(interim);
  assert_null(sof_ctx_alloc(&ctx, 0, 5000, 0));
  expect_line("no memory");
  sof_ctx_free(&ctx, interim);
  interim = sof_ctx_alloc(&ctx, 0, 5000, 0);
  assert_non_null(interim);
  sof_ctx_free(&ctx, interim);
  expect_quiet();
  assert_null(vregion_put(region));
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void sof_ctx_free_finds_where_memory_came_from(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(8));
  struct k_heap* heap = modmem_heap_create("mine", 0);
  struct mod_alloc_ctx of_region = {NULL, region};
  struct mod_alloc_ctx of_heap = {heap, NULL};
  const size_t system = heap_live(NULL);
  char* from_heap = sof_heap_alloc(heap, 0, 100, 0);
  char* from_system = rmalloc(0, 100);
  vregion_set_interim(region);
  char* from_region = vregion_alloc(region, 5000);
  assert_non_null(from_region);
  sof_ctx_free(&of_region, from_heap);
  sof_ctx_free(&of_region, from_system);
  sof_ctx_free(&of_heap, from_region);
  expect_quiet();
  assert_int_equal(heap_live(heap), 0);
  assert_int_equal(heap_live(NULL), system);
  from_region = vregion_alloc(region, 5000);
  assert_non_null(from_region);
  /* rfree() and sof_heap_free() take it, too: the pointer alone says where it came from. */
  rfree(from_region);
  expect_quiet();
  from_region = vregion_alloc(region, 5000);
  assert_non_null(from_region);
  sof_heap_free(heap, from_region);
  expect_quiet();
  assert_null(vregion_put(region));
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void modmem_heap_create_limits_and_names(void** state) {
  (void)state;
  struct modmem_heap_info info;
  struct k_heap* heap = modmem_heap_create("limited", 1000);
  assert_non_null(heap);
  assert_int_equal(modmem_heap_info(heap, &info), 0);
  assert_string_equal(info.name, "limited");
  assert_int_equal(info.limit, 1000);
  assert_int_equal(info.live_bytes, 0);
  char* first = sof_heap_alloc(heap, 0, 600, 0);
  assert_non_null(first);
  assert_null(sof_heap_alloc(heap, 0, 401, 0));
  expect_line("limit");
  assert_non_null(strstr(last_line(), "limited"));
  char* second = sof_heap_alloc(heap, 0, 400, 0);
  assert_non_null(second);
  assert_int_equal(modmem_heap_info(heap, &info), 0);
  assert_int_equal(info.live_bytes, 1000);
  assert_int_equal(info.peak_live_bytes, 1000);
  assert_int_equal(info.allocations, 2);
  assert_int_equal(info.failures, 1);
  sof_heap_free(heap, first);
  sof_heap_free(heap, second);
  assert_int_equal(modmem_heap_info(heap, &info), 0);
  assert_int_equal(info.live_bytes, 0);
  assert_int_equal(info.peak_live_bytes, 1000);
  assert_int_equal(info.frees, 2);
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void modmem_heap_destroy_reports_leaks(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("leaky", 0);
  assert_non_null(sof_heap_alloc(heap, 0, 123, 0));
  assert_non_null(sof_heap_alloc(heap, 0, 456, 0));
  forget_lines();
  assert_int_equal(modmem_heap_destroy(heap), 2);
  assert_int_equal(lines_with("123 bytes"), 1);
  assert_int_equal(lines_with("456 bytes"), 1);
  assert_non_null(strstr(line_with("123 bytes"), "leaky"));
  assert_int_equal(close_lines(), 2);
  /* What they held is free: test_end() finds the pool as it was. */
}

static void what_is_no_heap_is_refused(void** state) {
  (void)state;
  static char nobodys[512];
  struct modmem_heap_info info;
  struct k_heap* garbage = (struct k_heap*)(void*)nobodys;
  assert_int_equal(modmem_heap_destroy(garbage), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "modmem_heap_destroy", garbage);
  assert_int_equal(modmem_heap_destroy(NULL), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "modmem_heap_destroy", NULL);
  assert_int_equal(modmem_heap_info(garbage, &info), -EINVAL);
  assert_int_equal(modmem_heap_info(NULL, NULL), -EINVAL);
  assert_int_equal(modmem_named_heap_info("no such heap", &info), -ENOENT);
  /* One that is gone is none. */
  struct k_heap* heap = modmem_heap_create("gone", 0);
  assert_int_equal(modmem_heap_info(heap, &info), 0);
  assert_int_equal(modmem_heap_destroy(heap), 0);
  assert_int_equal(modmem_heap_info(heap, &info), -EINVAL);
  assert_int_equal(modmem_heap_destroy(heap), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "modmem_heap_destroy", heap);
  expect_quiet();
}

/* Page counts: elastic and module-heaps, where a private heap has pages of its own. */
static void a_private_heap_shares_no_page(void** state) {
  (void)state;
  SKIP_UNLESS(policy_is_elastic(), "private heaps are accounts on the system's heap");
  const size_t page = page_bytes();
  const size_t pool = pool_mapped();
  struct k_heap* one = modmem_heap_create("one", 0);
  struct k_heap* two = modmem_heap_create("two", 0);
  assert_int_equal(heap_mapped(one), 0);
  char* of_one = sof_heap_alloc(one, 0, 16, 0);
  char* of_two = sof_heap_alloc(two, 0, 16, 0);
  char* of_system = rmalloc(0, 16);
  assert_int_equal(heap_mapped(one), page);
  assert_int_equal(heap_mapped(two), page);
  if (host() != HOST_LIBC) {
    assert_int_not_equal(address_of(of_one) / page, address_of(of_two) / page);
    assert_int_not_equal(address_of(of_one) / page, address_of(of_system) / page);
  }
  const uintptr_t address = address_of(of_one);
  assert_mapped(of_one);
  sof_heap_free(one, of_one);
  assert_int_equal(heap_mapped(one), 0);
  assert_emptied(address);
  rfree(of_system);
  /* Its end is complete, whatever it holds. */
  assert_non_null(sof_heap_alloc(two, 0, 10 * page, 0));
  const uintptr_t last = address_of(of_two);
  assert_true(heap_mapped(two) >= 10 * page);
  assert_int_equal(modmem_heap_destroy(two), 2);
  assert_int_equal(close_lines(), 2);
  assert_emptied(last);
  assert_int_equal(modmem_heap_destroy(one), 0);
  assert_int_equal(pool_mapped(), pool);
}

static void modmem_heap_premap_has_pages_ready(void** state) {
  (void)state;
  const size_t page = page_bytes();
  const size_t pool = pool_mapped();
  struct k_heap* heap = modmem_heap_create("ready", 0);
  if (!policy_is_elastic()) {
    assert_int_equal(modmem_heap_premap(heap, 2, 0), -ENOMEM);
    expect_line("unsupported");
    assert_int_equal(modmem_heap_destroy(heap), 0);
    return;
  }
  assert_int_equal(modmem_heap_premap(heap, 4, 0), 0);
  assert_int_equal(heap_mapped(heap), 4 * page);
  const size_t mapped = pool_mapped();
  void* small = sof_heap_alloc(heap, 0, 100, 0);
  void* large = sof_heap_alloc(heap, 0, 3 * page + 10, 0);
  assert_non_null(small);
  assert_non_null(large);
  assert_int_equal(pool_mapped(), mapped);
  rfree(small);
  rfree(large);
  assert_int_equal(pool_mapped(), mapped);
  assert_int_equal(modmem_heap_premap(heap, 1000000, 0), -ENOMEM);
  expect_line("pool");
  assert_int_equal(pool_mapped(), mapped);
  assert_int_equal(modmem_heap_premap(heap, 0, 0), 0);
  assert_int_equal(pool_mapped(), pool);
  assert_int_equal(modmem_heap_destroy(heap), 0);
  assert_int_equal(modmem_heap_premap(heap, 1, 0), -EINVAL);
  expect_quiet();
}

static void sof_heap_free_of_garbage_is_misuse(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("mine", 0);
  char* block = sof_heap_alloc(heap, 0, 300, 0);
  char local = 0;
  sof_heap_free(heap, block + 64);
  expect_fault(MODMEM_FAULT_INTERIOR, "sof_heap_free", block + 64);
  assert_true(last_fault()->fatal);
  sof_heap_free(heap, &local);
  expect_fault(MODMEM_FAULT_FOREIGN, "sof_heap_free", &local);
  assert_int_equal(heap_live(heap), 300);
  struct mod_alloc_ctx ctx = {heap, NULL};
  sof_ctx_free(&ctx, &local);
  expect_fault(MODMEM_FAULT_FOREIGN, "sof_ctx_free", &local);
  sof_heap_free(heap, block);
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(sof_heap_alloc_takes_from_the_heap),
      TEST(the_system_heaps_serve_if_they_are_there),
      TEST(a_context_names_a_heap_or_a_region),
      TEST(sof_ctx_alloc_takes_from_the_context),
      TEST(sof_ctx_zalloc_zeroes),
      TEST(heap_null_means_that_the_policy_decides),
      TEST(sof_heap_free_finds_the_right_heap),
      TEST(a_context_with_a_region_uses_it),
      TEST(sof_ctx_free_finds_where_memory_came_from),
      TEST(modmem_heap_create_limits_and_names),
      TEST(modmem_heap_destroy_reports_leaks),
      TEST(what_is_no_heap_is_refused),
      TEST(a_private_heap_shares_no_page),
      TEST(modmem_heap_premap_has_pages_ready),
      TEST(sof_heap_free_of_garbage_is_misuse),
  };
  return RUN_TESTS("heaps", kTests);
}
