/*
 * sof/lib/regions_mm.h: virtual memory heaps (VMH), heaps of fixed slots.
 *
 * A heap has up to ten bundles of slots of one size each, one bundle behind the other. Pages are
 * mapped only under used slots (of slots of a page or more, only the pages that the request
 * covers), and go with the last slot that uses them.
 *
 * All functions: any thread and core; not an interrupt, not the audio path.
 */
#ifndef MODMEM_SOF_LIB_REGIONS_MM_H_
#define MODMEM_SOF_LIB_REGIONS_MM_H_

#include <rtos/alloc.h>
#include <sof/list.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bundles that a heap may have, and those that a heap without a table gets. */
#define MAX_MEMORY_ALLOCATORS_COUNT 10
#define DEFAULT_CONFIG_ALOCATORS_COUNT 5

#ifdef __cplusplus
extern "C" {
#endif

struct vmh_heap;

struct vmh_block_bundle_descriptor {
  size_t block_size;       /* bytes, a power of two; 0: no such bundle */
  size_t number_of_blocks; /* more than 0 */
};

struct vmh_heap_config {
  struct vmh_block_bundle_descriptor block_bundles_table[MAX_MEMORY_ALLOCATORS_COUNT];
};

/*
 * A heap with the bundles of `cfg`, in table order. cfg NULL: five of equal size, of slots of
 * 64, 128, 256, 512 and 1024 bytes. `allocating_continuously`: an allocation may take several
 * consecutive slots.
 * NULL exactly when a block size is no power of two, the sum of the bundles up to one of them is
 * not whole pages or exceeds the region (1,310,720 bytes), there is no bundle, or addresses or
 * records cannot be had; all with a line. No page is mapped yet. O(slots).
 */
struct vmh_heap* vmh_init_heap(const struct vmh_heap_config* cfg, bool allocating_continuously);

/*
 * A slot of the first bundle, in table order, whose slots are large enough and of which one is
 * free; in a continuous heap, consecutive slots of the first bundle that has enough of them. NULL
 * exactly when heap is NULL or none (a fault), alloc_size is 0, there are no such slots (a line),
 * or a page cannot be mapped (a line); nothing has changed then. O(bundles + pages).
 */
void* vmh_alloc(struct vmh_heap* heap, uint32_t alloc_size);

/*
 * Ends the allocation at `ptr`, by either alias. 0; -EINVAL where heap is NULL or none, or ptr
 * is not the start of a live allocation of this heap: that is reported as a fault, and nothing
 * changes. O(pages of the allocation).
 */
int vmh_free(struct vmh_heap* heap, void* ptr);

/*
 * Ends the heap. 0; -ENOTEMPTY where allocations live, -EINVAL where heap is NULL or none (one that
 * has ended): that is reported as a fault, and nothing changes. O(pages).
 */
int vmh_free_heap(struct vmh_heap* heap);

/*
 * Logs, at level info, a line per bundle: slots, those in use, the most that were, and how often it
 * had none for a request that fits. NULL: nothing happens. O(bundles).
 */
void vmh_log_stats(struct vmh_heap* heap);

/* Whether `ptr` lies in the `range_size` bytes at `range_start`. */
static inline bool vmh_is_ptr_in_memory_range(uintptr_t ptr, uintptr_t range_start,
                                              size_t range_size) {
  return ptr >= range_start && ptr - range_start < range_size;
}

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_SOF_LIB_REGIONS_MM_H_ */
