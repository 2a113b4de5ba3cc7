/* Compiled by the machine's C compiler, against the public headers alone. */
#include "firmware/c_client.h"

#include <modmem/modmem.h>
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <sof/lib/fast-get.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>

static c_client_check tell;
static void* told;

#define CHECK(condition) tell(told, (condition) ? 1 : 0, #condition, __FILE__, __LINE__)

static int is_filled(const unsigned char* bytes, size_t count, unsigned char value) {
  size_t i;

  for (i = 0; i < count; ++i) {
    if (bytes[i] != value) {
      return 0;
    }
  }
  return 1;
}

static void fill(unsigned char* bytes, size_t count, unsigned char value) {
  size_t i;

  for (i = 0; i < count; ++i) {
    bytes[i] = value;
  }
}

static unsigned faults;

static void count_fault(const struct modmem_fault* fault, void* context) {
  (void)context;
  faults += fault->kind == MODMEM_FAULT_NOT_LIVE;
}

static void use_heaps(void) {
  struct modmem_info info;
  unsigned char* small = rzalloc(SOF_MEM_FLAG_USER, 100);
  unsigned char* buffer = rballoc_align(SOF_MEM_FLAG_DMA, 3840, 256);
  unsigned char* larger;

  if (!CHECK(small != NULL) || !CHECK(buffer != NULL)) {
    return;
  }
  CHECK(is_filled(small, 100, 0));
  CHECK((uintptr_t)buffer % 256 == 0);
  fill(buffer, 3840, 0x5a);
  larger = rbrealloc(buffer, SOF_MEM_FLAG_DMA, 20000, 3840);
  if (CHECK(larger != NULL)) {
    CHECK(is_filled(larger, 3840, 0x5a));
    buffer = larger;
  }
  CHECK(modmem_usable_size(buffer) >= 20000);
  CHECK(modmem_info(&info) == 0 && info.mapped_bytes != 0);
  CHECK(rmalloc(0, 0) == NULL);
  CHECK(rmalloc(0, SIZE_MAX) == NULL);
  rfree(small);
  rfree(buffer);
  rfree(NULL);
}

static void use_module(void) {
  static struct processing_module mod; /* as a framework's: zeroed */
  static const unsigned char coefficients[64] = {1, 2, 3};
  unsigned char* state;
  unsigned char* delay;
  const unsigned char* copy;

  mod.dev_id = 0x30001;
  mod_resource_init(&mod);
  state = mod_zalloc(&mod, 48);
  delay = mod_balloc(&mod, 9600);
  copy = mod_fast_get(&mod, coefficients, sizeof(coefficients));
  if (CHECK(state != NULL) && CHECK(delay != NULL) && CHECK(copy != NULL)) {
    CHECK(is_filled(state, 48, 0));
    CHECK(copy[2] == 3);
    fill(delay, 9600, 1);
    CHECK(mod_free(&mod, state) == 0);
    /* It was: that is reported, and nothing is done twice. */
    faults = 0;
    modmem_set_fault_handler(count_fault, NULL);
    CHECK(mod_free(&mod, state) != 0);
    rfree(state);
    modmem_set_fault_handler(NULL, NULL);
    CHECK(faults == 2);
  }
  mod_free_all(&mod); /* the delay line, and the reference */
}

static void use_region(void) {
  struct vregion* region = vregion_create(8192);
  unsigned char* block;

  if (!CHECK(region != NULL)) {
    return;
  }
  block = vregion_alloc(region, 1000);
  if (CHECK(block != NULL)) {
    fill(block, 1000, 2);
    vregion_free(region, block);
  }
  CHECK(vregion_alloc(region, 9000) == NULL);
  vregion_put(region);
}

static void use_pool(void) {
  static struct objpool_head pool;
  void* objects[10];
  size_t i;

  list_init(&pool.list);
  for (i = 0; i < 10; ++i) {
    objects[i] = objpool_alloc(&pool, 40, 0);
    CHECK(objects[i] != NULL && is_filled(objects[i], 40, 0));
  }
  for (i = 0; i < 10; ++i) {
    CHECK(objpool_free(&pool, objects[i]) == 0);
  }
  objpool_prune(&pool);
}

void c_client_run(c_client_check check, void* context) {
  tell = check;
  told = context;
  use_heaps();
  use_module();
  use_region();
  use_pool();
  CHECK(modmem_check(true));
}
