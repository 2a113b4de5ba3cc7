// ElasticHeap::allocate_at(): blocks where they are known to have lived.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "heap/elastic_heap.hpp"
#include "heap/testing/heap_world.hpp"
#include "heap/testing/random.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;
constexpr std::size_t kGranule = config::kGranuleBytes;

class AllocateAt : public ::testing::TestWithParam<bool> {
 protected:
  AllocateAt() : world(small_platform(GetParam(), 64), PortKind::host) {
    EXPECT_TRUE(
        heap.open(world.space(), world.descriptors(), HeapId{1}, account, {.span_pages = 32}));
  }
  ~AllocateAt() { heap.close(); }

  std::byte* at(std::size_t page, std::size_t offset = 0) {
    // The first span starts the window; without an MMU its first page may be metadata.
    return world.space().address_of(static_cast<std::uint32_t>(page)) + offset;
  }
  bool sound() { return heap.check(CheckDepth::deep) && world.check(); }
  // Refused, with nothing changed.
  void expect_refused(std::byte* pointer, std::size_t bytes) {
    const WorldState before(world, heap);
    EXPECT_FALSE(heap.allocate_at(pointer, bytes));
    EXPECT_EQ(before.difference(WorldState(world, heap)), "");
  }

  HeapWorld world;
  PageAccount account;
  ElasticHeap heap;
};

INSTANTIATE_TEST_SUITE_P(Platforms, AllocateAt, ::testing::Values(true, false),
                         [](const auto& test) { return test.param ? "Mmu" : "NoMmu"; });

TEST_P(AllocateAt, PutsABlockExactlyThere) {
  ASSERT_TRUE(heap.allocate_at(at(5, 48), 100));
  EXPECT_EQ(heap.usable_size(at(5, 48)), 112U);
  ASSERT_TRUE(heap.allocate_at(at(5, 160), 2 * kPage));  // right behind, over two page ends
  EXPECT_EQ(heap.status(at(6)), PointerStatus::interior);
  EXPECT_EQ(heap.usable_size(at(5, 160)), 2 * kPage);
  ASSERT_TRUE(heap.allocate_at(at(7, 160), kPage - 160));  // up to the end of the page
  ASSERT_TRUE(heap.allocate_at(at(5), 48));
  EXPECT_TRUE(sound());
  EXPECT_EQ(heap.stats().live_blocks, 4U);
  for (std::byte* block : {at(5, 160), at(5), at(5, 48), at(7, 160)}) {
    EXPECT_EQ(heap.free(block), PointerStatus::live);
    EXPECT_TRUE(sound());
  }
  EXPECT_EQ(heap.stats().mapped_bytes, 0U);
}

TEST_P(AllocateAt, RefusesWhatIsNotFree) {
  ASSERT_TRUE(heap.allocate_at(at(8, 64), 3 * kPage));
  expect_refused(at(8, 64), kGranule);
  expect_refused(at(8, 48), 2 * kGranule);
  expect_refused(at(7), 3 * kPage);
  expect_refused(at(9), kGranule);
  expect_refused(at(11, 48), kGranule);
  EXPECT_TRUE(heap.allocate_at(at(11, 64), kGranule));
  EXPECT_TRUE(heap.allocate_at(at(8, 48), kGranule));
  EXPECT_TRUE(sound());
}

TEST_P(AllocateAt, RefusesWhatIsNoPlace) {
  expect_refused(at(5, 8), 100);
  expect_refused(at(0) - kPage, 100);
  expect_refused(at(world.window_pages()), 100);
  expect_refused(at(world.window_pages() - 1), 2 * kPage);
  expect_refused(at(5), SIZE_MAX);
}

TEST_P(AllocateAt, RefusesWhereFramesRunOut) {
  account.limit = 3;
  expect_refused(at(4, 16), 3 * kPage);
  EXPECT_TRUE(heap.allocate_at(at(4), 3 * kPage));
  EXPECT_TRUE(sound());
}

// What one heap holds, another one of the same shape takes over, in any order.
TEST_P(AllocateAt, RebuildsAHeap) {
  struct Block {
    std::byte* pointer;
    std::size_t bytes;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    std::vector<Block> blocks;
    for (int i = 0; i < 200; ++i) {
      auto* pointer = static_cast<std::byte*>(heap.allocate(random.size(2 * kPage), 1));
      if (pointer != nullptr) {
        blocks.push_back({pointer, heap.usable_size(pointer)});
      }
      if (!blocks.empty() && random.one_in(3)) {
        const std::size_t which = random.below(blocks.size());
        heap.free(blocks[which].pointer);
        blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(which));
      }
    }
    heap.release_all();
    for (std::size_t i = blocks.size(); i > 1; --i) {
      std::swap(blocks[i - 1], blocks[random.below(i)]);
    }
    for (const Block& block : blocks) {
      ASSERT_TRUE(heap.allocate_at(block.pointer, block.bytes)) << seed;
      ASSERT_TRUE(sound());
    }
    for (const Block& block : blocks) {
      ASSERT_EQ(heap.usable_size(block.pointer), block.bytes);
      ASSERT_EQ(heap.free(block.pointer), PointerStatus::live);
    }
    ASSERT_TRUE(sound());
    ASSERT_EQ(heap.stats().mapped_bytes, 0U);
  }
}

TEST_P(AllocateAt, SplitsABlockInTwo) {
  ASSERT_TRUE(heap.allocate_at(at(5, 48), 3 * kPage));
  const std::size_t occupied = heap.stats().occupied_bytes;
  heap.split(at(5, 48), kGranule);
  EXPECT_EQ(heap.stats().live_blocks, 2U);
  EXPECT_EQ(heap.stats().occupied_bytes, occupied);
  EXPECT_EQ(heap.usable_size(at(5, 48)), kGranule);
  EXPECT_EQ(heap.usable_size(at(5, 64)), 3 * kPage - kGranule);
  EXPECT_EQ(heap.status(at(6)), PointerStatus::interior);
  EXPECT_TRUE(sound());
  EXPECT_EQ(heap.free(at(5, 48)), PointerStatus::live);
  EXPECT_EQ(heap.status(at(5, 64)), PointerStatus::live);
  EXPECT_TRUE(sound());
  EXPECT_EQ(heap.free(at(5, 64)), PointerStatus::live);
  EXPECT_EQ(heap.stats().occupied_bytes, 0U);
  EXPECT_TRUE(sound());
}

}  // namespace
}  // namespace modmem
