// ElasticHeap::premap(): pages that are ready before they are needed.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "heap/elastic_heap.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/heap_world.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;
constexpr std::size_t kGranule = config::kGranuleBytes;

class Premapping : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr std::uint32_t kFrames = 64;

  Premapping() : world(small_platform(GetParam(), kFrames), PortKind::fake) { open(); }
  ~Premapping() {
    EXPECT_TRUE(sound());
    heap.close();
    EXPECT_EQ(world.pool().taken(), 0U);
    EXPECT_EQ(world.space().largest_gap(), has_mmu() ? world.window_pages() : 0U);
    EXPECT_TRUE(world.check());
    EXPECT_EQ(world.fake().violations(), 0U);
  }

  bool has_mmu() const { return GetParam(); }
  void open(const ElasticHeapOptions& options = {.span_pages = 24}) {
    ASSERT_TRUE(heap.open(world.space(), world.descriptors(), HeapId{1}, account, options));
  }
  void reopen(const ElasticHeapOptions& options) {
    heap.close();
    open(options);
  }
  bool sound() { return world.check() && heap.check(CheckDepth::deep); }
  std::byte* allocate(std::size_t bytes, std::size_t alignment = 1) {
    return static_cast<std::byte*>(heap.allocate(bytes, alignment));
  }
  // Calls of the port so far: those that map or unmap; power follows from these.
  std::uint64_t calls() { return world.fake().maps() + world.fake().unmaps(); }

  HeapWorld world;
  PageAccount account;
  ElasticHeap heap;
};

INSTANTIATE_TEST_SUITE_P(Platforms, Premapping, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Mmu" : "NoMmu"; });

TEST_P(Premapping, PagesServeWhateverFitsWithoutThePort) {
  ASSERT_TRUE(heap.premap(8));
  EXPECT_EQ(heap.ready(), 8U);
  EXPECT_EQ(account.held, 8U);
  EXPECT_TRUE(sound());
  const std::uint64_t before = calls();
  // Single pages, a run that starts inside of one, and a run of whole pages.
  std::vector<std::byte*> blocks{allocate(100), allocate(kPage), allocate(2 * kPage + 48),
                                 allocate(3 * kPage)};
  for (std::byte* block : blocks) {
    ASSERT_NE(block, nullptr);
  }
  EXPECT_EQ(calls(), before);
  EXPECT_EQ(account.held, 8U);
  EXPECT_TRUE(sound());
  // What comes back is ready again, and serves as one run once more.
  for (std::byte* block : blocks) {
    EXPECT_EQ(heap.free(block), PointerStatus::live);
    EXPECT_TRUE(sound());
  }
  EXPECT_EQ(heap.ready(), 8U);
  std::byte* all = allocate(8 * kPage);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(heap.ready(), 0U);
  EXPECT_EQ(heap.free(all), PointerStatus::live);
  EXPECT_EQ(calls(), before);
  EXPECT_EQ(heap.ready(), 8U);
}

TEST_P(Premapping, EachGranuleCanBeHad) {
  ASSERT_TRUE(heap.premap(3));
  const std::uint64_t before = calls();
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < 3 * kPage / kGranule; ++i) {
    blocks.push_back(heap.allocate(kGranule, 1));
    ASSERT_NE(blocks.back(), nullptr);
  }
  EXPECT_EQ(calls(), before);
  EXPECT_TRUE(sound());
  for (void* block : blocks) {
    heap.free(block);
  }
  EXPECT_EQ(calls(), before);
  EXPECT_EQ(heap.ready(), 3U);
}

TEST_P(Premapping, HolesAndPagesInUseAreLookedAtAll) {
  // More pages with a hole of one class than a search looks at else, the last of which fits.
  std::vector<std::byte*> whole;
  for (int i = 0; i < 12; ++i) {
    whole.push_back(allocate(kPage));
    ASSERT_NE(whole.back(), nullptr);
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const std::size_t hole = i == 0 ? 42 * kGranule : 40 * kGranule;
    ASSERT_TRUE(heap.resize(whole[i], kPage - hole));
  }
  ASSERT_TRUE(heap.premap(1));
  const std::uint64_t before = calls();
  ASSERT_NE(allocate(kPage), nullptr);  // the ready one
  EXPECT_NE(allocate(42 * kGranule), nullptr);
  EXPECT_EQ(calls(), before);
  EXPECT_TRUE(sound());
}

