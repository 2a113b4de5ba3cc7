/*
 * Regions: the contract's section on pages and regions, but its first sentence (pages_test.c).
 *
 *   vregion_create(size_t memsize): rounded up to pages    memsize_is_rounded_up_to_pages
 *   0 gives NULL                                           memsize_0_gives_null
 *   vregion_get(vr), vregion_put(vr): reference count      regions_count_references
 *   the last put frees all and returns NULL                the_last_put_frees_all
 *   vregion_alloc(vr, size)                                blocks_hold_what_is_written
 *   vregion_alloc_align(vr, size, alignment)               alignment_is_honoured
 *   vregion_alloc_coherent(vr, size)                       coherent_blocks_are_uncached
 *   vregion_alloc_coherent_align(vr, size, alignment)      coherent_blocks_are_uncached
 *   void vregion_free(vr, ptr)                             vregion_free_frees
 *   void vregion_set_interim(vr)                           sealing_makes_a_heap_of_what_is_left
 *   void vregion_info(vr)                                  vregion_info_logs_a_line
 *   void vregion_mem_info(vr, size_t *size, uintptr_t start)
 *         vregion_mem_info_says_where
 *   Blocks are aligned to the cache line at least          blocks_start_on_cache_lines
 *   Allocation starts in lifetime mode (bump;
 *         lifetime_blocks_lie_one_behind_the_other
 *   frees only counted)                                    lifetime_frees_are_only_counted
 *   vregion_set_interim() seals it, and what is left becomes a heap
 *         sealing_makes_a_heap_of_what_is_left
 *   A 3-page region that served 6000 and 5000 bytes of lifetime cannot serve 6000 more,
 *     but after sealing serves 20 and 1000, not 2000 besides, and 1000 again once freed
 *         three_pages
 *   Misuse of a void free: vregion_free                    vregion_free_of_garbage_is_misuse
 *   (a region's pages: NEEDS c 12, remainders below 1024)
 *         a_remainder_of_a_line_is_a_heap
 *   modmem_vregion_create_growing(size_t most)             growing_regions_map_what_they_hold,
 *                                                          growing_regions_have_a_most
 */
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/lib/vregion.h>
#include <string.h>

#include "capi/tests/support.h"

static size_t mapped(const struct vregion* region) {
  struct modmem_heap_info info;
  assert_int_equal(modmem_vregion_heap_info(region, &info), 0);
  return info.mapped_bytes;
}

static void memsize_is_rounded_up_to_pages(void** state) {
  (void)state;
  static const struct {
    size_t asked;
    size_t given;
  } kSizes[] = {{1, 4096}, {4095, 4096}, {4096, 4096}, {4097, 8192}, {100000, 102400}};
  for (size_t i = 0; i < COUNT(kSizes); i++) {
    const size_t pool = pool_mapped();
    struct vregion* region = vregion_create(kSizes[i].asked);
    size_t size = 0;
    assert_non_null(region);
    vregion_mem_info(region, &size, NULL);
    assert_int_equal(size, kSizes[i].given);
    assert_int_equal(mapped(region), kSizes[i].given);
    assert_true(pool_mapped() >= pool + kSizes[i].given);
    char* all = vregion_alloc(region, kSizes[i].given);
    assert_non_null(all);
    fill(all, kSizes[i].given, 1);
    assert_null(vregion_alloc(region, 1));
    expect_line("no memory");
    assert_null(vregion_put(region));
    assert_int_equal(pool_mapped(), pool);
  }
}

static void memsize_0_gives_null(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  assert_null(vregion_create(0));
  close_lines();
  assert_null(vregion_create(SIZE_MAX));
  expect_line("no memory");
  assert_int_equal(pool_mapped(), pool);
}

