// The parts of Zephyr that a chip without a memory management driver and without a data cache has.

#include <zephyr/cache.h>

#include <cerrno>

int sys_cache_data_flush_range(void* /*addr*/, size_t /*size*/) { return -ENOTSUP; }
int sys_cache_data_invd_range(void* /*addr*/, size_t /*size*/) { return -ENOTSUP; }
int sys_cache_data_flush_and_invd_range(void* /*addr*/, size_t /*size*/) { return -ENOTSUP; }
void* fake_cached_pointer(void* ptr) { return ptr; }
void* fake_uncached_pointer(void* ptr) { return ptr; }
size_t fake_cache_line(void) { return 0; }
