// Memory resources for std::pmr: containers and strings of the standard library in module memory,
// or on any heap.
//
// For hosted code, and for targets whose standard library has exceptions: a resource that is out of
// memory throws std::bad_alloc, which leaves a container as it was wherever the standard says so.
// The freestanding layers neither know nor need this header.
//
// Invariant: two resources are equal exactly when what one gave may be given back to the other.
// Cost: that of the call below, and a virtual call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <new>

#include "heap/heap.hpp"
#include "memory/intent.hpp"
#include "memory/record.hpp"
#include "module/module_memory.hpp"

namespace modmem {

// Module memory as a resource: what containers take is charged to the module, counts against its
// limit and shows in its high-water mark. A container must go before its ModuleMemory is closed;
// the blocks of one that does not are reported as leaks and released, and its elements are gone.
// Any thread, as ModuleMemory; a container itself is not for two threads at a time.
class ModuleResource final : public std::pmr::memory_resource {
 public:
  // For blocks of `memory`, which must outlive the resource, for what `flags` say. `site` is what
  // reports call their origin: where the resource is made, not where a container grows.
  explicit ModuleResource(ModuleMemory& memory, Flags flags = flag::kUser, Site site = MODMEM_HERE)
      : memory_(memory), flags_(flags), site_(site) {}

 private:
  // Throws std::bad_alloc exactly when ModuleMemory::allocate() fails. A block of no bytes is one
  // of one byte.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const block = memory_.allocate(std::max<std::size_t>(bytes, 1), alignment, flags_, site_);
    if (block == nullptr) {
      throw std::bad_alloc();
    }
    return block;
  }

  // A pointer that is no block of this module changes nothing, and is reported as a fault.
  void do_deallocate(void* block, std::size_t /*bytes*/, std::size_t /*alignment*/) override {
    memory_.free(block);
  }

  // Whatever their flags: a block is freed by its pointer alone.
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    const auto* const module = dynamic_cast<const ModuleResource*>(&other);
    return module != nullptr && &module->memory_ == &memory_;
  }

  ModuleMemory& memory_;
  Flags flags_;
  Site site_;
};

// Any heap as a resource, without owners, limits and records. Heaps take no lock: the heap, and all
// containers on resources over it, are for one thread at a time, and the heap is not one that a
// Memory manages.
class HeapResource final : public std::pmr::memory_resource {
 public:
  // For blocks of `heap`, which must outlive the resource.
  explicit HeapResource(Heap& heap) : heap_(heap) {}

 private:
  // Throws std::bad_alloc exactly when Heap::allocate() fails. A block of no bytes is one of one
  // byte.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const block = heap_.allocate(std::max<std::size_t>(bytes, 1), alignment);
    if (block == nullptr) {
      throw std::bad_alloc();
    }
    return block;
  }

  // A pointer that is no block of the heap changes nothing.
  void do_deallocate(void* block, std::size_t /*bytes*/, std::size_t /*alignment*/) override {
    heap_.free(block);
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    const auto* const heap = dynamic_cast<const HeapResource*>(&other);
    return heap != nullptr && &heap->heap_ == &heap_;
  }

  Heap& heap_;
};

}  // namespace modmem
