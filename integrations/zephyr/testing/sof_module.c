/*
 * A module as SOF has it, built with Zephyr's headers beside modmem's: a whole k_heap, and the
 * cache's conversions as Zephyr's own functions.
 */
#include "integrations/zephyr/testing/sof_module.h"

#include <modmem/module_resources.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <zephyr/cache.h>
#include <zephyr/kernel.h>

struct module_data {
  struct module_resources resources;
};

struct comp_dev {
  uint32_t id;
};

struct processing_module {
  struct module_data priv;
  struct comp_dev* dev;
};

struct module_resources* modmem_module_resources(struct processing_module* mod) {
  return &mod->priv.resources;
}

uint32_t modmem_module_id(const struct processing_module* mod) { return mod->dev->id; }

struct comp_dev* modmem_module_device(struct processing_module* mod) {
  return mod->dev;
}

static struct comp_dev device = {0x10001};
static struct processing_module module = {.dev = &device};

int sof_module_init(void) {
  mod_resource_init(&module);
  return mod_alloc(&module, 600) != NULL && mod_balloc(&module, 3 * 4096) != NULL;
}

void sof_module_free(void) { mod_free_all(&module); }

int sof_converts(void* coherent) {
  void* cached = sys_cache_cached_ptr_get(coherent);
  return cached != coherent && sys_cache_uncached_ptr_get(cached) == coherent;
}

void sof_maintains(void* block, size_t bytes) {
  dcache_writeback_region(block, bytes);
  dcache_invalidate_region(block, bytes);
  dcache_writeback_invalidate_region(block, bytes);
}

void* sof_private_alloc(size_t bytes) {
  struct k_heap* heap = modmem_heap_create("private", 8192);
  void* block = heap != NULL ? sof_heap_alloc(heap, 0, bytes, 0) : NULL;
  if (block == NULL) {
    modmem_heap_destroy(heap);
    return NULL;
  }
  sof_heap_free(heap, block);
  return modmem_heap_destroy(heap) == 0 ? block : NULL;
}
