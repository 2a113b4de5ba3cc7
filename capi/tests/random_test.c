/*
 * random_operations: random_driver.h with random numbers. MODMEM_RANDOM_SEED and
 * MODMEM_RANDOM_STEPS replace the seed and the number of steps; a failure names them.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "capi/tests/random_driver.h"
#include "capi/tests/support.h"

static size_t below(void* context, size_t bound) { /* xorshift64 */
  uint64_t* state = context;
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (size_t)(*state % bound);
}

static uint64_t number(const char* name, uint64_t fallback) {
  const char* value = getenv(name);
  return value != NULL && value[0] != '\0' ? strtoull(value, NULL, 0) : fallback;
}

static void random_operations(void** state) {
  (void)state;
  const uint64_t seed = number("MODMEM_RANDOM_SEED", 20261122);
  const uint64_t steps = number("MODMEM_RANDOM_STEPS", 30000);
  print_message("MODMEM_RANDOM_SEED=%" PRIu64 " MODMEM_RANDOM_STEPS=%" PRIu64 "\n", seed, steps);
  uint64_t random = seed == 0 ? 1 : seed;
  const struct random_choices choices = {below, &random, NULL};
  random_begin(&choices);
  for (uint64_t step = 1; step <= steps; step++) {
    random_step();
    if (step % 512 == 0) {
      random_compare(step % 4096 == 0);
    }
  }
  random_end();
  for (size_t kind = 0; kind < random_kinds(); kind++) {
    print_message("kind %zu: %" PRIu64 " served, %" PRIu64 " refused\n", kind, random_served(kind),
                  random_refused(kind));
    assert_true(random_served(kind) >= steps / 200);
  }
}

int main(void) {
  static const struct CMUnitTest kTests[] = {TEST(random_operations)};
  return RUN_TESTS("random", kTests);
}
