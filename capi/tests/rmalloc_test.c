/*
 * The rmalloc family: sentences of the contract's section of that name, in its order, but those on
 * heaps and contexts (heaps_test.c) and on reallocating (reallocate_test.c).
 *
 *   void *rmalloc(uint32_t flags, size_t bytes)              rmalloc_gives_memory
 *   rmalloc_align()                                          rmalloc_align_gives_aligned_memory
 *   rzalloc(): zeroed                                        rzalloc_zeroes_used_memory
 *   rballoc_align(): large-buffer intent                     rballoc_align_has_large_buffer_intent
 *   rballoc(): inline, cache-line aligned                    rballoc_is_line_aligned
 *   rfree()                                                  rfree_gives_memory_back
 *   l3_heap_save()                                           l3_survives_a_power_cycle
 *   heap_trace_all(force)                                    heap_trace_all_logs_every_heap
 *   alignment 0 means natural, at least 8; max_align_t
 *     on hosted builds                                       alignment_0_is_max_align
 *   Alignment is honoured, always, on every back end         alignment_is_honoured_always
 *   Not a power of two: NULL and an error
 *                                                            alignment_that_is_no_power_of_two_fails
 *   bytes 0: NULL                                            bytes_0_gives_null
 *   bytes + alignment overflow: NULL                         overflow_gives_null
 *   rfree(NULL) does nothing                                 rfree_of_null_does_nothing
 *   rfree takes a pointer of any heap of this family         rfree_takes_blocks_of_all_heaps
 *   through the cached or the uncached alias                 rfree_takes_either_alias
 *   from any core                                            rfree_takes_blocks_from_any_core
 *   A pointer that is not the start of a live block is
 *     misuse                                                 rfree_of_an_inner_address_is_misuse
 *                                                            rfree_twice_is_misuse
 *                                                            rfree_of_foreign_memory_is_misuse
 *   L3 survives a power cycle: saved before, restored with
 *     its allocations after                                  l3_survives_a_power_cycle
 *                                                            l3_blocks_after_the_save_are_gone
 *                                                            l3_blocks_that_were_damaged_are_known
 * and of no sentence of its own:
 *   pages follow the blocks (a wrapper around malloc() must not pass)
 *                                                            pages_come_and_go_with_the_blocks
 *   what waits for its core is told
 *         queued_bytes_are_those_that_other_cores_freed
 */
#include <errno.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <string.h>

#include "capi/tests/support.h"

static void rmalloc_gives_memory(void** state) {
  (void)state;
  char* block = rmalloc(0, 100);
  assert_non_null(block);
  fill(block, 100, 1);
  char* other = rmalloc(SOF_MEM_FLAG_USER, 100);
  assert_non_null(other);
  fill(other, 100, 2);
  assert_filled(block, 100, 1);
  assert_true(modmem_usable_size(block) >= 100);
  assert_mapped(block);
  rfree(other);
  rfree(block);
}

static void rmalloc_align_gives_aligned_memory(void** state) {
  (void)state;
  char* block = rmalloc_align(0, 100, 1024);
  assert_non_null(block);
  assert_true(is_aligned(block, 1024));
  fill(block, 100, 1);
  assert_filled(block, 100, 1);
  rfree(block);
}

static void rzalloc_zeroes_used_memory(void** state) {
  (void)state;
  /* Another block keeps the page, and what was written to it, between the two. */
  char* keeper = rmalloc(0, 64);
  char* used = rmalloc(0, 3000);
  assert_non_null(keeper);
  assert_non_null(used);
  memset(used, 0xa5, 3000);
  rfree(used);
  char* block = rzalloc(0, 3000);
  assert_non_null(block);
  assert_zero(block, 3000);
  rfree(block);
  rfree(keeper);
}

static void rballoc_align_has_large_buffer_intent(void** state) {
  (void)state;
  /* At least cache-line aligned, whatever the argument. */
  char* small = rmalloc(0, 24);
  for (uint32_t alignment = 0; alignment <= 1024; alignment = alignment == 0 ? 1 : alignment * 2) {
    char* block = rballoc_align(0, 1000, alignment);
    assert_non_null(block);
    assert_true(is_aligned(block, line_bytes()));
    assert_true(alignment == 0 || is_aligned(block, alignment));
    rfree(block);
  }
  rfree(small);
  /* Policy slots: that intent has a heap of its own, whose pages come and go. */
  reboot_policy("slots");
  const size_t empty = pool_mapped();
  char* plain = rmalloc(0, 5000);
  char* large = rballoc_align(0, 5000, 8);
  assert_non_null(plain);
  assert_non_null(large);
  assert_slots(large, 8192, 5000);
  assert_int_equal(named_live("slots"), 5000);
  assert_int_equal(named_live("system"), 5000);
  assert_true(pool_mapped() >= empty + 2 * page_bytes());
  const uintptr_t address = address_of(large);
  rfree(large);
  assert_emptied(address);
  rfree(plain);
}

