// ObjectPool: growth, detection of misuse, pruning, and what a failed growth leaves.

#include "heap/object_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "heap/elastic_heap.hpp"
#include "heap/region.hpp"
#include "heap/testing/heap_world.hpp"
#include "heap/testing/random.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

// Chunks from the C library, counted, filled with what is not zero, and refused at will.
class TestSource {
 public:
  ~TestSource() { EXPECT_TRUE(chunks.empty()) << "chunks were not given back"; }

  ObjectSource source() {
    return {[](void* context, std::size_t bytes, std::size_t alignment) {
              return static_cast<TestSource*>(context)->allocate(bytes, alignment);
            },
            [](void* context, void* pointer) { static_cast<TestSource*>(context)->free(pointer); },
            this};
  }

  std::size_t allowed = std::numeric_limits<std::size_t>::max();  // requests that succeed
  std::map<void*, std::size_t> chunks;
  std::vector<std::size_t> asked;  // bytes of each request

 private:
  void* allocate(std::size_t bytes, std::size_t alignment) {
    if (allowed == 0) {
      return nullptr;
    }
    --allowed;
    asked.push_back(bytes);
    const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
    void* chunk = std::aligned_alloc(std::max(alignment, sizeof(void*)), whole);
    std::memset(chunk, 0xa5, whole);
    chunks[chunk] = bytes;
    return chunk;
  }
  void free(void* pointer) {
    ASSERT_EQ(chunks.erase(pointer), 1U) << "not a chunk, or given back twice";
    std::free(pointer);
  }
};

class ObjectPoolTest : public ::testing::Test {
 protected:
  void open(std::size_t bytes, std::size_t alignment = 8) {
    ASSERT_TRUE(pool.open(source.source(), bytes, alignment));
  }
  ~ObjectPoolTest() {
    EXPECT_TRUE(sound());
    pool.close();
    EXPECT_TRUE(sound());
  }
  std::byte* take() { return static_cast<std::byte*>(pool.allocate()); }
  std::vector<std::byte*> take(std::size_t count) {
    std::vector<std::byte*> objects;
    for (std::size_t i = 0; i < count; ++i) {
      objects.push_back(take());
    }
    return objects;
  }
  bool sound() const { return pool.check(CheckDepth::cheap) && pool.check(CheckDepth::deep); }

  TestSource source;
  ObjectPool pool;
};

TEST_F(ObjectPoolTest, GrowsInChunksOfTwoFourEightAndSoOn) {
  open(48);
  std::vector<std::uint32_t> chunks;
  for (std::uint32_t before = 0; chunks.size() < 7;) {
    ASSERT_NE(take(), nullptr);
    if (pool.capacity() != before) {
      chunks.push_back(pool.capacity() - before);
      before = pool.capacity();
      EXPECT_GE(source.asked.back(), chunks.back() * 48);
    }
  }
  EXPECT_EQ(chunks, (std::vector<std::uint32_t>{2, 4, 8, 16, 32, 32, 32}));
  EXPECT_EQ(pool.chunks(), 7U);
}

TEST_F(ObjectPoolTest, OpeningTakesNothingAndSaysWhatItCannotDo) {
  EXPECT_FALSE(pool.open(source.source(), 0));
  EXPECT_FALSE(pool.open(source.source(), 8, 0));
  EXPECT_FALSE(pool.open(source.source(), 8, 24));
  EXPECT_FALSE(pool.open(source.source(), SIZE_MAX));
  EXPECT_FALSE(pool.open(source.source(), SIZE_MAX / 32));
  EXPECT_FALSE(pool.open(source.source(), 8, SIZE_MAX / 2 + 1));
  EXPECT_FALSE(pool.is_open());
  open(8);
  EXPECT_TRUE(source.asked.empty());
}

