// Engine: what elastic heaps stand on, and those heaps, without Memory above: pool, address space,
// page descriptors. What is measured here is the engine alone, as allocators are measured.
//
// A heap is known by its place, a small number. Whatever the host does not give throws
// std::runtime_error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bench/metered_port.hpp"
#include "heap/elastic_heap.hpp"
#include "port/host/host_port.hpp"
#include "port/posix/plain_port.hpp"

namespace modmem::bench {

// A platform of so much SRAM, in banks of 128 KiB, none of it reserved, with a window that has
// `heaps` heaps of any size.
PlatformConfig platform_of(std::size_t sram_bytes, std::size_t heaps = 1, bool has_mmu = true);

class Engine {
 public:
  // plain: mapping only keeps book; simulator: mapping is system calls.
  enum class Mapping : std::uint8_t { plain, simulator };

  Engine(const PlatformConfig& config, Mapping mapping);

  // Opens the heap at `place`, closed until now, which keeps so many empty pages mapped.
  ElasticHeap& open(std::size_t place, std::uint32_t retained_pages = 0);
  ElasticHeap& heap(std::size_t place) { return *places_[place].heap; }
  void close(std::size_t place) { places_[place].heap->close(); }

  const PagePool& pool() const { return pool_; }
  // Calls of the port for mapping and power.
  std::uint64_t port_calls() const { return port_->calls(); }
  // See MeteredPort.
  void set_port_apart(bool is_apart) { port_->set_apart(is_apart); }
  // SRAM and the tables beside it, all there are.
  std::size_t memory_bytes() const { return config_.sram_bytes + arena_.used(); }

 private:
  static constexpr HeapId kMetadataHeap{0xfd};

  struct Place {
    PageAccount account;
    std::unique_ptr<ElasticHeap> heap = std::make_unique<ElasticHeap>();
  };

  PlatformConfig config_;
  PlainPort plain_;
  HostPort simulator_;
  std::unique_ptr<MeteredPort> port_;
  std::vector<std::byte> arena_memory_;
  MetadataArena arena_;
  PagePool pool_;
  AddressSpace space_;
  PageAccount metadata_;
  MetadataHeap metadata_heap_;
  MetadataStore<PageDescriptor> descriptors_;
  std::vector<Place> places_;
};

}  // namespace modmem::bench
