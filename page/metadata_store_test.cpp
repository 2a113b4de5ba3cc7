#include "page/metadata_store.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "modmem/config.hpp"
#include "page/testing/page_world.hpp"

namespace modmem {
namespace {

constexpr HeapId kStore{0xfd};
constexpr std::uint32_t kFrames = 24;

struct Item {
  std::uint64_t key = 42;
  std::array<std::uint64_t, MetadataHeap::kChunkBytes / 8 - 1> rest{};
};
// A chunk each; the first ones of a page hold notes.
constexpr std::uint32_t kPerPage = MetadataHeap::kChunksPerPage - MetadataHeap::kNoteChunks;
using Store = MetadataStore<Item>;

struct StoreWorld {
  explicit StoreWorld(bool has_mmu, PortKind kind = PortKind::fake, std::size_t in_arena = 0)
      : world(small_platform(has_mmu, kFrames), kind) {
    if (!heap.boot(world.space(), kStore, account, in_arena, world.arena())) {
      std::abort();
    }
    store.boot(heap);
  }
  bool sound() const {
    return world.check() && heap.check() && store.check() && account.held == store.pages() &&
           world.space().mapped_pages() == store.pages();
  }
  // Leaves `frames` free frames in the pool.
  void leave(std::uint32_t frames) {
    while (world.pool().free() > frames) {
      ASSERT_TRUE(world.pool().take(pin));
    }
  }

  PageWorld world;
  PageAccount account;
  PageAccount pin;
  MetadataHeap heap;
  Store store;
};

class MetadataStoreTest : public ::testing::TestWithParam<bool> {
 protected:
  MetadataStoreTest() : setup(GetParam()) {}
  Store& store() { return setup.store; }
  std::vector<Store::Handle> create(std::uint32_t count) {
    std::vector<Store::Handle> handles;
    for (std::uint32_t i = 0; i < count; ++i) {
      handles.push_back(store().create());
      EXPECT_NE(handles.back(), Store::kNone);
    }
    return handles;
  }

