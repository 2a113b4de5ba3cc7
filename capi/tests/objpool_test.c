/*
 * Object pools: the first sentence of the contract's section on object pools and shared copies, and
 * that on the growth of pools from the section on module memory.
 *
 *   struct objpool_head { list, vreg, heap, flags }          a_head_has_its_members
 *     (memory from vreg, else heap, else as flags say)       chunks_come_from_the_heads_region
 *                                                            chunks_come_from_the_heads_heap
 *   objpool_alloc(head, size, flags): zeroed on first use    objects_are_zeroed_on_first_use
 *     size and flags stay the same per head, else NULL       size_and_flags_stay_the_same
 *   objpool_free(head, data): 0                              objects_come_and_go
 *     NULL: 0                                                free_of_null_is_0
 *     not live in this pool: -EINVAL                         free_of_what_is_not_live_is_einval
 *   objpool_prune(head)                                      prune_gives_everything_back
 *   objpool_iterate(head, cb, arg): 0 where a callback
 *     returned true, else -ENOENT                            iterate_ends_where_the_callback_says
 *                                                            iterate_sees_live_objects_alone
 *   ... an object pool that grows 2, 4, 8, 16, 32, 32, ...
 *     records                                                pools_grow_2_4_8_16_32_32
 *   (out of memory: NULL, one line)                          out_of_memory_leaves_the_pool
 */
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>
#include <string.h>

#include "capi/tests/support.h"

static void a_head_has_its_members(void** state) {
  (void)state;
  struct objpool_head head = {.list = {NULL, NULL}, .vreg = NULL, .heap = NULL, .flags = 0};
  list_init(&head.list);
  assert_true(list_is_empty(&head.list));
  char* object = objpool_alloc(&head, 40, SOF_MEM_FLAG_USER);
  assert_non_null(object);
  assert_false(list_is_empty(&head.list));
  assert_int_equal(head.flags, SOF_MEM_FLAG_USER);
  assert_int_equal(objpool_free(&head, object), 0);
  objpool_prune(&head);
  assert_true(list_is_empty(&head.list));
}

static void chunks_come_from_the_heads_region(void** state) {
  (void)state;
  struct vregion* region = vregion_create(KIB(8));
  struct objpool_head head = {.list = LIST_INIT(head.list), .vreg = region};
  struct modmem_heap_info info;
  const size_t system = heap_live(NULL);
  char* object = objpool_alloc(&head, 1000, 0);
  assert_non_null(object);
  assert_int_equal(modmem_vregion_heap_info(region, &info), 0);
  assert_true(info.live_bytes >= 2000);
  assert_in_range(heap_live(NULL), system, system + info.live_bytes);
  /* 2 + 4 objects and no 8 more: the region is full, not the pool. */
  for (int i = 0; i < 5; i++) {
    assert_non_null(objpool_alloc(&head, 1000, 0));
  }
  assert_null(objpool_alloc(&head, 1000, 0));
  expect_line("no memory");
  objpool_prune(&head);
  assert_null(vregion_put(region));
}

static void chunks_come_from_the_heads_heap(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("objects", 0);
  struct objpool_head head = {.list = LIST_INIT(head.list), .heap = heap};
  char* object = objpool_alloc(&head, 100, 0);
  assert_non_null(object);
  assert_in_range(heap_live(heap), 200, 400);
  objpool_prune(&head);
  assert_int_equal(heap_live(heap), 0);
  assert_int_equal(modmem_heap_destroy(heap), 0);
  /* Neither: what the flags say. */
  struct objpool_head coherent = {.list = LIST_INIT(coherent.list)};
  object = objpool_alloc(&coherent, 64, SOF_MEM_FLAG_COHERENT);
  assert_non_null(object);
  assert_true(host() == HOST_LIBC || sys_cache_is_ptr_uncached(object));
  objpool_prune(&coherent);
}

static void objects_are_zeroed_on_first_use(void** state) {
  (void)state;
  /* Memory that is not zero before. */
  char* keeper = rmalloc(0, 64);
  char* dirt = rmalloc(0, 3000);
  memset(dirt, 0xff, 3000);
  rfree(dirt);
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  char* objects[30];
  for (unsigned i = 0; i < COUNT(objects); i++) {
    objects[i] = objpool_alloc(&head, 24, 0);
    assert_non_null(objects[i]);
    assert_zero(objects[i], 24);
    fill(objects[i], 24, i);
  }
  /* Later uses find what was left. */
  for (unsigned i = 0; i < COUNT(objects); i++) {
    assert_filled(objects[i], 24, i);
  }
  assert_int_equal(objpool_free(&head, objects[7]), 0);
  char* again = objpool_alloc(&head, 24, 0);
  assert_non_null(again);
  if (again == objects[7]) {
    assert_filled(again, 24, 7);
  } else {
    assert_zero(again, 24);
  }
  objpool_prune(&head);
  rfree(keeper);
}