static void regions_count_references(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  struct vregion* region = vregion_create(KIB(8));
  char* block = vregion_alloc(region, 100);
  fill(block, 100, 1);
  assert_ptr_equal(vregion_get(region), region);
  assert_ptr_equal(vregion_get(region), region);
  assert_ptr_equal(vregion_put(region), region);
  assert_filled(block, 100, 1);
  assert_ptr_equal(vregion_put(region), region);
  assert_filled(block, 100, 1);
  assert_int_equal(mapped(region), KIB(8));
  assert_null(vregion_put(region));
  assert_int_equal(pool_mapped(), pool);
  assert_null(vregion_get(NULL));
  assert_null(vregion_put(NULL));
  expect_quiet();
}

static void the_last_put_frees_all(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  const size_t live = heap_live(NULL);
  struct vregion* region = vregion_create(KIB(16));
  char* lifetime = vregion_alloc(region, 3000);
  vregion_set_interim(region);
  char* interim = vregion_alloc(region, 3000);
  assert_non_null(lifetime);
  assert_non_null(interim);
  const uintptr_t first = address_of(lifetime);
  const uintptr_t last = address_of(interim);
  assert_mapped(lifetime);
  assert_mapped(interim);
  assert_null(vregion_put(region));
  expect_quiet(); /* that is its use, no leak */
  assert_int_equal(pool_mapped(), pool);
  assert_int_equal(heap_live(NULL), live);
  assert_emptied(first);
  assert_emptied(last);
}

static void blocks_hold_what_is_written(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(32));
  for (int interim = 0; interim < 2; interim++) {
    char* blocks[20];
    for (unsigned i = 0; i < COUNT(blocks); i++) {
      blocks[i] = vregion_alloc(region, 1 + i * 37);
      assert_non_null(blocks[i]);
      fill(blocks[i], 1 + i * 37, i);
    }
    for (unsigned i = 0; i < COUNT(blocks); i++) {
      assert_filled(blocks[i], 1 + i * 37, i);
      vregion_free(region, blocks[i]);
    }
    vregion_set_interim(region);
  }
  assert_null(vregion_alloc(region, 0));
  close_lines();
  assert_null(vregion_alloc(region, SIZE_MAX));
  expect_line("no memory");
  assert_null(vregion_put(region));
}

static void alignment_is_honoured(void** state) {
  (void)state;
  for (int interim = 0; interim < 2; interim++) {
    struct vregion* region = vregion_create(KIB(64));
    if (interim) {
      vregion_set_interim(region);
    }
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
      char* small = vregion_alloc(region, 1);
      char* block = vregion_alloc_align(region, 100, alignment);
      assert_non_null(small);
      assert_non_null(block);
      assert_true(is_aligned(block, alignment));
      assert_true(is_aligned(block, line_bytes()));
      fill(block, 100, 1);
      assert_filled(block, 100, 1);
    }
    char* natural = vregion_alloc_align(region, 100, 0);
    assert_non_null(natural);
    assert_true(is_aligned(natural, line_bytes()));
    assert_null(vregion_alloc_align(region, 100, 48));
    expect_error("alignment");
    assert_null(vregion_put(region));
  }
}

static void coherent_blocks_are_uncached(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(32));
  for (int interim = 0; interim < 2; interim++) {
    char* block = vregion_alloc_coherent(region, 100);
    char* aligned = vregion_alloc_coherent_align(region, 100, 1024);
    char* cached = vregion_alloc(region, 100);
    assert_non_null(block);
    assert_non_null(aligned);
    assert_true(is_aligned(block, line_bytes()));
    assert_true(is_aligned(aligned, 1024));
    assert_true(sys_cache_is_ptr_cached(cached));
    if (host() != HOST_LIBC) {
      assert_true(sys_cache_is_ptr_uncached(block));
      assert_true(sys_cache_is_ptr_uncached(aligned));
    }
    fill(block, 100, 1);
    assert_filled(sys_cache_cached_ptr_get(block), 100, 1);
    vregion_free(region, block);
    vregion_free(region, sys_cache_cached_ptr_get(aligned));
    vregion_free(region, cached);
    expect_quiet();
    vregion_set_interim(region);
  }
  assert_null(vregion_put(region));
}

