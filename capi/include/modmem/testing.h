/*
 * modmem/testing.h: unit tests of modules, with cmocka or anything else in C.
 *
 * Each test gets a system of its own, in which whatever is still held at its end fails it: blocks,
 * and heaps, regions and modules that were not ended. Requests can be made to fail one by one, so
 * that every path of a module out of memory is run. Link with -lmodmem_testing -lmodmem.
 *
 *   cmocka_unit_test_setup_teardown(test, modmem_test_setup, modmem_test_teardown)
 *
 * The host is libc unless MODMEM_HOST says another, so that valgrind and AddressSanitizer see every
 * byte. Misuse is reported and counted, and also fails the test.
 *
 * Calling context: the thread that runs the tests; what they test may use any thread.
 */
#ifndef MODMEM_TESTING_H_
#define MODMEM_TESTING_H_

#include <modmem/modmem.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Boots a system for a test; no request fails. 0, or what modmem_boot() returns: -EBUSY where one
 * is up, as memory was taken before.
 */
int modmem_testing_begin(void);

/*
 * Ends it. Returns how many things were wrong, each a line: leaks with size, owner and call site;
 * what was not ended; misuses that modmem_testing_misuses() was not asked for; and what
 * modmem_testing_fail_each() found. No pointer of the test may be used after.
 */
int modmem_testing_end(void);

/* The same as set-up and tear-down functions of cmocka. 0, or -1 where something was wrong. */
int modmem_test_setup(void** state);
int modmem_test_teardown(void** state);

/* Misuses since the last call: of a test that misuses something on purpose. */
size_t modmem_testing_misuses(void);

/*
 * The `nth` request for memory from now on fails (1: the next), or that and all after it; 0: none.
 * Whatever takes memory counts: allocations, and what handlers, pools and shared copies take for
 * themselves. Works on any system that is up, also one that modmem_testing_begin() did not boot.
 * (How much there is to have at most, modmem_set_limit(NULL, bytes) says.)
 */
void modmem_testing_fail_nth(size_t nth);
void modmem_testing_fail_from(size_t nth);

/* Requests since either of them, and how many of these failed for it. */
size_t modmem_testing_requests(void);
size_t modmem_testing_refused(void);

/*
 * Calls `function` again and again: its first request fails, then its second, and so on until it
 * runs without a failure. It gives back all that it takes, whatever happens, and returns 0 where
 * nothing failed. A run that leaves something, and a last one that does not return 0, are wrong:
 * a line each, and modmem_testing_end() counts them. Returns how many requests were made to fail.
 */
size_t modmem_testing_fail_each(int (*function)(void* argument), void* argument);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_TESTING_H_ */
