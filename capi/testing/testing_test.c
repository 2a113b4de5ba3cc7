/* modmem/testing.h: what it counts, and what it makes fail. */

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h> /* needs those before it */
/* clang-format on */

#include <errno.h>
#include <modmem/module.h>
#include <modmem/testing.h>
#include <rtos/alloc.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <stdlib.h>
#include <string.h>

static void a_test_that_gives_all_back_is_good(void** state) {
  (void)state;
  rfree(rmalloc(0, 100));
  vpage_free(vpage_alloc(2));
  struct k_heap* heap = modmem_heap_create("mine", 0);
  sof_heap_free(heap, sof_heap_alloc(heap, 0, 10, 0));
  assert_int_equal(modmem_heap_destroy(heap), 0);
}

static void the_host_is_libc_or_what_the_environment_says(void** state) {
  (void)state;
  struct modmem_info info;
  assert_int_equal(modmem_info(&info), 0);
  const char* asked = getenv("MODMEM_HOST");
  assert_string_equal(info.host, asked != NULL && asked[0] != '\0' ? asked : "libc");
}

static void what_is_held_at_the_end_is_counted(void** state) {
  (void)state;
  for (int leaks = 0; leaks < 4; leaks++) {
    assert_int_equal(modmem_testing_begin(), 0);
    struct processing_module mod = {.dev_id = 0x10001};
    mod_resource_init(&mod);
    for (int i = 0; i < leaks; i++) {
      assert_non_null(i % 2 == 0 ? rmalloc(0, 100) : mod_alloc(&mod, 100));
    }
    assert_int_equal(modmem_testing_end(), leaks);
  }
  assert_int_equal(modmem_testing_begin(), 0);
  assert_int_equal(modmem_testing_end(), 0); /* a leak is one test's alone */
}

static void what_is_not_ended_is_counted(void** state) {
  (void)state;
  assert_int_equal(modmem_testing_begin(), 0);
  assert_non_null(vregion_create(1));
  assert_non_null(modmem_heap_create("mine", 0));
  vpage_free(vpage_alloc(1));
  assert_int_equal(modmem_testing_end(), 2);
}

static void misuse_is_counted_unless_it_is_asked_for(void** state) {
  int local = 0;
  (void)state;
  assert_int_equal(modmem_testing_begin(), 0);
  rfree(&local);
  rfree(&local);
  assert_int_equal(modmem_testing_end(), 2);
  assert_int_equal(modmem_testing_begin(), 0);
  rfree(&local);
  assert_int_equal(modmem_testing_misuses(), 1);
  assert_int_equal(modmem_testing_misuses(), 0);
  assert_int_equal(modmem_testing_end(), 0);
}

static void a_test_begins_on_a_fresh_system_only(void** state) {
  (void)state;
  void* early = rmalloc(0, 10);
  assert_int_equal(modmem_testing_begin(), -EBUSY);
  assert_int_equal(modmem_test_setup(NULL), -1);
  rfree(early);
  assert_int_equal(modmem_shutdown(), 0);
}

static void one_request_fails_or_all_from_it_on(void** state) {
  (void)state;
  for (size_t nth = 1; nth <= 4; nth++) {
    for (int on = 0; on < 2; on++) {
      on ? modmem_testing_fail_from(nth) : modmem_testing_fail_nth(nth);
      size_t refused = 0;
      for (size_t i = 1; i <= 6; i++) {
        void* block = rmalloc(0, 10);
        assert_int_equal(block == NULL, on ? i >= nth : i == nth);
        refused += block == NULL ? 1 : 0;
        rfree(block);
      }
      assert_int_equal(modmem_testing_requests(), 6);
      assert_int_equal(modmem_testing_refused(), refused);
    }
  }
  for (int on = 0; on < 2; on++) {
    on ? modmem_testing_fail_from(0) : modmem_testing_fail_nth(0);
    void* block = rmalloc(0, 10);
    assert_non_null(block);
    rfree(block);
    assert_int_equal(modmem_testing_refused(), 0);
  }
}

