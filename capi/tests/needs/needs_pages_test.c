/* Pages and the virtual memory heap: 1 to 5, 9 and 33 of docs/regressions.md. */
#include "capi/tests/needs/needs.h"

/* The check whether a page was mapped already had a length of zero for slots above a page. */
static void s01_block_larger_than_a_page_is_mapped(void** state) {
  static const struct {
    size_t slot, slots, bytes;
    bool contiguous;
  } cases[] = {{65536, 2, 65536, false},
               {65536, 2, 20000, false},
               {8192, 8, 8192, false},
               {8192, 8, 20000, true},
               {512, 64, 20000, true}};
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct vmh_heap* heap = heap_of_slots(cases[i].slot, cases[i].slots, cases[i].contiguous);
    char* block = vmh_alloc(heap, (uint32_t)cases[i].bytes);
    assert_non_null(block);
    assert_in_range(mapped_pages(block, cases[i].bytes), cases[i].bytes / page_bytes(),
                    cases[i].bytes / page_bytes() + 2);
    for (size_t at = 0; at < cases[i].bytes; at += page_bytes()) {
      assert_mapped(block + at);
    }
    fill(block, cases[i].bytes, 1);
    assert_filled(block, cases[i].bytes, 1);
    const uintptr_t was = address_of(block);
    assert_int_equal(vmh_free(heap, block), 0);
    assert_emptied(was);
    assert_emptied(was + cases[i].bytes - 1);
    assert_int_equal(vmh_free_heap(heap), 0);
  }
  /* The same by intent, in whatever heap the policy has for it. */
  char* buffer = rballoc(0, 5 * page_bytes());
  assert_non_null(buffer);
  for (size_t at = 0; at < 5 * page_bytes(); at += page_bytes()) {
    assert_mapped(buffer + at);
  }
  fill(buffer, 5 * page_bytes(), 2);
  assert_filled(buffer, 5 * page_bytes(), 2);
  rfree(buffer);
}

/* A free took the size of the slot for the size that was mapped, and failed on the rest. */
static void s02_only_what_was_mapped_is_unmapped(void** state) {
  enum { BYTES = 4097, PAGES = 2, SLOT = 65536 };
  struct vmh_heap* heap = heap_of_slots(SLOT, 3, false);
  char* blocks[3];
  (void)state;
  for (unsigned i = 0; i < COUNT(blocks); i++) {
    blocks[i] = vmh_alloc(heap, BYTES);
    assert_non_null(blocks[i]);
    fill(blocks[i], BYTES, i);
    if (host() != HOST_LIBC) {
      assert_int_equal(mapped_pages(blocks[i], SLOT), PAGES);
    }
  }
  const uintptr_t was = address_of(blocks[1]);
  assert_int_equal(vmh_free(heap, blocks[1]), 0);
  assert_emptied(was);
  assert_emptied(was + page_bytes());
  for (unsigned i = 0; i < COUNT(blocks); i += 2) {
    assert_filled(blocks[i], BYTES, i);
    assert_mapped(blocks[i]);
    assert_mapped(blocks[i] + BYTES - 1);
    fill(blocks[i], BYTES, i);
  }
  blocks[1] = vmh_alloc(heap, SLOT);
  assert_non_null(blocks[1]);
  fill(blocks[1], SLOT, 1);
  assert_filled(blocks[0], BYTES, 0);
  assert_filled(blocks[2], BYTES, 2);
  for (unsigned i = 0; i < COUNT(blocks); i++) {
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
  }
  assert_int_equal(vmh_free_heap(heap), 0);
}

/* Slots that share a page: it goes with the last of them, and not before. */
static void s02_a_page_goes_with_its_last_slot(void** state) {
  struct vmh_heap* heap = heap_of_slots(512, 16, false);
  char* blocks[8];
  (void)state;
  for (unsigned i = 0; i < COUNT(blocks); i++) {
    blocks[i] = vmh_alloc(heap, 512);
    assert_non_null(blocks[i]);
    fill(blocks[i], 512, i);
  }
  for (unsigned i = 0; i < 7; i++) {
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
    assert_mapped(blocks[7] + 511);
    fill(blocks[7], 512, 7 + i);
    assert_filled(blocks[7], 512, 7 + i);
  }
  const uintptr_t was = address_of(blocks[7]);
  assert_int_equal(vmh_free(heap, blocks[7]), 0);
  assert_emptied(was);
  assert_int_equal(vmh_free_heap(heap), 0);
}

