/* Regions, contexts, and who a block goes back to: 11 to 17 of docs/regressions.md. */
#include <pthread.h>

#include "capi/tests/needs/needs.h"

/* What one core noted in its cache, another did not see: "0 bytes free". */
static void s11_region_of_one_core_serves_another(void** state) {
  (void)state;
  modmem_host_set_core(1);
  struct vregion* region = vregion_create(4 * page_bytes());
  void* lifetime = vregion_alloc(region, 1000);
  assert_non_null(lifetime);
  modmem_host_set_core(0);
  void* block = vregion_alloc(region, 5000);
  assert_non_null(block);
  fill(block, 5000, 1);
  vregion_set_interim(region);
  modmem_host_set_core(2);
  void* interim = vregion_alloc_coherent(region, 3000);
  assert_non_null(interim);
  assert_filled(block, 5000, 1);
  modmem_host_set_core(0);
  vregion_free(region, interim);
  vregion_free(region, block);
  vregion_free(region, lifetime);
  assert_null(vregion_put(region));
}

/* A rest below 1,024 bytes was too small for the heap that it was to become. */
static void s12_any_rest_becomes_a_heap(void** state) {
  const size_t line = line_bytes();
  (void)state;
  for (size_t rest = line; rest <= 1024 + line; rest += line) {
    struct vregion* region = vregion_create(2 * page_bytes());
    assert_non_null(region);
    assert_non_null(vregion_alloc(region, 2 * page_bytes() - rest));
    vregion_set_interim(region);
    void* block = vregion_alloc(region, rest);
    assert_non_null(block);
    fill(block, rest, 1);
    assert_refused(vregion_alloc(region, 1));
    vregion_free(region, block);
    assert_non_null(vregion_alloc(region, 1));
    assert_null(vregion_put(region));
  }
  /* Nothing left: a heap without room. */
  struct vregion* region = vregion_create(page_bytes());
  assert_non_null(vregion_alloc(region, page_bytes()));
  vregion_set_interim(region);
  assert_refused(vregion_alloc(region, 1));
  assert_null(vregion_put(region));
}

/* A module in its own region: the count of the region's users lay in what the last of them freed.
 */
static void s13_users_are_counted_outside_of_the_region(void** state) {
  struct module {
    struct mod_alloc_ctx context;
    unsigned users;
  };
  struct vregion* region = vregion_create(2 * page_bytes());
  struct mod_alloc_ctx outer = {NULL, region};
  struct module* module = sof_ctx_zalloc(&outer, 0, sizeof(*module), 0);
  (void)state;
  assert_non_null(module);
  module->context = outer;
  for (module->users = 0; module->users < 3; module->users++) {
    assert_ptr_equal(vregion_get(region), region);
  }
  void* block = sof_ctx_alloc(&module->context, 0, 600, 0);
  assert_non_null(block);
  const uintptr_t was = address_of(block);
  memset(module, 0xff, sizeof(*module)); /* the module's last words say nothing of the region */
  sof_ctx_free(&outer, module);
  for (unsigned left = 3; left > 0; left--) {
    assert_ptr_equal(vregion_put(region), region);
    fill(block, 600, left);
    assert_filled(block, 600, left);
  }
  assert_null(vregion_put(region));
  assert_emptied(was);
}

/* The heap's own notes lay where modules may write. */
static void s14_no_write_into_a_region_reaches_its_metadata(void** state) {
  struct vregion* region = vregion_create(4 * page_bytes());
  char* lifetime[3];
  char* interim[6];
  size_t bytes = 0;
  uintptr_t start = 0;
  (void)state;
  vregion_mem_info(region, &bytes, &start);
  assert_int_equal(bytes, 4 * page_bytes());
  for (unsigned i = 0; i < COUNT(lifetime); i++) {
    lifetime[i] = vregion_alloc(region, 100 + i * 60);
    assert_non_null(lifetime[i]);
  }
  vregion_free(region, lifetime[1]);
  vregion_set_interim(region);
  for (unsigned i = 0; i < COUNT(interim); i++) {
    interim[i] = vregion_alloc(region, 200 + i * 100);
    assert_non_null(interim[i]);
  }
  vregion_free(region, interim[2]);
  vregion_free(region, interim[4]);
  for (int value = 0; value <= 0xff; value += 0x55) {
    if (!UNDER_ASAN && host() != HOST_LIBC) {
      memset((void*)start, value, bytes); /* live or not, blocks or not */
    }
    for (unsigned i = 0; i < COUNT(interim); i++) {
      if (i != 2 && i != 4) {
        memset(interim[i], value, 200 + i * 100);
      }
    }
    assert_true(modmem_check(true));
    vregion_free(region, interim[2]);
    expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE, "vregion_free",
                 interim[2]);
    vregion_free(region, lifetime[1]);
    expect_fault(host() == HOST_LIBC ? MODMEM_FAULT_FOREIGN : MODMEM_FAULT_NOT_LIVE, "vregion_free",
                 lifetime[1]);
    vregion_free(region, interim[5] + 64);
    expect_fault(MODMEM_FAULT_INTERIOR, "vregion_free", interim[5] + 64);
    void* again = vregion_alloc(region, 600);
    assert_non_null(again);
    fill(again, 600, 1);
    assert_filled(again, 600, 1);
    vregion_free(region, again);
  }
  for (unsigned i = 0; i < COUNT(interim); i++) {
    if (i != 2 && i != 4) {
      vregion_free(region, interim[i]);
    }
  }
  vregion_free(region, lifetime[0]);
  vregion_free(region, lifetime[2]);
  assert_null(vregion_put(region));
}