static void every_way_to_take_memory_can_fail(void** state) {
  struct processing_module mod = {.dev_id = 0x10001};
  struct mod_alloc_ctx context = {modmem_heap_create("mine", 0), NULL};
  struct vregion* region = vregion_create(1);
  (void)state;
  mod_resource_init(&mod);
  assert_non_null(region);
  modmem_testing_fail_from(1);
  assert_null(rmalloc(0, 10));
  assert_null(rzalloc(0, 10));
  assert_null(rballoc(0, 10));
  assert_null(rbrealloc(NULL, 0, 10, 0));
  assert_null(sof_ctx_alloc(&context, 0, 10, 0));
  assert_null(vregion_alloc(region, 10));
  assert_null(vpage_alloc(1));
  assert_null(mod_alloc(&mod, 10));
  assert_null(mod_zalloc(&mod, 10));
  assert_null(mod_balloc(&mod, 10));
  assert_null(mod_data_blob_handler_new(&mod));
  assert_null(mod_fast_get(&mod, "table", 6));
  assert_null(modmem_alloc_range(NULL, 0, 100, 10, 0, NULL));
  modmem_testing_fail_nth(0);
  assert_int_equal(modmem_heap_destroy(context.heap), 0);
  assert_null(vregion_put(region));
  mod_free_all(&mod);
}

static void a_limit_in_bytes_holds(void** state) {
  (void)state;
  assert_int_equal(modmem_set_limit(NULL, 1000), 0);
  void* block = rmalloc(0, 600);
  assert_non_null(block);
  assert_null(rmalloc(0, 401));
  void* rest = rmalloc(0, 400);
  assert_non_null(rest);
  assert_int_equal(modmem_set_limit(NULL, 999), -EBUSY);
  assert_int_equal(modmem_set_limit(NULL, 0), 0);
  rfree(block);
  block = rmalloc(0, 5000);
  assert_non_null(block);
  rfree(block);
  rfree(rest);
}

struct life {
  bool leaks_first;
  bool leaks_second;
  bool succeeds;
  unsigned calls;
};

/* Takes three blocks; gives back what it got, but for a mistake. */
static int live(void* argument) {
  struct life* life = argument;
  void* one = rmalloc(0, 10);
  void* two = one != NULL ? rmalloc(0, 20) : NULL;
  void* three = two != NULL ? rmalloc(0, 30) : NULL;
  const bool good = three != NULL;
  life->calls++;
  rfree(three);
  if (good || !life->leaks_second) {
    rfree(two);
  }
  if (!good || !life->leaks_first) {
    rfree(one);
  }
  return good && life->succeeds ? 0 : -ENOMEM;
}

static void each_request_fails_in_turn(void** state) {
  struct life life = {.succeeds = true};
  (void)state;
  assert_int_equal(modmem_testing_fail_each(live, &life), 3);
  assert_int_equal(life.calls, 4);
}

static void what_a_run_leaves_is_counted(void** state) {
  struct life careless = {.leaks_second = true, .succeeds = true};
  struct life stubborn = {.succeeds = false};
  struct life forgetful = {.leaks_first = true, .succeeds = true};
  (void)state;
  assert_int_equal(modmem_testing_begin(), 0);
  assert_int_equal(modmem_testing_fail_each(live, &careless), 3);
  assert_int_equal(modmem_testing_end(), 2); /* once where it was left, once as a leak */
  assert_int_equal(modmem_testing_begin(), 0);
  assert_int_equal(modmem_testing_fail_each(live, &stubborn), 3);
  assert_int_equal(modmem_testing_end(), 1);
  assert_int_equal(modmem_testing_begin(), 0);
  assert_int_equal(modmem_testing_fail_each(live, &forgetful), 3);
  assert_int_equal(modmem_testing_end(), 2); /* left by the run in which nothing failed */
}

#define IN_A_SYSTEM(test) \
  cmocka_unit_test_setup_teardown(test, modmem_test_setup, modmem_test_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_A_SYSTEM(a_test_that_gives_all_back_is_good),
      IN_A_SYSTEM(the_host_is_libc_or_what_the_environment_says),
      cmocka_unit_test(what_is_held_at_the_end_is_counted),
      cmocka_unit_test(what_is_not_ended_is_counted),
      cmocka_unit_test(misuse_is_counted_unless_it_is_asked_for),
      cmocka_unit_test(a_test_begins_on_a_fresh_system_only),
      IN_A_SYSTEM(one_request_fails_or_all_from_it_on),
      IN_A_SYSTEM(every_way_to_take_memory_can_fail),
      IN_A_SYSTEM(a_limit_in_bytes_holds),
      IN_A_SYSTEM(each_request_fails_in_turn),
      cmocka_unit_test(what_a_run_leaves_is_counted),
  };
  return cmocka_run_group_tests_name("testing.h", tests, NULL, NULL);
}
