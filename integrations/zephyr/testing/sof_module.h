/* What tests call of sof_module.c. */
#ifndef MODMEM_TESTING_SOF_MODULE_H_
#define MODMEM_TESTING_SOF_MODULE_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The module takes memory, a buffer of three pages of it. Whether it got that. */
int sof_module_init(void);
/* It gives all back. */
void sof_module_free(void);
/* Whether Zephyr's functions lead from the coherent block to its cached address and back. */
int sof_converts(void* coherent);
/* Writes the block's lines back and drops them. */
void sof_maintains(void* block, size_t bytes);
/* Where a block was in a private heap that has ended; NULL where there was none. */
void* sof_private_alloc(size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_TESTING_SOF_MODULE_H_ */
