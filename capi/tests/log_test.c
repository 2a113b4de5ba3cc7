/*
 * Logging: the contract's sentence on messages, and what the issue says on the log.
 *
 *   Every id in every message is hexadecimal, every size has
 *     its unit                                               support.h holds all lines to it
 *   one line per event                                       an_event_is_one_line
 *   through the (port's) log sink                            lines_go_to_the_sink
 *                                                            without_sink_lines_go_to_stderr
 *   levels as in firmware                                    levels_are_filtered
 *                                                            the_environment_sets_the_level
 *   (call sites in reports are the user's, those of inline
 *     functions too)                                         lines_name_the_place_of_the_call
 */
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vregion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capi/tests/support.h"

static struct {
  char text[64][512];
  enum modmem_log_level level[64];
  size_t count;
  void* context;
} heard;

static void hear(enum modmem_log_level level, const char* line, void* context) {
  if (heard.count < COUNT(heard.text)) {
    snprintf(heard.text[heard.count], sizeof(heard.text[0]), "%s", line);
    heard.level[heard.count++] = level;
  }
  heard.context = context;
}

static void hear_nothing(void) { heard.count = 0; }

static struct modmem_config hearing_config(void) {
  struct modmem_config config = test_config();
  config.log_sink = hear;
  config.log_context = &heard;
  return config;
}

static void an_event_is_one_line(void** state) {
  (void)state;
  const struct modmem_config config = hearing_config();
  reboot(&config);
  struct k_heap* heap = modmem_heap_create("mine", 0);
  struct vregion* region = vregion_create(KIB(4));
  struct vmh_heap* slots = vmh_init_heap(NULL, false);
  char local = 0;
  char* block = sof_heap_alloc(heap, 0, 100, 0);
  hear_nothing();
  /* Nothing of everyday use is an event. */
  for (int i = 0; i < 20; i++) {
    rfree(rmalloc(0, 100));
  }
  assert_int_equal(heard.count, 0);
  assert_null(rmalloc(0, KIB(64 * 1024)));
  assert_int_equal(heard.count, 1);
  rfree(&local);
  assert_int_equal(heard.count, 2);
  rfree(block + 16);
  assert_int_equal(heard.count, 3);
  vregion_info(region);
  assert_int_equal(heard.count, 4);
  vmh_log_stats(slots);
  assert_int_equal(heard.count, 9); /* five bundles */
  assert_int_equal(modmem_heap_destroy(heap), 1);
  assert_int_equal(heard.count, 10);
  for (size_t i = 0; i < heard.count; i++) {
    assert_null(strchr(heard.text[i], '\n'));
    assert_true(strlen(heard.text[i]) > 10);
    if (!line_is_proper(heard.text[i])) {
      fail_msg("an id that is not hexadecimal or a size without unit: %s", heard.text[i]);
    }
  }
  close_lines();
  assert_int_equal(vmh_free_heap(slots), 0);
  assert_null(vregion_put(region));
  const struct modmem_config usual = test_config();
  reboot(&usual);
}

static void lines_go_to_the_sink(void** state) {
  (void)state;
  char local = 0;
  hear_nothing();
  modmem_set_log_sink(hear, &local);
  assert_null(rmalloc(0, KIB(64 * 1024)));
  assert_int_equal(heard.count, 1);
  assert_ptr_equal(heard.context, &local);
  expect_quiet();
  /* It may call modmem: no lock is held. support.c's own sink is back with the next boot. */
  const struct modmem_config config = test_config();
  reboot(&config);
  assert_null(rmalloc(0, KIB(64 * 1024)));
  expect_line("no memory");
  assert_int_equal(heard.count, 1);
}

static void fail_once(void* unused) {
  (void)unused;
  char local = 0;
  modmem_set_log_sink(NULL, NULL);
  modmem_set_fault_handler(NULL, NULL);
  rfree(&local);
  _exit(0);
}

static void without_sink_lines_go_to_stderr(void** state) {
  (void)state;
  static char output[4096];
  const int status = run_child(fail_once, NULL, output, sizeof(output));
  assert_true(WIFEXITED(status)); /* report mode */
  assert_non_null(strstr(output, "rfree"));
  assert_int_equal(output[strlen(output) - 1], '\n');
  assert_ptr_equal(strchr(output, '\n'), output + strlen(output) - 1); /* one line */
}

/* Causes a line of each level there is to be caused. */
static void cause_lines(void) {
  char local = 0;
  hear_nothing();
  rfree(&local);
  heap_trace_all(1);
  close_lines();
}

