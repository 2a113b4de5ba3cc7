/*
 * A module that does everything wrong, a thousand times: each time it is reported, with the
 * module's id and the place of the call, and nothing of it stays.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "capi/tests/needs/needs.h"

enum { CYCLES = 1000, WARM_UP = 3 };

/* The lines of log that tell on modules, counted, as there are too many to keep. */
static struct counts {
  unsigned leaks, frees, failures, others;
} counted[2]; /* of the modules FIRST_ID and FIRST_ID + 1 */

enum { FIRST_ID = 0xa0001 };

/* Called by the thread that caused the line: no two threads use one module. */
static void count_line(enum modmem_log_level level, const char* line, void* context) {
  (void)context;
  if (level != MODMEM_LOG_ERROR) {
    return;
  }
  for (unsigned i = 0; i < COUNT(counted); i++) {
    char id[16];
    snprintf(id, sizeof(id), " 0x%x", FIRST_ID + i);
    if (strstr(line, id) == NULL) {
      continue;
    }
    /* Where it happened: in this program. */
    const bool placed =
        strstr(line, ", from ") != NULL && strstr(line, "needs_cycles_test+0x") != NULL;
    if (placed && strstr(line, "leak: 392 bytes") != NULL) {
      counted[i].leaks++;
    } else if (placed && strstr(line, "mod_free: ") != NULL) {
      counted[i].frees++;
    } else if (placed && strstr(line, "no memory: 67108864 bytes") != NULL) {
      counted[i].failures++;
    } else {
      counted[i].others++;
    }
  }
}

/* Init takes two blocks, and fails for want of a third, in every fourth cycle. */
static int bad_init(struct processing_module* mod, unsigned cycle) {
  mod->priv = mod_alloc(mod, 392);
  assert_non_null(mod->priv);
  fill(mod->priv, 392, cycle);
  assert_non_null(mod_balloc(mod, 5000));
  return cycle % 4 == 3 && mod_alloc(mod, (size_t)64 << 20) == NULL ? -ENOMEM : 0;
}

/* Frees what it has twice, and forgets another block. */
static void bad_free(struct processing_module* mod, unsigned cycle) {
  assert_filled(mod->priv, 392, cycle);
  assert_int_equal(mod_free(mod, mod->priv), 0);
  assert_int_equal(mod_free(mod, mod->priv), -EINVAL);
  mod->priv = mod_alloc(mod, 392);
  assert_non_null(mod->priv);
}

/*
 * One life, in a framework that ends what failed to start, and leaves what the module forgot to
 * whoever comes next at its place.
 */
static void live_badly(struct processing_module* mod, uint32_t id, unsigned cycle) {
  mod->dev_id = id;
  mod_resource_init(mod); /* what the life before leaked is reported here */
  if (bad_init(mod, cycle) != 0) {
    mod_free_all(mod);
    return;
  }
  void* buffer = mod_balloc(mod, 3000);
  assert_int_equal(mod_free(mod, buffer), 0);
  bad_free(mod, cycle);
}

/* The last life has no next. */
static void end(struct processing_module* mod) { mod_resource_init(mod); }

struct lives {
  struct processing_module mod;
  uint32_t id;
  unsigned cycles;
};

static void* live_often(void* argument) {
  struct lives* lives = argument;
  for (unsigned cycle = 0; cycle < lives->cycles; cycle++) {
    live_badly(&lives->mod, lives->id, cycle);
    if (cycle % 16 == 0) {
      sched_yield();
    }
  }
  end(&lives->mod);
  return NULL;
}

static void a_thousand_bad_lives_are_reported_and_leave_nothing(void** state) {
  struct lives lives = {.id = FIRST_ID};
  (void)state;
  modmem_set_log_sink(count_line, NULL);
  for (unsigned cycle = 0; cycle < WARM_UP; cycle++) {
    live_badly(&lives.mod, FIRST_ID, cycle); /* none of these fails to start */
  }
  end(&lives.mod);
  struct modmem_info first;
  assert_int_equal(modmem_info(&first), 0);
  const size_t live = heap_live(NULL);
  for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
    memset(counted, 0, sizeof(counted));
    live_badly(&lives.mod, FIRST_ID, cycle);
    const bool failed = cycle % 4 == 3;
    assert_int_equal(counted[0].frees, failed ? 0 : 1);
    end(&lives.mod);
    assert_int_equal(counted[0].leaks, failed ? 0 : 1);
    /* The forgotten buffer has another size; of failures at most ten a second get a line. */
    assert_int_equal(counted[0].others, failed ? 0 : 1);
    assert_true(counted[0].failures <= (failed ? 1 : 0));
    struct modmem_info now;
    assert_int_equal(modmem_info(&now), 0);
    assert_int_equal(now.mapped_bytes, first.mapped_bytes);
    assert_int_equal(now.metadata_bytes, first.metadata_bytes);
    assert_int_equal(now.owners, first.owners);
    assert_int_equal(now.banks_on, first.banks_on);
    assert_int_equal(heap_live(NULL), live);
    forget_lines();
  }
  close_lines();
}

