// ModuleHandle and ModuleArray: objects in module memory that end by themselves.

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

#include "memory/testing/test_system.hpp"
#include "module/module_memory.hpp"

namespace modmem {
namespace {

using testing::is_aligned;
using testing::preset;
using testing::TestSystem;

// Counts who is alive, and in which order they go.
struct Counted {
  static inline int constructed = 0;
  static inline int destroyed = 0;
  static inline const Counted* last = nullptr;

  Counted() { ++constructed; }
  explicit Counted(int initial) : value(initial) { ++constructed; }
  Counted(int& by_reference, std::pair<int, int>&& moved) : value(moved.first) {
    ++by_reference;
    ++constructed;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() {
    ++destroyed;
    last = this;
  }

  int value = 5;
};

struct Base {
  virtual ~Base() = default;
  virtual int answer() const { return 1; }
};
struct Other {
  virtual ~Other() = default;
  int padding[8] = {};
};
struct Derived : Other, Base {  // a Base that does not start where the block does
  ~Derived() override { ++Counted::destroyed; }
  int answer() const override { return 42; }
};

struct alignas(256) Wide {
  std::uint8_t data[256];
};

class ModuleHandleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Counted::constructed = 0;
    Counted::destroyed = 0;
    ASSERT_TRUE(module_.open(memory_, pipeline_, {OwnerKind::module, 1, "module", 8192, 0}));
    ASSERT_TRUE(other_.open(memory_, pipeline_, {OwnerKind::module, 2, "other"}));
  }
  void TearDown() override {
    EXPECT_EQ(module_.close(), 0U);
    EXPECT_EQ(other_.close(), 0U);
    EXPECT_TRUE(system_.seen().faults.empty());
    EXPECT_EQ(Counted::constructed, Counted::destroyed);
    EXPECT_TRUE(system_.check());
  }

  TestSystem system_{preset("mtl")};
  Memory& memory_ = system_.memory();
  Owner& pipeline_ = system_.pipeline();
  ModuleMemory module_;
  ModuleMemory other_;
};

TEST_F(ModuleHandleTest, MakesAndDestroysOnce) {
  {
    const ModuleHandle<Counted> handle = module_.make<Counted>(7);
    ASSERT_TRUE(handle);
    EXPECT_EQ(handle->value, 7);
    EXPECT_EQ((*handle).value, 7);
    EXPECT_EQ(handle.get(), &*handle);
    EXPECT_EQ(module_.held_bytes(), sizeof(Counted));
    EXPECT_EQ(Counted::constructed, 1);
    EXPECT_EQ(Counted::destroyed, 0);
  }
  EXPECT_EQ(Counted::destroyed, 1);
  EXPECT_EQ(module_.held_bytes(), 0U);
}

TEST_F(ModuleHandleTest, ForwardsArguments) {
  int counter = 0;
  const auto handle = module_.make<Counted>(counter, std::pair<int, int>(3, 4));
  EXPECT_EQ(counter, 1);
  EXPECT_EQ(handle->value, 3);
}

TEST_F(ModuleHandleTest, MovesWithoutCopyOrLoss) {
  ModuleHandle<Counted> first = module_.make<Counted>(1);
  ModuleHandle<Counted> second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): empty is what it promises
  EXPECT_EQ(second->value, 1);
  ModuleHandle<Counted> third = other_.make<Counted>(2);
  third = std::move(second);  // ends what it held, in the memory that it came from
  EXPECT_EQ(Counted::destroyed, 1);
  EXPECT_EQ(other_.held_bytes(), 0U);
  EXPECT_EQ(third->value, 1);
  ModuleHandle<Counted>& itself = third;
  third = std::move(itself);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->value, 1);
  EXPECT_EQ(Counted::destroyed, 1);
  third.reset();
  third.reset();
  EXPECT_FALSE(third);
  EXPECT_EQ(Counted::destroyed, 2);
  first = module_.make<Counted>(3);  // may be used again
  EXPECT_EQ(first->value, 3);
}

TEST_F(ModuleHandleTest, EmptyOnesDoNothing) {
  ModuleHandle<Counted> empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.get(), nullptr);
  empty.reset();
  const ModuleHandle<Counted> moved = std::move(empty);
  EXPECT_FALSE(moved);
}

