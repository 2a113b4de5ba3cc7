/*
 * What modmem's glue uses of <zephyr/cache.h>. There the conversions are static functions, as here:
 * the library has functions of these names of its own.
 */
#ifndef MODMEM_TESTING_ZEPHYR_CACHE_H_
#define MODMEM_TESTING_ZEPHYR_CACHE_H_

#include <stddef.h>

#define __sparse_cache

#ifdef __cplusplus
extern "C" {
#endif

int sys_cache_data_flush_range(void* addr, size_t size);
int sys_cache_data_invd_range(void* addr, size_t size);
int sys_cache_data_flush_and_invd_range(void* addr, size_t size);

void* fake_cached_pointer(void* ptr);
void* fake_uncached_pointer(void* ptr);
size_t fake_cache_line(void);

static inline void __sparse_cache* sys_cache_cached_ptr_get(void* ptr) {
  return fake_cached_pointer(ptr);
}

static inline void* sys_cache_uncached_ptr_get(void __sparse_cache* ptr) {
  return fake_uncached_pointer(ptr);
}

static inline size_t sys_cache_data_line_size_get(void) { return fake_cache_line(); }

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_TESTING_ZEPHYR_CACHE_H_ */
