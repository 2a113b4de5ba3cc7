/*
 * modmem/modmem.h: what firmware or a host program does with the library itself: boot and shutdown,
 * faults, log, private heaps, and looking at it.
 *
 * Nothing here has to be called: on a host, the first allocation boots a default system, which the
 * environment can choose:
 *   MODMEM_PLATFORM  a platform's name (default: mtl)
 *   MODMEM_POLICY    a policy's name (default: elastic)
 *   MODMEM_HOST      sim: real mappings, banks and faults; plain (default): the same heaps on
 *                    ordinary memory; libc: the same, with every block in the C library
 *   MODMEM_FAULT     abort (default) or report
 *   MODMEM_LOG       error, warning, info (default) or debug
 *   MODMEM_HARDENING none, standard or full: how much is done to find who writes where he must not;
 *                    default: as the library was configured, which is none unless said otherwise.
 *                    Not under the host libc or AddressSanitizer, which see every byte themselves.
 * A value that there is not ends the program with one line that names it and lists what there is.
 *
 * Functions: any thread and core where nothing else is said; not interrupts, not the audio path.
 */
#ifndef MODMEM_MODMEM_H_
#define MODMEM_MODMEM_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A flag of all allocating functions: a failure is counted, but not logged (for those who probe).
 */
#define MODMEM_MEM_FLAG_SILENT (1UL << 31)