static void rballoc_is_line_aligned(void** state) {
  (void)state;
  char* small = rmalloc(0, 24);
  char* blocks[8];
  for (size_t i = 0; i < COUNT(blocks); i++) {
    blocks[i] = rballoc(0, 65 + i);
    assert_non_null(blocks[i]);
    assert_true(is_aligned(blocks[i], line_bytes()));
  }
  for (size_t i = 0; i < COUNT(blocks); i++) {
    rfree(blocks[i]);
  }
  rfree(small);
}

static void rfree_gives_memory_back(void** state) {
  (void)state;
  const size_t live = heap_live(NULL);
  char* block = rmalloc(0, 777);
  assert_non_null(block);
  assert_int_equal(heap_live(NULL), live + 777);
  rfree(block);
  assert_int_equal(heap_live(NULL), live);
  /* As often as one likes: the memory is there again. */
  for (int i = 0; i < 20; i++) {
    char* large = rballoc(0, KIB(300));
    assert_non_null(large);
    large[KIB(300) - 1] = 1;
    rfree(large);
  }
}

/* Page counts: elastic and module-heaps, whose heaps map pages under live data alone. */
static void pages_come_and_go_with_the_blocks(void** state) {
  (void)state;
  SKIP_UNLESS(policy_is_elastic(), "its heaps keep their pages");
  const size_t page = page_bytes();
  const size_t pool = pool_mapped();
  const size_t system = heap_mapped(NULL);
  char* block = rballoc_align(0, 5 * page, (uint32_t)page);
  assert_non_null(block);
  assert_int_equal(heap_mapped(NULL), system + 5 * page);
  assert_true(pool_mapped() >= pool + 5 * page);
  for (size_t i = 0; i < 5; i++) {
    assert_mapped(block + i * page);
  }
  const uintptr_t address = address_of(block);
  rfree(block);
  assert_int_equal(heap_mapped(NULL), system);
  assert_int_equal(pool_mapped(), pool);
  for (size_t i = 0; i < 5; i++) {
    assert_emptied(address + i * page);
  }
}

static void alignment_0_is_max_align(void** state) {
  (void)state;
  const size_t natural = _Alignof(max_align_t);
  for (size_t bytes = 1; bytes < 40; bytes++) {
    char* block = rmalloc(0, bytes);
    char* aligned = rmalloc_align(0, bytes, 0);
    char* zeroed = rzalloc(0, bytes);
    char* of_heap = sof_heap_alloc(NULL, 0, bytes, 0);
    assert_non_null(block);
    assert_non_null(aligned);
    assert_non_null(zeroed);
    assert_non_null(of_heap);
    assert_true(is_aligned(block, natural));
    assert_true(is_aligned(aligned, natural));
    assert_true(is_aligned(zeroed, natural));
    assert_true(is_aligned(of_heap, natural));
    rfree(block);
    rfree(aligned);
    rfree(zeroed);
    rfree(of_heap);
  }
}

static void alignment_is_honoured_always(void** state) {
  (void)state;
  static const size_t kSizes[] = {1, 24, 100, 4000};
  for (uint32_t alignment = 1; alignment <= 4096; alignment *= 2) {
    for (size_t i = 0; i < COUNT(kSizes); i++) {
      char* blocks[4];
      blocks[0] = rmalloc_align(0, kSizes[i], alignment);
      blocks[1] = rballoc_align(SOF_MEM_FLAG_USER, kSizes[i], alignment);
      blocks[2] = rbrealloc_align(NULL, 0, kSizes[i], 0, alignment);
      blocks[3] = sof_heap_alloc(NULL, SOF_MEM_FLAG_COHERENT, kSizes[i], alignment);
      for (size_t k = 0; k < COUNT(blocks); k++) {
        assert_non_null(blocks[k]);
        assert_true(is_aligned(blocks[k], alignment));
        fill(blocks[k], kSizes[i], (unsigned)k);
      }
      for (size_t k = 0; k < COUNT(blocks); k++) {
        assert_filled(blocks[k], kSizes[i], (unsigned)k);
        rfree(blocks[k]);
      }
    }
  }
  /* Beyond a page: where slots end, their alignment does. */
  if (policy_is_elastic()) {
    for (uint32_t alignment = 8192; alignment <= 65536; alignment *= 2) {
      char* block = rmalloc_align(0, 100, alignment);
      assert_non_null(block);
      assert_true(is_aligned(block, alignment));
      rfree(block);
    }
  }
}

