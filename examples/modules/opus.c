/*
 * The Opus codec of libopus as two modules, an encoder and a decoder, for 16-bit audio of one or
 * two channels at any of its rates. Packets of 20 ms travel as opus_packet.h says.
 *
 * libopus is made for this: its state is one block whose size it tells and which it initialises in
 * place, so that all of it is the module's memory. It encodes straight from the input's buffer and
 * decodes straight into the output's.
 *
 * Configuration of the encoder: struct opus_configuration; of the decoder: none.
 * Memory of each: a struct for life; while prepared, the codec's state.
 */
#include <errno.h>
#include <modmem/module.h>
#include <opus/opus.h>
#include <stdbool.h>
#include <string.h>

#include "opus_packet.h"

/* The blob; integers as the machine has them. */
struct opus_configuration {
  uint32_t bit_rate;   /* bits a second: 6000 to 510000 */
  uint32_t complexity; /* 0 to 10 */
};

struct opus_instance {
  struct opus_configuration configuration; /* bit_rate 0: as libopus likes */
  uint32_t channels;
  size_t block; /* frames of 20 ms */
  OpusEncoder* encoder;
  OpusDecoder* decoder;
};

static int opus_new(struct processing_module* mod) {
  mod->priv = mod_zalloc(mod, sizeof(struct opus_instance));
  return mod->priv != NULL ? 0 : -ENOMEM;
}

static int opus_delete(struct processing_module* mod) { return mod_free(mod, mod->priv); }

/* What both ends have in common; 0 where the formats are possible. */
static int opus_take_formats(struct processing_module* mod, struct modmem_source* sources,
                             size_t source_count, struct modmem_sink* sinks, size_t sink_count) {
  struct opus_instance* opus = mod->priv;

  if (source_count != 1U || sink_count != 1U ||
      memcmp(&sources->format, &sinks->format, sizeof(sources->format)) != 0 ||
      sources->format.sample != MODMEM_SAMPLE_S16 || sources->format.channels > 2U) {
    return -EINVAL;
  }
  opus->channels = sources->format.channels;
  opus->block = sources->format.rate / PACKETS_A_SECOND;
  sources->block = opus->block;
  sinks->block = opus->block;
  return 0;
}

/* --- the encoder --- */

static int encoder_configure(struct opus_instance* opus) {
  if (opus->configuration.bit_rate == 0U) {
    return 0;
  }
  return opus_encoder_ctl(opus->encoder,
                          OPUS_SET_BITRATE((opus_int32)opus->configuration.bit_rate)) == OPUS_OK &&
                 opus_encoder_ctl(
                     opus->encoder,
                     OPUS_SET_COMPLEXITY((opus_int32)opus->configuration.complexity)) == OPUS_OK
             ? 0
             : -EINVAL;
}

static int encoder_prepare(struct processing_module* mod, struct modmem_source* sources,
                           size_t source_count, struct modmem_sink* sinks, size_t sink_count) {
  struct opus_instance* opus = mod->priv;
  const int error = opus_take_formats(mod, sources, source_count, sinks, sink_count);

  if (error != 0) {
    return error;
  }
  opus->encoder = mod_balloc(mod, (size_t)opus_encoder_get_size((int)opus->channels));
  if (opus->encoder == NULL) {
    return -ENOMEM;
  }
  if (opus_encoder_init(opus->encoder, (opus_int32)sources->format.rate, (int)opus->channels,
                        OPUS_APPLICATION_AUDIO) != OPUS_OK) {
    return -EINVAL; /* not one of its rates */
  }
  return encoder_configure(opus);
}

static int encoder_process(struct processing_module* mod, struct modmem_source* source,
                           size_t source_count, struct modmem_sink* sink, size_t sink_count) {
  struct opus_instance* opus = mod->priv;
  const size_t burst_bytes = opus->block * modmem_frame_bytes(&sink->format);
  uint8_t* burst = sink->data;
  opus_int32 bytes;

  (void)source_count;
  (void)sink_count;
  if (source->frames < opus->block || sink->frames < opus->block) {
    return 0;
  }
  bytes = opus_encode(opus->encoder, source->data, (int)opus->block, burst + PACKET_HEADER_BYTES,
                      (opus_int32)(burst_bytes - PACKET_HEADER_BYTES));
  source->consumed = opus->block;
  if (bytes < 0) {
    return -EIO;
  }
  packet_finish(burst, burst_bytes, (size_t)bytes);
  sink->produced = opus->block;
  return 0;
}

static int encoder_reset(struct processing_module* mod) {
  struct opus_instance* opus = mod->priv;
  OpusEncoder* encoder = opus->encoder;

  opus->encoder = NULL;
  return mod_free(mod, encoder);
}

