/*
 * Errors: the contract's section of that name. (That each misuse is found is shown where the
 * functions are tested.)
 *
 *   Out of memory is an everyday event: NULL, and one line
 *         out_of_memory_is_null_and_one_line
 *   (size, alignment, flags, owner, free, largest request that would succeed)
 *         the_line_says_what_was_asked_and_what_is_there
 *         the_largest_request_would_succeed
 *   rate-limited                                           lines_are_rate_limited
 *   a silent flag for callers that probe                   the_silent_flag_is_silent
 *   Misuse of a function that has an error result (mod_free, vmh_free, vmh_free_heap,
 *     objpool_free): its documented error code, one error line, and a call to the fault
 *     observer; the process goes on                        misuse_with_an_error_result_goes_on
 *         misuse_with_an_error_result_never_aborts
 *   Misuse of a void free (rfree, sof_heap_free, vregion_free, vpage_free, fast_put): the
 *     fault handler
 *         misuse_of_a_void_free_calls_the_handler
 *   hosted default print and abort                         the_default_prints_and_aborts
 *   target default panic: on targets only; a "report and carry on" mode changes nothing
 *     else                                                 report_mode_changes_nothing_else
 *   (one replaceable fault handler that gets heap, pointer, owner and kind)
 *         the_handler_can_be_replaced
 *         the_handler_gets_heap_pointer_owner_and_kind
 *   Every id in every message is hexadecimal               ids_are_hexadecimal
 *   (a virtual function that a port lacks)                 a_pure_virtual_function_aborts
 *   every size has its unit (both in all programs besides: support.h)
 *         sizes_have_their_unit
 */
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <signal.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capi/tests/support.h"

/* The number that follows `text` in `line`. */
static size_t number_after(const char* line, const char* text) {
  const char* at = strstr(line, text);
  if (at == NULL) {
    fail_msg("no \"%s\" in the line \"%s\"", text, line);
    return 0;
  }
  return (size_t)strtoull(at + strlen(text), NULL, 0);
}

static void out_of_memory_is_null_and_one_line(void** state) {
  (void)state;
  assert_null(rmalloc(0, KIB(64 * 1024)));
  expect_line("no memory");
  assert_null(rballoc(SOF_MEM_FLAG_USER, KIB(64 * 1024)));
  expect_line("no memory");
  assert_null(rzalloc(0, KIB(64 * 1024)));
  expect_line("no memory");
  assert_null(sof_heap_alloc(NULL, 0, KIB(64 * 1024), 64));
  expect_line("no memory");
  struct vregion* region = vregion_create(KIB(4));
  assert_null(vregion_alloc(region, KIB(5)));
  expect_line("no memory");
  assert_null(vregion_put(region));
  assert_null(vregion_create(KIB(64 * 1024)));
  expect_line("no memory");
  assert_null(vpage_alloc(100000));
  expect_line("no memory");
}

static void the_line_says_what_was_asked_and_what_is_there(void** state) {
  (void)state;
  assert_null(rmalloc_align(SOF_MEM_FLAG_COHERENT | SOF_MEM_FLAG_USER, 99999999, 512));
  expect_line("no memory");
  const char* line = last_line();
  assert_non_null(strstr(line, "99999999 bytes"));
  assert_non_null(strstr(line, "alignment 512 bytes"));
  assert_non_null(strstr(line, "flags 0x110"));
  assert_non_null(strstr(line, "owner system 0x0"));
  assert_non_null(strstr(line, "free "));
  assert_non_null(strstr(line, "largest request "));
  struct modmem_info info;
  assert_int_equal(modmem_info(&info), 0);
  const size_t free_bytes = number_after(line, "free ");
  assert_in_range(free_bytes, 1, info.pool_bytes);
  assert_in_range(number_after(line, "largest request "), 1, free_bytes);
}

static void the_largest_request_would_succeed(void** state) {
  (void)state;
  static const uint32_t kFlags[] = {0,
                                    SOF_MEM_FLAG_LARGE_BUFFER,
                                    SOF_MEM_FLAG_COHERENT,
                                    SOF_MEM_FLAG_USER,
                                    SOF_MEM_FLAG_L3,
                                    SOF_MEM_FLAG_LOW_POWER};
  for (size_t i = 0; i < COUNT(kFlags); i++) {
    assert_null(rmalloc_align(kFlags[i], KIB(512 * 1024), 256));
    expect_line("no memory");
    const size_t largest = number_after(last_line(), "largest request ");
    assert_int_equal(largest, modmem_largest_request(NULL, kFlags[i], 256));
    char* block = rmalloc_align(kFlags[i], largest, 256);
    assert_non_null(block);
    block[0] = 1;
    block[largest - 1] = 2;
    rfree(block);
    /* A line more fails. */
    assert_null(rmalloc_align(kFlags[i] | MODMEM_MEM_FLAG_SILENT, largest + line_bytes(), 256));
    expect_quiet();
  }
}

