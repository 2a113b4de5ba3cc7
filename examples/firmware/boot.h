/* Brings the memory system of this firmware up: 0, or -1 where its memory is too small. */
#ifndef EXAMPLES_FIRMWARE_BOOT_H
#define EXAMPLES_FIRMWARE_BOOT_H

#ifdef __cplusplus
extern "C" {
#endif

int firmware_boot(void);

#ifdef __cplusplus
}
#endif

#endif