#ifdef __cplusplus
extern "C" {
#endif

struct k_heap;
struct vregion;
struct vmh_heap;
struct mod_alloc_ctx;

/*
 * What is set (log, faults, request filter) may be set at any time, in a fault handler as well;
 * before boot, by one thread at a time.
 */

/* --- log --- */

enum modmem_log_level {
  MODMEM_LOG_DEFAULT, /* in a configuration: MODMEM_LOG, else info */
  MODMEM_LOG_ERROR,
  MODMEM_LOG_WARNING,
  MODMEM_LOG_INFO,
  MODMEM_LOG_DEBUG
};

/*
 * Gets one event as one line, without its end of line; `line` is gone when it returns. Called on
 * the thread that caused the event, maybe with the library's lock held: it must not call the
 * library.
 */
typedef void (*modmem_log_sink)(enum modmem_log_level level, const char* line, void* context);

/* Lines go to `sink` from now on; NULL: to the host's own log (stderr). Before boot as well. */
void modmem_set_log_sink(modmem_log_sink sink, void* context);

/* Lines above `level` are dropped from now on. Before boot as well. */
void modmem_set_log_level(enum modmem_log_level level);

/* --- faults --- */

enum modmem_fault_kind {
  MODMEM_FAULT_FOREIGN,  /* the pointer is in no heap, or not in that of the caller */
  MODMEM_FAULT_INTERIOR, /* the pointer is inside of a live block, not its start */
  MODMEM_FAULT_NOT_LIVE, /* nothing lives there: freed already, or never allocated */
  MODMEM_FAULT_THREAD,   /* module memory was touched by a thread that is not its manager */
  MODMEM_FAULT_IN_USE,   /* a heap was to end that has live allocations, or a region with modules */
  MODMEM_FAULT_OVERRUN,  /* hardened: bytes behind a block were written */
  MODMEM_FAULT_WRITE_AFTER_FREE /* hardened: a block was written after it was freed */
};

/* A misuse. Strings are valid during the call. */
struct modmem_fault {
  enum modmem_fault_kind kind;
  const char* function; /* the function of this interface that was misused */
  const void* pointer;  /* what it was given */
  const char* heap;     /* the heap that the pointer lies in, "" for none */
  const char* owner;    /* who that belongs to, or who tried; "" for nobody */
  uint32_t owner_id;
  const void* site;  /* the call, as a code address */
  uintptr_t thread;  /* who called */
  uintptr_t manager; /* MODMEM_FAULT_THREAD: who should have; else 0 */
  bool fatal;        /* the function has no error result to say it with */
  /*
   * Of MODMEM_FAULT_OVERRUN and MODMEM_FAULT_WRITE_AFTER_FREE, which the library found by itself
   * (function is "modmem", pointer the block, site where it was taken, owner whose it is); and of
   * MODMEM_FAULT_NOT_LIVE where the block is known still. Else 0.
   */
  size_t block_bytes;   /* as asked for */
  size_t offset;        /* of the first byte that was written, from the start of the block */
  size_t length;        /* from the first to the last */
  const void* taken_at; /* code addresses; NULL where they are not known */
  const void* freed_at;
};

/*
 * Called for each misuse, after its line was logged, on the thread that did it, with no lock held.
 * If it returns, the misused function changes nothing else and the program goes on.
 */
typedef void (*modmem_fault_handler)(const struct modmem_fault* fault, void* context);

enum modmem_fault_mode {
  MODMEM_FAULT_DEFAULT, /* in a configuration: MODMEM_FAULT, else abort */
  MODMEM_FAULT_ABORT,   /* the default handler ends the program where a fault is fatal */
  MODMEM_FAULT_REPORT   /* the default handler goes on */
};

/*
 * Sets the handler; NULL: the default one, which does as the mode says. Returns the one before,
 * NULL for the default one. Before boot as well.
 */
modmem_fault_handler modmem_set_fault_handler(modmem_fault_handler handler, void* context);

/* Sets what the default handler does. Before boot as well. */
void modmem_set_fault_mode(enum modmem_fault_mode mode);

/* --- boot --- */

/* All zero is the default. What is set wins over the environment. Strings may go after the call. */
struct modmem_config {
  const char* platform; /* NULL: MODMEM_PLATFORM, else mtl */
  const char* policy;   /* NULL: MODMEM_POLICY, else elastic */
  const char* host;     /* NULL: MODMEM_HOST, else plain */
  size_t sram_bytes;    /* 0: the platform's */
  size_t reserve_bytes; /* 0: the platform's */
  enum modmem_fault_mode fault_mode;
  modmem_fault_handler fault_handler; /* NULL: as it is set */
  void* fault_context;
  modmem_log_sink log_sink; /* NULL: as it is set */
  void* log_context;
  enum modmem_log_level log_level;
  size_t ipc_fragment_bytes; /* the largest fragment of a configuration; 0: 4096 */
  const char* hardening;     /* NULL: MODMEM_HARDENING, else as configured */
};

/*
 * Brings the system up. config NULL: the default. What was saved in L3 before a power cycle is
 * there again, but for what was damaged meanwhile (a line each: modmem_l3_check()). 0; -EBUSY where
 * it is up already; -EINVAL where the configuration or the environment names what there is not, or
 * the platform does not hold with these sizes (a line says why); -ENOMEM where the host has too
 * little memory, or the policy's heaps do not fit. O(pages).
 */
int modmem_boot(const struct modmem_config* config);

/*
 * Ends the system: everything that is still allocated is reported as a leak, a line each, and
 * released. Returns the number of leaks; 0 where the system is not up. The next allocation boots
 * anew. No other call may run, and no pointer of before may be used after.
 */
int modmem_shutdown(void);

/* --- private heaps --- */

/*
 * A heap of its own: no page of it is shared with another heap (under policies that have private
 * heaps; else an account on the system's). `name` appears in reports and must outlive the heap;
 * `limit` is the most bytes that may live in it, 0 for none.
 * NULL exactly when records, heaps or addresses are exhausted (a line). O(1).
 */
struct k_heap* modmem_heap_create(const char* name, size_t limit);

/*
 * Ends the heap. What lives in it is reported as leaks, a line each, and released. Returns the
 * number of leaks; -EINVAL where heap is NULL or none that modmem_heap_create() gave. O(pages +
 * blocks).
 */
int modmem_heap_destroy(struct k_heap* heap);

/*
 * The most bytes that may live in `heap` from now on, 0 for no limit; heap NULL: in all the system.
 * 0; -EBUSY, with the limit as before, where more lives there; -EINVAL where heap is none. O(1).
 */
int modmem_set_limit(struct k_heap* heap, size_t limit);

/*
 * For who allocates while audio runs: has `pages` pages of the heap mapped and empty, in one run of
 * addresses, and room for what is noted of `blocks` blocks (0: for one a KiB), from now on. heap
 * NULL: the system's, that of the calling core. What these pages, and holes of others, have a place
 * for is then allocated without mapping a page or powering a bank, whatever else is going on;
 * what is freed fills them up again and is not unmapped. Allocations that grow or range
 * (rbrealloc(), modmem_alloc_range()) may map. Another call has other numbers take their place;
 * `pages` 0 gives back what is unused. Not on the audio path itself.
 * 0; -ENOMEM, with a line and nothing changed, where so much is not to be had in one piece, or the
 * policy has no private heaps; -EINVAL where heap is none. O(pages + blocks), plus mapping.
 */
int modmem_heap_premap(struct k_heap* heap, unsigned int pages, unsigned int blocks);

/* --- regions that grow --- */

/*
 * A region as vregion_create() makes one (sof/lib/vregion.h), whose size nobody has to guess: it
 * takes addresses for `most` bytes, rounded up to pages, and memory only under its blocks, a page
 * at a time. Lifetime blocks keep theirs until the last vregion_put(); once it is sealed, pages
 * without a block go back at once. So an allocation in it can also fail where the pool is used up.
 * vregion_mem_info() tells the most that it can get, modmem_vregion_heap_info() what is mapped.
 * NULL exactly when `most` is 0 or addresses or records are exhausted, or the platform has no MMU
 * (each with a line, but for 0). O(1).
 */
struct vregion* modmem_vregion_create_growing(size_t most);

/* --- cores --- */

/*
 * For cores that are idle: takes back the memory of at most `most` allocations in heaps of the
 * calling core that other cores freed. Those have ended for their users; the core that has them in
 * its cache gets their memory back, a few with each of its calls that allocate or free, and all
 * where one would fail else. Returns how many are left. O(most + heaps), plus unmapping.
 */
size_t modmem_drain(uint32_t most);

/* --- the audio path --- */

/*
 * A place in the program that takes or frees memory on the audio path, which it must not: that
 * takes a lock, and may map a page or power a bank.
 */
struct modmem_audio_path_call {
  const char* function; /* that freed; "" where memory was asked for */
  const void* site;     /* the call, as a code address; NULL: places beyond the first 32 */
  uint64_t count;
  size_t bytes; /* asked for, by all of these calls */
};

/*
 * Fills `calls` with up to `most` such places since boot, and returns how many there are. The first
 * call of each is logged as well, and at shutdown how many there were. Who is on the audio path
 * says the port, in firmware, and modmem_audio_path_enter() on hosts. O(places).
 */
size_t modmem_audio_path_calls(struct modmem_audio_path_call* calls, size_t most);

/* --- tests of what happens without memory --- */

/*
 * Asked before each request for memory, of `bytes` as asked for; false refuses it, with the reason
 * `injected`. Called with the library's lock held: it must not call the library.
 */
typedef bool (*modmem_request_filter)(size_t bytes, void* context);

/* Requests are asked of `filter` from now on; NULL: of nobody. Before boot as well. */
void modmem_set_request_filter(modmem_request_filter filter, void* context);

/* --- looking at it --- */

/* Functions that fill a structure have its name. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

struct modmem_heap_info {
  const char* name;  /* valid as long as the heap */
  size_t live_bytes; /* as asked for */
  size_t peak_live_bytes;
  size_t mapped_bytes;
  size_t peak_mapped_bytes;
  size_t limit; /* SIZE_MAX for none */
  uint64_t allocations;
  uint64_t frees;
  uint64_t failures;
  size_t queued_bytes; /* that other cores freed, and its own is to take back: modmem_drain() */
};