/* The same at once in two threads, each with its module: nobody's report is lost or another's. */
static void two_threads_of_bad_lives(void** state) {
  static struct lives lives[2];
  pthread_t threads[2];
  struct modmem_info first;
  (void)state;
  modmem_set_log_sink(count_line, NULL);
  memset(lives, 0, sizeof(lives));
  for (unsigned i = 0; i < 2; i++) { /* what the first lives bring stays, as metadata */
    lives[i].id = FIRST_ID + i;
    lives[i].cycles = WARM_UP;
    live_often(&lives[i]);
  }
  assert_int_equal(modmem_info(&first), 0);
  memset(counted, 0, sizeof(counted));
  for (unsigned i = 0; i < 2; i++) {
    lives[i].cycles = CYCLES;
    assert_int_equal(pthread_create(&threads[i], NULL, live_often, &lives[i]), 0);
  }
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  }
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(counted[i].frees, CYCLES - CYCLES / 4);
    assert_int_equal(counted[i].leaks, CYCLES - CYCLES / 4);
    assert_int_equal(counted[i].others, CYCLES - CYCLES / 4);
  }
  struct modmem_info now;
  assert_int_equal(modmem_info(&now), 0);
  assert_int_equal(now.mapped_bytes, first.mapped_bytes);
  assert_int_equal(now.owners, first.owners);
  close_lines();
}

enum { THREADS = 4, STEPS = 1500, HELD = 24 };

/* What one thread of s10 holds, and what it may free of the others'. */
static pthread_mutex_t exchange_lock = PTHREAD_MUTEX_INITIALIZER;
static void* exchanged;
static size_t exchanged_bytes;
static unsigned exchanged_seed;

struct worker {
  unsigned seed;
  struct processing_module mod;
  struct vmh_heap* slots;
  struct vregion* region;
};

/* Takes, checks and frees in all heaps at once; a block now and then goes to another thread. */
static void* work(void* argument) {
  struct worker* worker = argument;
  struct {
    void* block;
    size_t bytes;
    unsigned kind;
  } held[HELD] = {{NULL, 0, 0}};
  unsigned random = worker->seed * 7919 + 1;
  for (unsigned step = 0; step < STEPS; step++) {
    random = random * 1103515245 + 12345;
    const unsigned at = (random >> 8) % HELD;
    if (held[at].block != NULL) {
      assert_filled(held[at].block, held[at].bytes, worker->seed + at);
      switch (held[at].kind) {
        case 0:
          rfree(held[at].block);
          break;
        case 1:
          assert_int_equal(mod_free(&worker->mod, held[at].block), 0);
          break;
        case 2:
          assert_int_equal(vmh_free(worker->slots, held[at].block), 0);
          break;
        case 3:
          vregion_free(worker->region, held[at].block);
          break;
        default:
          vpage_free(held[at].block);
      }
      held[at].block = NULL;
      continue;
    }
    held[at].bytes = 1 + (random >> 12) % 500;
    held[at].kind = (random >> 4) % 5;
    switch (held[at].kind) {
      case 0:
        held[at].block = rballoc(SOF_MEM_FLAG_USER, held[at].bytes);
        break;
      case 1:
        held[at].block = mod_alloc(&worker->mod, held[at].bytes);
        break;
      case 2:
        held[at].block = vmh_alloc(worker->slots, (uint32_t)held[at].bytes);
        break;
      case 3:
        held[at].block = vregion_alloc(worker->region, held[at].bytes);
        break;
      default:
        held[at].block = vpage_alloc(1);
    }
    assert_non_null(held[at].block);
    fill(held[at].block, held[at].bytes, worker->seed + at);
    if (held[at].kind == 0) { /* to whoever comes next: any thread frees */
      pthread_mutex_lock(&exchange_lock);
      void* theirs = exchanged;
      if (theirs != NULL) {
        assert_filled(theirs, exchanged_bytes, exchanged_seed);
      }
      exchanged = held[at].block;
      exchanged_bytes = held[at].bytes;
      exchanged_seed = worker->seed + at;
      pthread_mutex_unlock(&exchange_lock);
      held[at].block = NULL;
      rfree(theirs);
    }
  }
  for (unsigned at = 0; at < HELD; at++) {
    if (held[at].block != NULL && held[at].kind == 2) {
      assert_int_equal(vmh_free(worker->slots, held[at].block), 0);
    } else if (held[at].block != NULL && held[at].kind != 1) {
      rfree(held[at].block);
    }
  }
  mod_free_all(&worker->mod);
  return NULL;
}

/* Allocations and frees of several cores at once, in heaps that had no lock. */
static void s10_all_heaps_from_four_threads(void** state) {
  static struct worker workers[THREADS];
  pthread_t threads[THREADS];
  struct vmh_heap* slots = heap_of_slots(512, 128, true);
  struct vregion* region = vregion_create(16 * page_bytes());
  (void)state;
  vregion_set_interim(region);
  exchanged = NULL;
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i].seed = i * 100;
    workers[i].slots = slots;
    workers[i].region = region;
    begin_module(&workers[i].mod, FIRST_ID + i);
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  }
  rfree(exchanged);
  assert_int_equal(vmh_free_heap(slots), 0);
  assert_null(vregion_put(region));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(s10_all_heaps_from_four_threads),
      TEST(a_thousand_bad_lives_are_reported_and_leave_nothing),
      TEST(two_threads_of_bad_lives),
  };
  return RUN_TESTS("needs: cycles and threads", tests);
}