TEST_F(ModuleHandleTest, ConvertsToItsBase) {
  ModuleHandle<Base> base = module_.make<Derived>();
  ASSERT_TRUE(base);
  EXPECT_EQ(base->answer(), 42);
  EXPECT_EQ(module_.held_bytes(), sizeof(Derived));
  base = ModuleHandle<Base>(module_.make<Derived>());
  EXPECT_EQ(Counted::destroyed, 1);
  ModuleHandle<Base> last = std::move(base);
  last.reset();
  EXPECT_EQ(Counted::destroyed, 2);
  EXPECT_EQ(module_.held_bytes(), 0U);
  Counted::destroyed = 0;
  const ModuleHandle<Base> none = ModuleHandle<Derived>();
  EXPECT_FALSE(none);
}

TEST_F(ModuleHandleTest, HonoursAlignmentBeyondTheGranule) {
  const auto small = module_.make<char>('x');
  const auto wide = module_.make<Wide>();
  ASSERT_TRUE(wide);
  EXPECT_TRUE(is_aligned(wide.get(), 256));
  const auto array = module_.make_array<Wide>(3);
  ASSERT_TRUE(array);
  EXPECT_TRUE(is_aligned(array.data(), 256));
  EXPECT_TRUE(is_aligned(&array[2], 256));
}

TEST_F(ModuleHandleTest, OutOfMemoryGivesAnEmptyHandleAndLeaksNothing) {
  void* most = module_.allocate(8192 - sizeof(Counted) + 1);
  const auto handle = module_.make<Counted>(1);
  EXPECT_FALSE(handle);
  const auto array = module_.make_array<Counted>(1);
  EXPECT_FALSE(array);
  EXPECT_EQ(array.size(), 0U);
  EXPECT_EQ(Counted::constructed, 0);
  EXPECT_EQ(module_.failures(), 2U);
  EXPECT_EQ(module_.free(most), PointerStatus::live);
  EXPECT_EQ(module_.held_bytes(), 0U);
}

TEST_F(ModuleHandleTest, ArraysHoldValueInitialisedElements) {
  // On memory that was dirty before.
  void* dirty = module_.allocate(400);
  __builtin_memset(dirty, 0xff, 400);
  module_.free(dirty);
  auto numbers = module_.make_array<std::int32_t>(100);
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers.size(), 100U);
  EXPECT_EQ(numbers.end() - numbers.begin(), 100);
  for (const std::int32_t number : numbers) {
    ASSERT_EQ(number, 0);
  }
  numbers[99] = 7;
  EXPECT_EQ(numbers.data()[99], 7);
  EXPECT_EQ(module_.held_bytes(), 400U);
}

TEST_F(ModuleHandleTest, ArraysDestroyEveryElementOnceLastFirst) {
  auto array = module_.make_array<Counted>(4);
  EXPECT_EQ(Counted::constructed, 4);
  const Counted* first = array.data();
  ModuleArray<Counted> moved = std::move(array);
  EXPECT_FALSE(array);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(array.size(), 0U);
  EXPECT_EQ(moved.data(), first);
  EXPECT_EQ(moved.size(), 4U);
  moved = other_.make_array<Counted>(2);
  EXPECT_EQ(Counted::destroyed, 4);
  EXPECT_EQ(Counted::last, first);
  EXPECT_EQ(module_.held_bytes(), 0U);
  moved.reset();
  moved.reset();
  EXPECT_EQ(Counted::destroyed, 6);
  EXPECT_EQ(moved.size(), 0U);
}

TEST_F(ModuleHandleTest, ArraysTakeFlagsAndRefuseImpossibleSizes) {
  const auto coherent = module_.make_array<std::uint32_t>(10, flag::kUser | flag::kCoherent);
  EXPECT_TRUE(memory_.space().is_uncached(coherent.data()));
  EXPECT_FALSE(module_.make_array<std::uint32_t>(0));
  EXPECT_FALSE(module_.make_array<std::uint32_t>(SIZE_MAX / 4 + 1));
  EXPECT_FALSE(module_.make_array<std::uint32_t>(SIZE_MAX));
  EXPECT_EQ(module_.held_bytes(), 40U);
}

}  // namespace
}  // namespace modmem
