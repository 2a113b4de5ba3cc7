/*
 * Boot and the environment: what the issue says on them (the contract leaves both to modmem).
 *
 *   with no call at all, the first allocation brings up a
 *     default system (an existing program just links)        the_first_allocation_boots
 *   which the environment can choose: MODMEM_PLATFORM,
 *     MODMEM_POLICY, MODMEM_HOST=sim|plain|libc              the_environment_chooses
 *                                                            nonsense_in_the_environment_is_refused
 *   modmem_boot() sets platform, policy, sizes, fault
 *     handler, log sink                                      boot_sets_platform_policy_and_sizes
 *                                                            boot_sets_handler_and_sink
 *     and wins over the environment                          boot_wins_over_the_environment
 *                                                            boot_refuses_nonsense
 *                                                            boot_is_for_once
 *   modmem_shutdown() reports leaks                          shutdown_reports_leaks
 *                                                            shutdown_and_boot_go_on_and_on
 *   Three ways to run on a host: sim (real mappings and
 *     banks)                                                 sim_has_real_mappings_and_banks
 *     plain (the same heaps on ordinary memory)              the_heaps_are_the_same_everywhere
 *     libc (the C library's allocator; limits and accounting
 *     kept)                                                  libc_gives_blocks_of_the_c_library
 *   A power cycle                                            a_power_cycle_forgets_all_but_l3
 */
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capi/tests/support.h"

/* What a child says of the system that it has. */
static void say_system(const char* block) {
  struct modmem_info info;
  if (block == NULL || modmem_info(&info) != 0) {
    _exit(3);
  }
  fprintf(stderr, "[%s %s %s]", info.platform, info.policy, info.host);
  fflush(stderr);
}

static void end_parents_system(void) {
  modmem_shutdown();
  modmem_set_log_sink(NULL, NULL);
  modmem_set_fault_handler(NULL, NULL);
}

static void allocate_at_once(void* unused) {
  (void)unused;
  end_parents_system();
  char* block = rmalloc(0, 100);
  fill(block, 100, 1);
  say_system(block);
  rfree(block);
  _exit(modmem_check(true) ? 0 : 4);
}

static void the_first_allocation_boots(void** state) {
  (void)state;
  static char output[4096];
  const int status = run_child(allocate_at_once, NULL, output, sizeof(output));
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_non_null(strstr(output, "[mtl "));
}

struct environment {
  const char* platform;
  const char* policy;
  const char* host;
};

static void set_or_clear(const char* name, const char* value) {
  if (value == NULL) {
    unsetenv(name);
  } else {
    setenv(name, value, 1);
  }
}

static void allocate_in_environment(void* argument) {
  const struct environment* environment = argument;
  end_parents_system();
  set_or_clear("MODMEM_PLATFORM", environment->platform);
  set_or_clear("MODMEM_POLICY", environment->policy);
  set_or_clear("MODMEM_HOST", environment->host);
  char* block = rballoc(SOF_MEM_FLAG_USER, 100);
  say_system(block);
  rfree(block);
  _exit(modmem_shutdown() == 0 ? 0 : 5);
}

static void the_environment_chooses(void** state) {
  (void)state;
  static const struct {
    struct environment environment;
    const char* system;
  } kCases[] = {
      {{NULL, NULL, NULL}, "[mtl elastic plain]"},
      {{"ptl", NULL, "sim"}, "[ptl elastic sim]"},
      {{"tgl", "slots", "plain"}, "[tgl slots plain]"},
      {{"mcu", "single", "libc"}, "[mcu single libc]"},
      {{NULL, "module-heaps", "libc"}, "[mtl module-heaps libc]"},
      {{"lnl", "slots-modules", "plain"}, "[lnl slots-modules plain]"},
      {{"wcl", "slots-all", "libc"}, "[wcl slots-all libc]"},
  };
  static char output[4096];
  for (size_t i = 0; i < COUNT(kCases); i++) {
    struct environment environment = kCases[i].environment;
    const int status = run_child(allocate_in_environment, &environment, output, sizeof(output));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    if (strstr(output, kCases[i].system) == NULL) {
      fail_msg("no %s in %s", kCases[i].system, output);
    }
  }
}

