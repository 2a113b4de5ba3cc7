/* Cache lines, L3, and the rest: 30, 31, 32, 34 and 35 of docs/regressions.md. */
#include <stdio.h>

#include "capi/tests/needs/needs.h"

/*
 * A buffer that started or ended inside of a line: to invalidate it for DMA also discarded what
 * its neighbour had there.
 */
static void s30_what_is_invalidated_shares_no_line(void** state) {
  static const uint32_t flags[] = {SOF_MEM_FLAG_COHERENT, SOF_MEM_FLAG_DMA,
                                   SOF_MEM_FLAG_USER_SHARED_BUFFER, SOF_MEM_FLAG_LARGE_BUFFER,
                                   SOF_MEM_FLAG_COHERENT | SOF_MEM_FLAG_LARGE_BUFFER};
  static const size_t sizes[] = {1, 8, 24, 63, 64, 65, 100, 200, 1000, 5000};
  enum { BLOCKS = COUNT(sizes) };
  const size_t line = line_bytes();
  (void)state;
  for (unsigned kind = 0; kind < COUNT(flags); kind++) {
    char* blocks[BLOCKS];
    char* others[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
      blocks[i] = rmalloc_align(flags[kind], sizes[i], 8);
      others[i] = rmalloc_align(SOF_MEM_FLAG_USER, sizes[i], 8); /* between them, in any heap */
      assert_non_null(blocks[i]);
      assert_non_null(others[i]);
      assert_true(is_aligned(blocks[i], line));
      if (host() != HOST_LIBC && !UNDER_ASAN) { /* these give exactly what was asked for */
        assert_int_equal(modmem_usable_size(blocks[i]) % line, 0);
      }
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
      const uintptr_t first = (uintptr_t)sys_cache_cached_ptr_get(blocks[i]) / line;
      const uintptr_t last = ((uintptr_t)sys_cache_cached_ptr_get(blocks[i]) + sizes[i] - 1) / line;
      /* Of stand-ins the C library says what lies beside them. */
      for (unsigned j = 0; j < BLOCKS && host() != HOST_LIBC; j++) {
        assert_true((uintptr_t)others[j] / line > last ||
                    ((uintptr_t)others[j] + sizes[j] - 1) / line < first);
      }
      fill(others[i], sizes[i], i);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
      dcache_invalidate_region(blocks[i], sizes[i]);
      rfree(blocks[i]);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
      assert_filled(others[i], sizes[i], i);
      rfree(others[i]);
    }
  }
}

extern char __executable_start;
extern char end;

/* The L3 heap began at an address in a header, inside of the firmware's image. */
static void s31_l3_lies_outside_of_everything_else(void** state) {
  enum { BLOCKS = 16, BYTES = 3000 };
  char* blocks[BLOCKS];
  (void)state;
  char* sram = rballoc(0, 3 * page_bytes());
  assert_non_null(sram);
  fill(sram, 3 * page_bytes(), 99);
  for (unsigned i = 0; i < BLOCKS; i++) {
    blocks[i] = rmalloc(SOF_MEM_FLAG_L3, BYTES);
    assert_non_null(blocks[i]);
    assert_true(blocks[i] >= &end || blocks[i] + BYTES <= &__executable_start);
    assert_true(blocks[i] >= sram + 3 * page_bytes() || blocks[i] + BYTES <= sram);
    fill(blocks[i], BYTES, i);
  }
  l3_heap_save(); /* its list lies in L3 as well, beside the blocks */
  assert_filled(sram, 3 * page_bytes(), 99);
  for (unsigned i = 0; i < BLOCKS; i++) {
    assert_filled(blocks[i], BYTES, i);
    rfree(blocks[i]);
  }
  assert_refused(rmalloc(SOF_MEM_FLAG_L3, (size_t)1 << 30)); /* the size is the memory's own */
  rfree(sram);
}

/* What had been saved was read back before L3 could be reached. */
static void s32_l3_is_mapped_before_it_is_restored(void** state) {
  enum { BLOCKS = 5 };
  static const size_t sizes[BLOCKS] = {10, 4096, 70000, 1, 5000};
  char* blocks[BLOCKS];
  (void)state;
  for (unsigned i = 0; i < BLOCKS; i++) {
    blocks[i] = rmalloc(SOF_MEM_FLAG_L3, sizes[i]);
    assert_non_null(blocks[i]);
    fill(blocks[i], sizes[i], i);
  }
  rfree(blocks[1]); /* a gap among what is saved */
  l3_heap_save();
  assert_int_equal(modmem_host_power_cycle(), 0);
  for (unsigned i = 0; i < BLOCKS; i++) {
    if (i != 1) {
      assert_filled(blocks[i], sizes[i], i);
      assert_mapped(blocks[i] + sizes[i] - 1);
    }
  }
  /* What comes now is not where they are. */
  char* next = rmalloc(SOF_MEM_FLAG_L3, 4096);
  assert_non_null(next);
  memset(next, 0xff, 4096);
  for (unsigned i = 2; i < BLOCKS; i++) {
    assert_int_equal(blocks[i][0] == (char)0xff && blocks[i][sizes[i] - 1] == (char)0xff, false);
    rfree(blocks[i]);
  }
  rfree(blocks[0]);
  rfree(next);
}

