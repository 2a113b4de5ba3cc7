/*
 * A module that reaches for memory that is not its own, for tests of who isolates modules. It has
 * the UUID of the gain, and passes its audio on. The instance whose component id is in the
 * environment variable STRAY_ID (hexadecimal) does what STRAY says: in its 10th period, or when it
 * is initialised, prepared or ended where that is said.
 */
#include <errno.h>
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <sof/audio/data_blob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t table[] = {1, 2, 3};

enum { PERIOD = 10, STATE_BYTES = 100, PAGE = 4096 };

struct state {
  uint32_t periods;
  bool strays;
};

/* What the first instance took: the others' to leave alone. */
static volatile uint8_t* other;

/* The copy of a table that all of them read. */
static const void* shared;

static bool does(const struct processing_module* mod, const char* what) {
  const char* id = getenv("STRAY_ID");
  const char* stray = getenv("STRAY");

  return id != NULL && stray != NULL && strtoul(id, NULL, 16) == mod->dev_id &&
         strcmp(stray, what) == 0;
}

/* For blobs; what is given back is reached once more. */
static void* take_blob(size_t bytes) { return rmalloc(SOF_MEM_FLAG_USER, bytes); }

static void give_blob(void* blob) {
  memset(blob, 0, PAGE);
  rfree(blob);
}

static int stray_init(struct processing_module* mod) {
  mod->priv = mod_zalloc(mod, STATE_BYTES);
  if (mod->priv == NULL) {
    return -ENOMEM;
  }
  const void* nowhere = (const void*)(uintptr_t)PERIOD;

  shared = mod_fast_get(mod, table, sizeof(table));
  if (shared == NULL) {
    return -ENOMEM;
  }
  if (does(mod, "shares what it can't read")) {
    mod_fast_get(mod, nowhere, PAGE);
  } else if (does(mod, "keeps what it can't read")) {
    ipc4_comp_data_blob_set(mod_data_blob_handler_new(mod), true, true, PAGE, nowhere);
  }
  if (other == NULL) {
    other = mod->priv;
    if (does(mod, "leaves a blob of its own making")) {
      comp_init_data_blob(comp_data_blob_handler_new_ext(NULL, false, take_blob, give_blob), PAGE,
                          NULL);
    }
  } else if (does(mod, "writes to another module when it is initialised")) {
    other[STATE_BYTES - 1] = 1;
  }
  return 0;
}

static int stray_prepare(struct processing_module* mod, struct modmem_source* sources,
                         size_t source_count, struct modmem_sink* sinks, size_t sink_count) {
  (void)sources;
  (void)sinks;
  if (does(mod, "writes to another module when it is prepared")) {
    other[0] = 1;
  }
  return source_count == 1U && sink_count == 1U ? 0 : -EPROTO;
}

/* Beside what a checker of accesses would see first. */
__attribute__((no_sanitize_address)) static void stray(struct processing_module* mod,
                                                       const struct modmem_source* source) {
  volatile uint8_t* own = mod->priv;

  if (does(mod, "writes to another module")) {
    other[0] = 1;
  } else if (does(mod, "reads what another module has")) {
    own[STATE_BYTES - 1] = other[0];
  } else if (does(mod, "writes to its input")) {
    ((volatile uint8_t*)(uintptr_t)source->data)[0] = 1;
  } else if (does(mod, "writes on behind its end")) {
    for (size_t at = 0; at < (size_t)64 * PAGE; ++at) {
      own[STATE_BYTES + at] = 1;
    }
  } else if (does(mod, "writes to the library's notes")) {
    /* A heap is such a note. */
    *(volatile uint8_t*)mod->resources.heap = 1;
  } else if (does(mod, "writes to what all may read")) {
    ((volatile uint8_t*)(uintptr_t)shared)[0] = 1;
  } else if (does(mod, "calls what is no code")) {
    ((void (*)(void))(uintptr_t)PERIOD)();
  } else if (does(mod, "writes to nowhere")) {
    *(volatile uint8_t*)(uintptr_t)PERIOD = 1;
  }
}

static int stray_process(struct processing_module* mod, struct modmem_source* source,
                         size_t source_count, struct modmem_sink* sink, size_t sink_count) {
  struct state* state = mod->priv;

  (void)source_count;
  (void)sink_count;
  if (++state->periods == PERIOD) {
    stray(mod, source);
  }
  memcpy(sink->data, source->data, sink->frames * modmem_frame_bytes(&sink->format));
  source->consumed = source->frames;
  sink->produced = sink->frames;
  return 0;
}

static int stray_free(struct processing_module* mod) {
  if (does(mod, "writes to another module when it ends")) {
    other[0] = 1;
  }
  if (other == mod->priv) {
    other = NULL;
  }
  mod_fast_put(mod, shared);
  return mod_free(mod, mod->priv);
}

const struct modmem_module_interface modmem_module = {
    .abi = MODMEM_MODULE_ABI,
    .uuid = MODMEM_MODULE_UUID(0x61bca9a8, 0x18d0, 0x4a18, 0x8e, 0x7b, 0x26, 0x39, 0x21, 0x98, 0x04,
                               0xb7),
    .name = "stray",
    .next = NULL,
    .init = stray_init,
    .prepare = stray_prepare,
    .process = stray_process,
    .reset = NULL,
    .free = stray_free,
    .set_configuration = NULL,
};