static void nonsense_in_the_environment_is_refused(void** state) {
  (void)state;
  static const struct environment kCases[] = {
      {"nosuchchip", NULL, NULL}, {NULL, "nosuchpolicy", NULL}, {NULL, NULL, "nosuchhost"}};
  static const char* const kNames[] = {"nosuchchip", "nosuchpolicy", "nosuchhost"};
  static char output[4096];
  for (size_t i = 0; i < COUNT(kCases); i++) {
    struct environment environment = kCases[i];
    const int status = run_child(allocate_in_environment, &environment, output, sizeof(output));
    assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    assert_non_null(strstr(output, kNames[i]));
  }
}

static void boot_sets_platform_policy_and_sizes(void** state) {
  (void)state;
  struct modmem_info info;
  struct modmem_config config = test_config();
  config.platform = "lnl";
  config.policy = "module-heaps";
  config.sram_bytes = KIB(2048);
  config.reserve_bytes = KIB(512);
  reboot(&config);
  assert_int_equal(modmem_info(&info), 0);
  assert_string_equal(info.platform, "lnl");
  assert_string_equal(info.policy, "module-heaps");
  assert_int_equal(info.pool_bytes, KIB(1536));
  assert_int_equal(info.banks, 12);
  assert_int_equal(info.page_bytes, 4096);
  assert_int_equal(info.cache_line_bytes, 64);
  assert_int_equal(info.dma_alignment, 128);
  config = test_config();
  config.platform = "mtl";
  reboot(&config);
  assert_int_equal(modmem_info(&info), 0);
  assert_string_equal(info.platform, "mtl");
  assert_int_equal(info.pool_bytes, KIB(1792));
  assert_int_equal(info.banks, 14);
}

static int sink_lines;
static int handler_calls;
static void* sink_context;
static void* handler_context;
static char its_context;

static void my_sink(enum modmem_log_level level, const char* line, void* context) {
  (void)level;
  sink_lines += strstr(line, "rfree") != NULL ? 1 : 0;
  sink_context = context;
}

static void my_handler(const struct modmem_fault* fault, void* context) {
  (void)fault;
  handler_calls++;
  handler_context = context;
}

static void boot_sets_handler_and_sink(void** state) {
  (void)state;
  char local = 0;
  sink_lines = 0;
  handler_calls = 0;
  struct modmem_config config = test_config();
  config.fault_handler = my_handler;
  config.fault_context = &local;
  config.log_sink = my_sink;
  config.log_context = &its_context;
  reboot(&config);
  rfree(&local);
  assert_int_equal(handler_calls, 1);
  assert_ptr_equal(handler_context, &local);
  assert_int_equal(sink_lines, 1);
  assert_ptr_equal(sink_context, &its_context);
  expect_quiet(); /* the test's own have nothing heard of it */
  config = test_config();
  reboot(&config);
  rfree(&local);
  assert_int_equal(handler_calls, 1);
  expect_fault(MODMEM_FAULT_FOREIGN, "rfree", &local);
}

static void boot_against_environment(void* unused) {
  (void)unused;
  end_parents_system();
  setenv("MODMEM_PLATFORM", "tgl", 1);
  setenv("MODMEM_POLICY", "slots", 1);
  setenv("MODMEM_HOST", "libc", 1);
  struct modmem_config config;
  memset(&config, 0, sizeof(config));
  config.platform = "ptl";
  config.policy = "elastic";
  config.host = "plain";
  if (modmem_boot(&config) != 0) {
    _exit(6);
  }
  char* block = rmalloc(0, 10);
  say_system(block);
  rfree(block);
  modmem_shutdown();
  /* What it leaves open is the environment's. */
  config.platform = NULL;
  config.host = NULL;
  config.policy = "single";
  if (modmem_boot(&config) != 0) {
    _exit(7);
  }
  block = rmalloc(0, 10);
  say_system(block);
  rfree(block);
  _exit(modmem_shutdown());
}

static void boot_wins_over_the_environment(void** state) {
  (void)state;
  static char output[4096];
  const int status = run_child(boot_against_environment, NULL, output, sizeof(output));
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_non_null(strstr(output, "[ptl elastic plain]"));
  assert_non_null(strstr(output, "[tgl single libc]"));
}