/* What asked for zeroed memory wrote zeros to where there was none. */
static void s34_nothing_is_zeroed_where_there_is_nothing(void** state) {
  enum { HUGE_BYTES = 64 << 20 };
  struct processing_module mod;
  struct k_heap* heap = modmem_heap_create("small", 100);
  struct mod_alloc_ctx in_heap = {heap, NULL};
  struct vregion* region = vregion_create(page_bytes());
  struct mod_alloc_ctx in_region = {NULL, region};
  struct objpool_head pool = {.list = LIST_INIT(pool.list), .heap = heap};
  (void)state;
  begin_module(&mod, 0x40001);
  assert_refused(rzalloc(0, HUGE_BYTES));
  assert_refused(rzalloc(SOF_MEM_FLAG_COHERENT, HUGE_BYTES));
  assert_refused(rzalloc(0, SIZE_MAX));
  assert_refused(rzalloc(0, 0));
  assert_refused(mod_zalloc(&mod, HUGE_BYTES));
  assert_refused(mod_zalloc(&mod, 0));
  assert_refused(sof_ctx_zalloc(&in_heap, 0, 101, 0));
  assert_refused(sof_ctx_zalloc(&in_region, 0, page_bytes() + 1, 0));
  assert_refused(sof_ctx_zalloc(NULL, 0, HUGE_BYTES, 0));
  assert_refused(objpool_alloc(&pool, 200, 0));
  struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&mod);
  assert_non_null(handler);
  assert_int_equal(comp_init_data_blob(handler, HUGE_BYTES, NULL), -ENOMEM); /* zeros */
  close_lines();
  mod_free_all(&mod);
  assert_int_equal(modmem_heap_destroy(heap), 0);
  assert_null(vregion_put(region));
}

/* The dump of the heaps began again with the first one for ever. */
static void s35_every_dump_ends(void** state) {
  enum { HEAPS = 12 };
  static char names[HEAPS][16];
  struct k_heap* heaps[HEAPS];
  struct vmh_heap* slots = heap_of_slots(64, 64, true);
  struct vregion* region = vregion_create(page_bytes());
  void* buffers[200];
  unsigned count = 0;
  (void)state;
  for (unsigned i = 0; i < HEAPS; i++) {
    snprintf(names[i], sizeof(names[i]), "dumped.%u", i + 10);
    heaps[i] = modmem_heap_create(names[i], 0);
    assert_non_null(sof_heap_alloc(heaps[i], 0, 10, 0));
  }
  while (count < COUNT(buffers) &&
         (buffers[count] = rballoc((uint32_t)MODMEM_MEM_FLAG_SILENT, 60000)) != NULL) {
    count++; /* full, as it is when a dump is wanted */
  }
  for (unsigned round = 0; round < 2; round++) {
    forget_lines();
    heap_trace_all(1);
    for (unsigned i = 0; i < HEAPS; i++) {
      /* Under the other policies it is an account on the system's heap. */
      assert_int_equal(lines_with(names[i]), policy_is_elastic() ? 1 : 0);
    }
    assert_in_range(lines_with(""), 2, HEAPS + 20);
    forget_lines();
    vmh_log_stats(slots);
    assert_in_range(lines_with(""), 1, 3);
    forget_lines();
    vregion_info(region);
    assert_int_equal(lines_with(""), 1);
  }
  forget_lines();
  while (count > 0) {
    rfree(buffers[--count]);
  }
  for (unsigned i = 0; i < HEAPS; i++) {
    assert_int_equal(modmem_heap_destroy(heaps[i]), 1);
    close_lines();
  }
  assert_null(vregion_put(region));
  assert_int_equal(vmh_free_heap(slots), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(s30_what_is_invalidated_shares_no_line),
      TEST(s31_l3_lies_outside_of_everything_else),
      TEST(s32_l3_is_mapped_before_it_is_restored),
      TEST(s34_nothing_is_zeroed_where_there_is_nothing),
      TEST(s35_every_dump_ends),
  };
  return RUN_TESTS("needs: caches, L3 and the rest", tests);
}