static void alignment_that_is_no_power_of_two_fails(void** state) {
  (void)state;
  static const uint32_t kWrong[] = {3, 12, 48, 100, 4095, 0x80000001U};
  for (size_t i = 0; i < COUNT(kWrong); i++) {
    assert_null(rmalloc_align(0, 64, kWrong[i]));
    expect_error("alignment");
    assert_null(rballoc_align(0, 64, kWrong[i]));
    expect_error("alignment");
    assert_null(rbrealloc_align(NULL, 0, 64, 0, kWrong[i]));
    expect_error("alignment");
    assert_null(sof_heap_alloc(NULL, 0, 64, kWrong[i]));
    expect_error("alignment");
  }
  /* Nor does a block go with it. */
  char* block = rballoc(0, 64);
  fill(block, 64, 6);
  assert_null(rbrealloc_align(block, 0, 128, 64, 48));
  expect_error("alignment");
  assert_filled(block, 64, 6);
  rfree(block);
}

static void bytes_0_gives_null(void** state) {
  (void)state;
  const size_t pool = pool_mapped();
  assert_null(rmalloc(0, 0));
  assert_null(rmalloc_align(0, 0, 64));
  assert_null(rzalloc(0, 0));
  assert_null(rballoc(0, 0));
  assert_null(rballoc_align(0, 0, 64));
  assert_null(rbrealloc(NULL, 0, 0, 0));
  assert_null(sof_heap_alloc(NULL, 0, 0, 64));
  assert_int_equal(pool_mapped(), pool);
  close_lines(); /* the contract does not say whether there are any */
}

static void overflow_gives_null(void** state) {
  (void)state;
  assert_null(rmalloc(0, SIZE_MAX));
  assert_null(rmalloc_align(0, SIZE_MAX - 100, 4096));
  assert_null(rmalloc_align(0, SIZE_MAX, 1));
  assert_null(rzalloc(0, SIZE_MAX - 7));
  assert_null(rballoc(0, SIZE_MAX - 63));
  assert_null(rballoc_align(SOF_MEM_FLAG_COHERENT, SIZE_MAX - 1, 64));
  assert_null(sof_heap_alloc(NULL, 0, SIZE_MAX - 4095, 4096));
  assert_null(rmalloc_align(0, SIZE_MAX / 2 + 1, 0x80000000U));
  char* block = rballoc(0, 64);
  fill(block, 64, 6);
  assert_null(rbrealloc(block, 0, SIZE_MAX - 10, 64));
  assert_filled(block, 64, 6);
  rfree(block);
  close_lines();
}

static void rfree_of_null_does_nothing(void** state) {
  (void)state;
  rfree(NULL);
  expect_quiet();
}

