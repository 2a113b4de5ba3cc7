/*
 * What the tests of the C interface have in common. Each program calls run_program(); each test
 * then runs in a system of its own:
 *
 *   before  boots the host and policy that MODMEM_HOST and MODMEM_POLICY name ("plain", "elastic"),
 *           with a fault handler that takes faults down and goes on, and a sink that takes lines
 *           down;
 *   after   modmem_check(true) holds; errors and faults that the test did not ask for fail it; the
 *           pool, the system's bytes and the owners are as they were before; modmem_shutdown()
 *           finds no leak.
 *
 * All lines, in all tests, are held to the contract: ids in hexadecimal, sizes with their unit.
 */
#ifndef MODMEM_CAPI_TESTS_SUPPORT_H
#define MODMEM_CAPI_TESTS_SUPPORT_H

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <modmem/modmem.h>
#include <stdbool.h>

#define KIB(n) ((size_t)(n)*1024)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TEST(function) \
  { #function, function, test_begin, test_end, NULL }
/* Runs an array of tests; gives what main() returns. */
#define RUN_TESTS(name, tests) run_program(name, tests, COUNT(tests))

int test_begin(void** state);
int test_end(void** state);
int run_program(const char* name, const struct CMUnitTest* tests, size_t count);

/* --- the system under test --- */

enum host { HOST_SIM, HOST_PLAIN, HOST_LIBC };
enum host host(void);
bool policy_is(const char* name);
/* elastic and module-heaps: heaps map pages under live data alone, so page counts are exact. */
bool policy_is_elastic(void);

/* What test_begin() boots with; a test changes a member and calls reboot(). */
struct modmem_config test_config(void);
/* Ends the running system, which must hold nothing, and boots another one. */
void reboot(const struct modmem_config* config);
/* reboot() with another policy, or another platform. */
void reboot_policy(const char* policy);
void reboot_platform(const char* platform);

/* For what a host or policy cannot show: says so, by the test's name, and ends the test. */
#define SKIP_UNDER(which, reason) skip_if(host() == (which), __func__, reason)
#define SKIP_UNLESS(condition, reason) skip_if(!(condition), __func__, reason)
void skip_if(bool condition, const char* test, const char* reason);

/* --- lines and faults --- */

/*
 * A line of level error or warning, and a fault, is *open* until the test asks for it. These assert
 * that exactly what they name is open, and close it.
 */
void expect_quiet(void);             /* nothing */
void expect_error(const char* text); /* one line, an error, that has this text; no fault */
void expect_line(const char* text);  /* one line, error or warning, that has this text; no fault */
/* One fault and one error line. `function`: the public function that was misused. */
void expect_fault(enum modmem_fault_kind kind, const char* function, const void* pointer);
/* The fault that expect_fault() was last about. Its texts are copies. */
const struct modmem_fault* last_fault(void);
/* The text of the line that an expect_ function was last about. */
const char* last_line(void);
/* Closes what is open, whatever it is. Gives the number of lines. */
size_t close_lines(void);
/* Lines of all levels since the last forget_lines() that have this text; "" is in all. */
size_t lines_with(const char* text);
const char* line_with(const char* text); /* the first one */
void forget_lines(void);
/* True where `line` keeps to the contract: ids in hexadecimal, sizes with their unit. */
bool line_is_proper(const char* line);

/* --- pages --- */

size_t pool_mapped(void);                      /* bytes of frames taken */
size_t heap_mapped(const struct k_heap* heap); /* bytes of pages of that heap; NULL: the system's */
size_t heap_live(const struct k_heap* heap);   /* bytes as asked for */
/* Bytes of live blocks, as asked for, in the heap of that name; 0 where the policy has none. */
size_t named_live(const char* name);
/* The same of all heaps that blocks of no private heap lie in. */
size_t system_live(void);
size_t page_bytes(void);
size_t line_bytes(void);
/* Asserts that the page of `address` has no frame and that touching it faults. What a host cannot
 * show is left out: only `sim` faults, and `libc` has given the block back to the C library. */
void assert_emptied(uintptr_t address);
/* Asserts that the page of `block` has a frame and that it can be read and written. */
void assert_mapped(void* block);
/* True where reading a byte at `address` raises SIGSEGV or SIGBUS. */
bool faults_at(uintptr_t address);

/* --- symbols --- */

/* Whether the program and its library define that symbol (one of a few: see support.c). */
bool has_symbol(const char* name);

/* --- blocks --- */

static inline bool is_aligned(const void* pointer, size_t alignment) {
  return ((uintptr_t)pointer & (alignment - 1)) == 0;
}
/* Whether a block is as large as was asked for to the byte, so that tools see what is beyond it:
 * under libc, and in builds with AddressSanitizer. */
bool blocks_are_exact(void);
/* Asserts that a block of `asked` bytes lies in `slots` bytes of slots; where blocks are exact,
 * that it has its size. */
void assert_slots(const void* block, size_t slots, size_t asked);
/* `pointer` as a number, for after the block is gone. */
static inline uintptr_t address_of(const void* pointer) { return (uintptr_t)pointer; }

/* Fills a block with bytes that depend on `seed` and the place; asserts that they are there. */
void fill(void* block, size_t bytes, unsigned seed);
bool is_filled(const void* block, size_t bytes, unsigned seed);
void assert_filled(const void* block, size_t bytes, unsigned seed);
void assert_zero(const void* block, size_t bytes);

/* --- processes --- */

/*
 * Runs `body` in a child. Returns its status as waitpid() gives it; `output` gets what it wrote to
 * standard error. A child that returns from `body` exits with 0. `body` does not assert: it leaves
 * with _exit() and a status of its own.
 */
int run_child(void (*body)(void* argument), void* argument, char* output, size_t capacity);

#endif
