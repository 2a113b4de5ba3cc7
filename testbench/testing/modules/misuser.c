/*
 * A module with the mistake that is in the environment variable MISUSE, for tests of what is said
 * of it; without it it is correct. It passes its audio on. It has the UUID of
 * examples/modules/echo.c.
 */
#include <errno.h>
#include <modmem/modmem.h>
#include <modmem/module.h>
#include <pthread.h>
#include <rtos/alloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_BYTES = 100, TABLE_BYTES = 65536, STRAY_STEP = 4096, STRAY_MOST = 64 << 20 };

struct misuser {
  uint8_t* table;
  uint8_t* others; /* the system's, not the module's; NULL where nothing is done with it */
};

static pthread_mutex_t shared = PTHREAD_MUTEX_INITIALIZER;

static bool does(const char* what) {
  const char* misuse = getenv("MISUSE");

  return misuse != NULL && strcmp(misuse, what) == 0;
}

static int misuser_init(struct processing_module* mod) {
  struct misuser* self = mod_zalloc(mod, STATE_BYTES);

  if (self == NULL) {
    return -ENOMEM;
  }
  mod->priv = self;
  self->table = mod_balloc(mod, TABLE_BYTES);
  if (self->table == NULL) {
    return -ENOMEM;
  }
  if (does("free another's") || does("free inside") || does("reallocate")) {
    self->others = rmalloc(SOF_MEM_FLAG_USER, STATE_BYTES);
  }
  if (does("crash in init")) {
    *(volatile int*)NULL = 0;
  }
  return 0;
}

/* Not inlined, so that each has a name in the file. */
__attribute__((noinline)) static void misuser_overrun(const struct misuser* self) {
  const volatile uint8_t* at = self->table;

  /* Reads: what lies behind is others', and their mistakes are not what is looked for. */
  for (size_t i = 0; i < STRAY_MOST; i += STRAY_STEP) {
    (void)at[i];
  }
}

__attribute__((noinline)) static void misuser_use_after_free(struct processing_module* mod,
                                                             struct misuser* self) {
  volatile uint8_t* at = self->table;

  mod_free(mod, self->table);
  for (size_t i = 0; i < TABLE_BYTES; i += STRAY_STEP) {
    at[i] = 1;
  }
}

__attribute__((noinline)) static void misuser_audio_path(struct processing_module* mod,
                                                         struct misuser* self) {
  if (does("allocate")) {
    mod_free(mod, mod_alloc(mod, 8));
  }
  if (does("reallocate")) {
    self->others = rbrealloc_align(self->others, SOF_MEM_FLAG_USER, 200, STATE_BYTES, 0);
  }
  if (does("malloc")) {
    void* volatile block = malloc(24);

    free(block);
  }
  if (does("strdup")) {
    char* volatile text = strdup("in the C library");

    free(text);
  }
  if (does("lock")) {
    pthread_mutex_lock(&shared);
    pthread_mutex_unlock(&shared);
  }
  if (does("ask modmem")) {
    (void)modmem_usable_size(self->table);
  }
}

static int misuser_process(struct processing_module* mod, struct modmem_source* source,
                           size_t source_count, struct modmem_sink* sink, size_t sink_count) {
  struct misuser* self = mod->priv;

  (void)source_count;
  (void)sink_count;
  memcpy(sink->data, source->data, sink->frames * modmem_frame_bytes(&sink->format));
  source->consumed = source->frames;
  sink->produced = sink->frames;
  if (does("overrun")) {
    misuser_overrun(self);
  }
  if (does("crash")) {
    *(volatile int*)NULL = 0;
  }
  misuser_audio_path(mod, self);
  return 0;
}

static int misuser_free(struct processing_module* mod) {
  struct misuser* self = mod->priv;

  if (does("use after free")) {
    misuser_use_after_free(mod, self);
  }
  if (does("free twice")) {
    mod_free(mod, self->table);
  }
  if (does("free another's")) {
    mod_free(mod, self->others);
  }
  if (does("free inside")) {
    rfree(self->others + 16);
  }
  rfree(self->others);
  if (!does("leak")) {
    mod_free(mod, self->table);
  }
  mod_free(mod, self);
  return 0;
}

static int misuser_set_configuration(struct processing_module* mod, uint32_t id,
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
    .name = "misuser",
    .init = misuser_init,
    .process = misuser_process,
    .free = misuser_free,
    .set_configuration = misuser_set_configuration,
};