TEST_P(Premapping, PagesBeyondTheReserveGoBack) {
  ASSERT_TRUE(heap.premap(2));
  std::byte* large = allocate(6 * kPage);
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(heap.free(large), PointerStatus::live);
  EXPECT_EQ(account.held, 2U);
  EXPECT_EQ(heap.ready(), 2U);
  EXPECT_TRUE(sound());
}

TEST_P(Premapping, TheReserveIsFilledUpByWhatIsFreed) {
  std::byte* old = allocate(5 * kPage);  // pages inside of it have no descriptor
  ASSERT_TRUE(heap.premap(4));
  std::byte* block = allocate(4 * kPage);
  EXPECT_EQ(heap.ready(), 0U);
  heap.free(old);
  EXPECT_EQ(heap.ready(), 4U);
  EXPECT_EQ(account.held, 8U);
  heap.free(block);
  EXPECT_EQ(heap.ready(), 4U);
  EXPECT_EQ(account.held, 4U);
  EXPECT_TRUE(sound());
}

TEST_P(Premapping, NoneGivesBackWhatIsUnused) {
  ASSERT_TRUE(heap.premap(8));
  std::byte* block = allocate(3 * kPage);
  ASSERT_TRUE(heap.premap(0));
  EXPECT_EQ(account.held, 3U);
  EXPECT_EQ(heap.ready(), 0U);
  EXPECT_TRUE(sound());
  heap.free(block);
  EXPECT_EQ(account.held, 0U);
}

TEST_P(Premapping, AsksForAsManyReadyPagesAsItSays) {
  ASSERT_TRUE(heap.premap(4));
  ASSERT_NE(allocate(3 * kPage), nullptr);
  EXPECT_EQ(heap.ready(), 1U);
  ASSERT_TRUE(heap.premap(4));  // of which one is there
  EXPECT_EQ(heap.ready(), 4U);
  EXPECT_EQ(account.held, 7U);
  ASSERT_TRUE(heap.premap(6));
  EXPECT_EQ(account.held, 9U);
  const std::uint64_t before = calls();
  EXPECT_NE(allocate(6 * kPage), nullptr);  // what came on top lies beside it
  EXPECT_EQ(calls(), before);
  ASSERT_TRUE(heap.premap(2));
  ASSERT_TRUE(heap.premap(1));
  EXPECT_EQ(heap.ready(), 1U);
  EXPECT_EQ(account.held, 10U);
  EXPECT_TRUE(sound());
}

TEST_P(Premapping, TakesRetainedPagesFirst) {
  reopen({.span_pages = 24, .retained_pages = 3});
  std::byte* block = allocate(3 * kPage);
  heap.free(block);
  EXPECT_EQ(account.held, 3U);
  ASSERT_TRUE(heap.premap(5));
  EXPECT_EQ(account.held, 5U);
  // Both kinds are kept, each up to its number.
  block = allocate(12 * kPage);
  heap.free(block);
  EXPECT_EQ(heap.ready(), 5U);
  EXPECT_EQ(account.held, 8U);
  ASSERT_TRUE(heap.premap(0));
  EXPECT_EQ(account.held, 3U);
  EXPECT_TRUE(sound());
}

TEST_P(Premapping, TimeDoesNotTakeReadyPages) {
  reopen({.span_pages = 24, .retained_pages = 2, .retained_us = 2048});
  ASSERT_TRUE(heap.premap(3));
  std::byte* block = allocate(5 * kPage);
  heap.free(block);
  EXPECT_EQ(account.held, 5U);
  heap.give_back_kept(std::uint64_t{1} << 40);
  EXPECT_EQ(account.held, 3U);
  EXPECT_EQ(heap.ready(), 3U);
  EXPECT_TRUE(sound());
}

TEST_P(Premapping, MayTakeASpanOfItsOwn) {
  if (!has_mmu()) {
    return;
  }
  reopen({.span_pages = 4});
  ASSERT_NE(allocate(2 * kPage), nullptr);
  ASSERT_TRUE(heap.premap(20));
  const std::uint64_t before = calls();
  std::byte* block = allocate(20 * kPage);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(calls(), before);
  heap.free(block);
  EXPECT_EQ(heap.ready(), 20U);
  const std::uint32_t gap = world.space().largest_gap();
  ASSERT_TRUE(heap.premap(0));
  EXPECT_GT(world.space().largest_gap(), gap);  // the span is gone
  EXPECT_EQ(account.held, 2U);
}

