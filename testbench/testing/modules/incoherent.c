/*
 * A module whose instances share a table, whatever cores they run on, and do with it what is in the
 * environment variable INCOHERENT, for tests of `modmem run --coherence-check`:
 *
 *   keeps     the first writes it, the others read it; nobody cleans a cache
 *   rereads   the first writes it and writes it back; the others read what their caches have
 *   mixes     each writes a word of its own in every line
 *   coherent  as `keeps`, in a coherent block: correct
 *
 * and else what is correct: written back by the first, invalidated by the others. It passes its
 * audio on. It has the UUID of the gain.
 */
#include <errno.h>
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_WORDS = 512, LINE_WORDS = 16 };

struct incoherent {
  uint32_t number; /* of the instance, from 0 */
  uint32_t count;  /* of its periods */
  uint32_t sum;    /* of what it read, so that it is read */
};

/* In the host's memory, which is coherent. */
static volatile uint32_t* table;
static uint32_t instances;
static uint32_t live;

static bool does(const char* what) {
  const char* mistake = getenv("INCOHERENT");

  return mistake != NULL && strcmp(mistake, what) == 0;
}

static int incoherent_init(struct processing_module* mod) {
  struct incoherent* self = mod_zalloc(mod, sizeof(*self));

  if (self == NULL) {
    return -ENOMEM;
  }
  mod->priv = self;
  self->number = instances++;
  live++;
  if (table == NULL) {
    table =
        rballoc(does("coherent") ? SOF_MEM_FLAG_USER | SOF_MEM_FLAG_COHERENT : SOF_MEM_FLAG_USER,
                TABLE_WORDS * sizeof(*table));
  }
  return table != NULL ? 0 : -ENOMEM;
}

static int incoherent_prepare(struct processing_module* mod, struct modmem_source* sources,
                              size_t source_count, struct modmem_sink* sinks, size_t sink_count) {
  (void)mod;
  (void)sources;
  (void)sinks;
  return source_count == 1U && sink_count == 1U ? 0 : -EPROTO;
}

static void use_table(struct incoherent* self) {
  const size_t bytes = TABLE_WORDS * sizeof(*table);
  const bool cleans = !does("keeps") && !does("coherent");

  self->count++;
  if (does("mixes")) {
    for (size_t at = self->number % LINE_WORDS; at < TABLE_WORDS; at += LINE_WORDS) {
      table[at] = self->count;
    }
    return;
  }
  if (self->number == 0U) {
    for (size_t at = 0; at < TABLE_WORDS; at++) {
      table[at] = self->count;
    }
    if (cleans) {
      dcache_writeback_region((void*)table, bytes);
    }
    return;
  }
  if (cleans && !does("rereads")) {
    dcache_invalidate_region((void*)table, bytes);
  }
  for (size_t at = 0; at < TABLE_WORDS; at++) {
    self->sum += table[at];
  }
}

static int incoherent_process(struct processing_module* mod, struct modmem_source* source,
                              size_t source_count, struct modmem_sink* sink, size_t sink_count) {
  (void)source_count;
  (void)sink_count;
  use_table(mod->priv);
  memcpy(sink->data, source->data, sink->frames * modmem_frame_bytes(&sink->format));
  source->consumed = source->frames;
  sink->produced = sink->frames;
  return 0;
}

static int incoherent_free(struct processing_module* mod) {
  if (--live == 0U) {
    rfree((void*)table);
    table = NULL;
    instances = 0;
  }
  return mod_free(mod, mod->priv);
}

static int incoherent_set_configuration(struct processing_module* mod, uint32_t id,
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
    .uuid = MODMEM_MODULE_UUID(0x61bca9a8, 0x18d0, 0x4a18, 0x8e, 0x7b, 0x26, 0x39, 0x21, 0x98, 0x04,
                               0xb7),
    .name = "incoherent",
    .next = NULL,
    .init = incoherent_init,
    .prepare = incoherent_prepare,
    .process = incoherent_process,
    .reset = NULL,
    .free = incoherent_free,
    .set_configuration = incoherent_set_configuration,
};
