/*
 * Module memory with CONFIG_MODULE_MEMORY_API_DEBUG.
 *
 *   With CONFIG_MODULE_MEMORY_API_DEBUG they check that the
 *     calling thread is the module's manager thread          the_manager_thread_may
 *     before anything else is touched                        other_threads_touch_nothing
 *     and panic with both thread ids where it is not         other_threads_are_faults_with_both_ids
 *                                                            the_default_is_to_panic
 */
#define CONFIG_MODULE_MEMORY_API_DEBUG 1

#include <modmem/module.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "capi/tests/support.h"

static struct processing_module module;
static char* held;
static const char* copy;
static struct comp_data_blob_handler* handler;
static const char kTable[100] = {1, 2, 3};

static void take_everything(void) {
  memset(&module, 0, sizeof(module));
  module.dev_id = 0x71;
  mod_resource_init(&module);
  held = mod_alloc(&module, 100);
  copy = mod_fast_get(&module, kTable, sizeof(kTable));
  handler = mod_data_blob_handler_new(&module);
  assert_non_null(held);
  assert_non_null(copy);
  assert_non_null(handler);
}

static void the_manager_thread_may(void** state) {
  (void)state;
  take_everything();
  assert_non_null(mod_alloc_ext(&module, 0, 10, 0));
  assert_non_null(mod_balloc(&module, 10));
  assert_non_null(mod_zalloc(&module, 10));
  assert_int_equal(module_adapter_heap_usage(&module, NULL), 130);
  mod_data_blob_handler_free(&module, handler);
  mod_fast_put(&module, copy);
  assert_int_equal(mod_free(&module, held), 0);
  mod_free_all(&module);
  expect_quiet();
}

/* Each function of a module, as a thread calls it; what it returns as a number. */
static intptr_t call_alloc(void) { return (intptr_t)mod_alloc_align(&module, 10, 0); }
static intptr_t call_balloc(void) { return (intptr_t)mod_balloc_align(&module, 10, 0); }
static intptr_t call_ext(void) { return (intptr_t)mod_alloc_ext(&module, 0, 10, 0); }
static intptr_t call_zero_bytes(void) { return (intptr_t)mod_alloc_align(&module, 0, 0); }
static intptr_t call_free(void) { return mod_free(&module, held); }
static intptr_t call_free_garbage(void) { return mod_free(&module, &module); }
static intptr_t call_get(void) { return (intptr_t)mod_fast_get(&module, kTable, sizeof(kTable)); }
static intptr_t call_handler(void) { return (intptr_t)mod_data_blob_handler_new(&module); }
static intptr_t call_put(void) {
  mod_fast_put(&module, copy);
  return 0;
}
static intptr_t call_handler_free(void) {
  mod_data_blob_handler_free(&module, handler);
  return 0;
}
static intptr_t call_free_all(void) {
  mod_free_all(&module);
  return 0;
}

static const struct {
  const char* function;
  intptr_t (*call)(void);
  intptr_t result;
} kCalls[] = {
    {"mod_alloc_align", call_alloc, 0},
    {"mod_balloc_align", call_balloc, 0},
    {"mod_alloc_ext", call_ext, 0},
    {"mod_alloc_align", call_zero_bytes, 0},
    {"mod_free", call_free, -EINVAL},
    {"mod_free", call_free_garbage, -EINVAL},
    {"mod_fast_get", call_get, 0},
    {"mod_fast_put", call_put, 0},
    {"mod_data_blob_handler_new", call_handler, 0},
    {"mod_data_blob_handler_free", call_handler_free, 0},
    {"mod_free_all", call_free_all, 0},
};

static void* run_call(void* index) {
  return (void*)kCalls[*(size_t*)index].call(); /* NOLINT(performance-no-int-to-ptr) */
}

static intptr_t call_from_another_thread(size_t index) {
  pthread_t thread;
  void* result = NULL;
  assert_int_equal(pthread_create(&thread, NULL, run_call, &index), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  return (intptr_t)result;
}

static void other_threads_are_faults_with_both_ids(void** state) {
  (void)state;
  take_everything();
  for (size_t i = 0; i < COUNT(kCalls); i++) {
    assert_int_equal(call_from_another_thread(i), kCalls[i].result);
    const struct modmem_fault* fault = last_fault();
    assert_int_equal(fault->kind, MODMEM_FAULT_THREAD);
    assert_string_equal(fault->function, kCalls[i].function);
    assert_true(fault->fatal);
    assert_int_equal(fault->owner_id, 0x71);
    assert_int_not_equal(fault->thread, fault->manager);
    expect_fault(MODMEM_FAULT_THREAD, kCalls[i].function, fault->pointer);
    char id[32];
    snprintf(id, sizeof(id), "%#jx", (uintmax_t)fault->thread);
    assert_non_null(strstr(last_line(), id));
    snprintf(id, sizeof(id), "%#jx", (uintmax_t)fault->manager);
    assert_non_null(strstr(last_line(), id));
    assert_non_null(strstr(last_line(), "0x71"));
  }
  mod_free_all(&module);
}

static void other_threads_touch_nothing(void** state) {
  (void)state;
  take_everything();
  fill(held, 100, 1);
  struct modmem_info before;
  struct modmem_info after;
  assert_int_equal(modmem_info(&before), 0);
  const size_t usage = module_adapter_heap_usage(&module, NULL);
  for (size_t i = 0; i < COUNT(kCalls); i++) {
    call_from_another_thread(i);
    close_lines();
  }
  assert_int_equal(modmem_info(&after), 0);
  assert_int_equal(after.mapped_bytes, before.mapped_bytes);
  assert_int_equal(module_adapter_heap_usage(&module, NULL), usage);
  assert_filled(held, 100, 1);
  assert_memory_equal(copy, kTable, sizeof(kTable));
  assert_int_equal(mod_free(&module, held), 0);
  mod_fast_put(&module, copy);
  mod_data_blob_handler_free(&module, handler);
  expect_quiet();
  mod_free_all(&module);
}

static void call_by_default(void* index) {
  modmem_set_fault_handler(NULL, NULL);
  modmem_set_fault_mode(MODMEM_FAULT_ABORT);
  modmem_set_log_sink(NULL, NULL);
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_call, index) == 0) {
    pthread_join(thread, NULL);
  }
}

static void the_default_is_to_panic(void** state) {
  (void)state;
  static char output[4096];
  take_everything();
  size_t index = 4; /* mod_free(), whose misuse by the manager thread is none to die of */
  const int status = run_child(call_by_default, &index, output, sizeof(output));
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGABRT);
  assert_non_null(strstr(output, "mod_free"));
  assert_non_null(strstr(output, "thread"));
  mod_free_all(&module);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(the_manager_thread_may),
      TEST(other_threads_are_faults_with_both_ids),
      TEST(other_threads_touch_nothing),
      TEST(the_default_is_to_panic),
  };
  return RUN_TESTS("thread_check", kTests);
}
