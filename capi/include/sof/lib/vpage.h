/*
 * sof/lib/vpage.h: whole pages.
 *
 * Pages come from a heap of their own, whatever the policy says, so they share no page with any
 * block. At least 128 allocations can live at a time.
 */
#ifndef MODMEM_SOF_LIB_VPAGE_H_
#define MODMEM_SOF_LIB_VPAGE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * `pages` pages, virtually contiguous, starting on a page. Their content is not defined.
 * NULL exactly when pages is 0 (no line) or the pages cannot be had (a line).
 * O(pages). Any thread and core; not an interrupt, not the audio path.
 */
void* vpage_alloc(unsigned int pages);

/*
 * Gives the pages at `ptr` back, by either alias. NULL: nothing happens. What vpage_alloc() did not
 * give, or was given back before, is misuse: the fault handler is called, and nothing changes.
 * O(pages). Context as vpage_alloc().
 */
void vpage_free(void* ptr);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_SOF_LIB_VPAGE_H_ */
