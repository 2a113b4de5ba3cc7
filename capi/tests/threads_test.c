/*
 * Threads.
 *
 *   (module memory is) safe from any thread (a lock)         a_module_may_be_shared_by_threads
 *   rfree takes a pointer ... from any core                  blocks_are_freed_by_other_threads
 *   (all of the interface: any thread)                       threads_use_everything_at_once
 * No thread asserts: cmocka's assertions belong to the main one. Each counts what is not as it
 * should be.
 */
#include <modmem/module.h>
#include <pthread.h>
#include <rtos/alloc.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>
#include <stdlib.h>
#include <string.h>

#include "capi/tests/support.h"

enum { THREADS = 4, ROUNDS = 400 };

struct worker {
  pthread_t thread;
  unsigned number;
  unsigned wrong; /* what was not as it should be */
};

static struct worker workers[THREADS];
static struct processing_module shared_module;
static struct vregion* shared_region;
static struct vmh_heap* shared_vmh;
static struct k_heap* shared_heap;
static char table[1000];

static void run_workers(void* (*work)(void*)) {
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i].number = i;
    workers[i].wrong = 0;
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    assert_int_equal(workers[i].wrong, 0);
  }
}

static void count_wrong(struct worker* worker, bool right) { worker->wrong += right ? 0 : 1; }

static void* share_a_module(void* argument) {
  struct worker* worker = argument;
  char* held[8] = {NULL};
  for (unsigned round = 0; round < ROUNDS; round++) {
    const unsigned i = round % COUNT(held);
    const size_t bytes = 16 + (round * 7 + worker->number) % 300;
    if (held[i] != NULL) {
      count_wrong(worker, is_filled(held[i], 16, worker->number * 8 + i));
      count_wrong(worker, mod_free(&shared_module, held[i]) == 0);
    }
    held[i] = round % 3 == 0 ? mod_balloc(&shared_module, bytes) : mod_alloc(&shared_module, bytes);
    count_wrong(worker, held[i] != NULL);
    if (held[i] != NULL) {
      fill(held[i], 16, worker->number * 8 + i);
    }
    const void* copy = mod_fast_get(&shared_module, table, sizeof(table));
    count_wrong(worker, copy != NULL && memcmp(copy, table, sizeof(table)) == 0);
    mod_fast_put(&shared_module, copy);
  }
  for (unsigned i = 0; i < COUNT(held); i += 2) { /* half of it is for mod_free_all() */
    count_wrong(worker, mod_free(&shared_module, held[i]) == 0);
  }
  return NULL;
}

static void a_module_may_be_shared_by_threads(void** state) {
  (void)state;
  memset(&shared_module, 0, sizeof(shared_module));
  shared_module.dev_id = 0x81;
  mod_resource_init(&shared_module);
  fill(table, sizeof(table), 1);
  run_workers(share_a_module);
  expect_quiet();
  size_t most = 0;
  assert_true(module_adapter_heap_usage(&shared_module, &most) > 0);
  assert_true(most <= (size_t)THREADS * 8 * 316);
  mod_free_all(&shared_module);
}

/* Blocks on their way from each thread to the next one. */
static char* passed[THREADS];
static pthread_mutex_t passed_lock = PTHREAD_MUTEX_INITIALIZER;

static void* pass_on(void* argument) {
  struct worker* worker = argument;
  modmem_host_set_core(worker->number % 3);
  for (unsigned round = 0; round < ROUNDS; round++) {
    char* mine = rmalloc(round % 2 == 0 ? 0 : SOF_MEM_FLAG_COHERENT, 64 + round);
    count_wrong(worker, mine != NULL);
    if (mine != NULL) {
      memset(mine, (int)worker->number, 64);
    }
    pthread_mutex_lock(&passed_lock);
    char* taken = passed[worker->number];
    passed[worker->number] = NULL;
    char** next = &passed[(worker->number + 1) % THREADS];
    char* pushed_out = *next;
    *next = mine;
    pthread_mutex_unlock(&passed_lock);
    rfree(taken);
    rfree(pushed_out);
  }
  return NULL;
}

static void blocks_are_freed_by_other_threads(void** state) {
  (void)state;
  const size_t live = heap_live(NULL);
  memset(passed, 0, sizeof(passed));
  run_workers(pass_on);
  for (unsigned i = 0; i < THREADS; i++) {
    rfree(passed[i]);
  }
  expect_quiet();
  assert_int_equal(heap_live(NULL), live);
}

static void* use_everything(void* argument) {
  struct worker* worker = argument;
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  struct mod_alloc_ctx of_region = {NULL, shared_region};
  for (unsigned round = 0; round < ROUNDS / 4; round++) {
    char* system = rzalloc(0, 100);
    char* large = rballoc(0, 3000);
    char* of_heap = sof_heap_alloc(shared_heap, 0, 200, 0);
    char* in_region = sof_ctx_alloc(&of_region, 0, 100, 0);
    char* slot = vmh_alloc(shared_vmh, 500);
    char* pages = vpage_alloc(2);
    char* object = objpool_alloc(&head, 48, 0);
    const void* copy = fast_get(NULL, table, sizeof(table));
    count_wrong(worker, system != NULL && large != NULL && of_heap != NULL && in_region != NULL &&
                            slot != NULL && pages != NULL && object != NULL && copy != NULL);
    if (worker->wrong != 0) {
      break;
    }
    large = rbrealloc(large, 0, 5000, 3000);
    struct modmem_heap_info info;
    count_wrong(worker, large != NULL && modmem_heap_info(shared_heap, &info) == 0);
    count_wrong(worker, modmem_usable_size(slot) >= 500);
    count_wrong(worker, objpool_free(&head, object) == 0);
    count_wrong(worker, vmh_free(shared_vmh, slot) == 0);
    fast_put(NULL, NULL, copy);
    vpage_free(pages);
    sof_ctx_free(&of_region, in_region);
    sof_heap_free(shared_heap, of_heap);
    rfree(large);
    rfree(system);
    count_wrong(worker, vregion_get(shared_region) == shared_region);
    count_wrong(worker, vregion_put(shared_region) == shared_region);
    struct vregion* own = vregion_create(4096);
    count_wrong(worker, vregion_alloc(own, 100) != NULL && vregion_put(own) == NULL);
    count_wrong(worker, modmem_check(false));
  }
  objpool_prune(&head);
  return NULL;
}

static void threads_use_everything_at_once(void** state) {
  (void)state;
  fill(table, sizeof(table), 1);
  shared_heap = modmem_heap_create("shared by threads", 0);
  shared_region = vregion_create(KIB(8));
  vregion_set_interim(shared_region);
  shared_vmh = vmh_init_heap(NULL, false);
  run_workers(use_everything);
  expect_quiet();
  assert_int_equal(vmh_free_heap(shared_vmh), 0);
  assert_null(vregion_put(shared_region));
  assert_int_equal(modmem_heap_destroy(shared_heap), 0);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(a_module_may_be_shared_by_threads),
      TEST(blocks_are_freed_by_other_threads),
      TEST(threads_use_everything_at_once),
  };
  return RUN_TESTS("threads", kTests);
}
