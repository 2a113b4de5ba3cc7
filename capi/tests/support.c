#include "capi/tests/support.h"

#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <sof/lib/vpage.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
enum { WITH_ASAN = true };
#define UNCHECKED __attribute__((no_sanitize_address, noinline))
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { WITH_ASAN = true };
#define UNCHECKED __attribute__((no_sanitize("address"), noinline))
#endif
#endif
#ifndef UNCHECKED
enum { WITH_ASAN = false };
#define UNCHECKED __attribute__((noinline))
#endif

enum { MAX_LINES = 512, MAX_LINE = 512 };

struct line {
  enum modmem_log_level level;
  bool open;
  char text[MAX_LINE];
};

/* The notes are written by whichever thread calls modmem. */
static pthread_mutex_t notes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct line lines[MAX_LINES];
static size_t line_count;
static struct modmem_fault fault; /* the newest */
static char fault_texts[3][64];
static size_t open_faults;
static char asked_line[MAX_LINE];

static struct {
  struct modmem_info info;
  struct modmem_heap_info heap;
  size_t live;
} before;

/* --- notes --- */

static void note_line(enum modmem_log_level level, const char* text, void* context) {
  (void)context;
  pthread_mutex_lock(&notes_lock);
  if (line_count < MAX_LINES) {
    struct line* line = &lines[line_count++];
    line->level = level;
    /* How many lines the limiter left out is said a second later, or at the end. */
    line->open = (level == MODMEM_LOG_ERROR || level == MODMEM_LOG_WARNING) &&
                 strstr(text, "more failures were not logged") == NULL;
    snprintf(line->text, sizeof(line->text), "%s", text);
  }
  pthread_mutex_unlock(&notes_lock);
}

static const char* keep(size_t index, const char* text) {
  if (text == NULL) {
    return NULL;
  }
  snprintf(fault_texts[index], sizeof(fault_texts[index]), "%s", text);
  return fault_texts[index];
}

static void note_fault(const struct modmem_fault* seen, void* context) {
  (void)context;
  pthread_mutex_lock(&notes_lock);
  fault = *seen;
  fault.function = keep(0, seen->function);
  fault.heap = keep(1, seen->heap);
  fault.owner = keep(2, seen->owner);
  open_faults++;
  pthread_mutex_unlock(&notes_lock);
}

static size_t open_lines(void) {
  size_t open = 0;
  for (size_t i = 0; i < line_count; i++) {
    open += lines[i].open ? 1 : 0;
  }
  return open;
}

static void print_open(void) {
  for (size_t i = 0; i < line_count; i++) {
    if (lines[i].open) {
      print_message("open line: %s\n", lines[i].text);
    }
  }
  if (open_faults != 0) {
    print_message("%zu open fault(s), the newest: kind %d in %s at %p\n", open_faults,
                  (int)fault.kind, fault.function, fault.pointer);
  }
}

static struct line* take_only_line(void) {
  if (open_lines() != 1) {
    print_open();
    fail_msg("%zu lines where one was to come", open_lines());
  }
  for (size_t i = 0; i < line_count; i++) {
    if (lines[i].open) {
      lines[i].open = false;
      snprintf(asked_line, sizeof(asked_line), "%s", lines[i].text);
      return &lines[i];
    }
  }
  return NULL;
}

static void assert_has(const char* line, const char* text) {
  if (strstr(line, text) == NULL) {
    fail_msg("no \"%s\" in the line \"%s\"", text, line);
  }
}

void expect_quiet(void) {
  if (open_lines() != 0 || open_faults != 0) {
    print_open();
    fail_msg("%zu lines and %zu faults where none was to come", open_lines(), open_faults);
  }
}

void expect_line(const char* text) {
  struct line* line = take_only_line();
  assert_has(line->text, text);
  expect_quiet();
}

void expect_error(const char* text) {
  struct line* line = take_only_line();
  assert_int_equal(line->level, MODMEM_LOG_ERROR);
  assert_has(line->text, text);
  expect_quiet();
}

void expect_fault(enum modmem_fault_kind kind, const char* function, const void* pointer) {
  if (open_faults != 1) {
    print_open();
    fail_msg("%zu faults where one was to come", open_faults);
  }
  open_faults = 0;
  assert_int_equal(fault.kind, kind);
  assert_non_null(fault.function);
  assert_string_equal(fault.function, function);
  assert_ptr_equal(fault.pointer, pointer);
  assert_non_null(fault.heap);
  assert_non_null(fault.owner);
  expect_error(function);
}

