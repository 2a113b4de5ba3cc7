/*
 * Virtual memory heaps: the contract's section of that name.
 *
 *   struct vmh_block_bundle_descriptor, vmh_heap_config    a_table_of_ten_bundles_is_taken
 *   vmh_init_heap(), vmh_alloc(), vmh_free(), vmh_free_heap()
 *         blocks_come_and_go
 *   Block sizes are powers of two, else NULL               block_sizes_are_powers_of_two
 *   the running total of bundle sizes stays a multiple of the page size, else NULL
 *         bundles_are_whole_pages
 *   and within the region, else NULL                       bundles_stay_within_the_region
 *   cfg NULL: five equal bundles of 64 << i bytes, i = 0..4, each a fifth of the region
 *     rounded down to pages                                no_table_gives_five_equal_bundles
 *   vmh_alloc 0 gives NULL                                 size_0_gives_null
 *   Not continuous: one slot of the first bundle (in table order) whose slots are large
 *     enough and has one free                              one_slot_of_the_first_bundle_that_fits
 *         larger_than_any_slot_fails
 *   Continuous: consecutive slots of the first bundle that has them
 *         continuous_takes_consecutive_slots
 *   vmh_free: 0, -EINVAL where ptr is not an allocation's start
 *         vmh_free_takes_starts_alone
 *   vmh_free_heap: 0, -ENOTEMPTY where allocations live    vmh_free_heap_wants_an_empty_heap
 *   Pages are mapped only under used slots                 pages_are_mapped_under_used_slots
 *   (slots of a page or more: only the pages that the request covers)
 *         large_slots_map_what_the_request_covers
 *   and unmapped with the last one                         pages_are_mapped_under_used_slots
 *   A map failure half-way undoes itself, records included
 *         a_map_failure_undoes_itself
 *   vmh_log_stats: slots, most used and times-run-out per bundle
 *         vmh_log_stats_says_it_per_bundle
 *   The production table                                   the_production_table
 */
#include <rtos/alloc.h>
#include <sof/lib/regions_mm.h>
#include <stdio.h>
#include <string.h>

#include "capi/tests/support.h"

/* The region of a heap: what the production table fills. */
static const size_t kRegion = 0x140000;

static size_t mapped(const struct vmh_heap* heap) {
  struct modmem_heap_info info;
  assert_int_equal(modmem_vmh_heap_info(heap, &info), 0);
  return info.mapped_bytes;
}

static size_t live(const struct vmh_heap* heap) {
  struct modmem_heap_info info;
  assert_int_equal(modmem_vmh_heap_info(heap, &info), 0);
  return info.live_bytes;
}

static struct vmh_heap* heap_of(size_t block_size, size_t number_of_blocks, bool continuous) {
  const struct vmh_heap_config config = {{{block_size, number_of_blocks}}};
  return vmh_init_heap(&config, continuous);
}

static const struct vmh_heap_config kProduction = {{{128, 32},
                                                    {512, 8},
                                                    {1024, 44},
                                                    {2048, 8},
                                                    {4096, 11},
                                                    {8192, 10},
                                                    {32768, 8},
                                                    {65536, 3},
                                                    {131072, 1},
                                                    {524288, 1}}};

static void a_table_of_ten_bundles_is_taken(void** state) {
  (void)state;
  assert_int_equal(COUNT(kProduction.block_bundles_table), 10);
  assert_int_equal(sizeof(kProduction.block_bundles_table[0].block_size), sizeof(size_t));
  for (int continuous = 0; continuous < 2; continuous++) {
    struct vmh_heap* heap = vmh_init_heap(&kProduction, continuous != 0);
    assert_non_null(heap);
    assert_int_equal(mapped(heap), 0);
    assert_int_equal(vmh_free_heap(heap), 0);
  }
}

