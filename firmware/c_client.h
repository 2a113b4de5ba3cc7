/* What firmware's C code does with modmem, as C: the functions of both generations, from what a
 * module takes to what a region and a pool hold. */
#ifndef MODMEM_FIRMWARE_C_CLIENT_H
#define MODMEM_FIRMWARE_C_CLIENT_H

#ifdef __cplusplus
extern "C" {
#endif

/* Told of each check. Returns `holds`. */
typedef int (*c_client_check)(void* context, int holds, const char* text, const char* file,
                              int line);

/* Uses the C interface, which works on a booted system, and leaves nothing behind but one block of
 * its module, which it has the library take back. */
void c_client_run(c_client_check check, void* context);

#ifdef __cplusplus
}
#endif

#endif