static void blocks_start_on_cache_lines(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(16));
  for (int interim = 0; interim < 2; interim++) {
    for (size_t bytes = 1; bytes < 200; bytes += 23) {
      char* block = vregion_alloc(region, bytes);
      char* aligned = vregion_alloc_align(region, bytes, 4);
      assert_non_null(block);
      assert_true(is_aligned(block, line_bytes()));
      assert_true(is_aligned(aligned, line_bytes()));
    }
    vregion_set_interim(region);
  }
  assert_null(vregion_put(region));
}

static void lifetime_blocks_lie_one_behind_the_other(void** state) {
  (void)state;
  SKIP_UNDER(HOST_LIBC, "blocks lie where the C library has them");
  struct vregion* region = vregion_create(KIB(12));
  uintptr_t start = 0;
  vregion_mem_info(region, NULL, &start);
  uintptr_t top = start;
  for (size_t bytes = 1; bytes < 2000; bytes = bytes * 2 + 5) {
    char* block = vregion_alloc(region, bytes);
    assert_int_equal(address_of(block), top);
    top += (bytes + 63) / 64 * 64;
  }
  assert_null(vregion_put(region));
}

static void lifetime_frees_are_only_counted(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(8));
  for (int i = 0; i < 2; i++) {
    char* block = vregion_alloc(region, 4096);
    assert_non_null(block);
    vregion_free(region, block);
  }
  /* Both halves are used up, though nothing lives. */
  assert_null(vregion_alloc(region, 1));
  expect_line("no memory");
  struct modmem_heap_info info;
  assert_int_equal(modmem_vregion_heap_info(region, &info), 0);
  assert_int_equal(info.frees, 2);
  assert_int_equal(info.live_bytes, 0);
  assert_int_equal(info.mapped_bytes, KIB(8));
  /* Nor does sealing bring them back. */
  vregion_set_interim(region);
  assert_null(vregion_alloc(region, 1));
  expect_line("no memory");
  assert_null(vregion_put(region));
}

static void vregion_free_frees(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(8));
  vregion_set_interim(region);
  for (int i = 0; i < 100; i++) {
    char* block = vregion_alloc(region, KIB(8));
    assert_non_null(block);
    assert_null(vregion_alloc(region, 1));
    vregion_free(region, block);
  }
  close_lines();
  vregion_free(region, NULL);
  expect_quiet();
  /* Lifetime blocks may go after sealing. */
  struct vregion* other = vregion_create(KIB(8));
  char* lifetime = vregion_alloc(other, 100);
  vregion_set_interim(other);
  vregion_free(other, lifetime);
  expect_quiet();
  assert_null(vregion_put(other));
  assert_null(vregion_put(region));
}

static void sealing_makes_a_heap_of_what_is_left(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(12));
  char* lifetime = vregion_alloc(region, KIB(4));
  fill(lifetime, KIB(4), 1);
  vregion_set_interim(region);
  char* all = vregion_alloc(region, KIB(8));
  assert_non_null(all);
  fill(all, KIB(8), 2);
  vregion_free(region, all);
  char* parts[8];
  for (size_t i = 0; i < COUNT(parts); i++) {
    parts[i] = vregion_alloc(region, KIB(1));
    assert_non_null(parts[i]);
  }
  assert_null(vregion_alloc(region, 1));
  expect_line("no memory");
  vregion_free(region, parts[3]);
  vregion_free(region, parts[4]);
  parts[3] = vregion_alloc(region, KIB(2)); /* neighbours join */
  assert_non_null(parts[3]);
  vregion_set_interim(region); /* again: nothing happens */
  assert_filled(lifetime, KIB(4), 1);
  assert_null(vregion_put(region));
  vregion_set_interim(NULL);
  expect_quiet();
}

