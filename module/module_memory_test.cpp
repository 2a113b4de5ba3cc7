// ModuleMemory: what a module holds is its own, counted, capped, and gone with it.

#include "module/module_memory.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "memory/testing/test_system.hpp"
#include "module/blob_handler.hpp"
#include "module/shared_copies.hpp"
#include "module/testing/two_modules.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::is_aligned;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class ModuleMemoryTest : public testing::TwoModules {
 protected:
  ModuleMemoryTest() : TwoModules(100000) {}
};

INSTANTIATE_TEST_SUITE_P(Policies, ModuleMemoryTest, ::testing::ValuesIn(kPolicies),
                         [](const auto& test) { return testing::test_name(test.param->name); });

TEST_P(ModuleMemoryTest, OpensAnAccountBelowItsParent) {
  ASSERT_NE(module_.owner(), nullptr);
  EXPECT_EQ(module_.owner()->parent, &pipeline_);
  EXPECT_EQ(module_.owner()->spec.id, 0x10001U);
  EXPECT_EQ(module_.owner()->spec.limit, 100000U);
  EXPECT_EQ(module_.held_bytes(), 0U);
  EXPECT_EQ(module_.high_water_mark(), 0U);
  EXPECT_EQ(module_.failures(), 0U);
}

TEST_P(ModuleMemoryTest, CountsWhatItHolds) {
  void* one = module_.allocate(1000);
  void* two = module_.allocate(2000, 256, flag::kUser | flag::kCoherent);
  ASSERT_NE(one, nullptr);
  ASSERT_NE(two, nullptr);
  EXPECT_TRUE(is_aligned(two, 256));
  EXPECT_EQ(module_.held_bytes(), 3000U);
  EXPECT_EQ(pipeline_.tree, 3000U);
  EXPECT_EQ(module_.free(one), PointerStatus::live);
  EXPECT_EQ(module_.held_bytes(), 2000U);
  EXPECT_EQ(module_.high_water_mark(), 3000U);
  EXPECT_EQ(module_.free(two), PointerStatus::live);
  EXPECT_EQ(module_.held_bytes(), 0U);
  EXPECT_EQ(module_.high_water_mark(), 3000U);
  EXPECT_EQ(other_.high_water_mark(), 0U);
}

TEST_P(ModuleMemoryTest, ZeroesOnRequest) {
  auto* block = static_cast<unsigned char*>(module_.allocate_zeroed(3000, 64));
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(is_aligned(block, 64));
  for (std::size_t i = 0; i < 3000; ++i) {
    ASSERT_EQ(block[i], 0);
  }
}

TEST_P(ModuleMemoryTest, GivesARange) {
  const Range range = module_.allocate_range(1000, 5000);
  ASSERT_NE(range.pointer, nullptr);
  EXPECT_EQ(range.bytes, 5000U);
  EXPECT_TRUE(is_aligned(range.pointer, system_.config().cache_line_bytes));
  EXPECT_EQ(module_.held_bytes(), 5000U);
  // The module's limit is the most that there is for it.
  EXPECT_EQ(module_.allocate_range(1000, 500000).bytes, 95000U);
  EXPECT_EQ(module_.allocate_range(1, 500000).pointer, nullptr);
  EXPECT_EQ(module_.failures(), 1U);
}

TEST_P(ModuleMemoryTest, HoldsItsLimitAndCountsFailures) {
  void* block = module_.allocate(60000);
  EXPECT_EQ(module_.allocate(40001), nullptr);
  ASSERT_EQ(seen_.failures.size(), 1U);
  EXPECT_EQ(seen_.failures[0].reason, FailureReason::limit);
  EXPECT_EQ(seen_.failures[0].owner_id, 0x10001U);
  EXPECT_STREQ(seen_.failures[0].owner_name, "gain");
  EXPECT_EQ(seen_.failures[0].largest_request, 40000U);
  EXPECT_EQ(module_.failures(), 1U);
  EXPECT_EQ(module_.allocate_zeroed(40001), nullptr);
  EXPECT_EQ(module_.failures(), 2U);
  EXPECT_EQ(module_.held_bytes(), 60000U);
  EXPECT_NE(module_.allocate(40000), nullptr);
  EXPECT_EQ(other_.failures(), 0U);
  EXPECT_EQ(module_.free(block), PointerStatus::live);
  EXPECT_EQ(module_.high_water_mark(), 100000U);
}

