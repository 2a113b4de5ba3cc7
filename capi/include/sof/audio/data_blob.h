/*
 * Blob handlers: a configuration that arrives in fragments while the one before is in force.
 *
 * A handler has a current blob, which comp_get_data_blob() gives, and a new one, which fragments
 * fill. The new one becomes current at the next comp_get_data_blob() after its last fragment, and
 * the old one is freed then. In single-blob mode there is only one: the first fragment frees the
 * current one, and nothing is current until the new one is complete.
 *
 * Handlers of comp_data_blob_handler_new...() are the system's until they are freed; those of
 * mod_data_blob_handler_new() (modmem/module.h) are their module's, and go with it.
 *
 * A handler that is NULL: the functions do nothing, and return NULL, false or -EINVAL.
 * Calling context: where the caller may allocate. One thread at a time for each handler.
 */
#ifndef SOF_AUDIO_DATA_BLOB_H
#define SOF_AUDIO_DATA_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct comp_dev;
struct comp_data_blob_handler;

/*
 * A new handler. `dev` is what the validator gets, may be NULL, and is not looked at. `alloc` and
 * `free` take and free the memory of its blobs; NULL (either): modmem's, with large-buffer intent.
 * NULL, with nothing taken, exactly when memory ran out (reported).
 */
struct comp_data_blob_handler* comp_data_blob_handler_new_ext(struct comp_dev* dev,
                                                              bool single_blob,
                                                              void* (*alloc)(size_t size),
                                                              void (*free)(void* buf));

/* The same with two blobs, and modmem's memory. */
__attribute__((always_inline)) static inline struct comp_data_blob_handler*
comp_data_blob_handler_new(struct comp_dev* dev) {
  return comp_data_blob_handler_new_ext(dev, false, NULL, NULL);
}

/*
 * Frees a handler, of a module or not, and its blobs. NULL does nothing. What is no handler is
 * misuse: an error line and the fault handler.
 */
void comp_data_blob_handler_free(struct comp_data_blob_handler* blob_handler);

/*
 * The current blob, after a complete new one has become it; NULL where there is none. Valid until
 * the next comp_get_data_blob() or comp_init_data_blob(). `size` and `crc` may be NULL; otherwise
 * they get the blob's size and the CRC-32 (IEEE 802.3) of its content, 0 where there is none.
 * O(1), with `crc` O(size).
 */
void* comp_get_data_blob(struct comp_data_blob_handler* blob_handler, size_t* size, uint32_t* crc);

/* True where the next comp_get_data_blob() gives a blob that it did not give before. */
bool comp_is_new_data_blob_available(struct comp_data_blob_handler* blob_handler);

/* True where there is a current blob. */
bool comp_is_current_data_blob_valid(struct comp_data_blob_handler* blob_handler);

/*
 * Makes `size` bytes current at once: a copy of `init_data`, zeros where that is NULL. All blobs
 * before are freed; size 0: that is all. The validator is not asked. 0, or -ENOMEM: then the blobs
 * are as before (in single-blob mode: there is none).
 */
int comp_init_data_blob(struct comp_data_blob_handler* blob_handler, uint32_t size,
                        const void* init_data);

/*
 * Takes a fragment. The first one says the size of the whole blob (0: nothing happens, and 0 is
 * returned), each other one its offset, which must be where the one before ended. A fragment that
 * is not the last carries `fragment_bytes`, the last one the rest, a single one all of it.
 *
 * 0; -ENOMEM: no memory for the blob, or no first fragment before; -EINVAL: not the next offset,
 * `data` NULL, or the blob does not end with its last fragment; or what the validator says. After
 * -EINVAL the right fragment may follow; after a refused or failed blob a first one.
 */
int modmem_data_blob_set(struct comp_data_blob_handler* blob_handler, bool first_block,
                         bool last_block, uint32_t data_offset_or_size, const char* data,
                         size_t fragment_bytes);

/*
 * The same with fragments of the configured size (modmem_config.ipc_fragment_bytes, 4096 bytes by
 * default), or of MAILBOX_DSPBOX_SIZE where that is defined before this header is included.
 */
#ifdef MAILBOX_DSPBOX_SIZE
__attribute__((always_inline)) static inline int ipc4_comp_data_blob_set(
    struct comp_data_blob_handler* blob_handler, bool first_block, bool last_block,
    uint32_t data_offset_or_size, const char* data) {
  return modmem_data_blob_set(blob_handler, first_block, last_block, data_offset_or_size, data,
                              (size_t)(MAILBOX_DSPBOX_SIZE));
}
#else
int ipc4_comp_data_blob_set(struct comp_data_blob_handler* blob_handler, bool first_block,
                            bool last_block, uint32_t data_offset_or_size, const char* data);
#endif

/*
 * Has `validator` look at every blob of fragments when it is complete; it may change the blob, must
 * not call the handler, and refuses with a negative result. NULL: every blob is good.
 */
void comp_data_blob_set_validator(struct comp_data_blob_handler* blob_handler,
                                  int (*validator)(struct comp_dev* dev, void* new_data,
                                                   uint32_t new_data_size));

#ifdef __cplusplus
}
#endif

#endif /* SOF_AUDIO_DATA_BLOB_H */