static void blocks_come_and_go(void** state) {
  (void)state;
  struct vmh_heap* heap = vmh_init_heap(&kProduction, false);
  char* blocks[20];
  for (unsigned i = 0; i < COUNT(blocks); i++) {
    blocks[i] = vmh_alloc(heap, 50 + i * 300);
    assert_non_null(blocks[i]);
    fill(blocks[i], 50 + i * 300, i);
    assert_mapped(blocks[i]);
    fill(blocks[i], 50 + i * 300, i);
  }
  for (unsigned i = 0; i < COUNT(blocks); i++) {
    assert_filled(blocks[i], 50 + i * 300, i);
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
  }
  assert_int_equal(mapped(heap), 0);
  assert_int_equal(live(heap), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void block_sizes_are_powers_of_two(void** state) {
  (void)state;
  static const size_t kWrong[] = {96, 100, 4095, 4097, 12288};
  for (size_t i = 0; i < COUNT(kWrong); i++) {
    assert_null(heap_of(kWrong[i], 4096, false)); /* whole pages, all of them */
    assert_int_equal(close_lines(), 1);
  }
  for (size_t size = 64; size <= 65536; size *= 2) {
    struct vmh_heap* heap = heap_of(size, 131072 / size, false);
    assert_non_null(heap);
    assert_int_equal(vmh_free_heap(heap), 0);
  }
}

static void bundles_are_whole_pages(void** state) {
  (void)state;
  assert_null(heap_of(64, 63, false));
  assert_int_equal(close_lines(), 1);
  assert_null(heap_of(2048, 3, false));
  assert_int_equal(close_lines(), 1);
  /* Each running total counts, not only the last. */
  const struct vmh_heap_config config = {{{64, 32}, {2048, 1}}};
  assert_null(vmh_init_heap(&config, false));
  assert_int_equal(close_lines(), 1);
  struct vmh_heap* heap = heap_of(64, 64, false);
  assert_non_null(heap);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void bundles_stay_within_the_region(void** state) {
  (void)state;
  assert_null(heap_of(4096, kRegion / 4096 + 1, false));
  assert_int_equal(close_lines(), 1);
  const struct vmh_heap_config config = {{{4096, 1}, {524288, 2}, {524288, 1}}};
  assert_null(vmh_init_heap(&config, false));
  assert_int_equal(close_lines(), 1);
  assert_null(heap_of(4096, SIZE_MAX / 4096, false));
  assert_int_equal(close_lines(), 1);
  struct vmh_heap* heap = heap_of(4096, kRegion / 4096, false);
  assert_non_null(heap);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void no_table_gives_five_equal_bundles(void** state) {
  (void)state;
  const size_t fifth = kRegion / 5 / 4096 * 4096;
  struct vmh_heap* heap = vmh_init_heap(NULL, false);
  assert_non_null(heap);
  forget_lines();
  vmh_log_stats(heap);
  for (size_t i = 0; i < 5; i++) {
    char slots[64];
    snprintf(slots, sizeof(slots), "slots of %zu bytes: %zu,", (size_t)64 << i,
             fifth / ((size_t)64 << i));
    assert_int_equal(lines_with(slots), 1);
  }
  /* 1024 is the largest slot, and all of its bundle can be had, to the last. */
  assert_null(vmh_alloc(heap, 1025));
  expect_line("no memory");
  static char* blocks[1024];
  const size_t most = fifth / 1024;
  assert_int_equal(most, 256);
  for (size_t i = 0; i < most; i++) {
    blocks[i] = vmh_alloc(heap, 1024);
    assert_non_null(blocks[i]);
  }
  assert_null(vmh_alloc(heap, 1024));
  expect_line("no memory");
  assert_int_equal(mapped(heap), fifth);
  for (size_t i = 0; i < most; i++) {
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
  }
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void size_0_gives_null(void** state) {
  (void)state;
  struct vmh_heap* heap = vmh_init_heap(NULL, true);
  assert_null(vmh_alloc(heap, 0));
  close_lines();
  assert_int_equal(mapped(heap), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void one_slot_of_the_first_bundle_that_fits(void** state) {
  (void)state;
  /* Table order, not size: 1024 before 256. */
  const struct vmh_heap_config config = {{{64, 64}, {1024, 4}, {256, 16}}};
  struct vmh_heap* heap = vmh_init_heap(&config, false);
  char* small = vmh_alloc(heap, 64);
  assert_slots(small, 64, 64);
  char* blocks[21];
  for (size_t i = 0; i < 4; i++) {
    blocks[i] = vmh_alloc(heap, 65);
    assert_slots(blocks[i], 1024, 65);
  }
  for (size_t i = 4; i < 20; i++) { /* 1024 has run out: the next one that is large enough */
    blocks[i] = vmh_alloc(heap, 65);
    assert_slots(blocks[i], 256, 65);
  }
  assert_null(vmh_alloc(heap, 65)); /* 64 has slots, but not large enough ones */
  expect_line("no memory");
  /* One slot each: never two for one request. */
  assert_null(vmh_alloc(heap, 2048));
  expect_line("no memory");
  assert_int_equal(vmh_free(heap, blocks[2]), 0);
  char* again = vmh_alloc(heap, 200);
  assert_slots(again, 1024, 200);
  blocks[2] = again;
  for (size_t i = 0; i < 20; i++) {
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
  }
  assert_int_equal(vmh_free(heap, small), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void larger_than_any_slot_fails(void** state) {
  (void)state;
  struct vmh_heap* heap = vmh_init_heap(&kProduction, false);
  char* largest = vmh_alloc(heap, 524288);
  assert_non_null(largest);
  assert_null(vmh_alloc(heap, 524288));
  expect_line("no memory");
  assert_null(vmh_alloc(heap, 524289));
  expect_line("no memory");
  assert_null(vmh_alloc(heap, UINT32_MAX));
  expect_line("no memory");
  assert_int_equal(vmh_free(heap, largest), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void continuous_takes_consecutive_slots(void** state) {
  (void)state;
  const struct vmh_heap_config config = {{{1024, 8}, {4096, 8}}};
  struct vmh_heap* heap = vmh_init_heap(&config, true);
  char* three = vmh_alloc(heap, 3000); /* three slots of the first bundle */
  assert_non_null(three);
  fill(three, 3000, 1);
  assert_slots(three, 3072, 3000);
  char* five = vmh_alloc(heap, 5 * 1024); /* the other five */
  assert_slots(five, 5 * 1024, 5 * 1024);
  fill(five, 5 * 1024, 2);
  if (host() != HOST_LIBC) {
    assert_ptr_equal(five, three + 3072);
  }
  assert_int_equal(mapped(heap), 8192);
  char* next = vmh_alloc(heap, 100); /* that bundle has none: the next one's */
  assert_slots(next, 4096, 100);
  assert_int_equal(vmh_free(heap, three), 0);
  char* four = vmh_alloc(heap, 4 * 1024); /* three free ones are not four */
  assert_slots(four, 4096, 4096);
  char* two = vmh_alloc(heap, 2048);
  assert_slots(two, 2048, 2048);
  assert_filled(five, 5 * 1024, 2);
  char* all = vmh_alloc(heap, 6 * 4096); /* six of the 4096 are left */
  assert_slots(all, 6 * 4096, 6 * 4096);
  assert_null(vmh_alloc(heap, 1025));
  expect_line("no memory");
  char* one = vmh_alloc(heap, 1024);
  assert_non_null(one);
  char* blocks[] = {five, next, four, two, all, one};
  for (size_t i = 0; i < COUNT(blocks); i++) {
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
  }
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void vmh_free_takes_starts_alone(void** state) {
  (void)state;
  for (int continuous = 0; continuous < 2; continuous++) {
    char local = 0;
    struct vmh_heap* heap = vmh_init_heap(&kProduction, continuous != 0);
    struct vmh_heap* other = vmh_init_heap(&kProduction, continuous != 0);
    char* keeper = vmh_alloc(heap, 1024);
    char* block = vmh_alloc(heap, 900);
    char* large = vmh_alloc(heap, 20000);
    assert_int_equal(vmh_free(heap, block + 16), -EINVAL);
    expect_fault(MODMEM_FAULT_INTERIOR, "vmh_free", block + 16);
    assert_int_equal(vmh_free(heap, large + 4096), -EINVAL);
    expect_fault(MODMEM_FAULT_INTERIOR, "vmh_free", large + 4096);
    assert_int_equal(vmh_free(heap, &local), -EINVAL);
    expect_fault(MODMEM_FAULT_FOREIGN, "vmh_free", &local);
    assert_int_equal(vmh_free(heap, NULL), -EINVAL);
    close_lines();
    /* Another heap's block is not this one's. */
    assert_int_equal(vmh_free(other, block), -EINVAL);
    expect_fault(MODMEM_FAULT_FOREIGN, "vmh_free", block);
    char* system = rmalloc(0, 100);
    assert_int_equal(vmh_free(heap, system), -EINVAL);
    expect_fault(MODMEM_FAULT_FOREIGN, "vmh_free", system);
    rfree(system);
    const uintptr_t address = address_of(block);
    assert_int_equal(vmh_free(heap, block), 0);
    assert_int_equal(vmh_free(heap, (void*)address), -EINVAL); /* NOLINT */
    expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE, "vmh_free",
                 (void*)address);
    assert_int_equal(vmh_free(heap, large), 0);
    assert_int_equal(vmh_free(heap, keeper), 0);
    assert_int_equal(vmh_free_heap(other), 0);
    assert_int_equal(vmh_free_heap(heap), 0);
  }
}

static void vmh_free_heap_wants_an_empty_heap(void** state) {
  (void)state;
  struct vmh_heap* heap = vmh_init_heap(&kProduction, false);
  char* block = vmh_alloc(heap, 100);
  fill(block, 100, 1);
  assert_int_equal(vmh_free_heap(heap), -ENOTEMPTY);
  expect_fault(MODMEM_FAULT_IN_USE, "vmh_free_heap", heap);
  /* It lives on, as does what is in it. */
  assert_filled(block, 100, 1);
  char* other = vmh_alloc(heap, 100);
  assert_non_null(other);
  assert_int_equal(vmh_free(heap, block), 0);
  assert_int_equal(vmh_free_heap(heap), -ENOTEMPTY);
  expect_fault(MODMEM_FAULT_IN_USE, "vmh_free_heap", heap);
  assert_int_equal(vmh_free(heap, other), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void pages_are_mapped_under_used_slots(void** state) {
  (void)state;
  struct vmh_heap* heap = heap_of(1024, 16, false); /* four pages of four slots */
  const size_t pool = pool_mapped();
  char* blocks[16];
  uintptr_t addresses[16];
  for (size_t i = 0; i < 16; i++) {
    blocks[i] = vmh_alloc(heap, 1000);
    addresses[i] = address_of(blocks[i]);
    assert_int_equal(mapped(heap), (i / 4 + 1) * 4096);
    assert_true(pool_mapped() >= pool + (i / 4 + 1) * 4096);
    assert_mapped(blocks[i]);
  }
  /* A page goes with its last slot, in whatever order. */
  static const size_t kOrder[] = {5, 0, 7, 4, 1, 6, 2, 3, 15, 8, 14, 9, 13, 10, 12, 11};
  for (size_t i = 0; i < 16; i++) {
    assert_int_equal(vmh_free(heap, blocks[kOrder[i]]), 0);
    blocks[kOrder[i]] = NULL;
    size_t pages = 0;
    for (size_t page = 0; page < 4; page++) {
      bool used = false;
      for (size_t slot = 0; slot < 4; slot++) {
        used = used || blocks[page * 4 + slot] != NULL;
      }
      pages += used ? 1 : 0;
      if (!used) {
        assert_emptied(addresses[page * 4]);
        assert_emptied(addresses[page * 4 + 3]);
      }
    }
    assert_int_equal(mapped(heap), pages * 4096);
  }
  assert_int_equal(pool_mapped(), pool);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void large_slots_map_what_the_request_covers(void** state) {
  (void)state;
  for (int continuous = 0; continuous < 2; continuous++) {
    struct vmh_heap* heap = heap_of(65536, 4, continuous != 0);
    char* block = vmh_alloc(heap, 24 * 1024);
    assert_int_equal(mapped(heap), 24 * 1024);
    const uintptr_t address = address_of(block);
    assert_mapped(block + 24 * 1024 - 1);
    assert_emptied(address + 24 * 1024);
    char* other = vmh_alloc(heap, 4097);
    assert_int_equal(mapped(heap), 32 * 1024);
    assert_int_equal(vmh_free(heap, block), 0);
    assert_int_equal(mapped(heap), 8 * 1024);
    assert_emptied(address);
    assert_emptied(address + 20 * 1024);
    fill(other, 4097, 1);
    assert_filled(other, 4097, 1);
    assert_int_equal(vmh_free(heap, other), 0);
    assert_int_equal(mapped(heap), 0);
    assert_int_equal(vmh_free_heap(heap), 0);
  }
}

/* Policy elastic, with a pool of 128 frames: some of them are the library's own, so a request for
 * 128 pages fails while it maps. */
static void a_map_failure_undoes_itself(void** state) {
  (void)state;
  struct modmem_config config = test_config();
  config.policy = "elastic";
  config.platform = "mtl";
  config.reserve_bytes = KIB(1024);
  config.sram_bytes = KIB(1024) + 128 * KIB(4);
  reboot(&config);
  for (int continuous = 0; continuous < 2; continuous++) {
    struct vmh_heap* heap = continuous ? heap_of(4096, 256, true) : heap_of(524288, 2, false);
    assert_non_null(heap);
    char* keeper = vmh_alloc(heap, 5000);
    fill(keeper, 5000, 1);
    const size_t pool = pool_mapped();
    for (int i = 0; i < 20; i++) {
      assert_null(vmh_alloc(heap, 128 * 4096));
      close_lines();
      assert_int_equal(pool_mapped(), pool);
      assert_int_equal(mapped(heap), 8192);
      assert_int_equal(live(heap), 5000);
      assert_true(modmem_check(true));
    }
    assert_filled(keeper, 5000, 1);
    /* Its slots are free still: what fits is served, in as many pages as it covers. */
    char* block = vmh_alloc(heap, 100 * 4096);
    assert_non_null(block);
    assert_int_equal(mapped(heap), 8192 + 100 * 4096);
    fill(block, 100 * 4096, 2);
    assert_int_equal(vmh_free(heap, block), 0);
    assert_int_equal(vmh_free(heap, keeper), 0);
    assert_int_equal(mapped(heap), 0);
    assert_int_equal(vmh_free_heap(heap), 0);
  }
}

static void vmh_log_stats_says_it_per_bundle(void** state) {
  (void)state;
  const struct vmh_heap_config config = {{{1024, 4}, {4096, 2}}};
  struct vmh_heap* heap = vmh_init_heap(&config, false);
  char* blocks[6];
  for (size_t i = 0; i < 6; i++) { /* two of them find the first bundle full */
    blocks[i] = vmh_alloc(heap, 600);
    assert_non_null(blocks[i]);
  }
  assert_null(vmh_alloc(heap, 600)); /* and one both */
  expect_line("no memory");
  for (size_t i = 0; i < 6; i++) {
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
  }
  char* one = vmh_alloc(heap, 600);
  forget_lines();
  vmh_log_stats(heap);
  expect_quiet();
  assert_int_equal(lines_with("slots"), 2);
  const char* small = line_with("slots of 1024 bytes: 4, ");
  assert_non_null(strstr(small, "in use 1, at most 4, "));
  assert_non_null(strstr(small, "run out 3 times"));
  const char* large = line_with("slots of 4096 bytes: 2, ");
  assert_non_null(strstr(large, "in use 0, at most 2, "));
  assert_non_null(strstr(large, "run out 1 time"));
  assert_int_equal(vmh_free(heap, one), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
}

static void the_production_table(void** state) {
  (void)state;
  size_t total = 0;
  for (size_t i = 0; i < 10; i++) {
    total += kProduction.block_bundles_table[i].block_size *
             kProduction.block_bundles_table[i].number_of_blocks;
  }
  assert_int_equal(total, kRegion);
  struct vmh_heap* heap = vmh_init_heap(&kProduction, false);
  static char* blocks[126];
  size_t count = 0;
  /* Each bundle serves as many as it has, of its size, and then the next larger one. */
  for (size_t i = 0; i < 10; i++) {
    const struct vmh_block_bundle_descriptor bundle = kProduction.block_bundles_table[i];
    for (size_t slot = 0; slot < bundle.number_of_blocks; slot++) {
      blocks[count] = vmh_alloc(heap, (uint32_t)(bundle.block_size / 2 + 1));
      assert_non_null(blocks[count]);
      assert_true(modmem_usable_size(blocks[count]) >= bundle.block_size / 2 + 1);
      assert_true(modmem_usable_size(blocks[count]) <= bundle.block_size);
      count++;
    }
  }
  assert_int_equal(count, 126);
  assert_null(vmh_alloc(heap, 1));
  expect_line("no memory");
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
  }
  assert_int_equal(mapped(heap), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(a_table_of_ten_bundles_is_taken),
      TEST(blocks_come_and_go),
      TEST(block_sizes_are_powers_of_two),
      TEST(bundles_are_whole_pages),
      TEST(bundles_stay_within_the_region),
      TEST(no_table_gives_five_equal_bundles),
      TEST(size_0_gives_null),
      TEST(one_slot_of_the_first_bundle_that_fits),
      TEST(larger_than_any_slot_fails),
      TEST(continuous_takes_consecutive_slots),
      TEST(vmh_free_takes_starts_alone),
      TEST(vmh_free_heap_wants_an_empty_heap),
      TEST(pages_are_mapped_under_used_slots),
      TEST(large_slots_map_what_the_request_covers),
      TEST(a_map_failure_undoes_itself),
      TEST(vmh_log_stats_says_it_per_bundle),
      TEST(the_production_table),
  };
  return RUN_TESTS("vmh", kTests);
}