static void three_pages(void** state) {
  (void)state;
  struct vregion* region = vregion_create((size_t)3 * 4096);
  char* first = vregion_alloc(region, 6000);
  char* second = vregion_alloc(region, 5000);
  assert_non_null(first);
  assert_non_null(second);
  fill(first, 6000, 1);
  fill(second, 5000, 2);
  assert_null(vregion_alloc(region, 6000));
  expect_line("no memory");
  vregion_set_interim(region);
  char* small = vregion_alloc(region, 20);
  char* large = vregion_alloc(region, 1000);
  assert_non_null(small);
  assert_non_null(large);
  fill(large, 1000, 3);
  assert_null(vregion_alloc(region, 2000));
  expect_line("no memory");
  assert_filled(large, 1000, 3);
  vregion_free(region, large);
  large = vregion_alloc(region, 1000);
  assert_non_null(large);
  assert_filled(first, 6000, 1);
  assert_filled(second, 5000, 2);
  vregion_free(region, large);
  vregion_free(region, small);
  vregion_free(region, second);
  vregion_free(region, first);
  expect_quiet();
  assert_null(vregion_put(region));
}

static void a_remainder_of_a_line_is_a_heap(void** state) {
  (void)state;
  struct vregion* region = vregion_create(4096);
  assert_non_null(vregion_alloc(region, 4096 - 64));
  vregion_set_interim(region);
  char* block = vregion_alloc(region, 64);
  assert_non_null(block);
  fill(block, 64, 1);
  assert_null(vregion_alloc(region, 1));
  expect_line("no memory");
  vregion_free(region, block);
  block = vregion_alloc(region, 1);
  assert_non_null(block);
  assert_null(vregion_put(region));
}

static void growing_regions_map_what_they_hold(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  struct vregion* region = modmem_vregion_create_growing(KIB(1024));
  assert_non_null(region);
  assert_int_equal(mapped(region), 0);
  char* lifetime = vregion_alloc(region, 6000);
  assert_non_null(lifetime);
  assert_mapped(lifetime);
  fill(lifetime, 6000, 1);
  assert_int_equal(mapped(region), KIB(8));
  vregion_free(region, vregion_alloc(region, 3000));
  assert_int_equal(mapped(region), KIB(12)); /* a lifetime block's memory stays */
  vregion_set_interim(region);
  char* coherent = vregion_alloc_coherent(region, KIB(40));
  assert_non_null(coherent);
  fill(coherent, KIB(40), 2);
  assert_filled(coherent, KIB(40), 2);
  assert_true(mapped(region) >= KIB(48));
  const uintptr_t last = address_of(coherent) + KIB(40) - 1;
  vregion_free(region, coherent);
  assert_int_equal(mapped(region), KIB(12));
  if (host() == HOST_SIM) {
    assert_true(faults_at(last));
  }
  assert_filled(lifetime, 6000, 1);
  assert_ptr_equal(vregion_get(region), region);
  assert_ptr_equal(vregion_put(region), region);
  assert_null(vregion_put(region));
  expect_quiet();
  assert_int_equal(pool_mapped(), pool);
}

static void growing_regions_have_a_most(void** state) {
  (void)state;
  struct vregion* region = modmem_vregion_create_growing(KIB(12) - 1);
  size_t size = 0;
  uintptr_t start = 0;
  vregion_mem_info(region, &size, &start);
  assert_int_equal(size, KIB(12));
  assert_int_not_equal(start, 0);
  assert_non_null(vregion_alloc(region, KIB(8)));
  for (int sealed = 0; sealed < 2; sealed++) {
    assert_null(vregion_alloc(region, KIB(4) + 1));
    expect_line("no memory");
    assert_int_equal(mapped(region), KIB(8));
    vregion_set_interim(region);
  }
  assert_non_null(vregion_alloc(region, KIB(4)));
  forget_lines();
  vregion_info(region);
  assert_int_equal(lines_with("12288 bytes at most"), 1);
  assert_null(vregion_put(region));
  assert_null(modmem_vregion_create_growing(0));
  expect_quiet();
  assert_null(modmem_vregion_create_growing(SIZE_MAX));
  expect_line("no memory");
}