TEST_F(ObjectPoolTest, ObjectsAreAlignedDisjointAndZeroAtFirst) {
  for (const std::size_t bytes : {1U, 7U, 24U, 100U}) {
    for (const std::size_t alignment : {1U, 2U, 8U, 64U, 256U}) {
      open(bytes, alignment);
      std::vector<std::byte*> objects = take(40);
      for (std::byte* object : objects) {
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(object) % alignment, 0U);
        for (std::size_t i = 0; i < bytes; ++i) {
          ASSERT_EQ(object[i], std::byte{0}) << "not zero on first use";
        }
        std::memset(object, 0xff, bytes);
      }
      std::sort(objects.begin(), objects.end());
      for (std::size_t i = 1; i < objects.size(); ++i) {
        ASSERT_GE(objects[i], objects[i - 1] + bytes);
      }
      EXPECT_TRUE(sound());
      pool.close();
    }
  }
}

TEST_F(ObjectPoolTest, TellsApartWhatAPointerIs) {
  open(24);
  const std::vector<std::byte*> objects = take(6);
  EXPECT_EQ(pool.free(objects[3] + 1), PointerStatus::interior);
  EXPECT_EQ(pool.free(objects[3] + 8), PointerStatus::interior);
  EXPECT_EQ(pool.free(objects[3]), PointerStatus::live);
  EXPECT_EQ(pool.free(objects[3]), PointerStatus::not_live) << "freed twice";
  EXPECT_EQ(pool.free(objects[3] + 8), PointerStatus::not_live);
  int local = 0;
  EXPECT_EQ(pool.free(&local), PointerStatus::foreign);
  EXPECT_EQ(pool.free(nullptr), PointerStatus::foreign);
  for (const auto& [chunk, bytes] : source.chunks) {
    auto* start = static_cast<std::byte*>(chunk);
    EXPECT_EQ(pool.free(start), PointerStatus::foreign) << "the header is no object";
    EXPECT_EQ(pool.free(start + bytes), PointerStatus::foreign);
  }
  EXPECT_EQ(pool.live(), 5U);
}

TEST_F(ObjectPoolTest, NothingThatIsWrittenIntoObjectsBreaksIt) {
  open(32, 32);
  std::vector<std::byte*> objects = take(6);
  std::sort(objects.begin(), objects.end());
  EXPECT_EQ(pool.free(objects[1]), PointerStatus::live);
  for (std::byte* object : objects) {
    std::memset(object, 0xff, 32);  // live or not
  }
  EXPECT_TRUE(sound());
  EXPECT_EQ(pool.free(objects[1]), PointerStatus::not_live);
  EXPECT_EQ(take(), objects[1]);
  EXPECT_EQ(pool.live(), 6U);
}

TEST_F(ObjectPoolTest, AFailedGrowthLeavesThePoolAsBefore) {
  open(16);
  source.allowed = 0;
  EXPECT_EQ(take(), nullptr);
  EXPECT_EQ(pool.chunks(), 0U);
  source.allowed = 2;
  const std::vector<std::byte*> objects = take(6);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(take(), nullptr);
    EXPECT_EQ(pool.live(), 6U);
    EXPECT_EQ(pool.chunks(), 2U);
    EXPECT_TRUE(sound());
  }
  EXPECT_EQ(pool.free(objects[4]), PointerStatus::live);
  EXPECT_EQ(take(), objects[4]) << "what is free needs no growth";
  source.allowed = 1;
  EXPECT_NE(take(), nullptr);
  EXPECT_EQ(pool.capacity(), 14U) << "a failed growth changed the size of the next chunk";
}

TEST_F(ObjectPoolTest, PruningGivesEmptyChunksBackAndForgetsThem) {
  // A chunk was given back once while the list of free objects still pointed into it.
  open(16);
  const std::vector<std::byte*> objects = take(14);  // chunks of 2, 4 and 8
  for (std::size_t i = 2; i < 6; ++i) {
    pool.free(objects[i]);
  }
  pool.prune();
  EXPECT_EQ(pool.chunks(), 2U);
  EXPECT_EQ(source.chunks.size(), 2U);
  EXPECT_EQ(pool.capacity(), 10U);
  for (std::size_t i = 2; i < 6; ++i) {
    EXPECT_EQ(pool.free(objects[i]), PointerStatus::foreign);
  }
  const std::byte* next = take();
  EXPECT_EQ(pool.capacity(), 26U) << "twice the last one";
  EXPECT_EQ(pool.status(next), PointerStatus::live);
  for (std::size_t i = 6; i < 14; ++i) {
    EXPECT_EQ(pool.free(objects[i]), PointerStatus::live);
  }
  EXPECT_EQ(pool.chunks(), 3U) << "empty chunks stay until they are pruned";
  pool.prune();
  EXPECT_EQ(pool.chunks(), 2U);
  pool.free(objects[0]);
  pool.free(objects[1]);
  pool.free(const_cast<std::byte*>(next));
  pool.prune();
  EXPECT_TRUE(source.chunks.empty());
  ASSERT_NE(take(), nullptr);
  EXPECT_EQ(pool.capacity(), 2U) << "an empty pool starts again";
}

