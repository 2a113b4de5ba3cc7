// SlotHeapTest: a SlotHeap on a small platform, for its tests.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "heap/slot_heap.hpp"
#include "heap/testing/heap_world.hpp"

namespace modmem {

class SlotHeapTest : public ::testing::Test {
 protected:
  using Table = std::vector<SlotBundle>;
  static constexpr std::uint32_t kFrames = 64;

  explicit SlotHeapTest(bool has_mmu = true, std::uint32_t frames = kFrames)
      : world(small_platform(has_mmu, frames), PortKind::host) {}

  bool try_open(const Table& table, bool contiguous = false, std::size_t region = 0) {
    std::size_t total = 0;
    for (const SlotBundle& bundle : table) {
      total += bundle.slot_bytes * bundle.slots;
    }
    return heap.open(
        world.space(), world.descriptors(), HeapId{1}, account,
        {.region_bytes = region != 0 ? region : total, .bundles = table, .contiguous = contiguous});
  }
  void open(const Table& table, bool contiguous = false, std::size_t region = 0) {
    ASSERT_TRUE(try_open(table, contiguous, region));
  }
  std::byte* allocate(std::size_t bytes, std::size_t alignment = 1) {
    return static_cast<std::byte*>(heap.allocate(bytes, alignment));
  }
  // Which bundle of the table the block lies in, and its slot there.
  std::size_t offset(const std::byte* block) {
    return static_cast<std::size_t>(block - world.space().address_of(heap.region().first));
  }
  std::size_t bundle_of(const std::byte* block) {
    std::size_t end = 0;
    for (std::uint32_t i = 0; i < heap.bundle_count(); ++i) {
      end += heap.bundle(i).slot_bytes * heap.bundle(i).slots;
      if (offset(block) < end) {
        return i;
      }
    }
    ADD_FAILURE() << "outside of the bundles";
    return SIZE_MAX;
  }
  // Takes descriptors until so many are free without another page of them.
  void leave_descriptors(std::uint32_t count) {
    while (world.descriptors().free() != count) {
      ASSERT_NE(world.descriptors().create(), FrameInfo::kNone);
    }
  }
  WorldState state() { return {world, heap}; }
  bool sound() const { return heap.check(CheckDepth::deep) && world.check(); }

  HeapWorld world;
  PageAccount account;
  SlotHeap heap;
};

}  // namespace modmem
