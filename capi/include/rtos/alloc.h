/*
 * rtos/alloc.h: memory from the heaps, by intent.
 *
 * A call says how much memory and what for (flags); the policy in force says which heap serves it.
 * Every allocation starts on a multiple of its alignment, always. Out of memory gives NULL and one
 * line in the log (size, alignment, flags, owner, free, largest request that would succeed; at most
 * ten such lines a second from one call), unless MODMEM_MEM_FLAG_SILENT is set.
 *
 * The first call of a program boots the default system (modmem/modmem.h) where nothing did before.
 *
 * Common to all allocating functions, "no memory" below: NULL where the request is 0 bytes (no
 * line), alignment is neither 0 nor a power of two, size and alignment together overflow, a limit
 * would be passed, the flags ask for memory that the platform lacks or that is not for such
 * requests, or the heap has no room. Nothing has changed then. alignment 0 is natural: 8 at least,
 * and max_align_t on hosted builds. Bits that no flag has are ignored. Cost: O(1) where a mapped
 * page has room, else O(pages). Context: any thread and core; not an interrupt, not the audio path
 * (calls from there are served, and counted).
 */
#ifndef MODMEM_RTOS_ALLOC_H_
#define MODMEM_RTOS_ALLOC_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What code that includes this header expects to come with it, where its firmware has it. */
#if defined(__has_include)
#if __has_include(<rtos/bit.h>)
#include <rtos/bit.h>
#endif
#if __has_include(<rtos/string.h>)
#include <rtos/string.h>
#endif
#if __has_include(<sof/lib/memory.h>)
#include <sof/lib/memory.h>
#endif
#if __has_include(<sof/trace/trace.h>)
#include <sof/trace/trace.h>
#endif
#if __has_include(<user/trace.h>)
#include <user/trace.h>
#endif
#endif

#include <modmem/modmem.h>
#include <sof/lib/vregion.h>

/* The generation of the interface that a program is written for. */
#ifndef MODMEM_SOF_API
#define MODMEM_SOF_API 2026
#endif
#if MODMEM_SOF_API != 2025 && MODMEM_SOF_API != 2026
#error "MODMEM_SOF_API is 2025 or 2026"
#endif

#ifndef BIT
#define BIT(b) (1UL << (b))
#endif

/* What rballoc() aligns to; large buffers start and end on the platform's own line in any case. */
#ifndef PLATFORM_DCACHE_ALIGN
#define PLATFORM_DCACHE_ALIGN 64
#endif

/* Flags: what the memory is for. Bits 0 and 1 belong to SOF_BUF_ flags, and are ignored. */
#define SOF_MEM_FLAG_DMA BIT(2)                /* pinned, starts at the platform's DMA alignment */
#define SOF_MEM_FLAG_NO_COPY BIT(3)            /* realloc need not copy the old content */
#define SOF_MEM_FLAG_COHERENT BIT(4)           /* the uncached alias, whole cache lines */
#define SOF_MEM_FLAG_L3 BIT(5)                 /* L3 memory; primary core only, not coherent */
#define SOF_MEM_FLAG_LOW_POWER BIT(6)          /* low-power SRAM where there is some */
#define SOF_MEM_FLAG_KERNEL BIT(7)             /* never where a module can write */
#define SOF_MEM_FLAG_USER BIT(8)               /* module memory */
#define SOF_MEM_FLAG_USER_SHARED_BUFFER BIT(9) /* the heap between kernel and user space */
#define SOF_MEM_FLAG_LARGE_BUFFER BIT(10)      /* what rballoc() implies: whole cache lines */

