/*
 * An echo: what was heard `delay_ms` ago sounds again, and again, ever more softly.
 *
 *   line[n] = in[n] + feedback * line[n - delay]
 *   out[n]  = in[n] + level * line[n - delay]
 *
 * Configuration: struct echo_configuration; until one comes, the audio passes as it is.
 * Memory: a struct for life; while prepared, 4 bytes for each frame of the delay and each channel.
 * Input and output are of one rate and number of channels; sample formats are free.
 */
#include <errno.h>
#include <modmem/module.h>
#include <modmem/module_samples.h>
#include <string.h>

enum { ECHO_ONE = 1 << 15, ECHO_MOST_MS = 2000 };

/* The blob; integers as the machine has them. */
struct echo_configuration {
  uint32_t delay_ms; /* 1 to ECHO_MOST_MS */
  int32_t feedback;  /* Q15, above -1 and below 1: the echoes die away */
  int32_t level;     /* Q15, -1 to 1 */
};

struct echo {
  struct comp_data_blob_handler* blobs;
  struct echo_configuration configuration; /* delay_ms 0: none yet */
  uint32_t rate;                           /* 0: not prepared */
  uint32_t channels;
  int32_t* line; /* a ring of `length` frames, NULL where there is no echo */
  size_t length;
  size_t at; /* the oldest frame */
};

static int echo_validate(struct comp_dev* device, void* data, uint32_t bytes) {
  struct echo_configuration wanted;

  (void)device;
  if (bytes != sizeof(wanted)) {
    return -EINVAL;
  }
  memcpy(&wanted, data, sizeof(wanted));
  return wanted.delay_ms >= 1 && wanted.delay_ms <= ECHO_MOST_MS && wanted.feedback > -ECHO_ONE &&
                 wanted.feedback < ECHO_ONE && wanted.level >= -ECHO_ONE && wanted.level <= ECHO_ONE
             ? 0
             : -EINVAL;
}

static int echo_init(struct processing_module* mod) {
  struct echo* echo = mod_zalloc(mod, sizeof(*echo));

  if (echo == NULL) {
    return -ENOMEM;
  }
  mod->priv = echo;
  echo->blobs = mod_data_blob_handler_new(mod);
  if (echo->blobs == NULL) {
    return -ENOMEM; /* the struct goes with the instance */
  }
  comp_data_blob_set_validator(echo->blobs, echo_validate);
  return 0;
}

/* A silent line for `delay_ms` in place of the one there is. That stays where memory runs out. */
static int echo_take_line(struct processing_module* mod, uint32_t delay_ms) {
  struct echo* echo = mod->priv;
  const size_t length = (size_t)((uint64_t)echo->rate * delay_ms / 1000U);
  const size_t bytes = (length != 0U ? length : 1U) * echo->channels * sizeof(int32_t);
  int32_t* line = mod_balloc(mod, bytes);

  if (line == NULL) {
    return -ENOMEM;
  }
  memset(line, 0, bytes);
  mod_free(mod, echo->line);
  echo->line = line;
  echo->length = length != 0U ? length : 1U;
  echo->at = 0;
  return 0;
}

static int echo_set_configuration(struct processing_module* mod, uint32_t id,
                                  enum modmem_fragment position, uint32_t offset_or_size,
                                  const uint8_t* fragment, size_t fragment_bytes) {
  struct echo* echo = mod->priv;
  struct echo_configuration wanted;
  const void* blob = NULL;
  size_t bytes = 0;
  int error;

  (void)id;
  (void)fragment_bytes;
  error = ipc4_comp_data_blob_set(echo->blobs, (position & MODMEM_FRAGMENT_FIRST) != 0,
                                  (position & MODMEM_FRAGMENT_LAST) != 0, offset_or_size,
                                  (const char*)fragment);
  if (error != 0 || !comp_is_new_data_blob_available(echo->blobs)) {
    return error;
  }
  /* Now, and not in process(): the audio path may not free the blob before. */
  blob = comp_get_data_blob(echo->blobs, &bytes, NULL);
  memcpy(&wanted, blob, sizeof(wanted));
  if (echo->rate != 0U && wanted.delay_ms != echo->configuration.delay_ms) {
    error = echo_take_line(mod, wanted.delay_ms);
    if (error != 0) {
      return error;
    }
  }
  echo->configuration = wanted;
  return 0;
}

static int echo_prepare(struct processing_module* mod, struct modmem_source* sources,
                        size_t source_count, struct modmem_sink* sinks, size_t sink_count) {
  struct echo* echo = mod->priv;

  if (source_count != 1U || sink_count != 1U ||
      sources->format.channels != sinks->format.channels ||
      sources->format.rate != sinks->format.rate) {
    return -EINVAL;
  }
  echo->rate = sources->format.rate;
  echo->channels = sources->format.channels;
  return echo->configuration.delay_ms != 0U ? echo_take_line(mod, echo->configuration.delay_ms) : 0;
}

static int echo_process(struct processing_module* mod, struct modmem_source* source,
                        size_t source_count, struct modmem_sink* sink, size_t sink_count) {
  struct echo* echo = mod->priv;
  const int64_t feedback = echo->configuration.feedback;
  const int64_t level = echo->configuration.level;
  const size_t frames = source->frames < sink->frames ? source->frames : sink->frames;

  (void)source_count;
  (void)sink_count;
  for (size_t frame = 0; frame < frames; ++frame) {
    for (size_t channel = 0; channel < echo->channels; ++channel) {
      const size_t index = frame * echo->channels + channel;
      const int64_t in = modmem_load_sample(&source->format, source->data, index);
      int64_t out = in;

      if (echo->line != NULL) {
        int32_t* old = &echo->line[echo->at * echo->channels + channel];
        const int64_t next = in + feedback * *old / ECHO_ONE;

        out += level * *old / ECHO_ONE;
        *old = (int32_t)(next > INT32_MAX ? INT32_MAX : next < INT32_MIN ? INT32_MIN : next);
      }
      modmem_store_sample(&sink->format, sink->data, index, out);
    }
    echo->at = echo->at + 1U < echo->length ? echo->at + 1U : 0U;
  }
  source->consumed = frames;
  sink->produced = frames;
  return 0;
}

static int echo_reset(struct processing_module* mod) {
  struct echo* echo = mod->priv;

  mod_free(mod, echo->line);
  echo->line = NULL;
  echo->length = 0;
  echo->rate = 0;
  return 0;
}

static int echo_free(struct processing_module* mod) {
  struct echo* echo = mod->priv;

  mod_data_blob_handler_free(mod, echo->blobs);
  return mod_free(mod, echo);
}

const struct modmem_module_interface modmem_module = {
    .abi = MODMEM_MODULE_ABI,
    .uuid = MODMEM_MODULE_UUID(0x8f3c1d0a, 0x5b27, 0x4e6f, 0x9a, 0x41, 0x7c, 0x20, 0xde, 0x86, 0xb3,
                               0x5f),
    .name = "echo",
    .next = NULL,
    .init = echo_init,
    .prepare = echo_prepare,
    .process = echo_process,
    .reset = echo_reset,
    .free = echo_free,
    .set_configuration = echo_set_configuration,
};