static void lines_are_rate_limited(void** state) {
  (void)state;
  for (int i = 0; i < 200; i++) {
    assert_null(rmalloc(0, KIB(64 * 1024)));
  }
  /* Ten a second: 200 failures are a matter of milliseconds, or, watched by a tool, of seconds. */
  assert_in_range(lines_with("no memory"), 1, 150);
  close_lines();
  struct modmem_heap_info info;
  assert_int_equal(modmem_heap_info(NULL, &info), 0);
  assert_int_equal(info.failures, 200); /* all are counted */
}

static void the_silent_flag_is_silent(void** state) {
  (void)state;
  struct modmem_heap_info info;
  assert_null(rmalloc(MODMEM_MEM_FLAG_SILENT, KIB(64 * 1024)));
  assert_null(rballoc(SOF_MEM_FLAG_USER | MODMEM_MEM_FLAG_SILENT, KIB(64 * 1024)));
  assert_null(rmalloc(SOF_MEM_FLAG_L3 | SOF_MEM_FLAG_COHERENT | MODMEM_MEM_FLAG_SILENT, 100));
  expect_quiet();
  assert_int_equal(modmem_heap_info(NULL, &info), 0);
  assert_true(info.failures >= 1);
  char* block = rmalloc(MODMEM_MEM_FLAG_SILENT, 100);
  assert_non_null(block);
  rfree(block);
  expect_quiet();
}

static void misuse_with_an_error_result_goes_on(void** state) {
  (void)state;
  char local[64] = {0};
  struct processing_module module = {.dev_id = 0x31};
  mod_resource_init(&module);
  char* block = mod_alloc(&module, 100);
  assert_int_equal(mod_free(&module, local), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", local);
  assert_false(last_fault()->fatal);
  assert_int_equal(mod_free(&module, block), 0);
  mod_free_all(&module);

  struct vmh_heap* heap = vmh_init_heap(NULL, false);
  assert_non_null(heap);
  assert_int_equal(vmh_free(heap, local), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "vmh_free", local);
  assert_false(last_fault()->fatal);
  char* slot = vmh_alloc(heap, 100);
  assert_int_equal(vmh_free_heap(heap), -ENOTEMPTY);
  expect_fault(MODMEM_FAULT_IN_USE, "vmh_free_heap", heap);
  assert_false(last_fault()->fatal);
  assert_int_equal(vmh_free(heap, slot), 0);
  assert_int_equal(vmh_free_heap(heap), 0);

  struct objpool_head head = {.list = LIST_INIT(head.list)};
  char* object = objpool_alloc(&head, 48, 0);
  assert_int_equal(objpool_free(&head, local), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "objpool_free", local);
  assert_false(last_fault()->fatal);
  assert_int_equal(objpool_free(&head, object), 0);
  objpool_prune(&head);
}

static void misuse_without_handler(void* unused) {
  (void)unused;
  char local = 0;
  struct processing_module module = {.dev_id = 0x31};
  struct objpool_head head = {.list = LIST_INIT(head.list)};
  modmem_set_fault_handler(NULL, NULL);
  modmem_set_fault_mode(MODMEM_FAULT_ABORT);
  modmem_set_log_sink(NULL, NULL);
  mod_resource_init(&module);
  mod_alloc(&module, 100);
  struct vmh_heap* heap = vmh_init_heap(NULL, false);
  vmh_alloc(heap, 100);
  objpool_alloc(&head, 48, 0);
  const bool good = mod_free(&module, &local) == -EINVAL && vmh_free(heap, &local) == -EINVAL &&
                    vmh_free_heap(heap) == -ENOTEMPTY && objpool_free(&head, &local) == -EINVAL;
  modmem_shutdown(); /* tools that look for leaks look at children, too */
  _exit(good ? 77 : 78);
}

static void misuse_with_an_error_result_never_aborts(void** state) {
  (void)state;
  static char output[4096];
  const int status = run_child(misuse_without_handler, NULL, output, sizeof(output));
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 77);
  assert_non_null(strstr(output, "mod_free"));
  assert_non_null(strstr(output, "vmh_free"));
  assert_non_null(strstr(output, "vmh_free_heap"));
  assert_non_null(strstr(output, "objpool_free"));
}