/* The same of object pools, whose objects lie side by side. */
static void s14_no_write_into_objects_reaches_the_pool(void** state) {
  enum { BYTES = 48 };
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  char* objects[14]; /* chunks of 2, 4 and 8 */
  (void)state;
  for (unsigned i = 0; i < COUNT(objects); i++) {
    objects[i] = objpool_alloc(&head, BYTES, 0);
    assert_non_null(objects[i]);
  }
  for (unsigned i = 0; i < COUNT(objects); i++) {
    memset(objects[i], 0xff, BYTES);
  }
  for (unsigned i = 0; i < COUNT(objects); i += 2) {
    assert_int_equal(objpool_free(&head, objects[i]), 0);
  }
  for (unsigned i = 0; i < COUNT(objects); i += 2) {
    assert_int_equal(objpool_free(&head, objects[i]), -EINVAL);
    assert_int_equal(close_lines(), 1);
    memset(objects[i + 1], (int)i, BYTES);
  }
  for (unsigned i = 0; i < COUNT(objects); i += 2) {
    objects[i] = objpool_alloc(&head, BYTES, 0);
    assert_non_null(objects[i]);
    fill(objects[i], BYTES, i);
  }
  for (unsigned i = 0; i < COUNT(objects); i += 2) {
    assert_filled(objects[i], BYTES, i);
  }
  for (unsigned i = 0; i < COUNT(objects); i++) {
    assert_int_equal(objpool_free(&head, objects[i]), 0);
  }
  objpool_prune(&head);
}

/* A buffer of one heap was given to another, which had no such block. */
static void s15_a_block_goes_back_to_its_own_heap(void** state) {
  struct k_heap* mine = modmem_heap_create("mine", 0);
  struct k_heap* other = modmem_heap_create("other", 0);
  struct vregion* region = vregion_create(2 * page_bytes());
  struct mod_alloc_ctx in_region = {NULL, region};
  struct mod_alloc_ctx in_heap = {mine, NULL};
  void* kept = sof_heap_alloc(other, 0, 700, 0);
  (void)state;
  assert_non_null(kept);
  fill(kept, 700, 1);
  vregion_set_interim(region);

  void* block = sof_heap_alloc(mine, 0, 3000, 0);
  assert_int_equal(heap_live(mine), 3000);
  sof_heap_free(other, block);
  assert_int_equal(heap_live(mine), 0);
  assert_int_equal(heap_live(other), 700);

  /* From one context to the other, and from either to the plain calls. */
  block = sof_ctx_alloc(&in_region, 0, 2 * page_bytes(), 0);
  assert_non_null(block);
  assert_refused(vregion_alloc(region, 1));
  sof_ctx_free(&in_heap, block);
  block = vregion_alloc(region, 2 * page_bytes());
  assert_non_null(block);
  sof_ctx_free(&in_region, block);

  block = sof_ctx_alloc(&in_heap, 0, 500, 0);
  assert_int_equal(heap_live(mine), 500);
  sof_ctx_free(&in_region, block);
  assert_int_equal(heap_live(mine), 0);
  block = sof_ctx_alloc(&in_heap, 0, 500, 0);
  rfree(block);
  assert_int_equal(heap_live(mine), 0);
  block = rmalloc(SOF_MEM_FLAG_USER, 500);
  sof_heap_free(mine, block);

  assert_filled(kept, 700, 1);
  sof_heap_free(other, kept);
  assert_int_equal(modmem_heap_destroy(mine), 0);
  assert_int_equal(modmem_heap_destroy(other), 0);
  assert_null(vregion_put(region));
}

