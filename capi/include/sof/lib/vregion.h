/*
 * sof/lib/vregion.h: regions, memory with one lifetime.
 *
 * A region is a number of pages that are mapped as long as it exists. It starts in lifetime mode,
 * where blocks are laid one behind the other, and freeing them is only counted.
 * vregion_set_interim() seals that part, and what is left becomes a heap. Blocks start and end on
 * cache lines. References are counted; the last vregion_put() frees everything.
 *
 * All functions: any thread and core; not an interrupt, not the audio path. A `vr` is one that
 * vregion_create() gave and that still has references; what is none is misuse, which is reported,
 * and treated as NULL.
 */
#ifndef MODMEM_SOF_LIB_VREGION_H_
#define MODMEM_SOF_LIB_VREGION_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vregion;

/*
 * A region of `memsize` bytes, rounded up to pages, in lifetime mode, with one reference.
 * NULL exactly when memsize is 0 (no line) or pages, addresses or records for it cannot be had (a
 * line). O(pages).
 */
struct vregion* vregion_create(size_t memsize);

/* One more reference. Returns `vr`; NULL for NULL. O(1). */
struct vregion* vregion_get(struct vregion* vr);

/*
 * One reference less. Returns `vr`; NULL where that was the last: all blocks of the region and its
 * pages are gone then. NULL for NULL. Only modules that work in it are left
 * (modmem_module_set_ctx()): misuse, reported, and nothing happens. O(1), the last one O(pages +
 * blocks).
 */
struct vregion* vregion_put(struct vregion* vr);

/*
 * A block of `size` bytes on a cache line, at a multiple of `alignment` (0: the cache line is
 * enough). The coherent ones give the uncached alias of such a block.
 * NULL exactly when vr is NULL, size is 0, alignment is no power of two (a line), or the region has
 * no room for it (a line): what its lifetime part leaves, or a hole of its heap that is large
 * enough. O(1) but for the lines of the block.
 */
void* vregion_alloc(struct vregion* vr, size_t size);
void* vregion_alloc_align(struct vregion* vr, size_t size, size_t alignment);
void* vregion_alloc_coherent(struct vregion* vr, size_t size);
void* vregion_alloc_coherent_align(struct vregion* vr, size_t size, size_t alignment);

/*
 * Ends the block at `ptr`, by either alias. A lifetime block's memory is not reused while the
 * region lives. NULL: nothing happens. A block of another heap or region is freed to where it came
 * from. What is not the start of a live block is misuse: the fault handler is called, and nothing
 * changes. O(1).
 */
void vregion_free(struct vregion* vr, void* ptr);

/* Ends lifetime mode; again: nothing happens. NULL: nothing happens. O(1). */
void vregion_set_interim(struct vregion* vr);

/* Logs, at level info, one line on what the region is filled with. NULL: nothing happens. O(1). */
void vregion_info(struct vregion* vr);

/*
 * Where the region lies (cached alias) and how many bytes it has. `size` and `start` may be NULL.
 * vr NULL: both 0. O(1).
 */
void vregion_mem_info(struct vregion* vr, size_t* size, uintptr_t* start);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_SOF_LIB_VREGION_H_ */
