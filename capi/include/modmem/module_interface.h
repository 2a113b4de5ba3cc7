/*
 * What a loadable module exports: a shared object, written in C, that a host loads into a running
 * pipeline (`modmem run --module ./libx.so`) for the widgets that have its UUID.
 *
 * The shared object defines one symbol, `modmem_module`, which describes a module, and through
 * `next` any further ones of the same file. It links nothing of the host's: mod_alloc() and all
 * others that modmem/module.h and rtos/alloc.h declare are the host's own, found when it is loaded.
 *
 * A module's life: init, then set_configuration for each configuration that it starts with; then
 * prepare, process once and again, reset, any number of times; then free. Further configurations
 * may come between any two of these. Calls of one instance never overlap; all of them but free come
 * from threads of the core that the instance runs on. Instances share the file's global variables,
 * which therefore should be constant.
 *
 * All memory of an instance comes from mod_alloc() and its kin, for the processing_module that each
 * function gets. It is charged to the instance; what is still held after free is reported as a leak
 * and released. Where init fails, everything is released, and free is not called.
 *
 * Functions return 0, or a negative errno value. Usable from C11 and C++20.
 */
#ifndef MODMEM_MODULE_INTERFACE_H
#define MODMEM_MODULE_INTERFACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of everything in this file. A host loads modules of exactly its own. */
#define MODMEM_MODULE_ABI 1u

/*
 * The 16 bytes of a UUID as firmware and topologies hold them, the first three fields
 * little-endian: 61bca9a8-18d0-4a18-8e7b-2639219804b7 is MODMEM_MODULE_UUID(0x61bca9a8, 0x18d0,
 * 0x4a18, 0x8e, 0x7b, 0x26, 0x39, 0x21, 0x98, 0x04, 0xb7)
 */
#define MODMEM_MODULE_UUID(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                             \
  {                                                                                             \
    (a) & 0xff, (a) >> 8 & 0xff, (a) >> 16 & 0xff, (a) >> 24 & 0xff, (b)&0xff, (b) >> 8 & 0xff, \
        (c)&0xff, (c) >> 8 & 0xff, (d0), (d1), (d2), (d3), (d4), (d5), (d6), (d7)               \
  }

struct processing_module;

/* How a sample lies in memory, in the machine's byte order. */
enum modmem_sample_format {
  MODMEM_SAMPLE_S16 = 0,     /* int16_t */
  MODMEM_SAMPLE_S24_4LE = 1, /* 24 bits in the low three bytes of an int32_t, sign-extended */
  MODMEM_SAMPLE_S32 = 2      /* int32_t */
};

/* The samples of all channels of a frame lie side by side: sample c of frame f is number
 * f * channels + c. */
struct modmem_stream_format {
  uint32_t rate; /* Hz */
  uint32_t channels;
  uint32_t sample; /* enum modmem_sample_format */
};

static inline size_t modmem_sample_bytes(const struct modmem_stream_format* format) {
  return format->sample == MODMEM_SAMPLE_S16 ? sizeof(int16_t) : sizeof(int32_t);
}

static inline size_t modmem_frame_bytes(const struct modmem_stream_format* format) {
  return format->channels * modmem_sample_bytes(format);
}

/*
 * An input, and an output. Which is which number follows from the topology's pins.
 *
 * In prepare only the format is set, and the module may set `block`: the number of frames that it
 * works on at a time, say those of 20 ms for a codec. Where every stream's is 0, process gets once
 * a period whatever came in it. Where one is not, the host queues: it calls process as often as
 * each connected source has at least its block (at least a frame) and each sink room for its block,
 * and delays each sink by its block, so that the audio runs without gaps.
 *
 * In process, `frames` frames may be read from `data`, or written to it; an input that is not
 * connected has none. The module sets `consumed` and `produced`, 0 before, to how many of them it
 * has used, from the first on. With blocks, what is not consumed comes again. Without, it is lost,
 * and what is not produced is silent and counted as an xrun.
 */
struct modmem_source {
  struct modmem_stream_format format;
  size_t block;
  const void* data;
  size_t frames;
  size_t consumed;
};

struct modmem_sink {
  struct modmem_stream_format format;
  size_t block;
  void* data;
  size_t frames;
  size_t produced;
};

/* Where a fragment stands in its configuration. */
enum modmem_fragment {
  MODMEM_FRAGMENT_MIDDLE = 0,
  MODMEM_FRAGMENT_FIRST = 1,
  MODMEM_FRAGMENT_LAST = 2,
  MODMEM_FRAGMENT_SINGLE = 3 /* first and last: the configuration is in one piece */
};

struct modmem_module_interface {
  uint32_t abi;                               /* MODMEM_MODULE_ABI */
  uint8_t uuid[16];                           /* MODMEM_MODULE_UUID() */
  const char* name;                           /* for messages */
  const struct modmem_module_interface* next; /* another module of this file, or NULL */

  /* Off the audio path; may allocate. Required.
   * Takes what the instance needs for its whole life. -ENOMEM: memory ran out; any other error
   * refuses the widget. */
  int (*init)(struct processing_module* mod);

  /* Off the audio path; may allocate. May be NULL.
   * Takes what it needs for these formats. May set `block` of any stream. reset follows also where
   * it fails, which otherwise is taken as a failure of init is. */
  int (*prepare)(struct processing_module* mod, struct modmem_source* sources, size_t source_count,
                 struct modmem_sink* sinks, size_t sink_count);

  /* The audio path: no allocating or freeing (it is served, counted, and fails the run), no lock,
   * no file. Required.
   * Reads from the sources and writes to the sinks. After an error what was produced is not used:
   * the outputs are silent, the error is counted and fails the run; the next call comes all the
   * same. */
  int (*process)(struct processing_module* mod, struct modmem_source* sources, size_t source_count,
                 struct modmem_sink* sinks, size_t sink_count);

  /* Off the audio path. May be NULL.
   * Gives back what prepare took. */
  int (*reset)(struct processing_module* mod);

  /* Off the audio path; the last call. May be NULL.
   * Gives back everything else. An error is only noted: the instance is gone. */
  int (*free)(struct processing_module* mod);

  /* Off the audio path, between periods; may allocate. May be NULL: no configuration is taken.
   * Takes a fragment of the configuration `id` (the type that the blob's header in the topology
   * says), at `position`. `offset_or_size` is the size of the whole with the first fragment, with
   * others how many bytes of it came before: what ipc4_comp_data_blob_set() takes. All fragments
   * but the last are of one size. -ENOMEM: memory ran out; with any error, the configuration that
   * was in force stays. */
  int (*set_configuration)(struct processing_module* mod, uint32_t id,
                           enum modmem_fragment position, uint32_t offset_or_size,
                           const uint8_t* fragment, size_t fragment_bytes);
};

/* What the shared object defines:
 *   const struct modmem_module_interface modmem_module = {...}; */
extern __attribute__((visibility("default"))) const struct modmem_module_interface modmem_module;

#ifdef __cplusplus
}
#endif

#endif