static void rfree_takes_blocks_of_all_heaps(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("mine", 0);
  struct mod_alloc_ctx ctx = {heap, NULL};
  assert_non_null(heap);
  char* blocks[] = {
      rmalloc(0, 200),
      rmalloc(SOF_MEM_FLAG_KERNEL, 200),
      rmalloc(SOF_MEM_FLAG_USER, 200),
      rmalloc(SOF_MEM_FLAG_USER_SHARED_BUFFER, 200),
      rmalloc(SOF_MEM_FLAG_COHERENT, 200),
      rmalloc(SOF_MEM_FLAG_L3, 200),
      rmalloc(SOF_MEM_FLAG_LOW_POWER, 200),
      rmalloc(SOF_MEM_FLAG_DMA, 200),
      rballoc(0, 200),
      rballoc(SOF_MEM_FLAG_USER, 200),
      sof_heap_alloc(heap, 0, 200, 0),
      sof_ctx_alloc(&ctx, 0, 200, 0),
  };
  for (size_t i = 0; i < COUNT(blocks); i++) {
    assert_non_null(blocks[i]);
    fill(blocks[i], 200, (unsigned)i);
  }
  for (size_t i = 0; i < COUNT(blocks); i++) {
    assert_filled(blocks[i], 200, (unsigned)i);
    rfree(blocks[i]);
    expect_quiet();
  }
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void rfree_takes_either_alias(void** state) {
  (void)state;
  const size_t live = heap_live(NULL);
  for (int coherent = 0; coherent < 2; coherent++) {
    for (int uncached = 0; uncached < 2; uncached++) {
      char* block = rmalloc(coherent ? SOF_MEM_FLAG_COHERENT : 0, 300);
      assert_non_null(block);
      rfree(uncached ? sys_cache_uncached_ptr_get(block) : sys_cache_cached_ptr_get(block));
      expect_quiet();
      assert_int_equal(heap_live(NULL), live);
    }
  }
}

static void rfree_takes_blocks_from_any_core(void** state) {
  (void)state;
  for (unsigned taker = 0; taker < 3; taker++) {
    for (unsigned giver = 0; giver < 3; giver++) {
      modmem_host_set_core(taker);
      char* block = rmalloc(0, 300);
      assert_non_null(block);
      modmem_host_set_core(giver);
      rfree(block);
      expect_quiet();
    }
  }
}

static void rfree_of_an_inner_address_is_misuse(void** state) {
  (void)state;
  char* block = rmalloc(0, 300);
  fill(block, 300, 1);
  static const size_t kInner[] = {1, 8, 16, 64, 256};
  for (size_t i = 0; i < COUNT(kInner); i++) {
    rfree(block + kInner[i]);
    expect_fault(MODMEM_FAULT_INTERIOR, "rfree", block + kInner[i]);
  }
  assert_filled(block, 300, 1);
  rfree(block);
}

static void rfree_twice_is_misuse(void** state) {
  (void)state;
  char* keeper = rmalloc(0, 64);
  char* block = rmalloc(0, 300);
  assert_non_null(keeper);
  const uintptr_t address = address_of(block);
  rfree(block);
  const size_t live = heap_live(NULL);
  rfree((void*)address); /* NOLINT(performance-no-int-to-ptr) */
  /* The C library has that memory: modmem no longer knows it there. */
  expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE, "rfree",
               (void*)address);
  assert_int_equal(heap_live(NULL), live);
  rfree(keeper);
}

static void rfree_of_foreign_memory_is_misuse(void** state) {
  (void)state;
  static char global[64];
  char local[64] = {0};
  rfree(global);
  expect_fault(MODMEM_FAULT_FOREIGN, "rfree", global);
  rfree(local);
  expect_fault(MODMEM_FAULT_FOREIGN, "rfree", local);
  rfree((void*)(uintptr_t)8); /* NOLINT(performance-no-int-to-ptr) */
  expect_fault(MODMEM_FAULT_FOREIGN, "rfree", (void*)(uintptr_t)8);
}

static void heap_trace_all_logs_every_heap(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("traced", 0);
  char* block = sof_heap_alloc(heap, 0, 1234, 0);
  assert_non_null(block);
  forget_lines();
  heap_trace_all(1);
  assert_true(lines_with("system") >= 1);
  assert_true(lines_with("bytes") >= 1);
  if (policy_is_elastic()) { /* where a private heap is one */
    assert_int_equal(lines_with("traced"), 1);
    assert_non_null(strstr(line_with("traced"), "1234 bytes"));
  }
  expect_quiet();
  rfree(block);
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

/* What waits for a heap's core is told, and is none of its live bytes. */
static void queued_bytes_are_those_that_other_cores_freed(void** state) {
  (void)state;
  struct modmem_heap_info heap;
  struct k_heap* own = modmem_heap_create("waiting", 0);
  char* block = sof_heap_alloc(own, 0, 1234, 0);
  assert_non_null(block);
  assert_int_equal(modmem_heap_info(own, &heap), 0);
  assert_int_equal(heap.queued_bytes, 0);
  modmem_host_set_core(1);
  rfree(block);
  assert_int_equal(modmem_heap_info(own, &heap), 0);
  const bool waits = heap.queued_bytes != 0;
  assert_int_equal(heap.live_bytes, 0);
  forget_lines();
  heap_trace_all(1);
  assert_int_equal(lines_with("queued 1234 bytes"), waits ? 1 : 0);
  modmem_host_set_core(0);
  /* Where the policy gives it a heap of its own, that is this core's. */
  assert_int_equal(heap.queued_bytes, policy_is_elastic() ? 1234 : 0);
  assert_int_equal(modmem_drain(UINT32_MAX), 0);
  assert_int_equal(modmem_heap_info(own, &heap), 0);
  assert_int_equal(heap.queued_bytes, 0);
  expect_quiet();
  assert_int_equal(modmem_heap_destroy(own), 0);
}

static void l3_survives_a_power_cycle(void** state) {
  (void)state;
  const size_t live = heap_live(NULL);
  char* first = rmalloc(SOF_MEM_FLAG_L3, 5000);
  char* second = rmalloc(SOF_MEM_FLAG_L3, 200);
  char* sram = rmalloc(0, 100);
  assert_non_null(first);
  assert_non_null(second);
  assert_non_null(sram);
  fill(first, 5000, 1);
  fill(second, 200, 2);
  rfree(sram);
  l3_heap_save();
  assert_int_equal(modmem_host_power_cycle(), 0);
  close_lines();
  assert_true(modmem_check(true));
  /* The content, at the same addresses ... */
  assert_filled(first, 5000, 1);
  assert_filled(second, 200, 2);
  /* ... and the allocations: nothing else gets their place, and they can be freed, once. */
  char* third = rmalloc(SOF_MEM_FLAG_L3, 5000);
  assert_non_null(third);
  assert_ptr_not_equal(third, first);
  memset(third, 0xff, 5000);
  assert_filled(first, 5000, 1);
  rfree(third);
  rfree(second);
  rfree(first);
  expect_quiet();
  assert_int_equal(heap_live(NULL), live);
  rfree(first);
  expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE, "rfree", first);
}

