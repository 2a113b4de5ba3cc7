/* Firmware in C, on a memory system that it boots itself. */
#include <rtos/alloc.h>
#include <stdio.h>

#include "examples/firmware/boot.h"

int main(void) {
  struct modmem_info info;
  void* early = rmalloc(0, 64);
  void* buffer;

  if (early != NULL || firmware_boot() != 0) {
    return 1;
  }
  buffer = rballoc(SOF_MEM_FLAG_DMA, 3840);
  if (buffer == NULL || modmem_info(&info) != 0) {
    return 1;
  }
  printf("%s: %zu of %zu bytes in use for a buffer of %zu bytes\n", info.platform,
         info.mapped_bytes, info.pool_bytes, modmem_usable_size(buffer));
  rfree(buffer);
  return modmem_check(true) ? 0 : 1;
}