/* A request of exactly a slot's size was refused; another was compared before it was known. */
static void s03_exact_size_is_accepted(void** state) {
  static const struct vmh_heap_config production = {{{128, 32},
                                                     {512, 8},
                                                     {1024, 44},
                                                     {2048, 8},
                                                     {4096, 11},
                                                     {8192, 10},
                                                     {32768, 8},
                                                     {65536, 3},
                                                     {131072, 1},
                                                     {524288, 1}}};
  struct vmh_heap* heap = vmh_init_heap(&production, false);
  (void)state;
  assert_non_null(heap);
  for (unsigned i = 0; i < COUNT(production.block_bundles_table); i++) {
    const size_t size = production.block_bundles_table[i].block_size;
    char* exact = vmh_alloc(heap, (uint32_t)size);
    assert_non_null(exact);
    fill(exact, size, i);
    if (production.block_bundles_table[i].number_of_blocks > 1 && host() != HOST_LIBC) {
      /* It lies in the bundle of that size: the next one is a slot away. */
      char* next = vmh_alloc(heap, (uint32_t)size);
      assert_non_null(next);
      assert_ptr_equal(next, exact + size);
      assert_int_equal(vmh_free(heap, next), 0);
    }
    assert_filled(exact, size, i);
    assert_int_equal(vmh_free(heap, exact), 0);
  }
  assert_int_equal(vmh_free_heap(heap), 0);

  /* All of a heap in exact slots, and no byte more. */
  void* blocks[8];
  heap = heap_of_slots(4096, COUNT(blocks), false);
  assert_refused(vmh_alloc(heap, 4097));
  for (unsigned i = 0; i < COUNT(blocks); i++) {
    blocks[i] = vmh_alloc(heap, 4096);
    assert_non_null(blocks[i]);
  }
  assert_refused(vmh_alloc(heap, 1));
  for (unsigned i = 0; i < COUNT(blocks); i++) {
    assert_int_equal(vmh_free(heap, blocks[i]), 0);
  }
  assert_int_equal(vmh_free_heap(heap), 0);
}

/*
 * How many slots a block has was noted at the wrong place, so that neighbours of one slot and of
 * many were taken for each other: a free let go too little or too much.
 */