static void boot_refuses_nonsense(void** state) {
  (void)state;
  modmem_shutdown();
  for (int i = 0; i < 6; i++) {
    struct modmem_config config = test_config();
    config.platform = i == 0 ? "nosuchchip" : i == 5 ? "mcu" : NULL;
    config.policy = i == 1 ? "nosuchpolicy" : i == 5 ? "slots" : NULL; /* which need an MMU */
    config.host = i == 2 ? "nosuchhost" : NULL;
    config.sram_bytes = i == 3 ? 12345 : 0;             /* no whole banks */
    config.reserve_bytes = i == 4 ? KIB(16 * 1024) : 0; /* more than there is */
    assert_int_equal(modmem_boot(&config), -EINVAL);
    expect_error("");
  }
  struct modmem_config too_small = test_config();
  too_small.platform = "mtl";
  too_small.policy = "slots"; /* its arena alone is 256 KiB */
  too_small.reserve_bytes = KIB(1024);
  too_small.sram_bytes = KIB(1024 + 128);
  assert_int_equal(modmem_boot(&too_small), -ENOMEM);
  expect_error("slots");
  const struct modmem_config config = test_config();
  assert_int_equal(modmem_boot(&config), 0);
  char* block = rmalloc(0, 100);
  assert_non_null(block);
  rfree(block);
}

static void boot_is_for_once(void** state) {
  (void)state;
  const struct modmem_config config = test_config();
  char* block = rmalloc(0, 100);
  fill(block, 100, 1);
  assert_int_equal(modmem_boot(&config), -EBUSY);
  close_lines();
  assert_filled(block, 100, 1);
  rfree(block);
}

static void shutdown_reports_leaks(void** state) {
  (void)state;
  assert_non_null(rmalloc(0, 111));
  assert_non_null(rballoc(SOF_MEM_FLAG_USER, 222));
  assert_non_null(rmalloc(SOF_MEM_FLAG_L3, 333));
  assert_int_equal(modmem_shutdown(), 3);
  assert_int_equal(lines_with("111 bytes"), 1);
  assert_int_equal(lines_with("222 bytes"), 1);
  assert_int_equal(lines_with("333 bytes"), 1);
  /* A line each, with the place of the call: a function of this program. */
  assert_non_null(strstr(line_with("111 bytes"), "leak"));
  assert_non_null(strstr(line_with("111 bytes"), "0x"));
  assert_int_equal(close_lines(), 3);
  assert_int_equal(modmem_shutdown(), 0); /* nothing is up */
  const struct modmem_config config = test_config();
  assert_int_equal(modmem_boot(&config), 0);
}

static void shutdown_and_boot_go_on_and_on(void** state) {
  (void)state;
  const struct modmem_config config = test_config();
  for (int i = 0; i < 30; i++) {
    char* block = rmalloc(0, 5000);
    assert_non_null(block);
    block[4999] = 1;
    if (i % 2 == 0) {
      rfree(block);
    }
    assert_int_equal(modmem_shutdown(), i % 2);
    close_lines();
    forget_lines();
    assert_int_equal(modmem_boot(&config), 0);
  }
}

/* Policy elastic, on sim: banks come and go with what is allocated. */
static void sim_has_real_mappings_and_banks(void** state) {
  (void)state;
  SKIP_UNLESS(host() == HOST_SIM, "only the simulator has mappings");
  reboot_policy("elastic");
  struct modmem_info info;
  assert_int_equal(modmem_info(&info), 0);
  const uint32_t banks_on = info.banks_on;
  char* block = rballoc_align(0, KIB(128) * 5, 4096);
  assert_non_null(block);
  fill(block, KIB(128) * 5, 1);
  assert_int_equal(modmem_info(&info), 0);
  assert_in_range(info.banks_on, banks_on + 4, banks_on + 5);
  /* Both aliases are mappings of the same frames. */
  dcache_writeback_region(block, KIB(128) * 5);
  assert_filled(sys_cache_uncached_ptr_get(block), KIB(128) * 5, 1);
  const uintptr_t address = address_of(block);
  rfree(block);
  assert_int_equal(modmem_info(&info), 0);
  assert_int_equal(info.banks_on, banks_on);
  for (size_t page = 0; page < 160; page += 13) {
    assert_emptied(address + page * 4096);
  }
}

