// Resource: what a module holds beside plain blocks: references to shared copies, blob handlers.
//
// A resource lies in a place of its ModuleMemory (module/resource_places.hpp), which no module can
// write, and stands in its list from make_resource() to end_resource() or to the end of the module.
// Invariant: a resource stands in at most one list, once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memory/record.hpp"

namespace modmem {

enum class ResourceKind : std::uint8_t { shared_copy, blob_handler };

class Resource {
 public:
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

 protected:
  // `handle`: the address by which the module knows it. `site`: who took it.
  Resource(ResourceKind kind, const void* handle, Site site)
      : handle_(handle), site_(site), kind_(kind) {}
  ~Resource() = default;

  Site site() const { return site_; }

 private:
  friend class ModuleMemory;

  // Ends what it stands for. Called by ModuleMemory, once, after it was taken off the list, with no
  // lock held; it may free blocks of the module.
  virtual void release() = 0;
  // The same for a module that was stopped, none of whose functions may be called: blocks of the
  // module are ended with its account.
  virtual void abandon() { release(); }
  // Bytes that go with it, for the report where that is a leak.
  virtual std::size_t bytes() const = 0;

  Resource* older_ = nullptr;
  const void* handle_;
  Site site_;
  ResourceKind kind_;
};

}  // namespace modmem