#ifdef __cplusplus
extern "C" {
#endif

/* `bytes` bytes, naturally aligned. NULL: no memory. */
void* rmalloc(uint32_t flags, size_t bytes);

/* `bytes` bytes at a multiple of `alignment`. NULL: no memory. */
void* rmalloc_align(uint32_t flags, size_t bytes, uint32_t alignment);

/* `bytes` bytes, all zero. NULL: no memory. O(bytes) besides. */
void* rzalloc(uint32_t flags, size_t bytes);

/*
 * A large buffer: as rmalloc_align() with SOF_MEM_FLAG_LARGE_BUFFER, so on a cache line whatever
 * the alignment. NULL: no memory.
 */
void* rballoc_align(uint32_t flags, size_t bytes, uint32_t alignment);

/*
 * Makes the block at `ptr` `bytes` bytes long, in place where possible, else moved, with its first
 * min(bytes, old_bytes) bytes unless SOF_MEM_FLAG_NO_COPY is set. ptr NULL: as rballoc_align().
 * NULL, with the block as it was: bytes is 0, there is no memory, or ptr is not the start of a live
 * block, which is misuse (fault handler). O(bytes) where it moves.
 */
void* rbrealloc_align(void* ptr, uint32_t flags, size_t bytes, size_t old_bytes,
                      uint32_t alignment);

/*
 * Ends the block at `ptr`, of any heap of this library, by either alias, from any core. NULL:
 * nothing happens. What is not the start of a live block is misuse: the fault handler is called,
 * and nothing changes. O(1), but for the pages that become empty.
 */
void rfree(void* ptr);

/* A large buffer on a cache line. NULL: no memory. */
static inline __attribute__((always_inline)) void* rballoc(uint32_t flags, size_t bytes) {
  return rballoc_align(flags, bytes, (uint32_t)(PLATFORM_DCACHE_ALIGN));
}

/* rbrealloc_align() for a large buffer on a cache line. */
static inline __attribute__((always_inline)) void* rbrealloc(void* ptr, uint32_t flags,
                                                             size_t bytes, size_t old_bytes) {
  return rbrealloc_align(ptr, flags, bytes, old_bytes, (uint32_t)(PLATFORM_DCACHE_ALIGN));
}

/* A private heap, which modmem_heap_create() gives. */
struct k_heap;

/*
 * `bytes` bytes from `heap`; NULL: the policy decides which heap. Flags that name another memory
 * (L3, low-power) have no effect in a private heap. NULL: no memory.
 */
void* sof_heap_alloc(struct k_heap* heap, uint32_t flags, size_t bytes, size_t alignment);

/* As rfree(addr): a block goes back to where it came from, whatever `heap` is. */
void sof_heap_free(struct k_heap* heap, void* addr);

/*
 * The heap of the system, and the one of modules; may be NULL, which sof_heap_alloc() takes as
 * well. O(1).
 */
struct k_heap* sof_sys_heap_get(void);
struct k_heap* sof_sys_user_heap_get(void);

/*
 * Writes down, in L3 itself, what lives there, so that boot brings it back after a power cycle.
 * Nothing happens, but for a line, where the platform has no L3, the caller is not on the primary
 * core or L3 has no room for the list. O(blocks in L3).
 */
void l3_heap_save(void);

/*
 * Logs a line for each heap, at level info: bytes in use and at most, bytes mapped, counts. The
 * argument is ignored. O(heaps).
 */
void heap_trace_all(int force);

/* Where the memory of a context comes from: its region; without one, its heap; or as policy says.
 */
struct mod_alloc_ctx {
  struct k_heap* heap;
  struct vregion* vreg;
};

/*
 * `size` bytes from the context's region, where it has one (flags: SOF_MEM_FLAG_COHERENT alone
 * matters there), else as sof_heap_alloc(). ctx NULL: the policy decides. NULL: no memory.
 */
void* sof_ctx_alloc(struct mod_alloc_ctx* ctx, uint32_t flags, size_t size, size_t alignment);

/* The same, all zero. O(size) besides. */
void* sof_ctx_zalloc(struct mod_alloc_ctx* ctx, uint32_t flags, size_t size, size_t alignment);

/* As rfree(ptr): memory goes back to where it came from, whatever the context says. */
void sof_ctx_free(struct mod_alloc_ctx* ctx, void* ptr);

/*
 * A buffer whose size the library chooses: the largest multiple of `minimum` that can be had and is
 * not above `preferred` rounded up to a multiple of `minimum`; found by one query. `actual` (may be
 * NULL) gets the size, 0 where there is none. ctx as for sof_ctx_alloc(); flags get
 * SOF_MEM_FLAG_LARGE_BUFFER. What is above the minimum leaves the platform's headroom to others.
 * NULL: minimum is 0, or preferred < minimum (both with a line); else no memory for `minimum`.
 */
void* modmem_alloc_range(struct mod_alloc_ctx* ctx, uint32_t flags, size_t preferred,
                         size_t minimum, size_t alignment, size_t* actual);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_RTOS_ALLOC_H_ */
