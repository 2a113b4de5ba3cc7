/*
 * rtos/cache.h on Zephyr, in front of modmem's own: the conversions are those of <zephyr/cache.h>,
 * which are inline functions of the same names, and maintenance is Zephyr's too.
 *
 * What modmem's own says of these functions holds here as well: any memory, by either alias, whole
 * lines, also where the range starts or ends inside of one; nothing happens where size is 0.
 */
#ifndef MODMEM_ZEPHYR_RTOS_CACHE_H_
#define MODMEM_ZEPHYR_RTOS_CACHE_H_

#include <stddef.h>
#include <stdint.h>
#include <zephyr/cache.h>

#ifndef DCACHE_LINE_SIZE
#ifdef CONFIG_DCACHE_LINE_SIZE
#define DCACHE_LINE_SIZE CONFIG_DCACHE_LINE_SIZE
#else
#define DCACHE_LINE_SIZE 64
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes of all lines of [*addr, *addr + size), whose first one *addr becomes; 0 for none. */
static inline size_t modmem_cache_lines(void** addr, size_t size) {
  const uintptr_t first = (uintptr_t)sys_cache_cached_ptr_get(*addr);
  const uintptr_t line = sys_cache_data_line_size_get();

  if (size == 0 || line == 0) {
    return 0;
  }
  *addr = (void*)(first & ~(line - 1));
  return (size_t)(((first + size + line - 1) & ~(line - 1)) - (first & ~(line - 1)));
}

static inline void dcache_writeback_region(void* addr, size_t size) {
  const size_t bytes = modmem_cache_lines(&addr, size);

  if (bytes != 0) {
    (void)sys_cache_data_flush_range(addr, bytes);
  }
}

static inline void dcache_invalidate_region(void* addr, size_t size) {
  const size_t bytes = modmem_cache_lines(&addr, size);

  if (bytes != 0) {
    (void)sys_cache_data_invd_range(addr, bytes);
  }
}

static inline void dcache_writeback_invalidate_region(void* addr, size_t size) {
  const size_t bytes = modmem_cache_lines(&addr, size);

  if (bytes != 0) {
    (void)sys_cache_data_flush_and_invd_range(addr, bytes);
  }
}

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_ZEPHYR_RTOS_CACHE_H_ */
