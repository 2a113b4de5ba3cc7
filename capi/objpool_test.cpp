// Object pools in C: objects of one size behind a head of the caller's.

#include <rtos/alloc.h>
#include <sof/objpool.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "capi/capi_testing.hpp"

namespace modmem {
namespace {

class CObjpoolTest : public QuietTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { boot(GetParam()); }
};

MODMEM_ON_ALL_HOSTS(CObjpoolTest);

TEST_P(CObjpoolTest, IsEmptyWhileItHoldsNoMemory) {
  objpool_head zeroed{};
  objpool_head listed{};
  list_init(&listed.list);
  for (objpool_head* head : {&zeroed, &listed}) {
    objpool_prune(head);
    EXPECT_EQ(objpool_iterate(
                  head, [](void*, void*) { return true; }, nullptr),
              -ENOENT);
    EXPECT_TRUE(list_is_empty(&head->list));
    EXPECT_EQ(objpool_alloc(head, 0, 0), nullptr);
    EXPECT_EQ(objpool_alloc(head, std::size_t{1} << 40, 0), nullptr);
    EXPECT_EQ(objpool_alloc(head, SIZE_MAX / 2, 0), nullptr);
    EXPECT_TRUE(list_is_empty(&head->list));
    void* object = objpool_alloc(head, 20, SOF_MEM_FLAG_USER);
    ASSERT_NE(object, nullptr);
    EXPECT_EQ(head->flags, static_cast<std::uint32_t>(SOF_MEM_FLAG_USER));
    EXPECT_FALSE(list_is_empty(&head->list));
    EXPECT_EQ(objpool_free(head, object), 0);
    EXPECT_FALSE(list_is_empty(&head->list));
    objpool_prune(head);
    EXPECT_TRUE(list_is_empty(&head->list));
    EXPECT_EQ(system_heap().live_bytes, 0U);
  }
  EXPECT_EQ(said("no memory: "), 2U);
}

TEST_P(CObjpoolTest, GrowsByTwoFourEightUpToThirtyTwo) {
  constexpr std::size_t kBytes = 5;
  constexpr std::size_t kStride = 8;
  objpool_head head{};
  std::vector<char*> objects;
  std::size_t room = 2;
  for (int chunk = 0; chunk < 7; ++chunk, room = room < 32 ? 2 * room : 32) {
    const std::uint64_t requests = system_heap().allocations;
    for (std::size_t i = 0; i < room; ++i) {
      objects.push_back(static_cast<char*>(objpool_alloc(&head, kBytes, 0)));
      ASSERT_NE(objects.back(), nullptr);
      EXPECT_EQ(objects.back()[0], 0);
      objects.back()[0] = 'x';
      EXPECT_EQ(objects.back(), objects[objects.size() - 1 - i] + i * kStride);
    }
    EXPECT_EQ(system_heap().allocations - requests, 1U);
  }
  EXPECT_EQ(objpool_alloc(&head, kBytes + 1, 0), nullptr);
  EXPECT_EQ(objpool_alloc(&head, kBytes, SOF_MEM_FLAG_COHERENT), nullptr);
  EXPECT_EQ(said("objpool_alloc: size or flags differ"), 2U);
  EXPECT_EQ(objpool_free(&head, objects[3]), 0);
  EXPECT_EQ(objpool_alloc(&head, kBytes, 0), objects[3]);
  EXPECT_EQ(objects[3][0], 'x');  // as it was left
  objpool_prune(&head);
  EXPECT_EQ(system_heap().live_bytes, 0U);
}

TEST_P(CObjpoolTest, RefusesWhatIsNotLive) {
  objpool_head head{};
  objpool_head other{};
  char* object = static_cast<char*>(objpool_alloc(&head, 24, 0));
  void* others = objpool_alloc(&other, 24, 0);
  int local = 0;
  EXPECT_EQ(objpool_free(&head, nullptr), 0);
  EXPECT_EQ(objpool_free(&head, object + 1), -EINVAL);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_INTERIOR);
  EXPECT_EQ(objpool_free(&head, others), -EINVAL);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_FOREIGN);
  EXPECT_EQ(objpool_free(&head, &local), -EINVAL);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_FOREIGN);
  EXPECT_EQ(objpool_free(&head, object), 0);
  EXPECT_EQ(objpool_free(&head, object), -EINVAL);
  const SeenFault seen = fault();
  EXPECT_EQ(seen.kind, MODMEM_FAULT_NOT_LIVE);
  EXPECT_EQ(seen.function, "objpool_free");
  EXPECT_EQ(seen.pointer, object);
  EXPECT_FALSE(seen.fatal);
  EXPECT_EQ(said("objpool_free: "), 4U);
  objpool_prune(&head);
  EXPECT_EQ(objpool_free(&head, object), -EINVAL);
  fault();
  EXPECT_EQ(said("objpool_free: "), 1U);
  objpool_prune(&other);
}

TEST_P(CObjpoolTest, IteratesUntilOneSaysTrue) {
  objpool_head head{};
  for (int number = 0; number < 20; ++number) {
    auto* object = static_cast<int*>(objpool_alloc(&head, sizeof(int), 0));
    ASSERT_NE(object, nullptr);
    *object = number;
  }
  std::set<int> seen;
  const auto note = [](void* data, void* arg) {
    static_cast<std::set<int>*>(arg)->insert(*static_cast<int*>(data));
    return *static_cast<int*>(data) == 7;
  };
  EXPECT_EQ(objpool_iterate(&head, note, &seen), 0);
  EXPECT_EQ(seen.size(), 8U);
  const auto never = [](void* data, void* arg) {
    static_cast<std::set<int>*>(arg)->insert(*static_cast<int*>(data));
    return false;
  };
  EXPECT_EQ(objpool_iterate(&head, never, &seen), -ENOENT);
  EXPECT_EQ(seen.size(), 20U);
  objpool_prune(&head);
}

TEST_P(CObjpoolTest, TakesChunksWhereItsHeadSays) {
  k_heap* heap = modmem_heap_create("pool", 2000);
  ASSERT_NE(heap, nullptr);
  objpool_head head{};
  head.heap = heap;
  ASSERT_NE(objpool_alloc(&head, 100, 0), nullptr);
  struct modmem_heap_info seen {};
  ASSERT_EQ(modmem_heap_info(heap, &seen), 0);
  EXPECT_GE(seen.live_bytes, 200U);
  EXPECT_EQ(system_heap().live_bytes, 0U);
  std::size_t count = 1;
  while (objpool_alloc(&head, 100, 0) != nullptr) {
    ++count;
  }
  EXPECT_EQ(count, 14U);  // 2 + 4 + 8, and no room for 16 more
  EXPECT_EQ(said("no memory: "), 1U);
  objpool_prune(&head);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);

  head.heap = nullptr;
  head.vreg = vregion_create(4096);
  ASSERT_NE(head.vreg, nullptr);
  ASSERT_NE(objpool_alloc(&head, 100, 0), nullptr);
  EXPECT_EQ(system_heap().live_bytes, 0U);
  objpool_prune(&head);
  EXPECT_EQ(vregion_put(head.vreg), nullptr);
}

TEST_P(CObjpoolTest, CoherentObjectsComeFromTheUncachedAlias) {
  objpool_head head{};
  void* object = objpool_alloc(&head, 40, SOF_MEM_FLAG_COHERENT);
  ASSERT_NE(object, nullptr);
  std::memset(object, 1, 40);
  EXPECT_EQ(objpool_free(&head, object), 0);
  objpool_prune(&head);
}

}  // namespace
}  // namespace modmem