/* Each void free, with a pointer that is nobody's. */
static char nobodys[64];
static struct vregion* some_region;

static void misuse_rfree(void) { rfree(nobodys); }
static void misuse_sof_heap_free(void) { sof_heap_free(NULL, nobodys); }
static void misuse_vregion_free(void) { vregion_free(some_region, nobodys); }
static void misuse_vpage_free(void) { vpage_free(nobodys); }
static void misuse_fast_put(void) { fast_put(NULL, NULL, nobodys); }

static const struct {
  const char* function;
  void (*misuse)(void);
} kVoidFrees[] = {
    {"rfree", misuse_rfree},
    {"sof_heap_free", misuse_sof_heap_free},
    {"vregion_free", misuse_vregion_free},
    {"vpage_free", misuse_vpage_free},
    {"fast_put", misuse_fast_put},
};

static void misuse_of_a_void_free_calls_the_handler(void** state) {
  (void)state;
  some_region = vregion_create(KIB(4));
  for (size_t i = 0; i < COUNT(kVoidFrees); i++) {
    kVoidFrees[i].misuse();
    expect_fault(MODMEM_FAULT_FOREIGN, kVoidFrees[i].function, nobodys);
    assert_true(last_fault()->fatal);
  }
  assert_null(vregion_put(some_region));
}

static void misuse_by_default(void* index) {
  modmem_set_fault_handler(NULL, NULL);
  modmem_set_fault_mode(MODMEM_FAULT_ABORT);
  modmem_set_log_sink(NULL, NULL);
  some_region = vregion_create(KIB(4));
  kVoidFrees[*(size_t*)index].misuse();
}

static void the_default_prints_and_aborts(void** state) {
  (void)state;
  static char output[4096];
  for (size_t i = 0; i < COUNT(kVoidFrees); i++) {
    const int status = run_child(misuse_by_default, &i, output, sizeof(output));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(output, kVoidFrees[i].function));
    char pointer[32];
    snprintf(pointer, sizeof(pointer), "%p", (void*)nobodys);
    assert_non_null(strstr(output, pointer));
  }
}

/* What C++ calls for a function that a class leaves open. C programs have the library's own. */
void __cxa_pure_virtual(void);

enum { ABORTED = 61 };

static void leave_by_exit(int number) {
  (void)number;
  exit(ABORTED); /* coverage is counted then, which abort() alone does not see to */
}

static void call_a_pure_virtual_function(void* unused) {
  (void)unused;
  signal(SIGABRT, leave_by_exit);
  __cxa_pure_virtual();
}

static void a_pure_virtual_function_aborts(void** state) {
  (void)state;
  static char output[4096];
  const int status = run_child(call_a_pure_virtual_function, NULL, output, sizeof(output));
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), ABORTED);
}

static void report_and_go_on(void* index) {
  modmem_set_fault_handler(NULL, NULL);
  modmem_set_fault_mode(MODMEM_FAULT_REPORT);
  modmem_set_log_sink(NULL, NULL);
  some_region = vregion_create(KIB(8));
  char* block = rmalloc(0, 500);
  char* in_region = vregion_alloc(some_region, 500);
  fill(block, 500, 1);
  fill(in_region, 500, 2);
  const size_t live = heap_live(NULL);
  const size_t mapped = pool_mapped();
  kVoidFrees[*(size_t*)index].misuse();
  if (!modmem_check(true) || heap_live(NULL) != live || pool_mapped() != mapped) {
    _exit(78);
  }
  if (!is_filled(block, 500, 1) || !is_filled(in_region, 500, 2)) {
    _exit(79);
  }
  rfree(block);
  vregion_put(some_region);
  _exit(modmem_shutdown() == 0 ? 77 : 80);
}

static void report_mode_changes_nothing_else(void** state) {
  (void)state;
  static char output[4096];
  for (size_t i = 0; i < COUNT(kVoidFrees); i++) {
    const int status = run_child(report_and_go_on, &i, output, sizeof(output));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 77);
    assert_non_null(strstr(output, kVoidFrees[i].function));
  }
}

struct notes {
  int calls;
  enum modmem_fault_kind kind;
};

static void note_it(const struct modmem_fault* seen, void* context) {
  struct notes* notes = context;
  notes->calls++;
  notes->kind = seen->kind;
}

