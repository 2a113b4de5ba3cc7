/*
 * Tests with mistakes, each of which must fail: testing_test.py runs the one that the argument
 * names, and expects that it does.
 */

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h> /* needs those before it */
/* clang-format on */

#include <modmem/module.h>
#include <modmem/testing.h>
#include <rtos/alloc.h>
#include <string.h>

static void nothing(void** state) {
  (void)state;
  rfree(rmalloc(0, 10));
}

static void block(void** state) {
  (void)state;
  assert_non_null(rmalloc(0, 392));
}

static void module(void** state) {
  static struct processing_module mod;
  (void)state;
  mod.dev_id = 0x10001;
  mod_resource_init(&mod);
  assert_non_null(mod_alloc(&mod, 100));
  assert_non_null(mod_alloc(&mod, 200));
}

static void region(void** state) {
  (void)state;
  assert_non_null(vregion_create(4096));
}

static void twice(void** state) {
  (void)state;
  void* once = rmalloc(0, 10);
  rfree(once);
  rfree(once);
}

static int leak_without_memory(void* argument) {
  void* one = rmalloc(0, 48);
  void* two = rmalloc(0, 48);
  (void)argument;
  rfree(two);
  if (two == NULL) {
    return -1;
  }
  rfree(one);
  return 0;
}

static void path(void** state) {
  (void)state;
  assert_int_equal(modmem_testing_fail_each(leak_without_memory, NULL), 2);
}

int main(int count, char** arguments) {
#define TEST(function) \
  cmocka_unit_test_setup_teardown(function, modmem_test_setup, modmem_test_teardown)
  const struct CMUnitTest tests[] = {TEST(nothing), TEST(block), TEST(module),
                                     TEST(region),  TEST(twice), TEST(path)};
  for (size_t i = 0; count > 1 && i < sizeof(tests) / sizeof(tests[0]); i++) {
    if (strcmp(tests[i].name, arguments[1]) == 0) {
      return _cmocka_run_group_tests("failing", &tests[i], 1, NULL, NULL) == 0 ? 0 : 1;
    }
  }
  return 2;
}