static int encoder_set_configuration(struct processing_module* mod, uint32_t id,
                                     enum modmem_fragment position, uint32_t offset_or_size,
                                     const uint8_t* fragment, size_t fragment_bytes) {
  struct opus_instance* opus = mod->priv;
  const struct opus_configuration before = opus->configuration;
  struct opus_configuration wanted;

  (void)id;
  (void)offset_or_size;
  if (position != MODMEM_FRAGMENT_SINGLE || fragment_bytes != sizeof(wanted)) {
    return -EINVAL;
  }
  memcpy(&wanted, fragment, sizeof(wanted));
  if (wanted.bit_rate < 6000U || wanted.bit_rate > 510000U || wanted.complexity > 10U) {
    return -EINVAL;
  }
  opus->configuration = wanted;
  if (opus->encoder != NULL && encoder_configure(opus) != 0) {
    opus->configuration = before;
    return -EINVAL;
  }
  return 0;
}

/* --- the decoder --- */

static int decoder_prepare(struct processing_module* mod, struct modmem_source* sources,
                           size_t source_count, struct modmem_sink* sinks, size_t sink_count) {
  struct opus_instance* opus = mod->priv;
  const int error = opus_take_formats(mod, sources, source_count, sinks, sink_count);

  if (error != 0) {
    return error;
  }
  opus->decoder = mod_balloc(mod, (size_t)opus_decoder_get_size((int)opus->channels));
  if (opus->decoder == NULL) {
    return -ENOMEM;
  }
  return opus_decoder_init(opus->decoder, (opus_int32)sources->format.rate, (int)opus->channels) ==
                 OPUS_OK
             ? 0
             : -EINVAL;
}

static int decoder_process(struct processing_module* mod, struct modmem_source* source,
                           size_t source_count, struct modmem_sink* sink, size_t sink_count) {
  struct opus_instance* opus = mod->priv;
  const size_t frame_bytes = modmem_frame_bytes(&source->format);
  const uint8_t* burst = source->data;
  size_t frames = opus->block;
  size_t length;
  int decoded;

  (void)source_count;
  (void)sink_count;
  if (source->frames < opus->block || sink->frames < opus->block) {
    return 0;
  }
  frames = packet_find(burst, opus->block * frame_bytes, frame_bytes) / frame_bytes;
  if (frames != 0U) { /* no burst begins here: as much silence, up to the next */
    memset(sink->data, 0, frames * frame_bytes);
    source->consumed = frames;
    sink->produced = frames;
    return 0;
  }
  length = packet_length(burst, opus->block * frame_bytes);
  /* A packet that is lost or makes no sense is concealed. */
  decoded = opus_decode(opus->decoder, length != 0U ? burst + PACKET_HEADER_BYTES : NULL,
                        (opus_int32)length, sink->data, (int)opus->block, 0);
  if (decoded < 0) {
    decoded = opus_decode(opus->decoder, NULL, 0, sink->data, (int)opus->block, 0);
  }
  source->consumed = opus->block;
  if (decoded < 0) {
    return -EIO;
  }
  memset((uint8_t*)sink->data + (size_t)decoded * frame_bytes, 0,
         (opus->block - (size_t)decoded) * frame_bytes);
  sink->produced = opus->block;
  return 0;
}

static int decoder_reset(struct processing_module* mod) {
  struct opus_instance* opus = mod->priv;
  OpusDecoder* decoder = opus->decoder;

  opus->decoder = NULL;
  return mod_free(mod, decoder);
}

static const struct modmem_module_interface opus_decoder = {
    .abi = MODMEM_MODULE_ABI,
    .uuid = MODMEM_MODULE_UUID(0xc4075ae1, 0x93fb, 0x4d2c, 0xb6, 0x1e, 0x08, 0xd9, 0x5f, 0x3a, 0x7c,
                               0x46),
    .name = "opus decoder",
    .next = NULL,
    .init = opus_new,
    .prepare = decoder_prepare,
    .process = decoder_process,
    .reset = decoder_reset,
    .free = opus_delete,
    .set_configuration = NULL,
};

const struct modmem_module_interface modmem_module = {
    .abi = MODMEM_MODULE_ABI,
    .uuid = MODMEM_MODULE_UUID(0x2b9e6c74, 0xd013, 0x4f58, 0x8c, 0x6a, 0x51, 0xf7, 0xa9, 0x0b, 0xe3,
                               0xd2),
    .name = "opus encoder",
    .next = &opus_decoder,
    .init = opus_new,
    .prepare = encoder_prepare,
    .process = encoder_process,
    .reset = encoder_reset,
    .free = opus_delete,
    .set_configuration = encoder_set_configuration,
};