static void vregion_info_logs_a_line(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(12));
  assert_non_null(vregion_alloc(region, 6000));
  forget_lines();
  vregion_info(region);
  expect_quiet();
  assert_int_equal(lines_with(""), 1);
  assert_int_equal(lines_with("12288 bytes"), 1);
  forget_lines();
  vregion_info(NULL);
  assert_int_equal(lines_with(""), 0);
  assert_null(vregion_put(region));
}

static void vregion_mem_info_says_where(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(20));
  struct vregion* other = vregion_create(KIB(8));
  size_t size = 0;
  size_t other_size = 0;
  uintptr_t start = 0;
  uintptr_t other_start = 0;
  vregion_mem_info(region, &size, &start);
  vregion_mem_info(other, &other_size, &other_start);
  assert_int_equal(size, KIB(20));
  assert_int_equal(other_size, KIB(8));
  assert_int_equal(start % 4096, 0);
  assert_int_not_equal(start, 0);
  assert_true(start + size <= other_start || other_start + other_size <= start);
  if (host() != HOST_LIBC) {
    char* all = vregion_alloc(region, size);
    assert_int_equal(address_of(all), start);
  }
  if (host() == HOST_SIM) {
    assert_false(faults_at(start));
    assert_false(faults_at(start + size - 1));
  }
  vregion_mem_info(region, NULL, NULL);
  size = 1;
  start = 1;
  vregion_mem_info(NULL, &size, &start);
  assert_int_equal(size, 0);
  assert_int_equal(start, 0);
  assert_null(vregion_put(other));
  assert_null(vregion_put(region));
  assert_emptied(start == 0 ? other_start : start);
}

static void vregion_free_of_garbage_is_misuse(void** state) {
  (void)state;
  for (int interim = 0; interim < 2; interim++) {
    char local = 0;
    struct vregion* region = vregion_create(KIB(8));
    if (interim) {
      vregion_set_interim(region);
    }
    char* keeper = vregion_alloc(region, 64);
    char* block = vregion_alloc(region, 300);
    vregion_free(region, block + 64);
    expect_fault(MODMEM_FAULT_INTERIOR, "vregion_free", block + 64);
    assert_true(last_fault()->fatal);
    vregion_free(region, &local);
    expect_fault(MODMEM_FAULT_FOREIGN, "vregion_free", &local);
    const uintptr_t address = address_of(block);
    vregion_free(region, block);
    vregion_free(region, (void*)address); /* NOLINT(performance-no-int-to-ptr) */
    expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE, "vregion_free",
                 (void*)address);
    vregion_free(region, keeper);
    expect_quiet();
    assert_null(vregion_put(region));
  }
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(memsize_is_rounded_up_to_pages),
      TEST(memsize_0_gives_null),
      TEST(regions_count_references),
      TEST(the_last_put_frees_all),
      TEST(blocks_hold_what_is_written),
      TEST(alignment_is_honoured),
      TEST(coherent_blocks_are_uncached),
      TEST(blocks_start_on_cache_lines),
      TEST(lifetime_blocks_lie_one_behind_the_other),
      TEST(lifetime_frees_are_only_counted),
      TEST(vregion_free_frees),
      TEST(sealing_makes_a_heap_of_what_is_left),
      TEST(three_pages),
      TEST(a_remainder_of_a_line_is_a_heap),
      TEST(growing_regions_map_what_they_hold),
      TEST(growing_regions_have_a_most),
      TEST(vregion_info_logs_a_line),
      TEST(vregion_mem_info_says_where),
      TEST(vregion_free_of_garbage_is_misuse),
  };
  return RUN_TESTS("regions", kTests);
}
