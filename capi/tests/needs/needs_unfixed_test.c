/* What was still wrong upstream in 2026-08: L1 to L5 of docs/regressions.md. */
#include "capi/tests/needs/needs.h"

/*
 * A free closed the gap in the table of pages with the record behind its end: with three blocks
 * that are freed out of order a wrong one went, and its pages were lost.
 */
static void l1_vpage_free_moves_wrong_record(void** state) {
  static const unsigned pages[] = {1, 3, 2};
  char* blocks[3];
  (void)state;
  const size_t before = pool_mapped();
  for (unsigned i = 0; i < 3; i++) {
    blocks[i] = vpage_alloc(pages[i]);
    assert_non_null(blocks[i]);
    fill(blocks[i], pages[i] * page_bytes(), i);
  }
  vpage_free(blocks[0]);
  char* again = vpage_alloc(4);
  assert_non_null(again);
  fill(again, 4 * page_bytes(), 7);
  const uintptr_t was = address_of(blocks[2]);
  vpage_free(blocks[2]);
  assert_emptied(was);
  assert_emptied(was + page_bytes());
  assert_filled(blocks[1], 3 * page_bytes(), 1);
  assert_filled(again, 4 * page_bytes(), 7);
  vpage_free(again);
  vpage_free(blocks[1]);
  assert_int_equal(pool_mapped(), before);
}

/* With all records in use, any free wrote one record behind the table. */
static void l1_vpage_free_with_all_records_in_use(void** state) {
  enum { LIVE = 128 };
  char* blocks[LIVE];
  (void)state;
  for (unsigned i = 0; i < LIVE; i++) {
    blocks[i] = vpage_alloc(1 + i % 2);
    assert_non_null(blocks[i]);
    fill(blocks[i], 64, i);
  }
  for (unsigned step = 5; step < LIVE; step += 24) { /* odd: each block in turn, out of order */
    for (unsigned i = 0, at = 0; i < LIVE; i++, at = (at + step) % LIVE) {
      vpage_free(blocks[at]);
      blocks[at] = vpage_alloc(1 + (at + step / 24) % 2);
      assert_non_null(blocks[at]);
      fill(blocks[at], 64, at);
    }
    for (unsigned i = 0; i < LIVE; i++) {
      assert_filled(blocks[i], 64, i);
    }
  }
  for (unsigned i = 0; i < LIVE; i++) {
    vpage_free(blocks[(i * 37) % LIVE]);
  }
}

/* rfree() took every address up to the end of virtual memory for the slots', and panicked. */
static void l2_rfree_of_a_region_block(void** state) {
  struct vregion* region = vregion_create(2 * page_bytes());
  (void)state;
  void* lifetime = vregion_alloc(region, 1000);
  void* large = rballoc(0, 10000);
  assert_non_null(lifetime);
  assert_non_null(large);
  fill(large, 10000, 1);
  vregion_set_interim(region);
  const size_t rest = 2 * page_bytes() - 1024;
  for (unsigned round = 0; round < 3; round++) {
    void* block = vregion_alloc(region, rest);
    assert_non_null(block);
    assert_refused(vregion_alloc(region, 1));
    rfree(block); /* it is the region's again */
  }
  rfree(lifetime);
  void* pages = vpage_alloc(2);
  rfree(pages);
  assert_filled(large, 10000, 1);
  rfree(large);
  assert_null(vregion_put(region));
}

/* mod_balloc_align() took from elsewhere than the module's region, and freed to the region. */
static void l3_mod_balloc_goes_where_it_is_freed(void** state) {
  struct processing_module mod;
  struct vregion* region = vregion_create(4 * page_bytes());
  struct k_heap* heap = modmem_heap_create("module", 0);
  const struct mod_alloc_ctx contexts[] = {{NULL, region}, {heap, NULL}, {NULL, NULL}};
  (void)state;
  vregion_set_interim(region);
  for (unsigned i = 0; i < COUNT(contexts); i++) {
    begin_module(&mod, 0x50001);
    assert_int_equal(modmem_module_set_ctx(&mod, &contexts[i]), 0);
    void* before = vregion_alloc(region, 4 * page_bytes());
    assert_non_null(before);
    vregion_free(region, before);
    void* buffer = mod_balloc_align(&mod, 3 * page_bytes(), 256);
    void* small = mod_alloc(&mod, 100);
    assert_non_null(buffer);
    assert_non_null(small);
    assert_true(is_aligned(buffer, 256));
    fill(buffer, 3 * page_bytes(), i);
    assert_int_equal(module_adapter_heap_usage(&mod, NULL), 3 * page_bytes() + 100);
    if (contexts[i].vreg != NULL) { /* it is there, not elsewhere */
      assert_refused(vregion_alloc(region, 2 * page_bytes()));
    }
    if (contexts[i].heap != NULL) {
      assert_int_equal(heap_live(heap), 3 * page_bytes() + 100);
    }
    assert_filled(buffer, 3 * page_bytes(), i);
    assert_int_equal(mod_free(&mod, buffer), 0);
    assert_int_equal(mod_free(&mod, small), 0);
    expect_quiet();
    assert_int_equal(module_adapter_heap_usage(&mod, NULL), 0);
    assert_non_null(mod_balloc(&mod, 2 * page_bytes())); /* and what the clean-up frees */
    mod_free_all(&mod);
    before = vregion_alloc(region, 4 * page_bytes());
    assert_non_null(before);
    vregion_free(region, before);
  }
  assert_int_equal(modmem_heap_destroy(heap), 0);
  assert_null(vregion_put(region));
}

