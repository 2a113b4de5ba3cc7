/*
 * Shared copies: one copy in SRAM of read-only data in slower memory, shared by all who need it.
 *
 * MODMEM_SOF_API selects the signatures: 2026 (default) or 2025, of which the functions without a
 * context are inline. A copy is the system's, whoever asked for it first: it outlives heaps,
 * regions and modules while anybody holds it.
 *
 * Calling context: any thread and core, where the caller may allocate.
 */
#ifndef SOF_LIB_FAST_GET_H
#define SOF_LIB_FAST_GET_H

#include <stddef.h>

#ifndef MODMEM_SOF_API
#define MODMEM_SOF_API 2026
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct mod_alloc_ctx;
struct k_mem_domain;

/* What both generations of fast_get() and fast_put() call; not for use by name. */
const void* modmem_fast_get(const void* dram_ptr, size_t size);
void modmem_fast_put(const void* sram_ptr);

/*
 * fast_get(): the copy of the `size` bytes at `dram_ptr`, on a cache line; every call counts a
 * reference. The first one copies, later ones give the same copy. NULL, with nothing left behind:
 * dram_ptr NULL or size 0; the address is known with another size (an error line says both); or
 * memory ran out (reported). O(copies), and O(size) for the first.
 *
 * fast_put(): drops a reference; the last one frees the copy. NULL does nothing. What is not the
 * start of a copy is misuse: an error line and the fault handler. O(copies).
 *
 * 2026: `ctx` and `domain` may be NULL; they say where the caller's own memory and address space
 * are, and change nothing about a copy, which others may share.
 */
#if MODMEM_SOF_API == 2025

__attribute__((always_inline)) static inline const void* fast_get(const void* dram_ptr,
                                                                  size_t size) {
  return modmem_fast_get(dram_ptr, size);
}

__attribute__((always_inline)) static inline void fast_put(const void* sram_ptr) {
  modmem_fast_put(sram_ptr);
}

#else

const void* fast_get(struct mod_alloc_ctx* ctx, const void* dram_ptr, size_t size);
void fast_put(struct mod_alloc_ctx* ctx, struct k_mem_domain* domain, const void* sram_ptr);

#endif

#ifdef __cplusplus
}
#endif

#endif /* SOF_LIB_FAST_GET_H */