TEST_F(ObjectPoolTest, AnotherPoolMayGoOnWithItsChunks) {
  ObjectPool before;
  ASSERT_TRUE(before.open(source.source(), 24));
  void* const first = before.allocate();
  void* const chunk = source.chunks.begin()->first;
  for (int i = 0; i < 9; ++i) {
    ASSERT_NE(before.allocate(), nullptr);
  }
  EXPECT_EQ(before.free(first), PointerStatus::live);
  ASSERT_TRUE(pool.open(source.source(), 24));
  pool.resume(chunk);
  EXPECT_EQ(pool.live(), 9U);
  EXPECT_EQ(pool.chunks(), 3U);
  EXPECT_EQ(pool.capacity(), 14U);
  EXPECT_EQ(pool.free(first), PointerStatus::not_live);
  EXPECT_EQ(pool.allocate(), first);
  take(4);
  const std::size_t next = pool.next_chunk_bytes();
  take(1);
  EXPECT_EQ(source.asked.back(), next);
  EXPECT_EQ(pool.capacity(), 30U);
}

TEST_F(ObjectPoolTest, IteratingStopsWhereItIsTold) {
  open(sizeof(std::uint32_t));
  for (std::uint32_t i = 0; i < 40; ++i) {
    *static_cast<std::uint32_t*>(pool.allocate()) = i;
  }
  std::set<std::uint32_t> seen;
  const ObjectPool::Visit note = [](void* object, void* argument) {
    static_cast<std::set<std::uint32_t>*>(argument)->insert(*static_cast<std::uint32_t*>(object));
    return false;
  };
  EXPECT_FALSE(pool.iterate(note, &seen));
  EXPECT_EQ(seen.size(), 40U);
  std::pair<std::uint32_t, std::uint32_t> search{17, 0};  // what is sought, calls
  const ObjectPool::Visit seek = [](void* object, void* argument) {
    auto& state = *static_cast<std::pair<std::uint32_t, std::uint32_t>*>(argument);
    ++state.second;
    return *static_cast<std::uint32_t*>(object) == state.first;
  };
  EXPECT_TRUE(pool.iterate(seek, &search));
  EXPECT_EQ(search.second, 18U);
  search = {40, 0};
  EXPECT_FALSE(pool.iterate(seek, &search));
  EXPECT_EQ(search.second, 40U);
}

TEST_F(ObjectPoolTest, VisitedObjectsMayBeFreed) {
  open(16);
  take(40);
  const ObjectPool::Visit end = [](void* object, void* argument) {
    EXPECT_EQ(static_cast<ObjectPool*>(argument)->free(object), PointerStatus::live);
    return false;
  };
  EXPECT_FALSE(pool.iterate(end, &pool));
  EXPECT_EQ(pool.live(), 0U);
  EXPECT_FALSE(pool.iterate(end, &pool)) << "nothing is live any more";
}