static size_t heard_of(enum modmem_log_level level) {
  size_t count = 0;
  for (size_t i = 0; i < heard.count; i++) {
    count += heard.level[i] == level ? 1 : 0;
  }
  return count;
}

static void levels_are_filtered(void** state) {
  (void)state;
  assert_true(MODMEM_LOG_ERROR < MODMEM_LOG_WARNING);
  assert_true(MODMEM_LOG_WARNING < MODMEM_LOG_INFO);
  assert_true(MODMEM_LOG_INFO < MODMEM_LOG_DEBUG);
  modmem_set_log_sink(hear, NULL);
  modmem_set_log_level(MODMEM_LOG_DEBUG);
  cause_lines();
  assert_int_equal(heard_of(MODMEM_LOG_ERROR), 1);
  assert_true(heard_of(MODMEM_LOG_INFO) >= 1);
  modmem_set_log_level(MODMEM_LOG_INFO);
  cause_lines();
  assert_int_equal(heard_of(MODMEM_LOG_ERROR), 1);
  assert_true(heard_of(MODMEM_LOG_INFO) >= 1);
  assert_int_equal(heard_of(MODMEM_LOG_DEBUG), 0);
  modmem_set_log_level(MODMEM_LOG_WARNING);
  cause_lines();
  assert_int_equal(heard_of(MODMEM_LOG_ERROR), 1);
  assert_int_equal(heard_of(MODMEM_LOG_INFO), 0);
  modmem_set_log_level(MODMEM_LOG_ERROR);
  cause_lines();
  assert_int_equal(heard_of(MODMEM_LOG_ERROR), 1);
  assert_int_equal(heard.count, 1);
}

static void trace_with_level(void* level) {
  char local = 0;
  modmem_shutdown();
  modmem_set_log_sink(NULL, NULL);
  modmem_set_fault_handler(NULL, NULL);
  setenv("MODMEM_LOG", level, 1);
  setenv("MODMEM_FAULT", "report", 1);
  rfree(&local);
  heap_trace_all(1);
  _exit(0);
}

static void the_environment_sets_the_level(void** state) {
  (void)state;
  static char output[8192];
  /* The parent's level is of its configuration; a boot without one takes the environment's. */
  assert_int_equal(run_child(trace_with_level, "error", output, sizeof(output)), 0);
  assert_non_null(strstr(output, "rfree"));
  assert_null(strstr(output, "bytes mapped"));
  const char* end = strchr(output, '\n');
  assert_ptr_equal(end, output + strlen(output) - 1);
  assert_int_equal(run_child(trace_with_level, "info", output, sizeof(output)), 0);
  assert_non_null(strstr(output, "rfree"));
  assert_true(strchr(output, '\n') != output + strlen(output) - 1);
}

static void lines_name_the_place_of_the_call(void** state) {
  (void)state;
  struct processing_module module = {.dev_id = 0x51};
  mod_resource_init(&module);
  assert_non_null(rmalloc(0, 1001));
  assert_non_null(rballoc(0, 1002));
  assert_non_null(mod_alloc(&module, 1003));
  assert_non_null(mod_balloc(&module, 1004));
  assert_non_null(mod_zalloc(&module, 1005));
  assert_non_null(sof_heap_alloc(NULL, 0, 1006, 0));
  assert_int_equal(modmem_shutdown(), 6);
  static const char* const kLeaks[] = {"1001 bytes", "1002 bytes", "1003 bytes",
                                       "1004 bytes", "1005 bytes", "1006 bytes"};
  char sites[6][64];
  for (size_t i = 0; i < COUNT(kLeaks); i++) {
    /* This program, and a place of its own in it. */
    const char* at = strstr(line_with(kLeaks[i]), "capi_log_test");
    assert_non_null(at);
    const char* plus = strchr(at, '+');
    assert_non_null(plus);
    assert_memory_equal(plus, "+0x", 3);
    snprintf(sites[i], sizeof(sites[i]), "%.40s", plus);
    for (size_t k = 0; k < i; k++) {
      assert_string_not_equal(sites[i], sites[k]);
    }
  }
  assert_true(close_lines() >= 6);
  const struct modmem_config config = test_config();
  assert_int_equal(modmem_boot(&config), 0);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(an_event_is_one_line),
      TEST(lines_go_to_the_sink),
      TEST(without_sink_lines_go_to_stderr),
      TEST(levels_are_filtered),
      TEST(the_environment_sets_the_level),
      TEST(lines_name_the_place_of_the_call),
  };
  return RUN_TESTS("log", kTests);
}