const struct modmem_fault* last_fault(void) { return &fault; }

const char* last_line(void) { return asked_line; }

size_t close_lines(void) {
  const size_t open = open_lines();
  for (size_t i = 0; i < line_count; i++) {
    lines[i].open = false;
  }
  open_faults = 0;
  return open;
}

size_t lines_with(const char* text) {
  size_t count = 0;
  for (size_t i = 0; i < line_count; i++) {
    count += strstr(lines[i].text, text) != NULL ? 1 : 0;
  }
  return count;
}

const char* line_with(const char* text) {
  for (size_t i = 0; i < line_count; i++) {
    if (strstr(lines[i].text, text) != NULL) {
      return lines[i].text;
    }
  }
  fail_msg("no line has \"%s\"", text);
  return NULL;
}

void forget_lines(void) {
  line_count = 0;
  open_faults = 0;
}

/* Whether the part of the line between commas that ends at `end` is about something that is
 * counted, and not measured in bytes. */
static bool is_count(const char* line, const char* end) {
  static const char* const kCounts[] = {"slots", "in use",   "at most",   "allocations",
                                        "frees", "failures", "references"};
  const char* start = end;
  while (start > line && start[-1] != ',') {
    start--;
  }
  for (size_t i = 0; i < COUNT(kCounts); i++) {
    const char* word = strstr(start, kCounts[i]);
    if (word != NULL && word < end) {
      return true;
    }
  }
  return false;
}

/*
 * Numbers are words of their own that start with a digit. One with 0x is an id or an address; a
 * decimal one is a size or a count, and is followed by what it counts, or follows that. So an id in
 * decimal shows as one that nothing follows, or that follows the word for what it identifies.
 */
bool line_is_proper(const char* line) {
  static const char* const kIdWords[] = {"owner", "module", "component", "id", "core", "thread"};
  for (const char* at = line; *at != '\0'; at++) {
    const bool starts = at == line || strchr(" ,;:(=[", at[-1]) != NULL;
    if (!starts || !isdigit((unsigned char)*at) || strncmp(at, "0x", 2) == 0) {
      continue;
    }
    const char* end = at;
    while (isdigit((unsigned char)*end) || *end == '.') {
      end++;
    }
    if (strncmp(end, " %", 2) != 0 && !(end[0] == ' ' && isalpha((unsigned char)end[1])) &&
        !is_count(line, at)) {
      return false;
    }
    for (size_t i = 0; i < COUNT(kIdWords); i++) {
      const size_t length = strlen(kIdWords[i]);
      const char* word = at - 1 - length;
      if (word >= line && strncmp(word, kIdWords[i], length) == 0 &&
          (word == line || !isalpha((unsigned char)word[-1]))) {
        return false;
      }
    }
  }
  return true;
}

/* --- the system under test --- */

static const char* setting(const char* name, const char* fallback) {
  const char* value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : fallback;
}

enum host host(void) {
  const char* name = setting("MODMEM_HOST", "plain");
  return strcmp(name, "sim") == 0 ? HOST_SIM : strcmp(name, "libc") == 0 ? HOST_LIBC : HOST_PLAIN;
}

static struct modmem_info info(void) {
  struct modmem_info now;
  memset(&now, 0, sizeof(now));
  assert_int_equal(modmem_info(&now), 0);
  return now;
}

static struct modmem_heap_info heap_info(const struct k_heap* heap) {
  struct modmem_heap_info now;
  memset(&now, 0, sizeof(now));
  assert_int_equal(modmem_heap_info(heap, &now), 0);
  return now;
}

bool policy_is(const char* name) { return strcmp(info().policy, name) == 0; }

bool policy_is_elastic(void) { return policy_is("elastic") || policy_is("module-heaps"); }

struct modmem_config test_config(void) {
  struct modmem_config config;
  memset(&config, 0, sizeof(config));
  config.fault_mode = MODMEM_FAULT_REPORT;
  config.fault_handler = note_fault;
  config.log_sink = note_line;
  config.log_level = MODMEM_LOG_DEBUG;
  return config;
}

/* The heap of pages comes with the first page, and stays. */
static void bring_up_pages(void) { vpage_free(vpage_alloc(1)); }

/* So do the other cores' heaps of the system, with their first block. (Declared here: see below.)
 */