static void s04_contiguous_size_bitmap(void** state) {
  static const unsigned slots[] = {1, 3, 2, 1, 1, 4, 2, 1, 1}; /* all 16 */
  static const unsigned order[] = {1, 0, 3, 5, 2, 8, 4, 7, 6};
  enum { SLOT = 1024, SLOTS = 16, BLOCKS = COUNT(slots) };
  struct vmh_heap* heap = heap_of_slots(SLOT, SLOTS, true);
  void* blocks[BLOCKS];
  (void)state;
  for (unsigned i = 0; i < BLOCKS; i++) {
    blocks[i] = vmh_alloc(heap, slots[i] * SLOT);
    assert_non_null(blocks[i]);
    fill(blocks[i], slots[i] * SLOT, i);
  }
  assert_refused(vmh_alloc(heap, 1));
  for (unsigned i = 0; i < BLOCKS; i++) {
    const unsigned at = order[i];
    const uintptr_t was = address_of(blocks[at]);
    /* Exactly its slots come free: as many fit again, and not one more. */
    assert_int_equal(vmh_free(heap, blocks[at]), 0);
    assert_refused(vmh_alloc(heap, slots[at] * SLOT + 1));
    blocks[at] = vmh_alloc(heap, slots[at] * SLOT);
    assert_non_null(blocks[at]);
    if (host() != HOST_LIBC) {
      assert_int_equal(address_of(blocks[at]), was);
    }
    assert_refused(vmh_alloc(heap, 1));
    fill(blocks[at], slots[at] * SLOT, at);
    for (unsigned other = 0; other < BLOCKS; other++) {
      assert_filled(blocks[other], slots[other] * SLOT, other);
    }
  }
  for (unsigned i = 0; i < BLOCKS; i++) {
    assert_int_equal(vmh_free(heap, blocks[order[i]]), 0);
  }
  void* all = vmh_alloc(heap, SLOTS * SLOT);
  assert_non_null(all);
  assert_int_equal(vmh_free(heap, all), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
}

/* Nine of ten bundles are not there: a pointer behind the one that is ran into them. */
static void s05_invalid_pointer_meets_no_empty_bundle(void** state) {
  struct vmh_heap* heap = heap_of_slots(4096, 4, false);
  struct vmh_heap* other = heap_of_slots(4096, 4, false);
  char* block = vmh_alloc(heap, 4096);
  char* theirs = vmh_alloc(other, 4096);
  int local = 0;
  (void)state;
  assert_non_null(block);
  assert_non_null(theirs);
  fill(block, 4096, 1);
  fill(theirs, 4096, 2);
  void* const wrong[] = {&local,
                         block + 1,
                         block + 64,
                         block + 4095,
                         block + (size_t)4 * 4096,
                         block + (size_t)64 * 4096,
                         theirs,
                         (void*)heap,
                         (void*)(uintptr_t)16,
                         (void*)UINTPTR_MAX};
  for (size_t i = 0; i < COUNT(wrong); i++) {
    assert_int_equal(vmh_free(heap, wrong[i]), -EINVAL);
    assert_ptr_equal(last_fault()->pointer, wrong[i]);
    assert_string_equal(last_fault()->function, "vmh_free");
    assert_false(last_fault()->fatal);
    assert_int_equal(close_lines(), 1);
  }
  assert_filled(block, 4096, 1);
  assert_filled(theirs, 4096, 2);
  assert_int_equal(vmh_free_heap(heap), -ENOTEMPTY);
  close_lines();
  assert_int_equal(vmh_free(heap, block), 0);
  assert_int_equal(vmh_free(other, theirs), 0);
  assert_int_equal(vmh_free_heap(heap), 0);
  assert_int_equal(vmh_free_heap(other), 0);
}

struct range {
  char* start;
  size_t bytes;
};

/* The heaps of five cores took the addresses that modules were given. */
static void s09_addresses_of_five_cores_do_not_collide(void** state) {
  enum { CORES = 5, EACH = 5, RANGES = CORES * EACH };
  struct range ranges[RANGES];
  struct k_heap* heaps[CORES];
  struct vregion* regions[CORES];
  struct vmh_heap* slots[CORES];
  unsigned count = 0;
  (void)state;
  reboot_platform("lnl"); /* five cores share 8 MiB of addresses */
  for (unsigned core = 0; core < CORES; core++) {
    modmem_host_set_core(core);
    heaps[core] = modmem_heap_create("core", 0);
    regions[core] = vregion_create(3 * page_bytes());
    slots[core] = heap_of_slots(8192, 8, false);
    assert_non_null(heaps[core]);
    assert_non_null(regions[core]);
    ranges[count++] = (struct range){sof_heap_alloc(heaps[core], 0, 5000, 0), 5000};
    ranges[count++] = (struct range){vregion_alloc(regions[core], 9000), 9000};
    ranges[count++] = (struct range){vmh_alloc(slots[core], 8192), 8192};
    ranges[count++] = (struct range){vpage_alloc(2), 2 * page_bytes()};
    ranges[count++] = (struct range){rballoc(SOF_MEM_FLAG_USER, 6000), 6000};
  }
  assert_int_equal(count, RANGES);
  for (unsigned i = 0; i < RANGES; i++) {
    assert_non_null(ranges[i].start);
    fill(ranges[i].start, ranges[i].bytes, i);
    for (unsigned j = 0; j < i; j++) {
      assert_true(ranges[i].start + ranges[i].bytes <= ranges[j].start ||
                  ranges[j].start + ranges[j].bytes <= ranges[i].start);
    }
  }
  for (unsigned i = 0; i < RANGES; i++) {
    assert_filled(ranges[i].start, ranges[i].bytes, i);
  }
  modmem_host_set_core(0);
  for (unsigned core = 0; core < CORES; core++) {
    const struct range* at = &ranges[core * EACH];
    sof_heap_free(heaps[core], at[0].start);
    vregion_free(regions[core], at[1].start);
    assert_int_equal(vmh_free(slots[core], at[2].start), 0);
    vpage_free(at[3].start);
    rfree(at[4].start);
    assert_int_equal(modmem_heap_destroy(heaps[core]), 0);
    assert_null(vregion_put(regions[core]));
    assert_int_equal(vmh_free_heap(slots[core]), 0);
  }
}

/* A heap, as fill_to_the_last() sees it. */
struct source {
  void* (*take)(void* from);
  void (*give)(void* from, void* block);
  void* from;
  size_t bytes;
};

/* Takes all there is, then gives and takes at every place: a block in use must never come. */
static void fill_to_the_last(const struct source* source) {
  enum { MOST = 200 };
  void* blocks[MOST];
  unsigned count = 0;
  while (count < MOST && (blocks[count] = source->take(source->from)) != NULL) {
    fill(blocks[count], source->bytes, count);
    count++;
  }
  close_lines();
  assert_in_range(count, 4, MOST - 1); /* it was full */
  for (unsigned step = 1; step < count; step = step * 3 + 1) {
    for (unsigned at = 0; at < count; at += step) {
      const unsigned two[] = {at, (at + count / 2) % count};
      for (unsigned i = 0; i < 2; i++) {
        source->give(source->from, blocks[two[i]]);
      }
      for (unsigned i = 0; i < 2; i++) {
        blocks[two[i]] = source->take(source->from);
        assert_non_null(blocks[two[i]]);
        fill(blocks[two[i]], source->bytes, two[i]);
      }
      assert_refused(source->take(source->from));
    }
    for (unsigned i = 0; i < count; i++) {
      assert_filled(blocks[i], source->bytes, i);
    }
  }
  for (unsigned i = count; i-- > 0;) {
    source->give(source->from, blocks[i]);
  }
}

static void* take_slot(void* heap) { return vmh_alloc(heap, 64); }
static void give_slot(void* heap, void* block) { assert_int_equal(vmh_free(heap, block), 0); }
static void* take_private(void* heap) {
  return sof_heap_alloc(heap, (uint32_t)MODMEM_MEM_FLAG_SILENT, 100, 0);
}
static void give_private(void* heap, void* block) { sof_heap_free(heap, block); }
static void* take_interim(void* region) { return vregion_alloc(region, 64); }
static void give_interim(void* region, void* block) { vregion_free(region, block); }

/* Where the next free block is was not found again once a heap had been full. */
static void s33_a_full_heap_serves_again(void** state) {
  (void)state;
  struct vmh_heap* slots = heap_of_slots(64, 64, false);
  fill_to_the_last(&(struct source){take_slot, give_slot, slots, 64});
  assert_int_equal(vmh_free_heap(slots), 0);

  struct k_heap* heap = modmem_heap_create("full", 10000);
  assert_non_null(heap);
  fill_to_the_last(&(struct source){take_private, give_private, heap, 100});
  assert_int_equal(modmem_heap_destroy(heap), 0);

  struct vregion* region = vregion_create(2 * page_bytes());
  assert_non_null(region);
  vregion_set_interim(region);
  fill_to_the_last(&(struct source){take_interim, give_interim, region, 64});
  assert_null(vregion_put(region));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(s01_block_larger_than_a_page_is_mapped),
      TEST(s02_only_what_was_mapped_is_unmapped),
      TEST(s02_a_page_goes_with_its_last_slot),
      TEST(s03_exact_size_is_accepted),
      TEST(s04_contiguous_size_bitmap),
      TEST(s05_invalid_pointer_meets_no_empty_bundle),
      TEST(s09_addresses_of_five_cores_do_not_collide),
      TEST(s33_a_full_heap_serves_again),
  };
  return RUN_TESTS("needs: pages and slots", tests);
}
