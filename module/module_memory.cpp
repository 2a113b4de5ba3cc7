#include "module/module_memory.hpp"

#include "base/check.hpp"

namespace modmem {

bool ModuleMemory::open(Memory& memory, Owner& parent, const OwnerSpec& spec) {
  MODMEM_ASSERT(owner_ == nullptr);
  owner_ = memory.create_owner(parent, spec);
  memory_ = &memory;
  return owner_ != nullptr;
}

std::size_t ModuleMemory::close() {
  if (owner_ == nullptr) {
    return 0;
  }
  end_resources();
  const std::size_t leaks = memory_->destroy_owner(*owner_);
  owner_ = nullptr;
  return leaks;
}

void* ModuleMemory::allocate(std::size_t bytes, std::size_t alignment, Flags flags, Site site) {
  return owner_ != nullptr ? memory_->allocate({owner_, bytes, alignment, flags, site}) : nullptr;
}

void* ModuleMemory::allocate_zeroed(std::size_t bytes, std::size_t alignment, Flags flags,
                                    Site site) {
  return owner_ != nullptr ? memory_->allocate_zeroed({owner_, bytes, alignment, flags, site})
                           : nullptr;
}

Range ModuleMemory::allocate_range(std::size_t minimum, std::size_t preferred,
                                   std::size_t alignment, Flags flags, Site site) {
  if (owner_ == nullptr) {
    return {};
  }
  return memory_->allocate_range({owner_, minimum, alignment, flags, site}, preferred);
}

PointerStatus ModuleMemory::free(void* pointer) {
  if (pointer == nullptr) {
    return PointerStatus::live;
  }
  return owner_ != nullptr ? memory_->free(pointer, owner_) : PointerStatus::foreign;
}

std::size_t ModuleMemory::release_all() {
  if (owner_ == nullptr) {
    return 0;
  }
  end_resources();
  return memory_->release_all(*owner_);
}

void ModuleMemory::hold(Resource& resource) {
  MODMEM_ASSERT(owner_ != nullptr);
  const LockGuard guard(memory_->space().port());
  resource.older_ = newest_resource_;
  newest_resource_ = &resource;
}

Resource* ModuleMemory::let_go(ResourceKind kind, const void* handle) {
  if (owner_ == nullptr) {
    return nullptr;
  }
  Resource* found = nullptr;
  {
    const LockGuard guard(memory_->space().port());
    Resource** link = &newest_resource_;
    while (*link != nullptr && ((*link)->kind_ != kind || (*link)->handle_ != handle)) {
      link = &(*link)->older_;
    }
    found = *link;
    if (found != nullptr) {
      *link = found->older_;
    }
  }
  if (found != nullptr) {
    found->release();
  }
  return found;
}

// One at a time, as the lock can't be held while a resource ends.
void ModuleMemory::end_resources() {
  for (;;) {
    Resource* newest = nullptr;
    {
      const LockGuard guard(memory_->space().port());
      newest = newest_resource_;
      if (newest == nullptr) {
        return;
      }
      newest_resource_ = newest->older_;
    }
    newest->release();
  }
}

std::size_t ModuleMemory::held_bytes() const {
  return owner_ != nullptr ? memory_->snapshot(*owner_).own : 0;
}

std::size_t ModuleMemory::high_water_mark() const {
  return owner_ != nullptr ? memory_->snapshot(*owner_).own_peak : 0;
}

std::uint64_t ModuleMemory::failures() const {
  return owner_ != nullptr ? memory_->snapshot(*owner_).failures : 0;
}

}  // namespace modmem
