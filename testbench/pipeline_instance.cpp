#include "testbench/pipeline_instance.hpp"

#include <new>

namespace modmem::testbench {

bool PipelineInstance::create(Memory& memory, const Pipeline& description) {
  owner_ =
      memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline,
                                            .id = description.id,
                                            .name = description.name.c_str(),
                                            .core = static_cast<std::uint8_t>(description.core)});
  return owner_ != nullptr;
}

NeededBlock PipelineInstance::record_block() {
  return {.bytes = sizeof(Record), .alignment = alignof(Record)};
}

bool PipelineInstance::make_record(Memory& memory, const Pipeline& description) {
  void* block = memory.allocate({.owner = owner_,
                                 .bytes = sizeof(Record),
                                 .alignment = alignof(Record),
                                 .site = MODMEM_HERE});
  if (block == nullptr) {
    return false;
  }
  record_ = new (block) Record{.id = description.id,
                               .core = description.core,
                               .priority = description.priority,
                               .period_us = description.period_us};
  return true;
}

void PipelineInstance::destroy(Memory& memory) {
  if (owner_ != nullptr) {
    memory.free(record_, owner_);
    memory.destroy_owner(*owner_);
  }
  owner_ = nullptr;
  record_ = nullptr;
}

}  // namespace modmem::testbench
