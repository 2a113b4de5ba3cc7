// What a heap stands on without Memory: pool, address space, and the descriptors of pages.
#pragma once

#include "firmware/sizes/anchor.hpp"
#include "heap/heap.hpp"
#include "heap/page_descriptor.hpp"
#include "page/address_space.hpp"
#include "page/metadata_store.hpp"
#include "page/page_pool.hpp"

namespace modmem::sizes {

struct HeapBase {
  PagePool pool;
  AddressSpace space;
  PageAccount metadata_account;
  PageAccount account;
  MetadataHeap metadata;
  MetadataStore<PageDescriptor> descriptors;
};

inline void keep_heap_base() {
  keep<&PagePool::boot, &AddressSpace::boot, &MetadataHeap::boot,
       &MetadataStore<PageDescriptor>::boot>();
}

// The contract of all heaps, but for check(), which is for tests and hardened builds.
inline void keep_heap() {
  keep<&Heap::allocate, &Heap::free, &Heap::status, &Heap::usable_size, &Heap::resize,
       &Heap::largest_request, &Heap::allocate_range, &Heap::explain, &Heap::free_bytes,
       &Heap::release_all, &Heap::stats>();
}

}  // namespace modmem::sizes
