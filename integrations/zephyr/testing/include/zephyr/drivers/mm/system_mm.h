/* What modmem's glue uses of <zephyr/drivers/mm/system_mm.h>. */
#ifndef MODMEM_TESTING_ZEPHYR_SYSTEM_MM_H_
#define MODMEM_TESTING_ZEPHYR_SYSTEM_MM_H_

#include <stdint.h>

#define SYS_MM_MEM_CACHE_WB 0U
#define SYS_MM_MEM_PERM_RW 8U

#ifdef __cplusplus
extern "C" {
#endif

int sys_mm_drv_map_page(void* virt, uintptr_t phys, uint32_t flags);
int sys_mm_drv_unmap_page(void* virt);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_TESTING_ZEPHYR_SYSTEM_MM_H_ */
