// An elastic heap on a page pool: what every heap can do.
#include "heap/elastic_heap.hpp"

#include "firmware/sizes/heap_base.hpp"

namespace modmem::sizes {

namespace {
alignas(HeapBase) std::byte base[sizeof(HeapBase)];
alignas(ElasticHeap) std::byte object[sizeof(ElasticHeap)];
}  // namespace

void anchor() {
  new (base) HeapBase;
  new (object) ElasticHeap;
  keep_heap_base();
  keep_heap();
  keep<&ElasticHeap::open, &ElasticHeap::close>();
}

}  // namespace modmem::sizes
