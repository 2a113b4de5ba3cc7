/*
 * A module that does what modules must not do, for tests of who loads it: what is in the
 * environment variable FAULTY, and passes its audio on where that lets it. It has the UUID of
 * examples/modules/echo.c.
 *
 * FAULTY_ABI and FAULTY_NAME are the version and the name that it says it has. With FAULTY_NAMELESS
 * it has no modmem_module, with FAULTY_UNDEFINED not the function that it calls.
 */
#include <errno.h>
#include <modmem/module.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifndef FAULTY_ABI
#define FAULTY_ABI MODMEM_MODULE_ABI
#endif
#ifndef FAULTY_NAME
#define FAULTY_NAME "faulty"
#endif

enum { KEPT_BYTES = 100, KEPT_NAMELESS_BYTES = 200 };

#ifdef FAULTY_UNDEFINED
int faulty_is_nowhere(void);
#endif

static bool does(const char* what) {
  const char* fault = getenv("FAULTY");

  return fault != NULL && strcmp(fault, what) == 0;
}

static int faulty_init(struct processing_module* mod) {
#ifdef FAULTY_UNDEFINED
  if (faulty_is_nowhere() != 0) {
    return -EINVAL;
  }
#endif
  if (does("takes all memory")) {
    while (mod_alloc(mod, 65536) != NULL) {
    }
    return -ENOMEM;
  }
  mod->priv = mod_alloc(mod, KEPT_BYTES);
  if (does("refuses the widget")) {
    return mod_data_blob_handler_new(mod) != NULL && mod_balloc(mod, 5000) != NULL ? -EPERM : 0;
  }
  if (does("keeps what no module is named for")) {
    return rmalloc(SOF_MEM_FLAG_USER, KEPT_NAMELESS_BYTES) != NULL ? 0 : -ENOMEM;
  }
  return 0;
}

static int faulty_prepare(struct processing_module* mod, struct modmem_source* sources,
                          size_t source_count, struct modmem_sink* sinks, size_t sink_count) {
  (void)mod;
  (void)sources;
  if (does("asks for too much")) {
    sinks->block = SIZE_MAX;
  }
  return source_count == 1U && sink_count == 1U && !does("refuses the formats") ? 0 : -EPROTO;
}

static int faulty_process(struct processing_module* mod, struct modmem_source* source,
                          size_t source_count, struct modmem_sink* sink, size_t sink_count) {
  (void)source_count;
  (void)sink_count;
  memcpy(sink->data, source->data, sink->frames * modmem_frame_bytes(&sink->format));
  source->consumed = source->frames;
  sink->produced = sink->frames;
  if (does("writes behind its block")) {
    volatile char* own = mod->priv;
    own[KEPT_BYTES] = 1;
    own[KEPT_BYTES + 1] = 1;
  }
  if (does("allocates while it processes")) {
    return mod_free(mod, mod_alloc(mod, 8));
  }
  if (does("says that it made too much")) {
    ++sink->produced;
  }
  if (does("makes too little")) {
    --sink->produced;
  }
  return does("fails to process") ? -EIO : 0;
}

static int faulty_set_configuration(struct processing_module* mod, uint32_t id,
                                    enum modmem_fragment position, uint32_t offset_or_size,
                                    const uint8_t* fragment, size_t fragment_bytes) {
  (void)mod;
  (void)id;
  (void)fragment;
  return position == MODMEM_FRAGMENT_SINGLE && offset_or_size == fragment_bytes &&
                 !does("refuses the configuration")
             ? 0
             : -EINVAL;
}

static int faulty_free(struct processing_module* mod) {
  if (does("keeps its memory")) {
    return 0;
  }
  if (does("frees twice")) {
    mod_free(mod, mod->priv);
  }
  if (does("writes after its free")) {
    mod_free(mod, mod->priv);
    ((volatile char*)mod->priv)[7] = 1;
    return 0;
  }
  if (does("frees what is not its own")) {
    rfree(mod);
  }
  return mod_free(mod, mod->priv);
}

#ifdef FAULTY_NAMELESS
extern const struct modmem_module_interface another_name;
__attribute__((visibility("default"))) const struct modmem_module_interface another_name = {
#else
const struct modmem_module_interface modmem_module = {
#endif
    .abi = FAULTY_ABI,
    .uuid = MODMEM_MODULE_UUID(0x8f3c1d0a, 0x5b27, 0x4e6f, 0x9a, 0x41, 0x7c, 0x20, 0xde, 0x86, 0xb3,
                               0x5f),
    .name = FAULTY_NAME,
    .next = NULL,
    .init = faulty_init,
    .prepare = faulty_prepare,
    .process = faulty_process,
    .reset = NULL,
    .free = faulty_free,
    .set_configuration = faulty_set_configuration,
};