static bool count_object(void* data, void* argument) {
  (void)data;
  ++*(unsigned*)argument;
  return false;
}

/* A second free of an object was taken, and the object handed out twice. */
static void l4_objpool_double_free_is_refused(void** state) {
  enum { OBJECTS = 9 };
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  void* objects[OBJECTS];
  (void)state;
  for (unsigned i = 0; i < OBJECTS; i++) {
    objects[i] = objpool_alloc(&head, 24, 0);
    assert_non_null(objects[i]);
  }
  for (unsigned i = 0; i < OBJECTS; i++) {
    assert_int_equal(objpool_free(&head, objects[i]), 0);
    assert_int_equal(objpool_free(&head, objects[i]), -EINVAL);
    expect_fault(MODMEM_FAULT_NOT_LIVE, "objpool_free", objects[i]);
    assert_int_equal(objpool_free(&head, (char*)objects[i] + 4), -EINVAL);
    assert_int_equal(close_lines(), 1);
    unsigned live = 0;
    assert_int_equal(objpool_iterate(&head, count_object, &live), -ENOENT);
    assert_int_equal(live, OBJECTS - 1);
    objects[i] = objpool_alloc(&head, 24, 0);
    assert_non_null(objects[i]);
    for (unsigned j = 0; j < OBJECTS; j++) {
      assert_true(i == j || objects[i] != objects[j]);
    }
  }
  for (unsigned i = 0; i < OBJECTS; i++) {
    assert_int_equal(objpool_free(&head, objects[i]), 0);
  }
  objpool_prune(&head);
}

/*
 * What the host asked about memory was answered with constants, and with bytes that nobody had
 * set.
 */
static void l5_figures_are_of_now_and_whole(void** state) {
  struct modmem_info info[2];
  struct modmem_heap_info heap[2];
  (void)state;
  struct k_heap* taken = modmem_heap_create("asked", 100000);
  struct modmem_heap_info first;
  assert_int_equal(modmem_heap_info(taken, &first), 0);
  assert_int_equal(first.live_bytes, 0);
  assert_int_equal(first.limit, 100000);
  assert_int_equal(modmem_info(&info[0]), 0);
  const struct modmem_info before = info[0];

  void* block = sof_heap_alloc(taken, 0, 3 * page_bytes() + 1, 0);
  void* pages = vpage_alloc(5);
  assert_non_null(block);
  assert_non_null(pages);
  assert_null(sof_heap_alloc(taken, (uint32_t)MODMEM_MEM_FLAG_SILENT, 100000, 0));
  for (unsigned i = 0; i < 2; i++) { /* whatever was in the structs */
    memset(&info[i], i == 0 ? 0 : 0xff, sizeof(info[i]));
    memset(&heap[i], i == 0 ? 0 : 0xff, sizeof(heap[i]));
    assert_int_equal(modmem_info(&info[i]), 0);
    assert_int_equal(modmem_heap_info(taken, &heap[i]), 0);
  }
  assert_memory_equal(&info[0], &info[1], sizeof(info[0]));
  assert_memory_equal(&heap[0], &heap[1], sizeof(heap[0]));
  assert_int_equal(heap[0].live_bytes, 3 * page_bytes() + 1);
  assert_int_equal(heap[0].peak_live_bytes, 3 * page_bytes() + 1);
  assert_int_equal(heap[0].allocations, 1);
  assert_int_equal(heap[0].failures, 1);
  if (policy_is_elastic()) {
    assert_int_equal(heap[0].mapped_bytes, 4 * page_bytes());
    assert_in_range(info[0].mapped_bytes, before.mapped_bytes + 9 * page_bytes(),
                    before.mapped_bytes + 12 * page_bytes());
  }
  sof_heap_free(taken, block);
  vpage_free(pages);
  assert_int_equal(modmem_heap_info(taken, &heap[0]), 0);
  assert_int_equal(heap[0].live_bytes, 0);
  assert_int_equal(heap[0].frees, 1);
  assert_int_equal(heap[0].peak_live_bytes, 3 * page_bytes() + 1);
  assert_int_equal(modmem_heap_destroy(taken), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(l1_vpage_free_moves_wrong_record),  TEST(l1_vpage_free_with_all_records_in_use),
      TEST(l2_rfree_of_a_region_block),        TEST(l3_mod_balloc_goes_where_it_is_freed),
      TEST(l4_objpool_double_free_is_refused), TEST(l5_figures_are_of_now_and_whole),
  };
  return RUN_TESTS("needs: unfixed upstream", tests);
}