/* Where giving it to anybody else is misuse, nothing changes. */
static void s15_nobody_frees_what_others_hold(void** state) {
  struct processing_module one;
  struct processing_module two;
  struct objpool_head first = {.list = LIST_INIT(first.list)};
  struct objpool_head second = {.list = LIST_INIT(second.list)};
  (void)state;
  begin_module(&one, 0x10001);
  begin_module(&two, 0x10002);
  void* block = mod_alloc(&one, 900);
  void* object = objpool_alloc(&first, 32, 0);
  void* theirs = objpool_alloc(&second, 32, 0);
  void* shared = rmalloc(0, 64);
  assert_non_null(mod_alloc(&two, 100));
  fill(block, 900, 3);
  assert_int_equal(mod_free(&two, block), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", block);
  assert_int_equal(mod_free(&two, shared), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", shared);
  assert_int_equal(objpool_free(&second, object), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "objpool_free", object);
  assert_int_equal(objpool_free(&second, shared), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "objpool_free", shared);
  assert_filled(block, 900, 3);
  assert_int_equal(module_adapter_heap_usage(&one, NULL), 900);
  assert_int_equal(mod_free(&one, block), 0);
  assert_int_equal(objpool_free(&first, object), 0);
  assert_int_equal(objpool_free(&second, theirs), 0);
  objpool_prune(&first);
  objpool_prune(&second);
  rfree(shared);
  mod_free_all(&one);
  mod_free_all(&two);
}

static const unsigned char coefficients[5000] = {1, 2, 3};

/* Takes several things in steps, as a module's init does; undoes all where one is not to be had. */
static bool take_all(void* argument) {
  struct processing_module* mod = argument;
  struct comp_data_blob_handler* handler = NULL;
  const void* copy = mod_fast_get(mod, coefficients, sizeof(coefficients));
  void* shared = copy != NULL ? rmalloc(SOF_MEM_FLAG_USER_SHARED_BUFFER, 500) : NULL;
  if (shared != NULL) {
    handler = mod_data_blob_handler_new(mod);
  }
  const bool good =
      handler != NULL && comp_init_data_blob(handler, sizeof(coefficients), coefficients) == 0;
  rfree(shared);
  mod_free_all(mod);
  return good;
}

/* Refuses a request when the steps to it have run out. */
static bool refuse_after(size_t bytes, void* steps) {
  (void)bytes;
  return (*(unsigned*)steps)-- != 0;
}

/* What took two steps was left with the first of them where the second failed. */
static void s16_a_second_step_that_fails_undoes_the_first(void** state) {
  struct processing_module mod;
  (void)state;
  begin_module(&mod, 0x10001);
  assert_true(take_all(&mod)); /* what the first one brings stays, as metadata for the next */
  const size_t mapped = pool_mapped();
  const size_t live = heap_live(NULL);
  bool good = false;
  unsigned refused = 0;
  for (; !good; refused++) {
    unsigned steps = refused;
    modmem_set_request_filter(refuse_after, &steps);
    good = take_all(&mod);
    modmem_set_request_filter(NULL, NULL);
    close_lines();
    assert_int_equal(heap_live(NULL), live);
    assert_int_equal(pool_mapped(), mapped);
  }
  assert_in_range(refused, 6, 20); /* entry, copy, reference, buffer, handler, blob */
}

static void* get_copy(void* mod) {
  return (void*)(uintptr_t)mod_fast_get(mod, coefficients, sizeof(coefficients));
}

static void* end_module(void* mod) {
  mod_free_all(mod);
  return NULL;
}

static void* in_thread(void* (*function)(void* argument), void* argument) {
  pthread_t thread;
  void* result = NULL;
  assert_int_equal(pthread_create(&thread, NULL, function, argument), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  return result;
}

/*
 * A module leaves its copies to the clean-up, which runs in another thread: the first stream
 * played, the second, right behind it, did not.
 */
static void s17_copies_go_though_another_thread_cleans_up(void** state) {
  size_t mapped = 0;
  (void)state;
  for (unsigned stream = 0; stream < 4; stream++) {
    struct processing_module mods[2];
    begin_module(&mods[0], 0x20000);
    begin_module(&mods[1], 0x20001);
    void* first = in_thread(get_copy, &mods[0]);
    void* second = in_thread(get_copy, &mods[1]);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_memory_equal(first, coefficients, sizeof(coefficients));
    in_thread(end_module, &mods[0]);
    assert_memory_equal(second, coefficients, sizeof(coefficients));
    in_thread(end_module, &mods[1]);
    mapped = stream == 0 ? pool_mapped() : mapped;
    assert_int_equal(pool_mapped(), mapped);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(s11_region_of_one_core_serves_another),
      TEST(s12_any_rest_becomes_a_heap),
      TEST(s13_users_are_counted_outside_of_the_region),
      TEST(s14_no_write_into_a_region_reaches_its_metadata),
      TEST(s14_no_write_into_objects_reaches_the_pool),
      TEST(s15_a_block_goes_back_to_its_own_heap),
      TEST(s15_nobody_frees_what_others_hold),
      TEST(s16_a_second_step_that_fails_undoes_the_first),
      TEST(s17_copies_go_though_another_thread_cleans_up),
  };
  return RUN_TESTS("needs: regions and contexts", tests);
}
