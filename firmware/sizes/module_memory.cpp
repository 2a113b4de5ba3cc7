// Memory with all that modules use: their accounts, shared copies and blob handlers.
#include "module/module_memory.hpp"

#include "firmware/sizes/memory_functions.hpp"
#include "module/blob_handler.hpp"
#include "module/shared_copies.hpp"

namespace modmem::sizes {

namespace {
alignas(Memory) std::byte object[sizeof(Memory)];
alignas(ModuleMemory) std::byte module[sizeof(ModuleMemory)];
alignas(SharedCopies) std::byte copies[sizeof(SharedCopies)];
}  // namespace

void anchor() {
  auto* memory = new (object) Memory;
  new (module) ModuleMemory;
  new (copies) SharedCopies(*memory);
  keep_memory();
  keep<&ModuleMemory::open, &ModuleMemory::close, &ModuleMemory::allocate,
       &ModuleMemory::allocate_zeroed, &ModuleMemory::allocate_range, &ModuleMemory::free,
       &ModuleMemory::release_all, &ModuleMemory::end_resource, &ModuleMemory::held_bytes,
       &ModuleMemory::high_water_mark, &ModuleMemory::failures, &ModuleMemory::held>();
  using Get = CopyResult (SharedCopies::*)(const void*, std::size_t, Site);
  using GetFor = CopyResult (SharedCopies::*)(ModuleMemory&, const void*, std::size_t, Site);
  using Put = PointerStatus (SharedCopies::*)(const void*);
  using PutFor = PointerStatus (SharedCopies::*)(ModuleMemory&, const void*);
  keep<static_cast<Get>(&SharedCopies::get), static_cast<GetFor>(&SharedCopies::get),
       static_cast<Put>(&SharedCopies::put), static_cast<PutFor>(&SharedCopies::put),
       &SharedCopies::close, &SharedCopies::copies, &SharedCopies::references>();
  keep<&BlobHandler::create, &BlobHandler::destroy, &BlobHandler::init, &BlobHandler::set_fragment,
       &BlobHandler::get, &BlobHandler::clear>();
}

}  // namespace modmem::sizes
