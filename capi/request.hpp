// A request of a C program, as its function understood it.
#pragma once

#include <rtos/alloc.h>

#include <cstddef>

#include "capi/report.hpp"
#include "capi/system.hpp"
#include "memory/memory.hpp"

namespace modmem {

struct CRequest {
  const char* function;  // for what is said about it
  Site site;             // of the call
  Owner* owner;          // nullptr: the system
  Flags flags;           // as given
  std::size_t bytes;
  std::size_t alignment;  // as given; 0: natural
};

// What a C program calls natural alignment.
inline constexpr std::size_t kNaturalAlignment = alignof(std::max_align_t);

// The flags that Memory knows. In builds with invariant checks, others get a line.
Flags known_flags(const CRequest& request);

// The request for the Memory of `system`. Returns false where there is nothing to ask: no system, 0
// bytes, or an alignment that is no power of two, which gets a line; or a domain asks for somebody
// else, which is a misuse. What it asks for nobody in particular is for itself, within its limits.
bool translate(const CSystem* system, const CRequest& request, Request& out);

// A block for the request, from the system that is up or comes up now. nullptr where there is none,
// as rtos/alloc.h says.
void* allocate(const CRequest& request);
void* allocate_zeroed(const CRequest& request);

// Who calls: the domain that is entered; where none is, the system, which may name everything.
Owner& caller(Memory& memory);

// Whether `owner`, which lives, is the caller or below it.
bool is_callers(Memory& memory, const Owner& owner);

// The same of who the heap at `pointer` belongs to. True for all others than domains.
bool is_in_callers_heap(const CSystem& system, const void* pointer);

// Reports as a misuse that the caller, a domain, gave `function` what is another one's.
void report_strange(const CSystem& system, const char* function, const void* pointer,
                    const Site& site, bool fatal);

// After a request that was not served: reports a misuse where its owner has ended, or never was
// one.
void explain_owner(const CSystem& system, const CRequest& request);

// `owner`, which a C program gave to `function`; nullptr, after reporting a misuse, where no owner
// of that kind lives there.
Owner* living(const CSystem& system, Owner* owner, OwnerKind kind, const char* function,
              const Site& site, bool fatal);

// Ends the block at `pointer`, whoever's it is; a misuse of `function` where it is none, or another
// one's than the domain's that calls.
void free_block(const char* function, void* pointer, const Site& site);

// Heaps, regions and heaps of slots are owners.
inline Owner* owner_of(k_heap* heap) { return reinterpret_cast<Owner*>(heap); }
inline Owner* owner_of(vregion* region) { return reinterpret_cast<Owner*>(region); }
inline Owner* owner_of(vmh_heap* heap) { return reinterpret_cast<Owner*>(heap); }

// Who a request with that context is for.
inline Owner* owner_of(const mod_alloc_ctx* ctx) {
  return ctx == nullptr         ? nullptr
         : ctx->vreg != nullptr ? owner_of(ctx->vreg)
                                : owner_of(ctx->heap);
}

}  // namespace modmem
