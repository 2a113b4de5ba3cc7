/*
 * How Opus packets travel in a stream of 16-bit samples, as compressed audio does over S/PDIF
 * (IEC 61937): a packet takes the place of the 20 ms that it was made of, as a burst of
 *
 *   two words of synchronisation, a word that says what follows, the packet's length in bytes,
 *   the packet, and zeros up to 20 ms
 *
 * so that a stream of packets has the rate of the audio, whatever lies between the two ends.
 * Silence has no words of synchronisation. A decoder that comes late looks for the next burst.
 */
#ifndef OPUS_PACKET_H
#define OPUS_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PACKETS_A_SECOND = 50 };

static const uint16_t packet_sync[] = {0xf872, 0x4e1f, 0x4f70};
enum { PACKET_SYNC_BYTES = sizeof(packet_sync), PACKET_HEADER_BYTES = PACKET_SYNC_BYTES + 2 };

/* Finishes the burst of `burst_bytes` bytes whose packet, `bytes` long, lies behind the header. */
static inline void packet_finish(uint8_t* burst, size_t burst_bytes, size_t bytes) {
  const uint16_t length = (uint16_t)bytes;

  memcpy(burst, packet_sync, PACKET_SYNC_BYTES);
  memcpy(burst + PACKET_SYNC_BYTES, &length, sizeof(length));
  memset(burst + PACKET_HEADER_BYTES + bytes, 0, burst_bytes - PACKET_HEADER_BYTES - bytes);
}

/* Where in `bytes` bytes the first burst begins, at a multiple of `step` bytes; one whose start
 * alone can be seen is one. `bytes` where there is none. */
static inline size_t packet_find(const uint8_t* data, size_t bytes, size_t step) {
  size_t at = 0;

  while (at < bytes) {
    const size_t seen = bytes - at < PACKET_SYNC_BYTES ? bytes - at : PACKET_SYNC_BYTES;

    if (memcmp(data + at, packet_sync, seen) == 0) {
      return at;
    }
    at += step;
  }
  return bytes;
}

/* The length of the packet in the burst of `burst_bytes` bytes; 0 where it can't be right. */
static inline size_t packet_length(const uint8_t* burst, size_t burst_bytes) {
  uint16_t length = 0;

  memcpy(&length, burst + PACKET_SYNC_BYTES, sizeof(length));
  return length <= burst_bytes - PACKET_HEADER_BYTES ? length : 0;
}

#endif
