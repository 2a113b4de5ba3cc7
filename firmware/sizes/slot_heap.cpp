// A heap of slots on a page pool.
#include "heap/slot_heap.hpp"

#include "firmware/sizes/heap_base.hpp"

namespace modmem::sizes {

namespace {
alignas(HeapBase) std::byte base[sizeof(HeapBase)];
alignas(SlotHeap) std::byte object[sizeof(SlotHeap)];
}  // namespace

void anchor() {
  new (base) HeapBase;
  new (object) SlotHeap;
  keep_heap_base();
  keep_heap();
  keep<&SlotHeap::open, &SlotHeap::close, &SlotHeap::bundle>();
}

}  // namespace modmem::sizes
