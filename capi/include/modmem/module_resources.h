/*
 * Module memory: everything that one module instance holds, released with it.
 *
 * For frameworks with a `struct processing_module` of their own: embed a `struct module_resources`
 * and define modmem_module_resources() and modmem_module_id(). modmem/module.h has a small struct
 * for those that have none.
 *
 * A module's account is opened when it first takes something, and ended by mod_free_all(). It is
 * charged to the byte as asked for; what modmem itself needs to keep books is not charged to it.
 *
 * Errors: a request of 0 bytes and one that can't be served give NULL and an error line with the
 * module's id, each time, with nothing taken. Calling context: any thread (a lock), where the
 * caller may allocate: not the audio path, not an interrupt.
 *
 * A module that is NULL is misuse (not fatal): NULL, 0 or -EINVAL.
 *
 * Thread check: where the library is configured with CONFIG_MODULE_MEMORY_API_DEBUG, or a module
 * initialised by code that is compiled with CONFIG_MODULE_MEMORY_API_DEBUG=1, all functions but
 * mod_resource_init() first check that the caller is the thread that called mod_resource_init().
 * Where it is not they write a line with both threads and call the fault handler
 * (MODMEM_FAULT_THREAD, fatal); if that returns, they return NULL or -EINVAL with nothing touched.
 */
#ifndef MODMEM_MODULE_RESOURCES_H
#define MODMEM_MODULE_RESOURCES_H

#include <rtos/alloc.h>
#include <sof/audio/data_blob.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct processing_module;

/*
 * What a module holds, as modmem knows it. All members are modmem's. Zeroed it is ready for use,
 * without a manager thread; with anything else in it, after mod_resource_init(). Not to be copied
 * while the module holds something.
 */
struct module_resources {
  void* account;
  struct k_heap* heap;
  struct vregion* vreg;
  uintptr_t manager;
  size_t high_water_mark;
  uint32_t check_thread;
};

/*
 * What the library asks about a module. It has weak definitions for the struct of modmem/module.h;
 * a framework's own win. modmem_module_resources(): never NULL. modmem_module_id(): the component
 * id that reports name. modmem_module_device(): what validators of the module's blob handlers get;
 * NULL by default. They may be called from any thread, and must not call modmem.
 */
struct module_resources* modmem_module_resources(struct processing_module* mod);
uint32_t modmem_module_id(const struct processing_module* mod);
struct comp_dev* modmem_module_device(struct processing_module* mod);

/* mod_resource_init(), with the thread check on or off for this module. */
void modmem_module_init(struct processing_module* mod, bool check_thread);

/*
 * Starts the books of a module, whatever its struct module_resources contains, with the calling
 * thread as its manager. Takes no memory. What a module at the same address still holds, because
 * it was not ended by mod_free_all(), is reported as leaks and released.
 */
#if defined(CONFIG_MODULE_MEMORY_API_DEBUG) && CONFIG_MODULE_MEMORY_API_DEBUG
__attribute__((always_inline)) static inline void mod_resource_init(struct processing_module* mod) {
  modmem_module_init(mod, true);
}
#else
void mod_resource_init(struct processing_module* mod);
#endif

/*
 * Has the module's blocks come from ctx->vreg, or where that is NULL from ctx->heap; NULL, or both
 * NULL: from where the policy puts a module's. Holds until mod_resource_init(). The module keeps a
 * reference to the region while it holds something; a heap that is destroyed under it takes the
 * module's blocks along, as leaks. 0; -EBUSY, with nothing changed, while the module holds
 * something; -EINVAL where the thread check fails, or the region or heap has ended (a fault).
 */
int modmem_module_set_ctx(struct processing_module* mod, const struct mod_alloc_ctx* ctx);

/*
 * `size` bytes at a multiple of `alignment` (a power of two; 0: natural). NULL: size is 0, the
 * alignment no power of two, or memory ran out; each with an error line.
 *
 * mod_alloc_align(): general intent (SOF_MEM_FLAG_USER). mod_balloc_align(): large-buffer intent,
 * at a cache line at least. mod_alloc_ext(): what `flags` (SOF_MEM_FLAG_...) say, for the module
 * (SOF_MEM_FLAG_USER) unless they say SOF_MEM_FLAG_KERNEL.
 */
void* mod_alloc_align(struct processing_module* mod, size_t size, size_t alignment);
void* mod_balloc_align(struct processing_module* mod, size_t size, size_t alignment);
void* mod_alloc_ext(struct processing_module* mod, uint32_t flags, size_t size, size_t alignment);

/* The same at the natural alignment; mod_zalloc() zeroed. */
__attribute__((always_inline)) static inline void* mod_alloc(struct processing_module* mod,
                                                             size_t size) {
  return mod_alloc_align(mod, size, 0);
}

__attribute__((always_inline)) static inline void* mod_zalloc(struct processing_module* mod,
                                                              size_t size) {
  void* block = mod_alloc_align(mod, size, 0);

  if (block != NULL) {
    __builtin_memset(block, 0, size);
  }
  return block;
}

__attribute__((always_inline)) static inline void* mod_balloc(struct processing_module* mod,
                                                              size_t size) {
  return mod_balloc_align(mod, size, 0);
}

/*
 * Ends a block, blob handler or shared copy of this module. 0, also for NULL. -EINVAL, with nothing
 * changed, for anything else: with an error line, and the fault handler told (not fatal). O(1), and
 * O(handlers and copies of the module) where it has any.
 */
int mod_free(struct processing_module* mod, const void* ptr);

/*
 * Releases everything that the module holds, in reverse order of allocation, and ends its account:
 * first handlers, whose blobs may lie in blocks, and references to shared copies, then blocks. The
 * module may take memory again. Does nothing where it holds nothing. O(what it holds).
 */
void mod_free_all(struct processing_module* mod);

/*
 * A blob handler (sof/audio/data_blob.h) with two blobs that ends with the module; its blobs are
 * blocks of the module. NULL with an error line exactly when memory ran out.
 */
struct comp_data_blob_handler* mod_data_blob_handler_new(struct processing_module* mod);

/* Ends it, as mod_free() does. */
void mod_data_blob_handler_free(struct processing_module* mod,
                                struct comp_data_blob_handler* blob_handler);

/*
 * fast_get() (sof/lib/fast-get.h) with a reference that ends with the module. NULL as there, with
 * an error line.
 */
const void* mod_fast_get(struct processing_module* mod, const void* dram_ptr, size_t size);

/* Drops one such reference of this module, as mod_free() does. */
void mod_fast_put(struct processing_module* mod, const void* sram_ptr);

/*
 * Bytes of the module's blocks as asked for, those of its blobs among them; the most that there
 * were since mod_resource_init() in *high_water_mark, where that is not NULL. O(1).
 */
size_t module_adapter_heap_usage(struct processing_module* mod, size_t* high_water_mark);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_MODULE_RESOURCES_H */