static void the_handler_can_be_replaced(void** state) {
  (void)state;
  struct notes notes = {0, MODMEM_FAULT_THREAD};
  const modmem_fault_handler before = modmem_set_fault_handler(note_it, &notes);
  assert_true(before == test_config().fault_handler);
  rfree(nobodys);
  assert_int_equal(notes.calls, 1);
  assert_int_equal(notes.kind, MODMEM_FAULT_FOREIGN);
  expect_error("rfree"); /* the line comes all the same; the test's own handler is not called */
  assert_true(modmem_set_fault_handler(before, NULL) == note_it);
  rfree(nobodys);
  assert_int_equal(notes.calls, 1);
  expect_fault(MODMEM_FAULT_FOREIGN, "rfree", nobodys);
}

static void the_handler_gets_heap_pointer_owner_and_kind(void** state) {
  (void)state;
  struct modmem_info info;
  assert_int_equal(modmem_info(&info), 0);
  assert_int_equal(info.faults, 0);
  struct k_heap* heap = modmem_heap_create("guilty", 0);
  char* block = sof_heap_alloc(heap, 0, 400, 0);
  rfree(block + 100);
  expect_fault(MODMEM_FAULT_INTERIOR, "rfree", block + 100);
  assert_int_equal(last_fault()->thread == 0, 0);
  assert_int_equal(last_fault()->manager, 0);
  assert_non_null(last_fault()->site);
  if (policy_is_elastic()) { /* where it is a heap, and not an account on the system's */
    assert_string_equal(last_fault()->heap, "guilty");
    assert_string_equal(last_fault()->owner, "guilty");
  } else {
    assert_int_not_equal(last_fault()->heap[0], '\0');
  }
  rfree(nobodys);
  expect_fault(MODMEM_FAULT_FOREIGN, "rfree", nobodys);
  assert_string_equal(last_fault()->heap, "");
  sof_heap_free(heap, block);
  assert_int_equal(modmem_heap_destroy(heap), 0);

  struct processing_module module = {.dev_id = 0xabc};
  mod_resource_init(&module);
  assert_non_null(mod_alloc(&module, 100));
  assert_int_equal(mod_free(&module, nobodys), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", nobodys);
  assert_int_equal(last_fault()->owner_id, 0xabc);
  mod_free_all(&module);
  assert_int_equal(modmem_info(&info), 0);
  assert_int_equal(info.faults, 3);
}

static void ids_are_hexadecimal(void** state) {
  (void)state;
  struct processing_module module = {.dev_id = 0xbeef};
  mod_resource_init(&module);
  assert_null(mod_alloc(&module, KIB(64 * 1024)));
  assert_true(lines_with("0xbeef") >= 1);
  assert_int_equal(lines_with("48879"), 0);
  close_lines();
  forget_lines();
  assert_non_null(mod_alloc(&module, 10));
  assert_int_equal(mod_free(&module, nobodys), -EINVAL);
  expect_fault(MODMEM_FAULT_FOREIGN, "mod_free", nobodys);
  assert_non_null(strstr(last_line(), "0xbeef"));
  mod_free_all(&module);
  /* The check that support.h puts to every line finds what it is there for. */
  assert_true(line_is_proper("no memory: 64 bytes, owner module 0xbeef, from prog+0x12, 3 blocks"));
  assert_false(line_is_proper("no memory: 64 bytes, owner module 48879, from prog+0x12"));
  assert_false(line_is_proper("component 12 bytes"));
}

static void sizes_have_their_unit(void** state) {
  (void)state;
  struct k_heap* heap = modmem_heap_create("leaky", 0);
  assert_non_null(sof_heap_alloc(heap, 0, 12345, 0));
  assert_int_equal(modmem_heap_destroy(heap), 1);
  assert_true(lines_with("12345 bytes") == 1);
  assert_int_equal(close_lines(), 1);
  assert_false(line_is_proper("no memory: 64, alignment 16 bytes"));
  assert_false(line_is_proper("leak of 64"));
  assert_true(line_is_proper("leak of 64 bytes"));
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(out_of_memory_is_null_and_one_line),
      TEST(the_line_says_what_was_asked_and_what_is_there),
      TEST(the_largest_request_would_succeed),
      TEST(lines_are_rate_limited),
      TEST(the_silent_flag_is_silent),
      TEST(misuse_with_an_error_result_goes_on),
      TEST(misuse_with_an_error_result_never_aborts),
      TEST(misuse_of_a_void_free_calls_the_handler),
      TEST(the_default_prints_and_aborts),
      TEST(a_pure_virtual_function_aborts),
      TEST(report_mode_changes_nothing_else),
      TEST(the_handler_can_be_replaced),
      TEST(the_handler_gets_heap_pointer_owner_and_kind),
      TEST(ids_are_hexadecimal),
      TEST(sizes_have_their_unit),
  };
  return RUN_TESTS("errors", kTests);
}