/* The same steps give the same figures, whatever the host. */
static void the_heaps_are_the_same_everywhere(void** state) {
  (void)state;
  static const char* const kHosts[] = {"sim", "plain", "libc"};
  struct modmem_info infos[3];
  struct modmem_heap_info heaps[3];
  size_t largest[3];
  for (size_t h = 0; h < 3; h++) {
    struct modmem_config config = test_config();
    config.host = kHosts[h];
    reboot(&config);
    char* blocks[12];
    for (size_t i = 0; i < COUNT(blocks); i++) {
      blocks[i] = rmalloc(i % 3 == 0 ? SOF_MEM_FLAG_COHERENT : 0, 50 + i * 777);
      assert_non_null(blocks[i]);
    }
    for (size_t i = 0; i < COUNT(blocks); i += 2) {
      rfree(blocks[i]);
    }
    assert_int_equal(modmem_info(&infos[h]), 0);
    assert_int_equal(modmem_heap_info(NULL, &heaps[h]), 0);
    largest[h] = modmem_largest_request(NULL, 0, 0);
    assert_string_equal(infos[h].host, kHosts[h]);
    assert_int_equal(infos[h].mapped_bytes, infos[0].mapped_bytes);
    assert_int_equal(infos[h].pool_bytes, infos[0].pool_bytes);
    assert_int_equal(infos[h].banks_on, infos[0].banks_on);
    assert_int_equal(heaps[h].live_bytes, heaps[0].live_bytes);
    assert_int_equal(heaps[h].mapped_bytes, heaps[0].mapped_bytes);
    assert_int_equal(heaps[h].peak_live_bytes, heaps[0].peak_live_bytes);
    assert_int_equal(largest[h], largest[0]);
    for (size_t i = 1; i < COUNT(blocks); i += 2) {
      rfree(blocks[i]);
    }
  }
}

static void libc_gives_blocks_of_the_c_library(void** state) {
  (void)state;
  SKIP_UNLESS(host() == HOST_LIBC, "blocks of the other hosts lie in the window");
  /* Neighbours in the window would be a page apart at most. */
  struct k_heap* heap = modmem_heap_create("limited", 1000);
  char* block = sof_heap_alloc(heap, SOF_MEM_FLAG_COHERENT, 600, 0);
  assert_non_null(block);
  assert_ptr_equal(sys_cache_cached_ptr_get(block), block);
  assert_true(is_aligned(block, 64));
  /* Limits and accounting are kept. */
  assert_null(sof_heap_alloc(heap, 0, 500, 0));
  expect_line("limit");
  assert_int_equal(heap_live(heap), 600);
  sof_heap_free(heap, block);
  assert_int_equal(modmem_heap_destroy(heap), 0);
  /* Nothing of what SRAM is like is lost: more than the pool is not to be had. */
  assert_null(rballoc(0, KIB(4096)));
  expect_line("no memory");
}

static void a_power_cycle_forgets_all_but_l3(void** state) {
  (void)state;
  assert_non_null(rmalloc(0, 100));
  assert_non_null(rmalloc(SOF_MEM_FLAG_LOW_POWER, 100));
  char* kept = rmalloc(SOF_MEM_FLAG_L3, 1000);
  assert_non_null(kept);
  fill(kept, 1000, 1);
  l3_heap_save();
  assert_int_equal(modmem_host_power_cycle(), 0);
  close_lines();
  assert_true(modmem_check(true));
  assert_filled(kept, 1000, 1);
  char* block = rmalloc(0, 100);
  assert_non_null(block);
  rfree(block);
  rfree(kept);
  expect_quiet();
  modmem_shutdown();
  assert_int_equal(modmem_host_power_cycle(), -ENODEV);
  close_lines();
  const struct modmem_config config = test_config();
  assert_int_equal(modmem_boot(&config), 0);
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(the_first_allocation_boots),
      TEST(the_environment_chooses),
      TEST(nonsense_in_the_environment_is_refused),
      TEST(boot_sets_platform_policy_and_sizes),
      TEST(boot_sets_handler_and_sink),
      TEST(boot_wins_over_the_environment),
      TEST(boot_refuses_nonsense),
      TEST(boot_is_for_once),
      TEST(shutdown_reports_leaks),
      TEST(shutdown_and_boot_go_on_and_on),
      TEST(sim_has_real_mappings_and_banks),
      TEST(the_heaps_are_the_same_everywhere),
      TEST(libc_gives_blocks_of_the_c_library),
      TEST(a_power_cycle_forgets_all_but_l3),
  };
  return RUN_TESTS("boot", kTests);
}
