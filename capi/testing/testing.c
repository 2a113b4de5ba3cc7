/* modmem/testing.h: on the functions of modmem/modmem.h alone. */

#include <modmem/testing.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The requests to refuse are [first_refused, end_refused), counted from 1. */
static atomic_size_t first_refused;
static atomic_size_t end_refused;
static atomic_size_t requests;
static atomic_size_t refused;

static atomic_size_t misuses;
static size_t wrong;          /* what modmem_testing_fail_each() found */
static uint32_t owners_first; /* when the test began */

/* Called with the library's lock held. */
static bool on_request(size_t bytes, void* context) {
  (void)bytes;
  (void)context;
  const size_t number = atomic_fetch_add(&requests, 1) + 1;
  if (number < atomic_load(&first_refused) || number >= atomic_load(&end_refused)) {
    return true;
  }
  atomic_fetch_add(&refused, 1);
  return false;
}

static void on_misuse(const struct modmem_fault* fault, void* context) {
  (void)fault; /* a line was logged */
  (void)context;
  atomic_fetch_add(&misuses, 1);
}

static void refuse(size_t first, size_t end) {
  modmem_set_request_filter(NULL, NULL);
  atomic_store(&first_refused, first);
  atomic_store(&end_refused, end);
  atomic_store(&requests, 0);
  atomic_store(&refused, 0);
  modmem_set_request_filter(on_request, NULL);
}

static struct modmem_info info(void) {
  struct modmem_info now;
  memset(&now, 0, sizeof(now));
  modmem_info(&now);
  return now;
}

void modmem_testing_fail_nth(size_t nth) { refuse(nth, nth == 0 ? 0 : nth + 1); }

void modmem_testing_fail_from(size_t nth) { refuse(nth, nth == 0 ? 0 : SIZE_MAX); }

size_t modmem_testing_requests(void) { return atomic_load(&requests); }

size_t modmem_testing_refused(void) { return atomic_load(&refused); }

size_t modmem_testing_misuses(void) { return atomic_exchange(&misuses, 0); }

size_t modmem_testing_fail_each(int (*function)(void* argument), void* argument) {
  for (size_t nth = 1;; nth++) {
    const size_t before = info().live_bytes;
    modmem_testing_fail_nth(nth);
    const int result = function(argument);
    const bool failed = modmem_testing_refused() != 0;
    modmem_testing_fail_nth(0);
    const size_t after = info().live_bytes;
    if (after != before) {
      wrong++;
      fprintf(stderr, "modmem: error: %zu bytes are held after a run that began with %zu bytes",
              after, before);
      if (failed) {
        fprintf(stderr, ", and in which request number %zu failed", nth);
      }
      fputc('\n', stderr);
    }
    if (!failed) {
      if (result != 0) {
        wrong++;
        fprintf(stderr, "modmem: error: returned %d, though no request failed\n", result);
      }
      return nth - 1;
    }
  }
}

int modmem_testing_begin(void) {
  struct modmem_config config;
  memset(&config, 0, sizeof(config));
  const char* host = getenv("MODMEM_HOST");
  config.host = host == NULL || host[0] == '\0' ? "libc" : NULL;
  config.fault_mode = MODMEM_FAULT_REPORT;
  config.fault_handler = on_misuse;
  const int result = modmem_boot(&config);
  if (result != 0) {
    fprintf(stderr, "modmem: error: a test cannot begin: modmem_boot() returned %d\n", result);
    return result;
  }
  modmem_testing_fail_nth(0);
  atomic_store(&misuses, 0);
  wrong = 0;
  owners_first = info().owners;
  return 0;
}

int modmem_testing_end(void) {
  struct modmem_heap_info pages;
  /* The heap of vpage_alloc() comes with its first call, and stays. */
  const uint32_t expected = owners_first + (modmem_named_heap_info("pages", &pages) == 0 ? 1U : 0U);
  const uint32_t owners = info().owners;
  const size_t unexpected = modmem_testing_misuses();
  if (unexpected != 0) {
    fprintf(stderr, "modmem: error: %zu misuses in this test\n", unexpected);
  }
  modmem_set_request_filter(NULL, NULL);
  const int leaks = modmem_shutdown();
  size_t result = wrong + unexpected + (size_t)leaks;
  /* Those that leaked are counted by what they held. */
  if (leaks == 0 && owners > expected) {
    fprintf(stderr, "modmem: error: %u heaps, regions or modules were not ended\n",
            (unsigned)(owners - expected));
    result += owners - expected;
  }
  return result > INT32_MAX ? INT32_MAX : (int)result;
}

int modmem_test_setup(void** state) {
  (void)state;
  return modmem_testing_begin() == 0 ? 0 : -1;
}

int modmem_test_teardown(void** state) {
  (void)state;
  return modmem_testing_end() == 0 ? 0 : -1;
}
