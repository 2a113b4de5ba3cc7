// The C interface on a Memory that firmware boots and never ends. The linker is told to keep all of
// its functions, see CMakeLists.txt.
#include "capi/system.hpp"
#include "firmware/sizes/anchor.hpp"

namespace modmem::sizes {

namespace {
alignas(Memory) std::byte object[sizeof(Memory)];
alignas(SharedCopies) std::byte copies[sizeof(SharedCopies)];
alignas(CSystem) std::byte host[sizeof(CSystem)];
}  // namespace

void anchor() {
  auto* memory = new (object) Memory;
  auto* shared = new (copies) SharedCopies(*memory);
  new (host) CSystem(*memory, *shared, "firmware");
  keep<&Memory::arena_bytes, &Memory::boot, &find_policy, &adopt>();
}

}  // namespace modmem::sizes
