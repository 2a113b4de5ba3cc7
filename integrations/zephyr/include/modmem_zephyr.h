/*
 * modmem_zephyr.h: what a product may say about itself to modmem's port to Zephyr.
 *
 * Both functions have a weak definition, which the product's own takes the place of. They are
 * called with a spinlock held and interrupts off: they must neither sleep nor allocate from modmem.
 */
#ifndef MODMEM_ZEPHYR_H_
#define MODMEM_ZEPHYR_H_

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Switches bank `bank` of the SRAM (0: its first bytes, the reserve's) on or off, and returns when
 * it is ready. Off loses the content. 0; an error where the bank cannot be switched on, which the
 * request for memory then fails with. The weak one returns 0: banks do not switch, or the driver
 * switches them as pages are mapped.
 */
int modmem_zephyr_bank_power(unsigned int bank, bool on);

/*
 * Whether the calling thread is on the audio path, which must not allocate: such calls are served
 * and counted. Interrupts always are, and it is not asked about them. It is called with interrupts
 * off or on. The weak one returns false.
 */
bool modmem_zephyr_on_audio_path(void);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_ZEPHYR_H_ */
