#include "module/module_memory.hpp"

#include "base/check.hpp"

namespace modmem {

bool ModuleMemory::open(Memory& memory, Owner& parent, const OwnerSpec& spec) {
  MODMEM_ASSERT(owner_ == nullptr);
  owner_ = memory.create_owner(parent, spec);
  if (owner_ == nullptr) {
    return false;
  }
  memory_ = &memory;
  resource_failures_ = 0;
  places_.open(memory);
  return true;
}

std::size_t ModuleMemory::close() {
  if (owner_ == nullptr) {
    return 0;
  }
  const std::size_t resources = end_resources(true);
  places_.close();
  const std::size_t blocks = memory_->destroy_owner(*owner_);
  owner_ = nullptr;
  return resources + blocks;
}

void ModuleMemory::abandon() {
  if (owner_ == nullptr) {
    return;
  }
  while (Resource* newest = take_newest()) {
    newest->abandon();
    places_.give(newest);
  }
  places_.abandon();
  memory_->release_owner(*owner_);
  owner_ = nullptr;
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

PointerStatus ModuleMemory::free(void* pointer, Site from) {
  if (pointer == nullptr) {
    return PointerStatus::live;
  }
  return owner_ != nullptr ? memory_->free(pointer, owner_, from) : PointerStatus::foreign;
}

std::size_t ModuleMemory::release_all() {
  if (owner_ == nullptr) {
    return 0;
  }
  const std::size_t resources = end_resources(false);
  return resources + memory_->release_all(*owner_);
}

// --- resources ---

void* ModuleMemory::take_place(Site site) {
  if (owner_ == nullptr) {
    return nullptr;
  }
  void* place = places_.take(site);
  if (place == nullptr) {
    const LockGuard guard(memory_->space().port());
    ++resource_failures_;
  }
  return place;
}

void ModuleMemory::hold(Resource& resource) {
  const LockGuard guard(memory_->space().port());
  resource.older_ = newest_resource_;
  newest_resource_ = &resource;
}

// Where the newest resource of that kind and handle is linked from, or, where there is none, the
// list's end. The lock is held.
Resource** ModuleMemory::link_of(ResourceKind kind, const void* handle) {
  Resource** link = &newest_resource_;
  while (*link != nullptr && ((*link)->kind_ != kind || (*link)->handle_ != handle)) {
    link = &(*link)->older_;
  }
  return link;
}

bool ModuleMemory::end_resource(ResourceKind kind, const void* handle) {
  if (owner_ == nullptr) {
    return false;
  }
  Resource* found = nullptr;
  {
    const LockGuard guard(memory_->space().port());
    Resource** link = link_of(kind, handle);
    found = *link;
    if (found == nullptr) {
      return false;
    }
    *link = found->older_;
  }
  found->release();
  places_.give(found);
  return true;
}

// One at a time, as the lock can't be held while a resource ends.
Resource* ModuleMemory::take_newest() {
  const LockGuard guard(memory_->space().port());
  Resource* newest = newest_resource_;
  if (newest != nullptr) {
    newest_resource_ = newest->older_;
  }
  return newest;
}

std::size_t ModuleMemory::end_resources(bool leaks) {
  std::size_t count = 0;
  for (; Resource* newest = take_newest(); ++count) {
    if (leaks) {
      const OwnerSpec& spec = owner_->spec;
      memory_->report_leak({spec.kind, spec.id, spec.name, newest->bytes(), 1, newest->site_});
    }
    newest->release();
    places_.give(newest);
  }
  return count;
}

// --- figures ---

std::size_t ModuleMemory::held_bytes() const {
  return owner_ != nullptr ? memory_->snapshot(*owner_).own : 0;
}

std::size_t ModuleMemory::high_water_mark() const {
  return owner_ != nullptr ? memory_->snapshot(*owner_).own_peak : 0;
}

std::uint64_t ModuleMemory::failures() const {
  if (owner_ == nullptr) {
    return 0;
  }
  const std::uint64_t blocks = memory_->snapshot(*owner_).failures;
  const LockGuard guard(memory_->space().port());
  return blocks + resource_failures_;
}

std::size_t ModuleMemory::held() const {
  if (owner_ == nullptr) {
    return 0;
  }
  const Owner owner = memory_->snapshot(*owner_);
  const LockGuard guard(memory_->space().port());
  return static_cast<std::size_t>(owner.allocations - owner.frees) + places_.taken();
}

}  // namespace modmem
