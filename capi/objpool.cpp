// sof/objpool.h on ObjectPool.
//
// What a pool knows lies in a block of its own, where its chunks come from as well; it is the one
// entry of the head's list, so that the list is empty exactly while the pool holds no memory.

#include <errno.h>
#include <sof/objpool.h>

#include <new>

#include "capi/request.hpp"
#include "heap/object_pool.hpp"

namespace modmem {

namespace {

struct Pool {
  list_item link;  // the first member: its address is the pool's
  ObjectPool objects;
  Owner* owner;  // of its memory
  Flags flags;
  Site site;  // of its first allocation
};

// The pool behind a head, nullptr where it holds no memory.
Pool* pool_of(objpool_head& head) {
  if (head.list.next == nullptr) {  // zeroed
    list_init(&head.list);
  }
  return list_is_empty(&head.list) ? nullptr : reinterpret_cast<Pool*>(head.list.next);
}

void* take_chunk(void* context, std::size_t bytes, std::size_t /*alignment*/) {
  const Pool& pool = *static_cast<Pool*>(context);
  return allocate({"objpool_alloc", pool.site, pool.owner, pool.flags, bytes, 0});
}

void free_chunk(void* /*context*/, void* chunk) { booted()->memory.free(chunk); }

Pool* open(objpool_head& head, std::size_t size, std::uint32_t flags, Site site) {
  mod_alloc_ctx ctx;
  ctx.heap = head.heap;
  ctx.vreg = head.vreg;
  Owner* owner = owner_of(&ctx);
  void* place = allocate({"objpool_alloc", site, owner, flags, sizeof(Pool), alignof(Pool)});
  if (place == nullptr) {
    return nullptr;
  }
  auto* pool = new (place) Pool();
  pool->owner = owner;
  pool->flags = flags;
  pool->site = site;
  ObjectSource source;
  source.allocate = take_chunk;
  source.free = free_chunk;
  source.context = pool;
  // The alignment is that of sizes: chunks start at the natural one.
  if (!pool->objects.open(source, size, alignof(int))) {
    booted()->memory.free(place);
    return nullptr;
  }
  head.flags = flags;
  list_item_append(&pool->link, &head.list);
  return pool;
}

void close(Pool* pool) {
  list_item_del(&pool->link);
  pool->objects.close();
  pool->~Pool();
  booted()->memory.free(pool);
}

}  // namespace

}  // namespace modmem

using modmem::PointerStatus;
using modmem::Pool;

void* objpool_alloc(struct objpool_head* head, size_t size, uint32_t flags) {
  const modmem::Site site = MODMEM_CALLER;
  Pool* pool = modmem::pool_of(*head);
  if (pool != nullptr && (size != pool->objects.object_bytes() || flags != head->flags)) {
    modmem::report_refusal("objpool_alloc", "size or flags differ from those of the pool", site);
    return nullptr;
  }
  if (size == 0 || modmem::booted() == nullptr) {
    return nullptr;
  }
  const bool is_new = pool == nullptr;
  if (is_new) {
    pool = modmem::open(*head, size, flags, site);
  }
  if (pool == nullptr) {
    return nullptr;
  }
  void* object = pool->objects.allocate();
  if (object == nullptr && is_new) {
    modmem::close(pool);
  }
  return object;
}

int objpool_free(struct objpool_head* head, void* data) {
  const modmem::Site site = MODMEM_CALLER;
  if (data == nullptr) {
    return 0;
  }
  Pool* pool = modmem::pool_of(*head);
  const PointerStatus status = pool != nullptr ? pool->objects.free(data) : PointerStatus::foreign;
  if (status == PointerStatus::live) {
    return 0;
  }
  modmem::report_misuse({.kind = modmem::fault_kind(status),
                         .function = "objpool_free",
                         .pointer = data,
                         .site = site});
  return -EINVAL;
}

void objpool_prune(struct objpool_head* head) {
  Pool* pool = modmem::pool_of(*head);
  if (pool != nullptr) {
    modmem::close(pool);
  }
}

int objpool_iterate(struct objpool_head* head, objpool_iterate_cb cb, void* arg) {
  const Pool* pool = modmem::pool_of(*head);
  return pool != nullptr && pool->objects.iterate(cb, arg) ? 0 : -ENOENT;
}
