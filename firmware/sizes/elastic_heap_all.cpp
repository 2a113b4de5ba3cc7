// An elastic heap with all that only it can do: premapping, borrowing, blocks at given places, ends
// into another heap, pages kept for a time, and pages that move.
#include "firmware/sizes/heap_base.hpp"
#include "heap/elastic_heap.hpp"

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
  keep<&ElasticHeap::open, &ElasticHeap::close, &ElasticHeap::allocate_at, &ElasticHeap::split,
       &ElasticHeap::allocate_in_holes, &ElasticHeap::largest_in_holes, &ElasticHeap::close_into,
       &ElasticHeap::give_back_kept, &ElasticHeap::premap, &ElasticHeap::explain_premap,
       &ElasticHeap::has_place_mapped, &ElasticHeap::owns_page, &AddressSpace::compact,
       &AddressSpace::set_pinned>();
}

}  // namespace modmem::sizes
