/*
 * random_driver: calls over the whole C interface, against a simple model: an array of the blocks
 * that live, with a pattern at both ends of each. What is called, the caller's choices say: random
 * numbers, or the bytes of a fuzzer. What is wrong fails as in any test (support.h).
 *
 * After each step:
 *   a block starts on a multiple of its alignment and is as large as it was asked to be
 *   what is written to a block stays there until it ends, whatever happens to others
 *   a request that fails, fails for memory: it is larger than modmem_largest_request()
 *   misuse is reported, each time, and changes nothing
 * and with random_compare():
 *   live bytes of heaps, modules, and virtual memory heaps are the sums of the model
 *   modmem_check() holds; the number of faults is the model's
 * At the end everything goes, and support.h finds the pool as it was.
 */
#ifndef MODMEM_CAPI_TESTS_RANDOM_DRIVER_H
#define MODMEM_CAPI_TESTS_RANDOM_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct random_choices {
  size_t (*below)(void* context, size_t bound); /* a number in [0, bound) */
  void* context;
  void (*say)(const char* line); /* is told of each call, in words; may be NULL */
};

/* Begins with what all steps work on. In a system that test_begin() booted. */
void random_begin(const struct random_choices* from);
/* One call. */
void random_step(void);
void random_compare(bool deep);
/* A byte that a live block has, NULL where there is none: to damage it. */
unsigned char* random_byte(void);
/* Ends everything. */
void random_end(void);

/* Kinds of blocks; of each, how many requests were served and refused. */
size_t random_kinds(void);
uint64_t random_served(size_t kind);
uint64_t random_refused(size_t kind);

#ifdef __cplusplus
}
#endif

#endif
