// HeapWorld: what a heap stands on, on the board's own port: pool, address space, descriptors.
#pragma once

#include <span>

#include "heap/page_descriptor.hpp"
#include "page/address_space.hpp"
#include "page/metadata_store.hpp"
#include "page/page_pool.hpp"

namespace modmem::firmware {

class HeapWorld {
 public:
  static constexpr HeapId kMetadataHeap{0xfd};
  static constexpr HeapId kHeap{1};

  // Boots all of it. `arena` must outlive it. False where the arena is too small.
  bool boot(const PlatformConfig& config, Port& port, std::span<std::byte> arena);

  // Gives back what metadata holds. Requires that no heap is open.
  void shutdown() { metadata_.shutdown(); }

  AddressSpace& space() { return space_; }
  PagePool& pool() { return pool_; }
  MetadataStore<PageDescriptor>& descriptors() { return descriptors_; }
  // Whether all invariants hold.
  bool check() const;

 private:
  PagePool pool_;
  AddressSpace space_;
  PageAccount metadata_account_;
  MetadataHeap metadata_;
  MetadataStore<PageDescriptor> descriptors_;
};

}  // namespace modmem::firmware