  StoreWorld setup;
};

std::string mmu_name(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Mmu" : "NoMmu";
}
INSTANTIATE_TEST_SUITE_P(Platforms, MetadataStoreTest, ::testing::Values(true, false), mmu_name);

TEST_P(MetadataStoreTest, TakesNoFrameBeforeItHoldsSomething) {
  EXPECT_EQ(setup.world.pool().taken(), 0U);
  EXPECT_EQ(store().pages(), 0U);
  EXPECT_EQ(store().free(), 0U);
  EXPECT_TRUE(setup.sound());
}

TEST_P(MetadataStoreTest, ObjectsAreInitialisedAndReachedThroughTheUncachedAlias) {
  StoreWorld host(GetParam(), PortKind::host);
  const Store::Handle handle = host.store.create();
  ASSERT_NE(handle, Store::kNone);
  EXPECT_EQ(host.store[handle].key, 42U);
  host.store[handle].key = 1;
  host.store.destroy(handle);
  EXPECT_EQ(host.store[host.store.create()].key, 42U);
  EXPECT_EQ(host.world.space().is_uncached(&host.store[handle]), GetParam());
  EXPECT_EQ(host.store.handle_of(&host.store[handle]), handle);
  if (GetParam()) {
    const void* other_alias = host.world.space().to_cached(&host.store[handle]);
    EXPECT_EQ(host.store.handle_of(other_alias), Store::kNone);
  }
  EXPECT_EQ(host.world.space().heap_of(*host.world.space().page_of(&host.store[handle])), kStore);
}

TEST_P(MetadataStoreTest, AnObjectIsKnownByItsAddress) {
  const std::vector<Store::Handle> handles = create(kPerPage + 1);
  for (const Store::Handle handle : handles) {
    EXPECT_EQ(store().handle_of(&store()[handle]), handle);
    EXPECT_EQ(store().handle_of(reinterpret_cast<std::byte*>(&store()[handle]) + 1), Store::kNone);
  }
  const int outside = 0;
  EXPECT_EQ(store().handle_of(&outside), Store::kNone);
  EXPECT_EQ(store().handle_of(nullptr), Store::kNone);
  const auto* last = &store()[handles.back()];
  for (const Store::Handle handle : handles) {
    store().destroy(handle);
  }
  EXPECT_EQ(store().handle_of(last), Store::kNone);  // its page is gone
}

TEST_P(MetadataStoreTest, PagesComeAndGo) {
  const std::vector<Store::Handle> handles = create(3 * kPerPage);
  EXPECT_EQ(store().pages(), 3U);
  EXPECT_EQ(store().live(), 3 * kPerPage);
  EXPECT_EQ(store().free(), 0U);
  EXPECT_EQ(setup.account.held, 3U);
  EXPECT_EQ(std::set<Store::Handle>(handles.begin(), handles.end()).size(), handles.size());
  for (const Store::Handle handle : handles) {
    store().destroy(handle);
    EXPECT_TRUE(setup.sound());
  }
  EXPECT_EQ(store().pages(), 0U);
  EXPECT_EQ(setup.world.pool().taken(), 0U);
  EXPECT_EQ(setup.world.space().mapped_pages(), 0U);
}

TEST_P(MetadataStoreTest, AnObjectThatComesAndGoesDoesNotMapAndUnmap) {
  create(kPerPage);
  const std::uint64_t maps = setup.world.fake().maps();
  for (int i = 0; i < 10; ++i) {
    store().destroy(store().create());
  }
  EXPECT_EQ(setup.world.fake().maps(), maps + 1);
  EXPECT_EQ(store().pages(), 2U);
  store().drop_spare();
  EXPECT_EQ(store().pages(), 1U);
  EXPECT_EQ(store().free(), 0U);
  store().drop_spare();
  EXPECT_EQ(store().pages(), 1U);
  EXPECT_TRUE(setup.sound());
}

TEST_P(MetadataStoreTest, TheSpareGoesWhereOthersHaveRoom) {
  const std::vector<Store::Handle> handles = create(2 * kPerPage);
  for (std::uint32_t i = 0; i < kPerPage; ++i) {
    store().destroy(handles[kPerPage + i]);
  }
  EXPECT_EQ(store().pages(), 2U);
  for (std::uint32_t i = 0; i < kPerPage / 2 - 1; ++i) {
    store().destroy(handles[i]);
  }
  EXPECT_EQ(store().pages(), 2U);
  store().destroy(handles[kPerPage - 1]);
  EXPECT_EQ(store().pages(), 1U);
  EXPECT_TRUE(setup.sound());
}

TEST_P(MetadataStoreTest, ReservesAheadAndGivesBackWhatWasNotNeeded) {
  EXPECT_TRUE(store().reserve(2));
  EXPECT_EQ(store().pages(), 1U);
  store().trim();
  EXPECT_EQ(store().pages(), 0U);
  create(kPerPage - 1);
  EXPECT_TRUE(store().reserve(1));
  EXPECT_EQ(store().pages(), 1U);
  EXPECT_TRUE(store().reserve(2));
  EXPECT_EQ(store().pages(), 2U);
  store().trim();
  EXPECT_EQ(store().pages(), 1U);  // although the other page has hardly room
  EXPECT_TRUE(store().reserve(2));
  setup.world.fail_maps_after(0);
  create(2);
  store().trim();
  EXPECT_EQ(store().pages(), 2U);
  EXPECT_TRUE(setup.sound());
}

TEST_P(MetadataStoreTest, TrimLeavesASpareThatWasThereBefore) {
  create(kPerPage);
  store().destroy(store().create());
  ASSERT_EQ(store().pages(), 2U);
  EXPECT_TRUE(store().reserve(2));
  store().trim();
  EXPECT_EQ(store().pages(), 2U);
  EXPECT_TRUE(setup.sound());
}

TEST_P(MetadataStoreTest, FailsWithoutATraceWhereNoPageCanBeMapped) {
  create(kPerPage);
  const auto refused = [this] {
    EXPECT_FALSE(store().reserve(1));
    store().trim();
    EXPECT_EQ(store().create(), Store::kNone);
    EXPECT_EQ(store().pages(), 1U);
    EXPECT_EQ(store().live(), kPerPage);
    EXPECT_EQ(setup.account.held, 1U);
    EXPECT_TRUE(setup.sound());
  };
  const std::uint32_t gap = setup.world.space().largest_gap();
  setup.world.fail_maps_after(0);
  refused();
  setup.world.fail_maps_after(FakePort::kNever);
  setup.account.limit = 1;
  refused();
  setup.account.limit = PageAccount::kNoLimit;
  ASSERT_TRUE(setup.world.pool().set_guarantee(setup.pin, kFrames - 1));
  refused();
  ASSERT_TRUE(setup.world.pool().set_guarantee(setup.pin, 0));
  EXPECT_EQ(setup.world.space().largest_gap(), gap);
  setup.leave(0);
  refused();
  EXPECT_EQ(setup.world.space().largest_gap(), gap);
}

TEST_P(MetadataStoreTest, KeepsSlotsFree) {
  SlotList list;
  const auto check = [&](std::uint32_t live) {
    std::uint32_t found = 0;
    EXPECT_TRUE(store().check(list, found));
    EXPECT_EQ(found, live);
    EXPECT_TRUE(setup.world.check() && setup.heap.check());
  };
  ASSERT_TRUE(store().keep(list, kPerPage + 3));
  EXPECT_EQ(store().pages(), 2U);
  const auto& port = setup.world.fake();
  const std::uint64_t calls = port.maps() + port.unmaps();
  for (int round = 0; round < 2; ++round) {
    std::vector<Store::Handle> handles;
    for (std::uint32_t i = 0; i < kPerPage + 3; ++i) {
      handles.push_back(store().create(list));
      ASSERT_NE(handles.back(), Store::kNone);
    }
    check(kPerPage + 3);
    for (const Store::Handle handle : handles) {
      store().destroy(list, handle);
    }
    check(0);
  }
  EXPECT_EQ(port.maps() + port.unmaps(), calls);
  // Fewer: what is too much goes.
  ASSERT_TRUE(store().keep(list, 2));
  EXPECT_EQ(list.free, 2U);
  EXPECT_EQ(store().pages(), 1U);
  check(0);
  // Beyond what is kept, chunks go with their last object.
  std::vector<Store::Handle> handles;
  for (std::uint32_t i = 0; i < 5; ++i) {
    handles.push_back(store().create(list));
  }
  for (const Store::Handle handle : handles) {
    store().destroy(list, handle);
  }
  EXPECT_EQ(list.free, 2U);
  ASSERT_TRUE(store().keep(list, 0));
  store().drop_spare();
  EXPECT_EQ(store().pages(), 0U);
  check(0);
}

TEST_P(MetadataStoreTest, KeepsNothingWhereItCannotKeepAll) {
  SlotList list;
  ASSERT_NE(store().create(list), Store::kNone);
  ASSERT_TRUE(store().keep(list, 2));
  setup.leave(1);
  const std::uint32_t pages = store().pages();
  const std::uint32_t taken = setup.world.pool().taken();
  for (const std::uint32_t count : {2 * kPerPage + 1, UINT32_MAX}) {
    EXPECT_FALSE(store().keep(list, count));
    EXPECT_EQ(list.free, 2U);
    EXPECT_EQ(list.kept, 2U);
    EXPECT_EQ(store().pages(), pages);
    EXPECT_EQ(setup.world.pool().taken(), taken);
  }
  // What was kept can be undone as a whole.
  const SlotList before = list;
  ASSERT_TRUE(store().keep(list, kPerPage + 1));
  store().keep_as(list, before, pages);
  EXPECT_EQ(list.free, 2U);
  EXPECT_EQ(store().pages(), pages);
  EXPECT_EQ(setup.world.pool().taken(), taken);
  std::uint32_t live = 0;
  EXPECT_TRUE(store().check(list, live));
  store().drop_all(list);
}

// Where the page of records fills up and the next one can't be had, all that was taken for it goes,
// the page among it.
TEST_P(MetadataStoreTest, KeepsNoPageThatItMappedForTooMuch) {
  SlotList list;
  std::vector<Store::Handle> handles;
  for (std::uint32_t i = 0; i < kPerPage; ++i) {
    handles.push_back(store().create(list));
    ASSERT_NE(handles.back(), Store::kNone);
  }
  ASSERT_EQ(store().pages(), 1U);
  setup.world.fail_maps_after(1);
  EXPECT_FALSE(store().keep(list, 2 * kPerPage));
  setup.world.fail_maps_after(FakePort::kNever);
  EXPECT_EQ(store().pages(), 1U);
  EXPECT_EQ(list.free, 0U);
  EXPECT_EQ(list.kept, 0U);
  std::uint32_t live = 0;
  EXPECT_TRUE(store().check(list, live));
  EXPECT_EQ(live, kPerPage);
  EXPECT_TRUE(setup.world.check() && setup.heap.check());
  store().drop_all(list);
}

// Objects as large as a page empty it at once: one empty page stays, not two.
TEST_P(MetadataStoreTest, KeepsOneSpareWhereWholePagesComeBack) {
  const std::uint8_t id = setup.heap.add_store();
  const MetadataHeap::Chunk small = setup.heap.take(1, id);
  ASSERT_NE(small, MetadataHeap::kNoChunk);
  ASSERT_NE(setup.heap.take(kPerPage - 1, id), MetadataHeap::kNoChunk);
  const MetadataHeap::Chunk first = setup.heap.take(kPerPage, id);
  const MetadataHeap::Chunk second = setup.heap.take(kPerPage, id);
  ASSERT_EQ(setup.heap.pages(), 3U);
  setup.heap.give(first, kPerPage);
  EXPECT_EQ(setup.heap.pages(), 3U);
  EXPECT_TRUE(setup.heap.check());
  setup.heap.give(second, kPerPage);
  EXPECT_EQ(setup.heap.pages(), 2U);
  EXPECT_EQ(setup.account.held, 2U);
  EXPECT_TRUE(setup.heap.check() && setup.world.check());
  setup.heap.give(small, 1);
}

TEST_P(MetadataStoreTest, FillsTheArenaBeforeItTakesPages) {
  StoreWorld part(GetParam(), PortKind::fake,
                  (MetadataHeap::kNoteChunks + 4) * MetadataHeap::kChunkBytes);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(part.store.create(), Store::kNone);
  }
  EXPECT_EQ(part.store.pages(), 0U);
  EXPECT_EQ(part.store.free(), 0U);
  const Store::Handle fifth = part.store.create();
  EXPECT_EQ(part.store.pages(), 1U);
  EXPECT_TRUE(part.sound());
  part.store.destroy(fifth);
  part.store.drop_spare();
  EXPECT_EQ(part.store.pages(), 0U);
  EXPECT_TRUE(part.sound());
}

TEST_P(MetadataStoreTest, AnArenaTooSmallForAChunkIsNotUsed) {
  constexpr std::size_t kChunk = MetadataHeap::kChunkBytes;
  constexpr std::size_t kNotes = MetadataHeap::kNoteChunks * kChunk;
  for (const std::size_t bytes :
       {std::size_t{16}, kChunk - 1, kChunk, kNotes, kNotes + kChunk - 1, 4096 + kNotes}) {
    StoreWorld world(GetParam(), PortKind::fake, bytes);
    EXPECT_EQ(world.store.free(), bytes > 4096 ? kPerPage : 0U) << bytes;
    EXPECT_NE(world.store.create(), Store::kNone);
    EXPECT_TRUE(world.sound());
  }
}

TEST_P(MetadataStoreTest, StoresOfAllSizesShareAPage) {
  MetadataStore<std::uint16_t> small;
  MetadataStore<std::array<std::uint64_t, 8>> medium;
  MetadataStore<std::array<std::uint64_t, 100>> large;  // seven chunks
  small.boot(setup.heap);
  medium.boot(setup.heap);
  large.boot(setup.heap);
  for (int i = 0; i < 16; ++i) {
    EXPECT_NE(small.create(), SlotStore::kNone);
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(medium.create(), SlotStore::kNone);
  }
  const SlotStore::Handle first = large.create();
  const SlotStore::Handle second = large.create();
  EXPECT_EQ(store().pages(), 1U);
  large[first].fill(1);
  large[second].fill(2);
  EXPECT_EQ(large[first][99], 1U);
  EXPECT_EQ(large.handle_of(&large[second]), second);
  EXPECT_EQ(large.handle_of(&large[second][32]), SlotStore::kNone);  // its second chunk
  EXPECT_EQ(medium.handle_of(&large[second]), SlotStore::kNone);
  EXPECT_EQ(setup.heap.use(), (2 + 2 + 2 * 7) * 128U * 16 / 15);
  large.destroy(first);
  EXPECT_EQ(setup.heap.peak_use(), (2 + 2 + 2 * 7) * 128U * 16 / 15);
  EXPECT_LT(setup.heap.use(), setup.heap.peak_use());
  EXPECT_TRUE(small.check() && medium.check() && large.check() && setup.heap.check());
}

TEST_P(MetadataStoreTest, AListIsDroppedAsAWholeAndOthersStay) {
  MetadataStore<std::uint64_t> store;
  store.boot(setup.heap);
  SlotList mine;
  SlotList others;
  std::vector<SlotStore::Handle> kept;
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_NE(store.create(mine), SlotStore::kNone);
    kept.push_back(store.create(others));
    store[kept.back()] = i;
  }
  EXPECT_EQ(store.live(), 200U);
  store.drop_all(mine);
  EXPECT_EQ(store.live(), 100U);
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(store[kept[i]], i);
  }
  std::uint32_t live = 0;
  EXPECT_TRUE(store.check(others, live));
  EXPECT_EQ(live, 100U);
  EXPECT_EQ(mine.free, 0U);
  // ... and joins another one as a whole.
  ASSERT_NE(store.create(mine), SlotStore::kNone);
  store.splice(mine, others);
  EXPECT_EQ(store.live(), 101U);
  live = 0;
  EXPECT_TRUE(store.check(mine, live) && setup.heap.check());
  EXPECT_EQ(live, 101U);
  for (const SlotStore::Handle handle : kept) {
    store.destroy(mine, handle);
  }
  EXPECT_EQ(store.live(), 1U);
}