static void size_and_flags_stay_the_same(void** state) {
  (void)state;
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  char* object = objpool_alloc(&head, 40, SOF_MEM_FLAG_USER);
  assert_non_null(object);
  assert_null(objpool_alloc(&head, 48, SOF_MEM_FLAG_USER));
  close_lines();
  assert_null(objpool_alloc(&head, 32, SOF_MEM_FLAG_USER));
  close_lines();
  assert_null(objpool_alloc(&head, 40, 0));
  close_lines();
  assert_null(objpool_alloc(&head, 0, SOF_MEM_FLAG_USER));
  close_lines();
  char* other = objpool_alloc(&head, 40, SOF_MEM_FLAG_USER);
  assert_non_null(other);
  assert_ptr_not_equal(other, object);
  objpool_prune(&head);
  /* Pruned, it is a new one. */
  assert_non_null(objpool_alloc(&head, 48, 0));
  objpool_prune(&head);
  assert_null(objpool_alloc(&head, 0, 0));
  close_lines();
}

static void objects_come_and_go(void** state) {
  (void)state;
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  char* objects[70];
  for (unsigned round = 0; round < 5; round++) {
    for (unsigned i = 0; i < COUNT(objects); i++) {
      objects[i] = objpool_alloc(&head, 56, 0);
      assert_non_null(objects[i]);
      assert_true(is_aligned(objects[i], sizeof(int)));
      fill(objects[i], 56, i + round);
    }
    for (unsigned i = 0; i < COUNT(objects); i++) {
      assert_filled(objects[i], 56, i + round);
      assert_int_equal(objpool_free(&head, objects[i]), 0);
    }
  }
  /* Objects stay with the pool: the same memory serves all rounds. */
  const size_t live = heap_live(NULL);
  for (unsigned i = 0; i < 62; i++) {
    objects[i] = objpool_alloc(&head, 56, 0);
  }
  assert_int_equal(heap_live(NULL), live);
  objpool_prune(&head);
}

static void free_of_null_is_0(void** state) {
  (void)state;
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  assert_int_equal(objpool_free(&head, NULL), 0);
  assert_non_null(objpool_alloc(&head, 40, 0));
  assert_int_equal(objpool_free(&head, NULL), 0);
  expect_quiet();
  objpool_prune(&head);
}

static void free_of_what_is_not_live_is_einval(void** state) {
  (void)state;
  char local[64] = {0};
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  struct objpool_head other = {.list = LIST_INIT(other.list)};
  char* object = objpool_alloc(&head, 40, 0);
  char* keeper = objpool_alloc(&head, 40, 0);
  char* others = objpool_alloc(&other, 40, 0);
  assert_int_equal(objpool_free(&head, local), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "objpool_free", local);
  assert_int_equal(objpool_free(&head, others), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "objpool_free", others);
  assert_int_equal(objpool_free(&head, object + 8), -EINVAL);
  expect_fault(MODMEM_FAULT_INTERIOR, "objpool_free", object + 8);
  assert_int_equal(objpool_free(&head, object), 0);
  assert_int_equal(objpool_free(&head, object), -EINVAL); /* a second time */
  expect_fault(MODMEM_FAULT_NOT_LIVE, "objpool_free", object);
  assert_int_equal(objpool_free(&head, keeper), 0);
  assert_int_equal(objpool_free(&other, others), 0);
  objpool_prune(&head);
  assert_int_equal(objpool_free(&head, keeper), -EINVAL);
  assert_true(close_lines() == 1);
  objpool_prune(&other);
}

static void prune_gives_everything_back(void** state) {
  (void)state;
  const size_t live = heap_live(NULL);
  const size_t pool = pool_mapped();
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  for (int i = 0; i < 100; i++) {
    assert_non_null(objpool_alloc(&head, 100, 0));
  }
  assert_true(heap_live(NULL) >= live + 10000);
  objpool_prune(&head);
  assert_int_equal(heap_live(NULL), live);
  assert_int_equal(pool_mapped(), pool);
  objpool_prune(&head); /* an empty one */
  char* object = objpool_alloc(&head, 100, 0);
  assert_non_null(object);
  assert_zero(object, 100);
  objpool_prune(&head);
}

struct seen {
  const void* objects[8];
  size_t count;
  size_t end_after; /* 0: never */
};