TEST_F(ObjectPoolTest, RandomUseAgainstAModel) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const std::size_t bytes = random.between(1, 80);
    open(bytes, std::size_t{1} << random.below(7));
    std::map<std::byte*, std::byte> live;
    std::size_t most = random.between(1, 200);
    for (int step = 0; step < 400; ++step) {
      const std::size_t what = random.below(20);
      if (what < 10 && live.size() < most) {
        source.allowed = random.one_in(4) ? 0 : 100;
        const bool full = pool.live() == pool.capacity();
        std::byte* object = take();
        ASSERT_EQ(object != nullptr, !full || source.allowed > 0);
        if (object != nullptr) {
          const std::byte pattern{static_cast<unsigned char>(random.below(256))};
          ASSERT_TRUE(live.emplace(object, pattern).second) << "handed out twice";
          std::memset(object, std::to_integer<int>(pattern), bytes);
        }
      } else if (what < 19 && !live.empty()) {
        auto victim = live.begin();
        std::advance(victim, random.below(live.size()));
        for (std::size_t i = 0; i < bytes; ++i) {
          ASSERT_EQ(victim->first[i], victim->second) << "seed " << seed << " step " << step;
        }
        ASSERT_EQ(pool.free(victim->first), PointerStatus::live);
        ASSERT_EQ(pool.free(victim->first), PointerStatus::not_live);
        live.erase(victim);
      } else {
        pool.prune();
        ASSERT_TRUE(!live.empty() || pool.chunks() == 0);
        most = random.between(1, 200);
      }
      ASSERT_EQ(pool.live(), live.size());
      ASSERT_EQ(pool.chunks(), source.chunks.size());
      ASSERT_TRUE(sound());
    }
    std::set<std::byte*> seen;
    pool.iterate(
        [](void* object, void* argument) {
          return !static_cast<std::set<std::byte*>*>(argument)
                      ->insert(static_cast<std::byte*>(object))
                      .second;
        },
        &seen);
    ASSERT_EQ(seen.size(), live.size());
    for (std::byte* object : seen) {
      ASSERT_EQ(live.count(object), 1U);
    }
    pool.close();
    ASSERT_TRUE(source.chunks.empty());
  }
}

TEST(ObjectPoolOnAHeap, TakesItsChunksFromThereAndLeavesNothing) {
  HeapWorld world(small_platform(true, 16), PortKind::host);
  PageAccount account;
  account.limit = 3;
  ElasticHeap heap;
  ASSERT_TRUE(heap.open(world.space(), world.descriptors(), HeapId{1}, account, {.span_pages = 8}));
  ObjectPool pool;
  ASSERT_TRUE(pool.open(object_source(heap), 100));
  std::vector<void*> objects;
  while (void* object = pool.allocate()) {
    objects.push_back(object);
  }
  EXPECT_EQ(objects.size(), 94U);  // 2, 4, 8, 16, 32 and 32; no third chunk of 32 fits
  EXPECT_EQ(heap.stats().live_blocks, pool.chunks());
  EXPECT_TRUE(pool.check(CheckDepth::deep) && heap.check(CheckDepth::deep));
  for (void* object : objects) {
    EXPECT_EQ(pool.free(object), PointerStatus::live);
  }
  pool.prune();
  EXPECT_EQ(account.held, 0U);
  EXPECT_EQ(heap.stats().live_blocks, 0U);
  pool.close();
  heap.close();
  EXPECT_EQ(world.pool().taken(), 0U);
}

TEST(ObjectPoolOnAHeap, RegionsServeThemInEitherMode) {
  HeapWorld world(small_platform(true, 16), PortKind::host);
  PageAccount account;
  Region region;
  ASSERT_TRUE(region.open(world.space(), world.descriptors(), HeapId{1}, account,
                          {.bytes = 3 * config::kPageBytes}));
  ObjectPool pool;
  ASSERT_TRUE(pool.open(object_source(region), 100));
  for (int i = 0; i < 6; ++i) {
    ASSERT_NE(pool.allocate(), nullptr);
  }
  region.set_interim();
  while (pool.allocate() != nullptr) {
  }
  EXPECT_GT(pool.chunks(), 2U);
  EXPECT_TRUE(pool.check(CheckDepth::deep) && region.check(CheckDepth::deep));
  pool.close();
  EXPECT_EQ(region.stats().live_blocks, 0U);
  EXPECT_TRUE(region.put());
  EXPECT_EQ(world.pool().taken(), 0U);
}

}  // namespace
}  // namespace modmem