TEST_P(MetadataStoreTest, SmallObjectsNeverGetTheHandleNone) {
  PageWorld world(small_platform(GetParam(), 512), PortKind::fake);
  PageAccount account;
  MetadataHeap heap;
  ASSERT_TRUE(heap.boot(world.space(), kStore, account, 0, world.arena()));
  MetadataStore<std::uint16_t> store;
  store.boot(heap);
  std::uint32_t count = 0;
  for (auto handle = store.create(); handle != SlotStore::kNone; handle = store.create()) {
    store[handle] = static_cast<std::uint16_t>(count++);
  }
  EXPECT_GT(count, 60000U);
  EXPECT_LT(count, 65536U);
  EXPECT_TRUE(store.check());
  heap.shutdown();
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST_P(MetadataStoreTest, ShutdownGivesEverythingBack) {
  create(2 * kPerPage + 3);
  const std::vector<Store::Handle> one = create(1);
  store().destroy(one[0]);
  setup.heap.shutdown();
  EXPECT_EQ(setup.world.pool().taken(), 0U);
  EXPECT_EQ(setup.world.space().mapped_pages(), 0U);
  EXPECT_EQ(setup.world.space().largest_gap(), GetParam() ? 4 * kFrames : 0U);
  EXPECT_EQ(setup.account.held, 0U);
  EXPECT_EQ(setup.heap.free_chunks() + setup.heap.pages() + setup.heap.use(), 0U);
  EXPECT_TRUE(setup.world.check() && setup.heap.check());
}

TEST_P(MetadataStoreTest, NeedsItsDirectory) {
  PageWorld world(small_platform(GetParam(), kFrames), PortKind::fake);
  PageAccount account;
  for (const std::size_t in_arena : {std::size_t{0}, 3 * MetadataHeap::kChunkBytes}) {
    MetadataArena measure;
    MetadataHeap nothing;
    EXPECT_FALSE(nothing.boot(world.space(), kStore, account, in_arena, measure));
    std::vector<std::byte> memory(measure.used());
    for (std::size_t bytes = 0; bytes <= memory.size(); ++bytes) {
      MetadataArena arena(std::span<std::byte>(memory).first(bytes));
      MetadataHeap each;
      EXPECT_EQ(each.boot(world.space(), kStore, account, in_arena, arena), bytes == memory.size());
    }
  }
}

void any_calls(bool has_mmu) {
  StoreWorld setup(has_mmu);
  Store& store = setup.store;
  std::map<Store::Handle, std::uint64_t> model;
  std::uint64_t next = 1;
  const int steps = *rc::gen::inRange(1, 300);
  const int create_share = *rc::gen::inRange(2, 9);
  for (int step = 0; step < steps; ++step) {
    const int what = *rc::gen::inRange(0, 12);
    if (what < create_share) {
      const Store::Handle handle = store.create();
      if (handle == Store::kNone) {
        RC_ASSERT(store.free() == 0U);
        continue;
      }
      RC_ASSERT(model.emplace(handle, next).second);
      store[handle].key = next;
      store[handle].rest.fill(next++);
    } else if (what < 10 && !model.empty()) {
      auto victim = model.begin();
      std::advance(victim,
                   *rc::gen::inRange<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(model.size())));
      store.destroy(victim->first);
      model.erase(victim);
    } else if (what == 10) {
      const std::uint32_t pages = store.pages();
      const auto count = *rc::gen::inRange<std::uint32_t>(1, kPerPage);
      const bool holds = store.reserve(count);
      RC_ASSERT(holds == (store.free() >= count));
      store.trim();
      RC_ASSERT(store.pages() == pages);
    } else if (what == 11) {
      // Pin and unpin a frame, so that pages of the store lie here and there.
      if (setup.pin.held > 0 && *rc::gen::arbitrary<bool>()) {
        for (std::uint16_t frame = 0; frame < kFrames; ++frame) {
          if (setup.world.pool().is_taken(Frame{frame}) &&
              setup.world.space().frame_info(frame).heap == kNoHeap) {
            setup.world.pool().give(setup.pin, Frame{frame}, 1);
            break;
          }
        }
      } else {
        setup.world.pool().take(setup.pin);
      }
    }
    RC_ASSERT(store.live() == model.size());
    for (const auto& [handle, value] : model) {
      RC_ASSERT(store[handle].key == value);
      RC_ASSERT(store[handle].rest.back() == value);
    }
    RC_ASSERT(setup.sound());
  }
}

RC_GTEST_PROP(MetadataStore, KeepsItsObjectsWithAnMmu, ()) { any_calls(true); }
RC_GTEST_PROP(MetadataStore, KeepsItsObjectsWithoutAnMmu, ()) { any_calls(false); }

}  // namespace
}  // namespace modmem