TEST_P(ModuleMemoryTest, ReleasesAllNewestFirst) {
  // The order shows in the invalidation of coherent blocks as they are taken back.
  std::vector<std::byte*> blocks;
  for (const std::size_t bytes : {100U, 5000U, 300U, 20U}) {
    blocks.push_back(
        memory_.space().to_cached(module_.allocate(bytes, 0, flag::kUser | flag::kCoherent)));
  }
  void* others = other_.allocate(10);
  system_.port().forget_invalidations();
  EXPECT_EQ(module_.release_all(), 4U);
  const auto& order = system_.port().invalidations();
  ASSERT_EQ(order.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(order[i].address, blocks[3 - i]);
  }
  EXPECT_EQ(module_.held_bytes(), 0U);
  EXPECT_TRUE(seen_.leaks.empty());
  EXPECT_EQ(module_.release_all(), 0U);
  EXPECT_NE(module_.allocate(10), nullptr);  // it is still open
  EXPECT_EQ(other_.free(others), PointerStatus::live);
  EXPECT_TRUE(system_.check());
}

TEST_P(ModuleMemoryTest, CloseReportsLeaksWithTheLineOfTheCall) {
  std::vector<std::uint32_t> lines;
  lines.push_back(__LINE__ + 1);
  module_.allocate(1);
  lines.push_back(__LINE__ + 1);
  module_.allocate_zeroed(2);
  lines.push_back(__LINE__ + 1);
  module_.allocate_range(3, 3);
  lines.push_back(__LINE__ + 1);
  auto array = module_.make_array<char>(4);
  lines.push_back(__LINE__ + 1);
  const auto from_lambda = [&] { return module_.allocate(5); };
  ASSERT_NE(from_lambda(), nullptr);
  EXPECT_EQ(module_.close(), 5U);
  ASSERT_EQ(seen_.leaks.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    const Leak& leak = seen_.leaks[4 - i];
    EXPECT_EQ(leak.bytes, i + 1);
    EXPECT_EQ(leak.owner_id, 0x10001U);
    EXPECT_EQ(leak.site.line, lines[i]) << i;
    EXPECT_NE(std::string(static_cast<const char*>(leak.site.where)).find("module_memory_test.cpp"),
              std::string::npos);
  }
  new (&array) ModuleArray<char>;  // what it held is gone
  EXPECT_EQ(module_.owner(), nullptr);
  EXPECT_EQ(pipeline_.tree, 0U);
  EXPECT_EQ(module_.close(), 0U);
}

TEST_P(ModuleMemoryTest, AbandonEndsAllAndReportsNoLeak) {
  SharedCopies copies(memory_);
  static constexpr char kTable[100] = {1};
  ASSERT_NE(copies.get(module_, kTable, sizeof kTable).copy, nullptr);
  ASSERT_NE(BlobHandler::create(module_, BlobMode::two_blobs), nullptr);
  ASSERT_NE(module_.allocate(1000), nullptr);
  module_.abandon();
  EXPECT_EQ(module_.owner(), nullptr);
  EXPECT_EQ(copies.copies(), 0U);
  EXPECT_EQ(memory_.system().tree, 0U);
  EXPECT_TRUE(system_.seen().leaks.empty());
  EXPECT_TRUE(system_.check());
  module_.abandon();  // it is closed
  EXPECT_TRUE(module_.open(memory_, pipeline_, {OwnerKind::module, 0x10003, "next"}));
}

TEST_P(ModuleMemoryTest, FailuresNameTheLineOfTheCall) {
  const std::uint32_t line = __LINE__ + 1;
  EXPECT_EQ(module_.allocate(100001), nullptr);
  EXPECT_EQ(seen_.failures.back().site.line, line);
  EXPECT_NE(std::string(static_cast<const char*>(seen_.failures.back().site.where))
                .find("module_memory_test.cpp"),
            std::string::npos);
}

