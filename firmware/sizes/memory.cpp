// Memory, with all heaps and policies.
#include "memory/memory.hpp"

#include "firmware/sizes/memory_functions.hpp"

namespace modmem::sizes {

namespace {
alignas(Memory) std::byte object[sizeof(Memory)];
}

void anchor() {
  new (object) Memory;
  keep_memory();
}

}  // namespace modmem::sizes
