/*
 * What a module needs: its memory (modmem/module_resources.h), with the flags and functions of
 * rtos/alloc.h, blob handlers and shared copies, and a small struct for the module itself.
 *
 * A framework that has a `struct processing_module` of its own defines
 * MODMEM_OWN_PROCESSING_MODULE before it includes this, and the functions that
 * modmem/module_resources.h names. Where SOF's own headers are in reach of the compiler, the struct
 * is SOF's without more ado.
 */
#ifndef MODMEM_MODULE_H
#define MODMEM_MODULE_H

#include <modmem/module_resources.h>
#include <sof/lib/fast-get.h>

#if defined(__has_include) && !defined(MODMEM_OWN_PROCESSING_MODULE)
#if __has_include(<sof/audio/module_adapter/module/generic.h>)
#define MODMEM_OWN_PROCESSING_MODULE
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#ifndef MODMEM_OWN_PROCESSING_MODULE
/* dev_id: the component id that reports name. priv: the module's own. */
struct processing_module {
  uint32_t dev_id;
  void* priv;
  struct module_resources resources;
};
#endif

#ifdef __cplusplus
}
#endif

#include <modmem/module_interface.h>

#endif /* MODMEM_MODULE_H */