TEST_P(ModuleMemoryTest, GoingOutOfScopeCloses) {
  const auto before = system_.pool_state();
  {
    ModuleMemory local;
    ASSERT_TRUE(local.open(memory_, pipeline_, {.id = 3, .name = "local"}));
    ASSERT_NE(local.allocate(5000), nullptr);
  }
  EXPECT_EQ(seen_.leaks.size(), 1U);
  EXPECT_EQ(pipeline_.tree, 0U);
  EXPECT_EQ(system_.pool_state(), before);
}

TEST_P(ModuleMemoryTest, CanBeOpenedAgain) {
  module_.close();
  ASSERT_TRUE(module_.open(memory_, pipeline_, {.id = 9, .name = "again"}));
  EXPECT_NE(module_.allocate(10), nullptr);
  EXPECT_EQ(module_.high_water_mark(), 10U);
}

TEST_P(ModuleMemoryTest, GivesNothingWhereNotOpen) {
  ModuleMemory closed;
  int local = 0;
  EXPECT_EQ(closed.owner(), nullptr);
  EXPECT_EQ(closed.allocate(10), nullptr);
  EXPECT_EQ(closed.allocate_zeroed(10), nullptr);
  EXPECT_EQ(closed.allocate_range(10, 20).pointer, nullptr);
  EXPECT_EQ(closed.free(nullptr), PointerStatus::live);
  EXPECT_EQ(closed.free(&local), PointerStatus::foreign);
  EXPECT_EQ(closed.release_all(), 0U);
  EXPECT_EQ(closed.close(), 0U);
  EXPECT_EQ(closed.held_bytes() + closed.high_water_mark() + closed.failures(), 0U);
  EXPECT_FALSE(closed.make<int>(1));
  EXPECT_FALSE(closed.make_array<int>(1));
}

TEST_P(ModuleMemoryTest, IsNotOpenedWhereThereIsNoRoom) {
  PlatformConfig config = preset("mtl");
  config.max_owners = 2;
  TestSystem system(config, *GetParam());
  ModuleMemory first;
  ModuleMemory second;
  EXPECT_TRUE(first.open(system.memory(), system.memory().system(), {}));
  EXPECT_FALSE(second.open(system.memory(), system.memory().system(), {}));
  EXPECT_EQ(second.allocate(10), nullptr);
  first.close();
  EXPECT_TRUE(second.open(system.memory(), system.memory().system(), {}));
}

TEST_P(ModuleMemoryTest, RefusesWhatIsNotItsOwn) {
  void* mine = module_.allocate(100);
  void* others = other_.allocate(100);
  void* kernels = memory_.allocate({nullptr, 100, 0, flag::kKernel, MODMEM_HERE});
  int local = 0;
  const auto before = figures(system_);
  EXPECT_EQ(module_.free(nullptr), PointerStatus::live);
  EXPECT_TRUE(seen_.faults.empty());
  EXPECT_EQ(module_.free(others), PointerStatus::foreign);
  EXPECT_EQ(module_.free(kernels), PointerStatus::foreign);
  EXPECT_EQ(module_.free(&local), PointerStatus::foreign);
  EXPECT_EQ(module_.free(static_cast<char*>(mine) + 8), PointerStatus::interior);
  EXPECT_EQ(module_.free(static_cast<char*>(others) + 16), PointerStatus::interior);
  ASSERT_EQ(seen_.faults.size(), 5U);
  for (const Fault& fault : seen_.faults) {
    EXPECT_EQ(fault.owner_id, 0x10001U);  // who tried
  }
  EXPECT_EQ(figures(system_), before);
  EXPECT_EQ(module_.free(mine), PointerStatus::live);
  EXPECT_EQ(module_.free(mine), PointerStatus::not_live);
  EXPECT_EQ(other_.free(others), PointerStatus::live);
  EXPECT_TRUE(system_.check());
}

