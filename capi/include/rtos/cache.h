/*
 * rtos/cache.h: the two aliases of memory, and the data cache.
 *
 * Memory of the pool can be reached through the cache and past it, at a constant offset from each
 * other. Blocks for SOF_MEM_FLAG_COHERENT are handed out uncached; both addresses of a block mean
 * the same block to all functions of the library. Who shares memory between cores or with DMA
 * converts and synchronises; modules never do.
 *
 * Where memory has no second alias (a platform without one, memory that is not the pool's, a host
 * whose blocks lie in the C library), the conversions return the address that they are given, and
 * it counts as cached. On a host the caches are coherent: the functions of the last group change
 * nothing.
 *
 * All: O(1), but for maintenance O(size). Any thread, any core, interrupts as well. The first call
 * of a program boots the default system, as the first allocation does.
 */
#ifndef MODMEM_RTOS_CACHE_H_
#define MODMEM_RTOS_CACHE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The line that most platforms of this family have; boot takes the platform's own. */
#ifndef DCACHE_LINE_SIZE
#define DCACHE_LINE_SIZE 64
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The address of the same byte through the cache; `ptr` where there is no other. */
void* sys_cache_cached_ptr_get(void* ptr);

/* The address of the same byte past the cache; `ptr` where there is no other. */
void* sys_cache_uncached_ptr_get(void* ptr);

/* Whether an access to `ptr` goes through the cache. */
bool sys_cache_is_ptr_cached(void* ptr);

/* Whether an access to `ptr` goes past the cache. */
bool sys_cache_is_ptr_uncached(void* ptr);

/*
 * Writes what the cache has newer of [addr, addr + size) to memory; discards what it has; or both.
 * Whole lines, also where the range starts or ends inside of one. Any memory, by either alias.
 * Nothing happens where size is 0.
 */
void dcache_writeback_region(void* addr, size_t size);
void dcache_invalidate_region(void* addr, size_t size);
void dcache_writeback_invalidate_region(void* addr, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_RTOS_CACHE_H_ */