static void l3_blocks_after_the_save_are_gone(void** state) {
  (void)state;
  char* saved = rzalloc(SOF_MEM_FLAG_L3, 100);
  assert_non_null(saved);
  l3_heap_save();
  char* later = rmalloc(SOF_MEM_FLAG_L3, 100);
  assert_non_null(later);
  modmem_host_power_cycle();
  close_lines();
  rfree(later);
  assert_true(close_lines() >= 1);
  rfree(saved);
  expect_quiet();
}

/* Of two blocks one is not as it was saved: it is known, empty, and can be freed; the other is
 * whole.
 */
static void l3_blocks_that_were_damaged_are_known(void** state) {
  (void)state;
  char* whole = rzalloc(SOF_MEM_FLAG_L3, 5000);
  char* damaged = rzalloc(SOF_MEM_FLAG_L3, 200);
  assert_non_null(whole);
  assert_non_null(damaged);
  fill(whole, 5000, 1);
  fill(damaged, 200, 2);
  assert_int_equal(modmem_l3_check(damaged), 0);
  l3_heap_save();
  damaged[199] ^= 4;
  assert_int_equal(modmem_host_power_cycle(), 0);
  expect_line("l3: damaged while the power was off: ");
  assert_int_equal(modmem_l3_check(whole), 0);
  assert_filled(whole, 5000, 1);
  assert_int_equal(modmem_l3_check(damaged), -EIO);
  assert_int_equal(modmem_usable_size(damaged), 0);
  for (unsigned i = 0; i < 200; i++) {
    assert_int_equal(damaged[i], 0);
  }
  rfree(whole);
  rfree(damaged);
  expect_quiet();
  assert_int_equal(modmem_l3_check(damaged), -EINVAL);
  assert_int_equal(modmem_l3_check(NULL), -EINVAL);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(rmalloc_gives_memory),
      TEST(rmalloc_align_gives_aligned_memory),
      TEST(rzalloc_zeroes_used_memory),
      TEST(rballoc_align_has_large_buffer_intent),
      TEST(rballoc_is_line_aligned),
      TEST(rfree_gives_memory_back),
      TEST(pages_come_and_go_with_the_blocks),
      TEST(alignment_0_is_max_align),
      TEST(alignment_is_honoured_always),
      TEST(alignment_that_is_no_power_of_two_fails),
      TEST(bytes_0_gives_null),
      TEST(overflow_gives_null),
      TEST(rfree_of_null_does_nothing),
      TEST(rfree_takes_blocks_of_all_heaps),
      TEST(rfree_takes_either_alias),
      TEST(rfree_takes_blocks_from_any_core),
      TEST(rfree_of_an_inner_address_is_misuse),
      TEST(rfree_twice_is_misuse),
      TEST(rfree_of_foreign_memory_is_misuse),
      TEST(heap_trace_all_logs_every_heap),
      TEST(queued_bytes_are_those_that_other_cores_freed),
      TEST(l3_survives_a_power_cycle),
      TEST(l3_blocks_after_the_save_are_gone),
      TEST(l3_blocks_that_were_damaged_are_known),
  };
  return RUN_TESTS("rmalloc", kTests);
}
