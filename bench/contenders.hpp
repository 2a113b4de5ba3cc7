// Contenders: what plays a workload. All have the same three functions, which play() calls:
//
//   void* allocate(stream, bytes, alignment)   alignment 0: natural; nullptr where there is no
//   memory void* resize(stream, block, bytes, alignment) void free(stream, block) void end(stream)
//   all of its blocks are free
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "base/bits.hpp"
#include "bench/engine.hpp"
#include "bench/peers.hpp"
#include "bench/replays.hpp"
#include "bench/workload.hpp"
#include "memory/memory.hpp"

namespace modmem::bench {

// An allocator that does nothing: what playing costs without one.
class NoAllocator {
 public:
  void* allocate(std::uint32_t, std::size_t, std::size_t) { return &place_; }
  void* resize(std::uint32_t, void* block, std::size_t, std::size_t) { return block; }
  void free(std::uint32_t, void* block) { last_ = block; }
  void end(std::uint32_t) {}

 private:
  std::byte place_{};
  void* volatile last_ = nullptr;
};

class PeerAllocator {
 public:
  explicit PeerAllocator(const Peer& peer) : peer_(peer) {}

  void* allocate(std::uint32_t, std::size_t bytes, std::size_t alignment) {
    return alignment <= alignof(std::max_align_t)
               ? peer_.allocate(bytes)
               : peer_.allocate_aligned(alignment, align_up(bytes, alignment));
  }
  void* resize(std::uint32_t, void* block, std::size_t bytes, std::size_t) {
    return peer_.resize(block, bytes);
  }
  void free(std::uint32_t, void* block) { peer_.free(block); }
  void end(std::uint32_t) {}

 private:
  Peer peer_;
};

// The engine, with a heap for each stream. Where pages are kept the heaps stay, so that once they
// have all the pages that they need, nothing is mapped any more; else a heap ends with its stream.
class EngineAllocator {
 public:
  enum class Pages : bool { kept, returned };

  EngineAllocator(const PlatformConfig& config, Engine::Mapping mapping, std::size_t streams,
                  Pages pages)
      : engine_(std::make_unique<Engine>(config, mapping)),
        retained_(pages == Pages::kept ? engine_->pool().frames() : 0) {
    for (std::size_t stream = 0; stream < streams; ++stream) {
      heaps_.push_back(&engine_->open(stream, retained_));
    }
  }

  void* allocate(std::uint32_t stream, std::size_t bytes, std::size_t alignment) {
    return heaps_[stream]->allocate(bytes, alignment == 0 ? 1 : alignment);
  }
  void* resize(std::uint32_t stream, void* block, std::size_t bytes, std::size_t alignment) {
    ElasticHeap& heap = *heaps_[stream];
    if (heap.resize(block, bytes)) {
      return block;
    }
    void* moved = heap.allocate(bytes, alignment == 0 ? 1 : alignment);
    if (moved != nullptr) {
      std::memcpy(moved, block, std::min(heap.usable_size(block), bytes));
      heap.free(block);
    }
    return moved;
  }
  void free(std::uint32_t stream, void* block) { heaps_[stream]->free(block); }
  void end(std::uint32_t stream) {
    if (retained_ == 0) {
      engine_->close(stream);
      engine_->open(stream);
    }
  }

  std::uint64_t port_calls() const { return engine_->port_calls(); }

 private:
  std::unique_ptr<Engine> engine_;
  std::uint32_t retained_;
  std::vector<ElasticHeap*> heaps_;
};

// All of the library: owners, records, policy, a heap for each stream.
class MemoryAllocator {
 public:
  explicit MemoryAllocator(std::size_t streams, const PlatformConfig& config = memory_platform())
      : owners_(streams),
        port_(std::make_unique<PlainPort>()),
        memory_(std::make_unique<Memory>()) {
    if (!port_->open(config)) {
      throw std::runtime_error(port_->failure());
    }
    arena_.resize(Memory::arena_bytes(config, *port_) / sizeof(Unit) + 1);
    if (!memory_->boot(config, *find_policy("elastic"), *port_, nullptr,
                       std::as_writable_bytes(std::span(arena_)))) {
      throw std::runtime_error("Memory does not boot");
    }
  }
  MemoryAllocator(MemoryAllocator&&) = default;
  ~MemoryAllocator() {
    if (memory_ != nullptr) {
      memory_->shutdown();
    }
  }

  void* allocate(std::uint32_t stream, std::size_t bytes, std::size_t alignment) {
    return memory_->allocate(request(stream, bytes, alignment));
  }
  void* resize(std::uint32_t stream, void* block, std::size_t bytes, std::size_t alignment) {
    return memory_->reallocate(block, request(stream, bytes, alignment));
  }
  void free(std::uint32_t, void* block) { memory_->free(block); }
  void end(std::uint32_t stream) {
    memory_->destroy_owner(*owners_[stream]);
    owners_[stream] = nullptr;
  }

  Memory& memory() { return *memory_; }

 private:
  struct alignas(MetadataArena::kAlignment) Unit {
    std::byte bytes[MetadataArena::kAlignment];
  };

  Request request(std::uint32_t stream, std::size_t bytes, std::size_t alignment) {
    Owner*& owner = owners_[stream];
    if (owner == nullptr) {
      owner = memory_->create_owner(memory_->system(), {.kind = OwnerKind::pipeline});
      if (owner == nullptr) {
        throw std::runtime_error("an owner does not fit");
      }
    }
    return {.owner = owner, .bytes = bytes, .alignment = alignment, .flags = 0, .site = {}};
  }

  std::vector<Owner*> owners_;
  std::unique_ptr<PlainPort> port_;
  std::vector<Unit> arena_;
  std::unique_ptr<Memory> memory_;
};

// Plays all of the workload, each operation inside of `around(operation, call)`. `blocks` has a
// place for each of the workload's. Throws std::runtime_error where a request fails.
template <typename Allocator, typename Around>
void play(const Workload& workload, Allocator& allocator, std::vector<void*>& blocks,
          Around around) {
  bool failed = false;
  for (const Operation& operation : workload.operations) {
    void*& block = blocks[operation.block];
    switch (operation.kind) {
      case trace::OpKind::allocate:
        around(operation, [&] {
          block = allocator.allocate(operation.stream, operation.bytes, operation.alignment);
        });
        failed |= block == nullptr;
        break;
      case trace::OpKind::resize:
        around(operation, [&] {
          block = allocator.resize(operation.stream, block, operation.bytes, operation.alignment);
        });
        failed |= block == nullptr;
        break;
      case trace::OpKind::free:
        around(operation, [&] { allocator.free(operation.stream, block); });
        break;
      case trace::OpKind::release:
        allocator.end(operation.stream);
        break;
    }
  }
  if (failed) {
    throw std::runtime_error("a request of the workload failed");
  }
}

}  // namespace modmem::bench
