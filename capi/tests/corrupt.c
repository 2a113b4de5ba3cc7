/*
 * corrupt MODE: writes where it must not, for corrupt_test.py to see which hardening level finds it
 * and what it says. Every mode ends what it took, so that it is found by then at the latest.
 * Exits with 0 where nothing stops it, with 2 for a mode that there is not.
 */
#include <modmem/modmem.h>
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <sof/lib/regions_mm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct processing_module module = {.dev_id = 0x10001};

/* The compiler is not to know what it is. */
static volatile size_t behind = 100;

static void nothing(void) {
  for (size_t bytes = 1; bytes < 10000; bytes = bytes * 3 / 2 + 1) {
    char* block = rmalloc(bytes % 2 == 0 ? SOF_MEM_FLAG_COHERENT : 0, bytes);
    memset(block, 1, bytes);
    block = rbrealloc(block, 0, bytes + 7, bytes);
    memset(block, 2, bytes + 7);
    rfree(block);
  }
  mod_resource_init(&module);
  memset(mod_alloc(&module, 100), 1, 100);
  memset(mod_balloc(&module, 5000), 1, 5000);
  mod_free_all(&module);
}

static void overrun(void) {
  char* block = rmalloc(0, 100);
  memset(block + behind, 1, 4);
  rfree(block);
}

static void overrun_of_a_full_block(void) {
  char* block = rmalloc(0, 128);
  memset(block + behind + 28, 1, 1);
  rfree(block);
}

static void overrun_uncached(void) {
  char* block = rmalloc(SOF_MEM_FLAG_COHERENT, 100);
  memset(block + behind + 20, 1, 2);
  rfree(block);
}

static void overrun_of_a_slot(void) {
  struct vmh_heap* heap = vmh_init_heap(NULL, false);
  char* block = vmh_alloc(heap, 100);
  block[behind] = 1;
  vmh_free(heap, block);
  vmh_free_heap(heap);
}

static void overrun_then_resize(void) {
  char* block = rballoc(0, 100);
  block[behind] = 1;
  rfree(rbrealloc(block, 0, 5000, 100));
}

static void overrun_by_a_module(void) {
  mod_resource_init(&module);
  char* block = mod_alloc(&module, 100);
  memset(block + behind, 1, 4);
  mod_free_all(&module);
}

static void overrun_of_a_lost_block(void) {
  char* block = rmalloc(0, 100);
  block[behind] = 1;
  modmem_shutdown();
}

static void overrun_on_demand(void) {
  char* block = rmalloc(0, 100);
  block[behind] = 1;
  modmem_check_blocks();
  _Exit(3); /* it had to end there */
}

/* Each has another block that keeps the page. */
static void write_after_free(void) {
  char* keeper = rmalloc(0, 100);
  char* block = rmalloc(0, 100);
  rfree(block);
  block[behind - 50] = 1;
  rfree(keeper);
  modmem_shutdown();
}

static void write_after_free_uncached(void) {
  char* keeper = rmalloc(SOF_MEM_FLAG_COHERENT, 100);
  char* block = rmalloc(SOF_MEM_FLAG_COHERENT, 100);
  rfree(block);
  block[behind - 100] = 1;
  rfree(keeper);
  modmem_shutdown();
}

static void write_after_free_by_a_module(void) {
  mod_resource_init(&module);
  mod_alloc(&module, 100);
  char* block = mod_alloc(&module, 100);
  mod_free(&module, block);
  block[behind - 1] = 1;
  mod_free_all(&module);
}

static void double_free(void) {
  char* block = rmalloc(0, 100);
  rfree(block);
  rfree(block);
}

/* An owner, which a private heap is, lies in the library's tables. */
static void write_to_a_table(void) {
  struct k_heap* heap = modmem_heap_create("effects", 0);
  memset(heap, 1, 4);
}

static const struct {
  const char* name;
  void (*run)(void);
} kModes[] = {
#define MODE(function) \
  { #function, function }
    MODE(nothing),
    MODE(overrun),
    MODE(overrun_of_a_full_block),
    MODE(overrun_uncached),
    MODE(overrun_of_a_slot),
    MODE(overrun_then_resize),
    MODE(overrun_by_a_module),
    MODE(overrun_of_a_lost_block),
    MODE(overrun_on_demand),
    MODE(write_after_free),
    MODE(write_after_free_uncached),
    MODE(write_after_free_by_a_module),
    MODE(double_free),
    MODE(write_to_a_table),
};

/* Without a mode: prints what there is. */
int main(int count, char** arguments) {
  for (size_t i = 0; i < sizeof(kModes) / sizeof(kModes[0]); i++) {
    if (count < 2) {
      puts(kModes[i].name);
    } else if (strcmp(kModes[i].name, arguments[1]) == 0) {
      kModes[i].run();
      modmem_shutdown();
      return 0;
    }
  }
  return count < 2 ? 0 : 2;
}
