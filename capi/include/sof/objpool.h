/*
 * Object pools: objects of one size, in chunks of 2, 4, 8, 16, 32, 32, ... objects.
 *
 * A pool is a `struct objpool_head` of the caller's, zeroed or with its list initialised
 * (LIST_INIT(), list_init()). It takes no memory before its first object, and keeps what it took
 * until objpool_prune(). The objects of a chunk lie one behind the other at multiples of their
 * size, rounded up to that of an int.
 *
 * A head that is NULL is a pool that has no objects and gets none.
 * Calling context: where the caller may allocate. One thread at a time for each head: the caller
 * holds the lock, if there is to be one.
 */
#ifndef SOF_OBJPOOL_H
#define SOF_OBJPOOL_H

#include <sof/list.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct k_heap;
struct vregion;

/*
 * list: modmem's. Empty exactly while the pool holds no memory.
 * vreg, heap: where chunks come from: the region where there is one, else the heap, else what the
 * flags say. Not to be changed while the pool holds memory.
 * flags: those of the first allocation, set by it.
 */
struct objpool_head {
  struct list_item list;
  struct vregion* vreg;
  struct k_heap* heap;
  uint32_t flags;
};

/* What objpool_iterate() calls for an object; true ends the walk. */
typedef bool (*objpool_iterate_cb)(void* data, void* arg);

/*
 * An object of `size` bytes, all zero when it is used for the first time, else as it was left.
 * Size and flags (SOF_MEM_FLAG_...) are those of the first call until the pool is pruned.
 * NULL, with the pool as it was: size is 0, too large for a chunk of 32, or another than before;
 * flags are others than before; or memory ran out, which is reported. O(objects / 32).
 */
void* objpool_alloc(struct objpool_head* head, size_t size, uint32_t flags);

/*
 * Gives an object back; its memory stays with the pool. 0, also for NULL. -EINVAL, with nothing
 * changed, where `data` is not the start of an object that is in use in this pool (one that was
 * freed already, a foreign pointer): reported to the log and the fault handler. O(objects / 32).
 */
int objpool_free(struct objpool_head* head, void* data);

/* Frees all of the pool's memory, with what is still in use of it. The head may be used again. */
void objpool_prune(struct objpool_head* head);

/*
 * Calls cb(data, arg) for each object in use, oldest chunk first, until it returns true. 0 where it
 * did, else -ENOENT. `cb` may allocate from the pool and free objects of it, not prune it.
 */
int objpool_iterate(struct objpool_head* head, objpool_iterate_cb cb, void* arg);

#ifdef __cplusplus
}
#endif

#endif /* SOF_OBJPOOL_H */