// Every step that can fail: frames, the limit, addresses, and each page that the port maps.
TEST_P(Premapping, ThatFailsChangesNothing) {
  ASSERT_NE(allocate(3 * kPage + 100), nullptr);
  ASSERT_TRUE(heap.premap(2));
  const auto fails = [&](std::uint32_t pages) {
    const WorldState before(world, heap);
    EXPECT_FALSE(heap.premap(pages));
    EXPECT_EQ(before.difference(WorldState(world, heap)), "");
    EXPECT_EQ(heap.premapped(), 2U);
    EXPECT_EQ(heap.ready(), 2U);
    EXPECT_TRUE(sound());
  };
  fails(kFrames);
  EXPECT_EQ(heap.explain_premap(kFrames), FailureReason::pool);
  fails(UINT32_MAX);
  account.limit = 10;
  fails(10);
  EXPECT_EQ(heap.explain_premap(10), FailureReason::limit);
  account.limit = PageAccount::kNoLimit;
  PageAccount others;
  ASSERT_TRUE(world.pool().set_guarantee(others, world.pool().free() - 2));
  fails(8);
  EXPECT_EQ(heap.explain_premap(8), FailureReason::guarantee);
  ASSERT_TRUE(world.pool().set_guarantee(others, 0));
  for (std::uint64_t maps = 0; maps < 20; ++maps) {
    world.fail_maps_after(maps);
    if (heap.premap(2 + 20)) {
      EXPECT_GE(maps, 20U - 1);
      break;
    }
    ASSERT_TRUE(heap.premapped() == 2 && heap.ready() == 2 && account.held == 6);
    fails(2 + 20);
  }
  world.fail_maps_after(FakePort::kNever);
  EXPECT_TRUE(heap.premap(2 + 20));
}

TEST_P(Premapping, IsRefusedWhereNoRunIsFree) {
  if (has_mmu()) {
    return;  // addresses are many
  }
  std::vector<std::byte*> blocks;
  while (std::byte* block = allocate(kPage)) {
    blocks.push_back(block);
  }
  for (std::size_t i = 0; i < blocks.size(); i += 2) {
    heap.free(blocks[i]);
  }
  const WorldState before(world, heap);
  EXPECT_FALSE(heap.premap(3));
  EXPECT_EQ(heap.explain_premap(3), FailureReason::fragmentation);
  EXPECT_EQ(before.difference(WorldState(world, heap)), "");
  EXPECT_TRUE(heap.premap(1));
}

TEST_P(Premapping, LeavesWithItsHeap) {
  ASSERT_TRUE(heap.premap(5));
  ASSERT_NE(allocate(100), nullptr);
  heap.release_all();
  EXPECT_EQ(account.held, 0U);
  EXPECT_EQ(heap.premapped(), 0U);

  // Or with those who take its pages over.
  PageAccount heirs;
  ElasticHeap heir;
  ASSERT_TRUE(heir.open(world.space(), world.descriptors(), HeapId{2}, heirs, {.span_pages = 8}));
  ASSERT_TRUE(heap.premap(5));
  std::byte* left = allocate(3 * kPage);
  ASSERT_NE(left, nullptr);
  heap.close_into(heir);
  EXPECT_EQ(heirs.held, 3U);
  EXPECT_EQ(account.held, 0U);
  EXPECT_TRUE(heir.check(CheckDepth::deep));
  EXPECT_EQ(heir.usable_size(left), 3 * kPage);
  heir.free(left);
  EXPECT_EQ(heirs.held, 0U);
  heir.close();
  open();
}

TEST_P(Premapping, BlocksInReadyPagesGrowAndShrink) {
  ASSERT_TRUE(heap.premap(4));
  const std::uint64_t before = calls();
  std::byte* block = allocate(100);
  ASSERT_TRUE(heap.resize(block, 4 * kPage));
  EXPECT_TRUE(sound());
  ASSERT_TRUE(heap.resize(block, kPage + 16));
  EXPECT_TRUE(sound());
  EXPECT_EQ(heap.ready(), 2U);
  ASSERT_TRUE(heap.resize(block, 2 * kPage + 16));
  EXPECT_TRUE(sound());
  heap.free(block);
  EXPECT_EQ(calls(), before);
  EXPECT_EQ(heap.ready(), 4U);
}

}  // namespace
}  // namespace modmem
