#include "testbench/modules/c_instance.hpp"

namespace modmem::testbench {

// Zeroed, the struct has no manager thread, as an instance is deleted by another thread than made.
CInstance::CInstance(ModuleMemory& memory) {
  module_.dev_id = memory.owner()->spec.id;
  // To C, an owner that others may be charged below is a heap.
  const mod_alloc_ctx context{.heap = reinterpret_cast<k_heap*>(memory.owner()), .vreg = nullptr};
  modmem_module_set_ctx(&module_, &context);
}

// That a module begins anew at this address ends the one before.
CInstance::~CInstance() { mod_resource_init(&module_); }

void CInstance::release() { mod_free_all(&module_); }

}  // namespace modmem::testbench