static bool see(void* data, void* arg) {
  struct seen* seen = arg;
  assert_in_range(seen->count, 0, 7);
  seen->objects[seen->count++] = data;
  return seen->count == seen->end_after;
}

static void iterate_ends_where_the_callback_says(void** state) {
  (void)state;
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  struct seen seen = {.end_after = 1};
  assert_int_equal(objpool_iterate(&head, see, &seen), -ENOENT); /* nothing there */
  assert_int_equal(seen.count, 0);
  for (int i = 0; i < 5; i++) {
    assert_non_null(objpool_alloc(&head, 40, 0));
  }
  for (size_t end = 1; end <= 5; end++) {
    seen = (struct seen){.end_after = end};
    assert_int_equal(objpool_iterate(&head, see, &seen), 0);
    assert_int_equal(seen.count, end);
  }
  seen = (struct seen){.end_after = 0};
  assert_int_equal(objpool_iterate(&head, see, &seen), -ENOENT);
  assert_int_equal(seen.count, 5);
  objpool_prune(&head);
}

static void iterate_sees_live_objects_alone(void** state) {
  (void)state;
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  char* objects[6];
  for (size_t i = 0; i < COUNT(objects); i++) {
    objects[i] = objpool_alloc(&head, 40, 0);
  }
  assert_int_equal(objpool_free(&head, objects[1]), 0);
  assert_int_equal(objpool_free(&head, objects[4]), 0);
  struct seen seen = {.end_after = 0};
  assert_int_equal(objpool_iterate(&head, see, &seen), -ENOENT);
  assert_int_equal(seen.count, 4);
  for (size_t i = 0; i < COUNT(objects); i++) {
    size_t times = 0;
    for (size_t k = 0; k < seen.count; k++) {
      times += seen.objects[k] == objects[i] ? 1 : 0;
    }
    assert_int_equal(times, i == 1 || i == 4 ? 0 : 1);
  }
  objpool_prune(&head);
}

static void pools_grow_2_4_8_16_32_32(void** state) {
  (void)state;
  static const unsigned kChunks[] = {2, 4, 8, 16, 32, 32, 32};
  struct k_heap* heap = modmem_heap_create("objects", 0);
  struct objpool_head head = {.list = LIST_INIT(head.list), .heap = heap};
  struct modmem_heap_info info;
  for (size_t chunk = 0; chunk < COUNT(kChunks); chunk++) {
    /* The first object of a chunk brings it (the very first one the pool's books, too); the others
     * take nothing. */
    const size_t live = heap_live(heap);
    assert_non_null(objpool_alloc(&head, 48, 0));
    const size_t grown = heap_live(heap) - live;
    assert_in_range(grown, kChunks[chunk] * 48, kChunks[chunk] * 48 + 256);
    assert_int_equal(modmem_heap_info(heap, &info), 0);
    const uint64_t allocations = info.allocations;
    for (unsigned i = 1; i < kChunks[chunk]; i++) {
      assert_non_null(objpool_alloc(&head, 48, 0));
      assert_int_equal(modmem_heap_info(heap, &info), 0);
      assert_int_equal(info.allocations, allocations);
      assert_int_equal(info.live_bytes, live + grown);
    }
  }
  objpool_prune(&head);
  assert_int_equal(heap_live(heap), 0);
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void out_of_memory_leaves_the_pool(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("little", 1000);
  struct objpool_head head = {.list = LIST_INIT(head.list), .heap = heap};
  char* first = objpool_alloc(&head, 200, 0);
  char* second = objpool_alloc(&head, 200, 0);
  assert_non_null(first);
  assert_non_null(second);
  fill(first, 200, 1);
  assert_null(objpool_alloc(&head, 200, 0)); /* four more are 800 bytes */
  expect_line("limit");
  assert_filled(first, 200, 1);
  assert_int_equal(objpool_free(&head, second), 0);
  assert_ptr_equal(objpool_alloc(&head, 200, 0), second);
  objpool_prune(&head);
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(a_head_has_its_members),
      TEST(chunks_come_from_the_heads_region),
      TEST(chunks_come_from_the_heads_heap),
      TEST(objects_are_zeroed_on_first_use),
      TEST(size_and_flags_stay_the_same),
      TEST(objects_come_and_go),
      TEST(free_of_null_is_0),
      TEST(free_of_what_is_not_live_is_einval),
      TEST(prune_gives_everything_back),
      TEST(iterate_ends_where_the_callback_says),
      TEST(iterate_sees_live_objects_alone),
      TEST(pools_grow_2_4_8_16_32_32),
      TEST(out_of_memory_leaves_the_pool),
  };
  return RUN_TESTS("objpool", kTests);
}