/*
 * What a heap holds. heap NULL: the system's, that of the primary core (the others' are named
 * "system-1" and so on, and are there from their first request on). 0; -EINVAL where info is NULL
 * or heap is none; -ENOENT where there is no heap of that name. O(heaps).
 */
int modmem_heap_info(const struct k_heap* heap, struct modmem_heap_info* info);
int modmem_vregion_heap_info(const struct vregion* vr, struct modmem_heap_info* info);
int modmem_vmh_heap_info(const struct vmh_heap* heap, struct modmem_heap_info* info);
int modmem_named_heap_info(const char* name, struct modmem_heap_info* info);

struct modmem_info {
  const char* platform;
  const char* policy;
  const char* host;
  size_t pool_bytes;     /* SRAM for heaps and metadata */
  size_t mapped_bytes;   /* of it in use, metadata included */
  size_t live_bytes;     /* of all blocks, as asked for, in whatever memory */
  size_t metadata_bytes; /* the library's own: its tables, and pages of the pool */
  uint32_t banks;
  uint32_t banks_on;
  uint32_t owners;
  uint64_t faults; /* misuses since boot */
  size_t page_bytes;
  size_t cache_line_bytes;
  size_t dma_alignment;
};

/* What the system is and holds. 0; -EINVAL where info is NULL. Boots where nothing did. O(banks).
 */
int modmem_info(struct modmem_info* info);

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* Bytes that may be used at `ptr`, by either alias; 0 where it is not the start of a live block. */
size_t modmem_usable_size(const void* ptr);

/*
 * What became of the block at `ptr` when L3 was brought back, or is of any other: 0 where it is
 * whole; -EIO where its content was damaged while the power was off: it holds zeros, and rfree() is
 * all that it is good for; -EINVAL where no live block starts there. For those who kept a pointer
 * into L3 over a power cycle, before they follow it. O(1).
 */
int modmem_l3_check(const void* ptr);

/* The largest request that would succeed now; heap NULL: where the policy says. */
size_t modmem_largest_request(struct k_heap* heap, uint32_t flags, size_t alignment);

/* Whether all invariants hold: of the sums (cheap), or of everything (deep). O(heaps), O(blocks).
 */
bool modmem_check(bool deep);

/*
 * Hardened: looks at what guards all live blocks, and at all that was freed and waits, now. What
 * was written to is a fault each, as if it had been found by itself. Returns how many. O(blocks).
 */
size_t modmem_check_blocks(void);

/*
 * Whether the page that `ptr` lies in has memory: a mapped page of the pool, or memory beside it.
 * On a host with stand-ins: the page of the block that `ptr` stands for. O(1).
 */
bool modmem_is_mapped(const void* ptr);

/* --- hosts only --- */

/* The calling thread runs on simulated core `core` from now on (0, the primary one, before). */
void modmem_host_set_core(unsigned int core);

/*
 * The calling thread is on the audio path from now on, until it has left it as often as it entered
 * it: modmem_audio_path_calls(). O(1), no lock, also before boot.
 */
void modmem_audio_path_enter(void);
void modmem_audio_path_leave(void);

/*
 * What the DSP goes through when it loses power and boots again: everything but L3 is gone, and
 * what l3_heap_save() wrote down is back. No other call may run. 0; -ENODEV where the system is not
 * up; else what modmem_boot() returns.
 */
int modmem_host_power_cycle(void);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_MODMEM_H_ */