TEST_P(ModuleMemoryTest, AnyThreadMayFree) {
  void* block = module_.allocate(100);
  std::thread([&] { EXPECT_EQ(module_.free(block), PointerStatus::live); }).join();
  EXPECT_EQ(module_.held_bytes(), 0U);
}

TEST_P(ModuleMemoryTest, SeveralThreadsMayShareIt) {
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int number = 0; number < 3; ++number) {
    threads.emplace_back([this] {
      for (std::size_t round = 1; round <= 200; ++round) {
        void* block = module_.allocate(round);
        EXPECT_GE(module_.held_bytes(), round);
        EXPECT_GE(module_.high_water_mark(), round);
        EXPECT_EQ(module_.failures(), 0U);
        EXPECT_EQ(module_.free(block), PointerStatus::live);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(module_.held_bytes(), 0U);
  EXPECT_LE(module_.high_water_mark(), 600U);
  EXPECT_EQ(module_.owner()->allocations, 600U);
}

// A resource that notes its end, and uses a block of its module until then.
class NotedResource final : public Resource {
 public:
  NotedResource(ModuleMemory& module, int number, std::vector<int>& ends, Site site)
      : Resource(ResourceKind::blob_handler, this, site),
        module_(module),
        block_(module.allocate(10)),
        number_(number),
        ends_(ends) {}

 private:
  void release() override {
    EXPECT_EQ(module_.free(block_), PointerStatus::live);
    ends_.push_back(number_);
  }
  std::size_t bytes() const override { return static_cast<std::size_t>(number_); }

  ModuleMemory& module_;
  void* block_;
  int number_;
  std::vector<int>& ends_;
};

TEST_P(ModuleMemoryTest, EndsResourcesNewestFirstAndBeforeBlocks) {
  std::vector<int> ends;
  std::vector<NotedResource*> resources;
  const auto hold = [&](int number, Site site = MODMEM_HERE) {
    resources.push_back(module_.make_resource<NotedResource>(site, module_, number, ends, site));
    ASSERT_NE(resources.back(), nullptr);
  };
  for (int number = 0; number < 4; ++number) {
    hold(number);
  }
  EXPECT_EQ(module_.held(), 8U);
  EXPECT_FALSE(module_.end_resource(ResourceKind::shared_copy, resources[1]));
  EXPECT_FALSE(module_.end_resource(ResourceKind::blob_handler, &ends));
  EXPECT_FALSE(other_.end_resource(ResourceKind::blob_handler, resources[1]));
  EXPECT_TRUE(ends.empty());
  EXPECT_TRUE(module_.end_resource(ResourceKind::blob_handler, resources[1]));
  EXPECT_FALSE(module_.end_resource(ResourceKind::blob_handler, resources[1]));
  ASSERT_NE(module_.allocate(10), nullptr);
  EXPECT_EQ(module_.release_all(), 4U);
  EXPECT_EQ(ends, (std::vector<int>{1, 3, 2, 0}));
  EXPECT_EQ(module_.release_all(), 0U);
  EXPECT_EQ(module_.held(), 0U);

  hold(4);
  const std::uint32_t line = __LINE__ + 1;
  hold(5);
  ASSERT_NE(module_.allocate(100), nullptr);
  EXPECT_EQ(module_.close(), 3U);
  EXPECT_EQ(ends, (std::vector<int>{1, 3, 2, 0, 5, 4}));
  ASSERT_EQ(seen_.leaks.size(), 3U);
  EXPECT_EQ(seen_.leaks[0].bytes, 5U);
  EXPECT_EQ(seen_.leaks[0].site.line, line);
  EXPECT_EQ(seen_.leaks[0].owner_id, 0x10001U);
  EXPECT_EQ(seen_.leaks[1].bytes, 4U);
  EXPECT_EQ(seen_.leaks[2].bytes, 100U);
  EXPECT_TRUE(seen_.faults.empty());
  EXPECT_FALSE(module_.end_resource(ResourceKind::blob_handler, resources[0]));
  EXPECT_EQ(module_.make_resource<NotedResource>(Site(), module_, 6, ends, Site()), nullptr);
  EXPECT_EQ(module_.held(), 0U);
}

TEST_P(ModuleMemoryTest, KeepsBooksInChunksThatTheSystemPaysFor) {
  const auto before = system_.pool_state();
  const std::uint64_t taken = memory_.system().allocations;
  const std::size_t charged = memory_.system().own;
  std::vector<int> ends;
  std::uint64_t chunks = 0;
  std::size_t room = 0;
  for (std::size_t count = 1; count <= 100; ++count) {
    ASSERT_NE(module_.make_resource<NotedResource>(Site(), module_, 1, ends, Site()), nullptr);
    if (count > room) {  // 2, 4, 8, 16, 32, 32, ...
      room += chunks < 5 ? std::size_t{2} << chunks : 32;
      ++chunks;
    }
    ASSERT_EQ(memory_.system().allocations - taken, chunks) << count;
    ASSERT_EQ(module_.held_bytes(), 10 * count);
    ASSERT_EQ(pipeline_.tree, 10 * count);
  }
  EXPECT_EQ(module_.release_all(), 100U);
  EXPECT_EQ(memory_.system().own, charged);
  EXPECT_EQ(system_.pool_state(), before);
}

TEST_P(ModuleMemoryTest, AResourceThatFindsNoPlaceIsNotMade) {
  std::vector<int> ends;
  std::vector<void*> all;
  for (std::size_t bytes = std::size_t{1} << 22; bytes >= 16; bytes /= 2) {
    while (void* block =
               memory_.allocate({nullptr, bytes, 0, flag::kCoherent | flag::kSilent, Site()})) {
      all.push_back(block);
    }
  }
  EXPECT_EQ(module_.make_resource<NotedResource>(Site(), module_, 1, ends, Site()), nullptr);
  EXPECT_EQ(module_.failures(), 1U);
  EXPECT_TRUE(seen_.failures.empty());
  EXPECT_EQ(module_.held(), 0U);
  for (void* block : all) {
    EXPECT_EQ(memory_.free(block), PointerStatus::live);
  }
  EXPECT_NE(module_.make_resource<NotedResource>(Site(), module_, 1, ends, Site()), nullptr);
  EXPECT_EQ(module_.release_all(), 1U);
}

TEST_P(ModuleMemoryTest, SeveralThreadsMayHoldResources) {
  const auto before = system_.pool_state();
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int number = 0; number < 3; ++number) {
    threads.emplace_back([this] {
      std::vector<int> ends;
      std::vector<NotedResource*> mine;
      for (int round = 0; round < 300; ++round) {
        mine.push_back(module_.make_resource<NotedResource>(Site(), module_, 1, ends, Site()));
        ASSERT_NE(mine.back(), nullptr);
        if (round % 3 == 2) {
          for (; !mine.empty(); mine.pop_back()) {
            ASSERT_TRUE(module_.end_resource(ResourceKind::blob_handler, mine.back()));
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(module_.held(), 0U);
  EXPECT_EQ(system_.pool_state(), before);
}

TEST_P(ModuleMemoryTest, FullMemoryFailsAndComesBack) {
  const auto before = system_.pool_state();
  ModuleMemory greedy;
  ASSERT_TRUE(greedy.open(memory_, pipeline_, {.id = 7, .name = "greedy"}));
  std::size_t count = 0;
  std::string kind;
  while (void* block = greedy.allocate(3 * kPage)) {
    kind = system_.heap_of(block).kind;
    ++count;
  }
  EXPECT_EQ(greedy.failures(), 1U);
  EXPECT_EQ(seen_.failures.back().reason,
            kind == "slots" ? FailureReason::slots : FailureReason::pool);
  EXPECT_EQ(module_.allocate(3 * kPage), nullptr);
  EXPECT_EQ(module_.failures(), 1U);
  EXPECT_EQ(seen_.failures.back().top_owners[0].id, 7U);
  EXPECT_EQ(greedy.release_all(), count);
  EXPECT_NE(module_.allocate(3 * kPage), nullptr);
  module_.release_all();
  greedy.close();
  EXPECT_EQ(system_.pool_state(), before);
}

}  // namespace
}  // namespace modmem
