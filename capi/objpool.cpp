// sof/objpool.h on ObjectPool.
//
// What has to be kept of a pool stands in front of its first chunk: the size of its objects, and a
// link that is the one entry of the head's list. So the list is empty exactly while the pool holds
// no memory, and a pool's first objects cost one block. Each call works on an ObjectPool of its own
// over these chunks.

#include <sof/objpool.h>

#include <cerrno>
#include <new>

#include "capi/request.hpp"
#include "heap/object_pool.hpp"

namespace modmem {

namespace {

// In front of the first chunk.
struct alignas(std::max_align_t) Front {
  list_item link;  // the first member: its address is the front's
  std::size_t object_bytes;

  void* chunk() { return this + 1; }
};

// Objects lie at multiples of their size, rounded up to this; chunks start at natural alignment.
constexpr std::size_t kAlignment = alignof(int);

// A call of a pool function.
class Call {
 public:
  Call(objpool_head& head, const char* function, Site site)
      : head_(head), function_(function), site_(site) {
    if (head.list.next == nullptr) {  // zeroed
      list_init(&head.list);
    }
    if (!list_is_empty(&head.list)) {
      front_ = reinterpret_cast<Front*>(head.list.next);
      open(front_->object_bytes);
      objects_.resume(front_->chunk());
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  bool has_memory() const { return front_ != nullptr; }
  ObjectPool& objects() { return objects_; }

  // The first object of a head without memory. nullptr exactly when there is no memory for it.
  void* start(std::size_t bytes, Flags flags) {
    const Flags before = head_.flags;
    head_.flags = flags;
    void* object = open(bytes) ? objects_.allocate() : nullptr;
    if (object == nullptr) {
      head_.flags = before;
      return nullptr;
    }
    front_->object_bytes = bytes;
    list_item_append(&front_->link, &head_.list);
    return object;
  }

  // Frees the pool's memory.
  void end() {
    list_item_del(&front_->link);
    objects_.close();
  }

  void refuse(const char* what) const { report_refusal(function_, what, site_); }
  int misuse(PointerStatus status, const void* pointer) const {
    report_misuse(
        {.kind = fault_kind(status), .function = function_, .pointer = pointer, .site = site_});
    return -EINVAL;
  }

 private:
  bool open(std::size_t bytes) {
    ObjectSource source;
    source.allocate = [](void* call, std::size_t chunk_bytes, std::size_t /*alignment*/) {
      return static_cast<Call*>(call)->take(chunk_bytes);
    };
    source.free = [](void* call, void* chunk) { static_cast<Call*>(call)->give(chunk); };
    source.context = this;
    return objects_.open(source, bytes, kAlignment);
  }

  void* take(std::size_t bytes) {
    mod_alloc_ctx ctx;
    ctx.heap = head_.heap;
    ctx.vreg = head_.vreg;
    const std::size_t in_front = front_ == nullptr ? sizeof(Front) : 0;
    void* block = allocate({function_, site_, owner_of(&ctx), head_.flags, bytes + in_front, 0});
    if (in_front == 0 || block == nullptr) {
      return block;
    }
    front_ = new (block) Front();
    return front_->chunk();
  }

  void give(void* chunk) {
    CSystem* system = booted();
    if (system != nullptr) {
      system->memory.free(chunk == front_->chunk() ? front_ : chunk);
    }
  }

  objpool_head& head_;
  const char* function_;
  Site site_;
  Front* front_ = nullptr;
  ObjectPool objects_;
};

}  // namespace

}  // namespace modmem

using modmem::Call;
using modmem::PointerStatus;

void* objpool_alloc(struct objpool_head* head, size_t size, uint32_t flags) {
  if (head == nullptr) {
    return nullptr;
  }
  Call call(*head, "objpool_alloc", MODMEM_CALLER);
  if (!call.has_memory()) {
    return call.start(size, flags);
  }
  if (size != call.objects().object_bytes() || flags != head->flags) {
    call.refuse("size or flags differ from those of the pool");
    return nullptr;
  }
  return call.objects().allocate();
}

int objpool_free(struct objpool_head* head, void* data) {
  if (data == nullptr) {
    return 0;
  }
  objpool_head none{};  // a pool in which nothing lives
  Call call(head != nullptr ? *head : none, "objpool_free", MODMEM_CALLER);
  const PointerStatus status =
      call.has_memory() ? call.objects().free(data) : PointerStatus::foreign;
  return status == PointerStatus::live ? 0 : call.misuse(status, data);
}

void objpool_prune(struct objpool_head* head) {
  if (head == nullptr) {
    return;
  }
  Call call(*head, "objpool_prune", MODMEM_CALLER);
  if (call.has_memory()) {
    call.end();
  }
}

int objpool_iterate(struct objpool_head* head, objpool_iterate_cb cb, void* arg) {
  if (head == nullptr || cb == nullptr) {
    return -ENOENT;
  }
  Call call(*head, "objpool_iterate", MODMEM_CALLER);
  return call.has_memory() && call.objects().iterate(cb, arg) ? 0 : -ENOENT;
}