void* rmalloc(uint32_t flags, size_t bytes);
void rfree(void* ptr);
static void bring_up_cores(void) {
  for (unsigned core = 1; core < 5; core++) {
    modmem_host_set_core(core);
    rfree(rmalloc(0, 1));
    modmem_drain(UINT32_MAX);
  }
  modmem_host_set_core(0);
  modmem_drain(UINT32_MAX);
  modmem_largest_request(NULL, MODMEM_MEM_FLAG_SILENT, 0); /* of all that is to be had */
}

static void remember(void) {
  bring_up_pages();
  bring_up_cores();
  before.info = info();
  before.heap = heap_info(NULL);
  before.live = system_live();
}

static void assert_as_before(void) {
  bring_up_pages();
  bring_up_cores(); /* and what others have freed, or waits in quarantine, goes back */
  const struct modmem_info now = info();
  assert_true(modmem_check(true));
  assert_int_equal(now.mapped_bytes, before.info.mapped_bytes);
  assert_int_equal(now.owners, before.info.owners);
  assert_int_equal(now.banks_on, before.info.banks_on);
  assert_int_equal(heap_info(NULL).live_bytes, before.heap.live_bytes);
  assert_int_equal(system_live(), before.live);
  assert_int_equal(heap_info(NULL).mapped_bytes, before.heap.mapped_bytes);
}

static void end_system(void) {
  expect_quiet();
  assert_as_before();
  assert_int_equal(modmem_shutdown(), 0);
  expect_quiet();
  for (size_t i = 0; i < line_count; i++) {
    if (!line_is_proper(lines[i].text)) {
      fail_msg("an id that is not hexadecimal or a size without unit: %s", lines[i].text);
    }
  }
  forget_lines();
}

void reboot(const struct modmem_config* config) {
  end_system();
  assert_int_equal(modmem_boot(config), 0);
  remember();
}

void reboot_policy(const char* policy) {
  struct modmem_config config = test_config();
  config.policy = policy;
  reboot(&config);
}

void reboot_platform(const char* platform) {
  struct modmem_config config = test_config();
  config.platform = platform;
  reboot(&config);
}

int test_begin(void** state) {
  (void)state;
  /* cmocka would go on after a crash, inside of a lock. */
  signal(SIGABRT, SIG_DFL);
  signal(SIGBUS, SIG_DFL);
  signal(SIGSEGV, SIG_DFL);
  modmem_shutdown(); /* what a test before left behind when it failed */
  forget_lines();
  const struct modmem_config config = test_config();
  assert_int_equal(modmem_boot(&config), 0);
  remember();
  return 0;
}

int test_end(void** state) {
  (void)state;
  modmem_host_set_core(0);
  end_system();
  return 0;
}

int run_program(const char* name, const struct CMUnitTest* tests, size_t count) {
  setvbuf(stdout, NULL, _IOLBF, 0); /* the name of a test that crashes is not lost */
  return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

void skip_if(bool condition, const char* test, const char* reason) {
  if (condition) {
    print_message("%s: not under host %s, policy %s: %s\n", test, setting("MODMEM_HOST", "plain"),
                  info().policy, reason);
    skip();
  }
}

/* --- pages --- */

size_t pool_mapped(void) { return info().mapped_bytes; }
size_t heap_mapped(const struct k_heap* heap) { return heap_info(heap).mapped_bytes; }
size_t heap_live(const struct k_heap* heap) { return heap_info(heap).live_bytes; }

size_t named_live(const char* name) {
  struct modmem_heap_info now;
  const int result = modmem_named_heap_info(name, &now);
  assert_true(result == 0 || result == -ENOENT);
  return result == 0 ? now.live_bytes : 0;
}

size_t system_live(void) {
  static const char* const kHeaps[] = {"system", "system-1", "system-2",  "system-3", "system-4",
                                       "slots",  "shared",   "low-power", "l3"};
  size_t live = 0;
  for (size_t i = 0; i < COUNT(kHeaps); i++) {
    live += named_live(kHeaps[i]);
  }
  return live;
}

size_t page_bytes(void) { return info().page_bytes; }
size_t line_bytes(void) { return info().cache_line_bytes; }

static sigjmp_buf on_signal;

static void jump_back(int number) { siglongjmp(on_signal, number); }

UNCHECKED static unsigned char read_byte(uintptr_t address) {
  return *(volatile unsigned char*)address; /* NOLINT(performance-no-int-to-ptr): a bare address */
}

bool faults_at(uintptr_t address) {
  struct sigaction action;
  struct sigaction segv;
  struct sigaction bus;
  memset(&action, 0, sizeof(action));
  action.sa_handler = jump_back;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &segv);
  sigaction(SIGBUS, &action, &bus);
  volatile bool faulted = true;
  if (sigsetjmp(on_signal, 1) == 0) {
    read_byte(address);
    faulted = false;
  }
  sigaction(SIGSEGV, &segv, NULL);
  sigaction(SIGBUS, &bus, NULL);
  return faulted;
}

