/*
 * stray MODE: reads one byte that is nobody's, or loses a block, for stray_test.py to see whether a
 * tool notices.
 * Exits with 0 where nothing stops it, with 2 for a mode that there is not.
 */
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <stdio.h>
#include <string.h>

static volatile char sink;

static void nothing(void) {
  char* block = rmalloc(0, 100);
  memset(block, 1, 100);
  sink = block[0];
  sink = block[99];
  rfree(block);
}

static void after_free(void) {
  char* keeper = rmalloc(0, 100); /* keeps the page */
  char* block = rmalloc(0, 100);
  block[50] = 1;
  rfree(block);
  sink = block[50];
  rfree(keeper);
}

static void after_free_uncached(void) {
  char* keeper = rmalloc(SOF_MEM_FLAG_COHERENT, 100);
  char* block = rmalloc(SOF_MEM_FLAG_COHERENT, 100);
  block[50] = 1;
  rfree(block);
  sink = block[50];
  rfree(keeper);
}

static void beyond_the_end(void) {
  char* block = rmalloc(0, 100); /* the heap has rounded it up */
  memset(block, 1, 100);
  sink = block[100];
  rfree(block);
}

static void before_the_start(void) {
  char* other = rmalloc(0, 64);
  char* block = rmalloc(0, 100);
  memset(block, 1, 100);
  rfree(other);
  sink = block[-1];
  rfree(block);
}

static void never_allocated(void) {
  char* block = rmalloc(0, 100);
  sink = block[1000]; /* the same page */
  rfree(block);
}

static void after_mod_free_all(void) {
  static struct processing_module module = {.dev_id = 1};
  char* keeper = rmalloc(0, 100);
  mod_resource_init(&module);
  char* block = mod_alloc(&module, 100);
  block[50] = 1;
  mod_free_all(&module);
  sink = block[50];
  rfree(keeper);
}

static void after_the_last_put(void) {
  struct vregion* region = vregion_create(4096);
  char* block = vregion_alloc(region, 100);
  block[50] = 1;
  vregion_put(region);
  sink = block[50];
}

static void a_lifetime_block_after_free(void) {
  struct vregion* region = vregion_create(4096);
  char* block = vregion_alloc(region, 100);
  block[50] = 1;
  vregion_free(region, block);
  sink = block[50];
  vregion_put(region);
}

static void beyond_a_request_in_its_slot(void) {
  struct vmh_heap* heap = vmh_init_heap(NULL, false);
  char* block = vmh_alloc(heap, 600);
  memset(block, 1, 600);
  sink = block[600];
  vmh_free(heap, block);
  vmh_free_heap(heap);
}

static void after_vpage_free(void) {
  char* block = vpage_alloc(2);
  block[5000] = 1;
  vpage_free(block);
  sink = block[5000];
}

static void beyond_what_was_left_by_a_resize(void) {
  char* block = rballoc(0, 1000);
  memset(block, 1, 1000);
  block = rbrealloc(block, 0, 500, 1000);
  sink = block[500];
  rfree(block);
}

static void l3_after_free(void) {
  char* keeper = rmalloc(SOF_MEM_FLAG_L3, 100);
  char* block = rmalloc(SOF_MEM_FLAG_L3, 100);
  block[50] = 1;
  rfree(block);
  sink = block[50];
  rfree(keeper);
}

/* A block that nobody has the address of any more: for tools that look for leaks. */
static void lost(void) {
  char* volatile block = rmalloc(0, 4242);
  block[0] = 1;
  block = NULL;
  nothing(); /* whatever registers and the stack still hold */
}

static const struct {
  const char* name;
  void (*run)(void);
} kModes[] = {
#define MODE(function) \
  { #function, function }
    MODE(nothing),
    MODE(after_free),
    MODE(after_free_uncached),
    MODE(beyond_the_end),
    MODE(before_the_start),
    MODE(never_allocated),
    MODE(after_mod_free_all),
    MODE(after_the_last_put),
    MODE(a_lifetime_block_after_free),
    MODE(beyond_a_request_in_its_slot),
    MODE(after_vpage_free),
    MODE(beyond_what_was_left_by_a_resize),
    MODE(l3_after_free),
    MODE(lost),
};

/* Without a mode: prints what there is. */
int main(int count, char** arguments) {
  for (size_t i = 0; i < sizeof(kModes) / sizeof(kModes[0]); i++) {
    if (count < 2) {
      puts(kModes[i].name);
    } else if (strcmp(kModes[i].name, arguments[1]) == 0) {
      kModes[i].run();
      return 0;
    }
  }
  return count < 2 ? 0 : 2;
}
