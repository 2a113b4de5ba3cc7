// Resource: what a module holds beside plain blocks: references to shared copies, blob handlers.
//
// A resource lies in a block of the module whose it is, and stands in its ModuleMemory's list from
// hold() to let_go() or to the end of the module, which ends it. Invariant: a resource stands in at
// most one list, once.
#pragma once

#include <cstdint>

namespace modmem {

enum class ResourceKind : std::uint8_t { shared_copy, blob_handler };

class Resource {
 public:
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

 protected:
  // `handle`: the address by which the module knows it.
  Resource(ResourceKind kind, const void* handle) : handle_(handle), kind_(kind) {}
  ~Resource() = default;

 private:
  friend class ModuleMemory;

  // Ends what it stands for, but not the block that it lies in. Called by ModuleMemory, once, after
  // it was taken off the list, with no lock held; it may free blocks of the module.
  virtual void release() = 0;

  Resource* older_ = nullptr;
  const void* handle_;
  ResourceKind kind_;
};

}  // namespace modmem
