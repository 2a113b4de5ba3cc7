/*
 * Samples of any format as full-scale values, for modules that work on all of them: 32-bit integers
 * with the sample in the high bits, so that a value means the same level in every format. Loading
 * is exact; storing rounds to the nearest value of the format (halves upwards) and saturates, so
 * that loading and storing again changes nothing. O(1) each; the audio path.
 */
#ifndef MODMEM_MODULE_SAMPLES_H
#define MODMEM_MODULE_SAMPLES_H

#include <modmem/module_interface.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits below those of the format. */
static inline unsigned modmem_sample_shift(const struct modmem_stream_format* format) {
  return format->sample == MODMEM_SAMPLE_S16 ? 16U : format->sample == MODMEM_SAMPLE_S32 ? 0U : 8U;
}

/* Sample number `index` at `data`: channel c of frame f is number f * channels + c. */
static inline int32_t modmem_load_sample(const struct modmem_stream_format* format,
                                         const void* data, size_t index) {
  const uint32_t word = format->sample == MODMEM_SAMPLE_S16
                            ? (uint32_t)((const int16_t*)data)[index]
                            : (uint32_t)((const int32_t*)data)[index];

  return (int32_t)(word << modmem_sample_shift(format));
}

/* Requires |value| <= 2^62. */
static inline void modmem_store_sample(const struct modmem_stream_format* format, void* data,
                                       size_t index, int64_t value) {
  const unsigned shift = modmem_sample_shift(format);
  const int64_t most = INT32_MAX >> shift;

  if (shift != 0U) {
    value = (value + ((int64_t)1 << (shift - 1U))) >> shift;
  }
  value = value > most ? most : value < -most - 1 ? -most - 1 : value;
  if (format->sample == MODMEM_SAMPLE_S16) {
    ((int16_t*)data)[index] = (int16_t)value;
  } else {
    ((int32_t*)data)[index] = (int32_t)value;
  }
}

#ifdef __cplusplus
}
#endif

#endif