void assert_emptied(uintptr_t address) {
  if (host() == HOST_LIBC) {
    return;
  }
  assert_false(modmem_is_mapped((const void*)address)); /* NOLINT(performance-no-int-to-ptr) */
  if (host() == HOST_SIM) {
    assert_true(faults_at(address));
  }
}

void assert_mapped(void* block) {
  assert_true(modmem_is_mapped(block));
  volatile unsigned char* byte = block;
  *byte = 0x5a;
  assert_int_equal(*byte, 0x5a);
}

/* --- symbols --- */

/* This file includes nothing that defines these inline; the linker knows them or not. */
extern char rballoc_align_symbol __asm__("rballoc_align") __attribute__((weak));
extern char rballoc_symbol __asm__("rballoc") __attribute__((weak));
extern char rbrealloc_symbol __asm__("rbrealloc") __attribute__((weak));
extern char mod_alloc_symbol __asm__("mod_alloc") __attribute__((weak));
extern char mod_zalloc_symbol __asm__("mod_zalloc") __attribute__((weak));
extern char mod_balloc_symbol __asm__("mod_balloc") __attribute__((weak));

bool has_symbol(const char* name) {
  const struct {
    const char* name;
    const char* address;
  } symbols[] = {
      {"rballoc_align", &rballoc_align_symbol}, {"rballoc", &rballoc_symbol},
      {"rbrealloc", &rbrealloc_symbol},         {"mod_alloc", &mod_alloc_symbol},
      {"mod_zalloc", &mod_zalloc_symbol},       {"mod_balloc", &mod_balloc_symbol},
  };
  for (size_t i = 0; i < COUNT(symbols); i++) {
    if (strcmp(symbols[i].name, name) == 0) {
      return symbols[i].address != NULL;
    }
  }
  fail_msg("%s is not in the table of symbols", name);
  return false;
}

/* --- blocks --- */

bool blocks_are_exact(void) { return WITH_ASAN || host() == HOST_LIBC; }

void assert_slots(const void* block, size_t slots, size_t asked) {
  assert_non_null(block);
  assert_int_equal(modmem_usable_size(block), blocks_are_exact() ? asked : slots);
}

static unsigned char pattern(size_t place, unsigned seed) {
  return (unsigned char)((place * 131) ^ (place >> 8) ^ (seed * 29 + 7));
}

void fill(void* block, size_t bytes, unsigned seed) {
  unsigned char* at = block;
  for (size_t i = 0; i < bytes; i++) {
    at[i] = pattern(i, seed);
  }
}

bool is_filled(const void* block, size_t bytes, unsigned seed) {
  const unsigned char* at = block;
  for (size_t i = 0; i < bytes; i++) {
    if (at[i] != pattern(i, seed)) {
      return false;
    }
  }
  return true;
}

void assert_filled(const void* block, size_t bytes, unsigned seed) {
  const unsigned char* at = block;
  for (size_t i = 0; i < bytes; i++) {
    if (at[i] != pattern(i, seed)) {
      fail_msg("byte %zu of %zu is not as it was written", i, bytes);
    }
  }
}

void assert_zero(const void* block, size_t bytes) {
  const unsigned char* at = block;
  for (size_t i = 0; i < bytes; i++) {
    if (at[i] != 0) {
      fail_msg("byte %zu of %zu is not zero", i, bytes);
    }
  }
}

/* --- processes --- */

int run_child(void (*body)(void* argument), void* argument, char* output, size_t capacity) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    body(argument);
    fflush(NULL);
    _exit(0);
  }
  close(ends[1]);
  size_t length = 0;
  char part[256];
  ssize_t got;
  while ((got = read(ends[0], part, sizeof(part))) > 0) {
    for (ssize_t i = 0; i < got && length + 1 < capacity; i++) {
      output[length++] = part[i];
    }
  }
  output[length] = '\0';
  close(ends[0]);
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}
