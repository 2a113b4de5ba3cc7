/*
 * A module that is correct while there is memory, and where there is none does what is in the
 * environment variable CARELESS, for tests of `modmem run --fail-each`; without it it is correct
 * then as well. It passes its audio on. It has the UUID of examples/modules/echo.c.
 */
#include <errno.h>
#include <modmem/module.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_BYTES = 256, STATE_BYTES = 64 };

struct careless {
  uint8_t* table; /* no module's by name: it does not go with the instance */
  uint8_t* state;
};

static bool does(const char* what) {
  const char* fault = getenv("CARELESS");

  return fault != NULL && strcmp(fault, what) == 0;
}

static int careless_init(struct processing_module* mod) {
  struct careless* self = mod_zalloc(mod, sizeof(*self));

  if (self == NULL) {
    return -ENOMEM;
  }
  mod->priv = self;
  self->table = rmalloc(SOF_MEM_FLAG_USER, TABLE_BYTES);
  if (self->table == NULL) {
    return -ENOMEM;
  }
  self->state = mod_alloc(mod, STATE_BYTES);
  if (self->state != NULL || does("crashes")) {
    memset(self->state, 0, STATE_BYTES);
    return 0;
  }
  if (does("goes on")) {
    return 0;
  }
  if (!does("leaks")) {
    rfree(self->table);
  }
  if (does("frees twice")) {
    rfree(self->table);
  }
  if (does("ends the program")) {
    exit(3);
  }
  return does("says another error") ? -EINVAL : -ENOMEM;
}

static int careless_prepare(struct processing_module* mod, struct modmem_source* sources,
                            size_t source_count, struct modmem_sink* sinks, size_t sink_count) {
  (void)mod;
  (void)sources;
  (void)sinks;
  return source_count == 1U && sink_count == 1U ? 0 : -EPROTO;
}

static int careless_process(struct processing_module* mod, struct modmem_source* source,
                            size_t source_count, struct modmem_sink* sink, size_t sink_count) {
  const struct careless* self = mod->priv;

  (void)source_count;
  (void)sink_count;
  if (self->state == NULL) {
    return -EIO;
  }
  memcpy(sink->data, source->data, sink->frames * modmem_frame_bytes(&sink->format));
  source->consumed = source->frames;
  sink->produced = sink->frames;
  return 0;
}

/* Only after an init() that succeeded. */
static int careless_free(struct processing_module* mod) {
  struct careless* self = mod->priv;

  rfree(self->table);
  mod_free(mod, self->state);
  return mod_free(mod, self);
}

static int careless_set_configuration(struct processing_module* mod, uint32_t id,
                                      enum modmem_fragment position, uint32_t offset_or_size,
                                      const uint8_t* fragment, size_t fragment_bytes) {
  (void)mod;
  (void)id;
  (void)position;
  (void)offset_or_size;
  (void)fragment;
  (void)fragment_bytes;
  return 0;
}

const struct modmem_module_interface modmem_module = {
    .abi = MODMEM_MODULE_ABI,
    .uuid = MODMEM_MODULE_UUID(0x8f3c1d0a, 0x5b27, 0x4e6f, 0x9a, 0x41, 0x7c, 0x20, 0xde, 0x86, 0xb3,
                               0x5f),
    .name = "careless",
    .next = NULL,
    .init = careless_init,
    .prepare = careless_prepare,
    .process = careless_process,
    .reset = NULL,
    .free = careless_free,
    .set_configuration = careless_set_configuration,
};
