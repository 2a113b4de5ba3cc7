// Any thread may call at any time: own owners, shared owners, blocks that one thread takes and
// another frees. Built with -fsanitize=thread, this shows every access that is not locked.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::preset;
using testing::TestSystem;

constexpr int kThreads = 4;
constexpr int kRounds = 400;

// Blocks on their way from one thread to another.
class Exchange {
 public:
  struct Item {
    unsigned char* block = nullptr;
    std::size_t bytes = 0;
    unsigned char pattern = 0;
  };
  void put(const Item& item) {
    const std::lock_guard guard(mutex_);
    items_.push_back(item);
  }
  Item take() {
    const std::lock_guard guard(mutex_);
    if (items_.empty()) {
      return {};
    }
    const Item item = items_.front();
    items_.erase(items_.begin());
    return item;
  }

 private:
  std::mutex mutex_;
  std::vector<Item> items_;
};

class MemoryThreads : public ::testing::TestWithParam<const Policy*> {
 protected:
  // Runs `body` with the numbers 0 to kThreads - 1, each in a thread and on a core of its own.
  template <typename Body>
  void in_threads(Body body) {
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int number = 0; number < kThreads; ++number) {
      threads.emplace_back([number, &body] {
        set_host_core(static_cast<std::uint32_t>(number));
        body(number);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  Exchange::Item allocate(Owner& owner, std::uint32_t random, Flags flags) {
    Exchange::Item item;
    item.bytes = 1 + random % 3000;
    item.pattern = static_cast<unsigned char>(random);
    item.block =
        static_cast<unsigned char*>(memory_.allocate({&owner, item.bytes, 0, flags, MODMEM_HERE}));
    if (item.block != nullptr) {
      std::memset(item.block, item.pattern, item.bytes);
    }
    return item;
  }
  void free(const Exchange::Item& item) {
    if (item.block != nullptr) {
      EXPECT_EQ(item.block[0], item.pattern);
      EXPECT_EQ(item.block[item.bytes - 1], item.pattern);
      EXPECT_EQ(memory_.free(item.block), PointerStatus::live);
    }
  }

  TestSystem system_{preset("mtl"), *GetParam()};
  Memory& memory_ = system_.memory();
};

INSTANTIATE_TEST_SUITE_P(Policies, MemoryThreads, ::testing::ValuesIn(kPolicies),
                         [](const auto& test) { return testing::test_name(test.param->name); });

TEST_P(MemoryThreads, OwnAndSharedOwnersAcrossThreads) {
  Owner& pipeline = system_.pipeline();
  Owner& shared = system_.module(pipeline, 2);
  Exchange exchange;
  in_threads([&](int number) {
    std::uint32_t random = static_cast<std::uint32_t>(number) + 1;
    Owner* own = memory_.create_owner(memory_.system(),
                                      {OwnerKind::pipeline, random, "own", OwnerSpec::kNoLimit, 0});
    ASSERT_NE(own, nullptr);
    for (int round = 0; round < kRounds; ++round) {
      random = random * 1664525U + 1013904223U;
      const Flags flags = (random & 0x10000) != 0 ? flag::kCoherent : 0;
      Exchange::Item item = allocate((random & 0x20000) != 0 ? *own : shared, random >> 8, flags);
      if ((random & 0x40000) != 0 && item.block != nullptr) {
        exchange.put(item);
        item = exchange.take();
      }
      free(item);
    }
    for (Exchange::Item item = exchange.take(); item.block != nullptr; item = exchange.take()) {
      free(item);
    }
    // Blocks of this owner may still be with others, who have them until they end.
  });
  for (Exchange::Item item = exchange.take(); item.block != nullptr; item = exchange.take()) {
    free(item);
  }
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(memory_.system().tree, 0U);
  EXPECT_TRUE(system_.seen().faults.empty());
  EXPECT_TRUE(system_.seen().failures.empty());
}

// Every block is freed by another core than the one that took it.
TEST_P(MemoryThreads, BlocksEndOnOtherCores) {
  TestSystem system{preset("tgl"), *GetParam()};  // of as many cores as there are threads
  Memory& memory = system.memory();
  std::array<Exchange, kThreads> to;
  std::array<Owner*, kThreads> owners{};
  for (int number = 0; number < kThreads; ++number) {
    owners[static_cast<std::size_t>(number)] =
        &system.owner(memory.system(), {.kind = OwnerKind::pipeline,
                                        .name = "pipeline",
                                        .core = static_cast<std::uint8_t>(number)});
  }
  const auto end = [&](const Exchange::Item& item) {
    for (std::size_t i = 0; i < item.bytes; ++i) {
      ASSERT_EQ(item.block[i], item.pattern);
    }
    EXPECT_EQ(memory.free(item.block), PointerStatus::live);
  };
  in_threads([&](int number) {
    const auto self = static_cast<std::size_t>(number);
    std::uint32_t random = static_cast<std::uint32_t>(number) + 1;
    for (int round = 0; round < kRounds; ++round) {
      random = random * 1664525U + 1013904223U;
      Owner& owner = (random & 0x10000) != 0 ? *owners[self] : memory.system();
      Exchange::Item item{nullptr, 1 + (random >> 8) % 700, static_cast<unsigned char>(random)};
      item.block =
          static_cast<unsigned char*>(memory.allocate({&owner, item.bytes, 0, 0, MODMEM_HERE}));
      if (item.block == nullptr) {
        EXPECT_NE(GetParam()->pipeline, HeapKind::elastic) << "arenas and slots may run out";
        continue;
      }
      std::memset(item.block, item.pattern, item.bytes);
      to[(self + 1 + (random >> 20) % (kThreads - 1)) % kThreads].put(item);
      const Exchange::Item other = to[self].take();
      if (other.block != nullptr) {
        end(other);
      }
    }
  });
  in_threads([&](int number) {
    Exchange& mine = to[static_cast<std::size_t>(number)];
    for (Exchange::Item item = mine.take(); item.block != nullptr; item = mine.take()) {
      end(item);
    }
  });
  EXPECT_EQ(memory.system().tree, 0U);
  EXPECT_TRUE(system.check());
  in_threads([&](int) { EXPECT_EQ(memory.drain(UINT32_MAX), 0U); });
  memory.for_each_heap([](const HeapReport& heap) {
    EXPECT_EQ(heap.queued_bytes, 0U);
    EXPECT_EQ(heap.live_bytes, 0U);
  });
  EXPECT_TRUE(system.check());
  EXPECT_TRUE(system.seen().faults.empty());
}

TEST_P(MemoryThreads, OwnersComeAndGo) {
  // Each core's heap of the system is there from its first request on.
  const auto settle = [&] {
    in_threads([&](int) { free(allocate(memory_.system(), 1, 0)); });
    in_threads([&](int) { EXPECT_EQ(memory_.drain(UINT32_MAX), 0U); });
  };
  settle();
  const testing::PoolState before = system_.pool_state();
  in_threads([&](int number) {
    for (std::uint32_t round = 0; round < kRounds / 4; ++round) {
      const auto id = static_cast<std::uint32_t>(number);
      const std::size_t guarantee = GetParam()->pipeline != HeapKind::none ? 4096 : 0;
      Owner* pipeline = memory_.create_owner(
          memory_.system(), {OwnerKind::pipeline, id, "pipeline", OwnerSpec::kNoLimit, guarantee});
      ASSERT_NE(pipeline, nullptr);
      Owner* module = memory_.create_owner(*pipeline, {OwnerKind::module, id, "module"});
      ASSERT_NE(module, nullptr);
      ASSERT_NE(allocate(*module, round * 7, 0).block, nullptr);
      ASSERT_NE(allocate(*module, round * 13, flag::kKernel).block, nullptr);
      ASSERT_NE(allocate(*pipeline, round * 11, flag::kShared).block, nullptr);
      EXPECT_EQ(memory_.release_all(*module), 2U);
      EXPECT_EQ(memory_.destroy_owner(*pipeline), 1U);
    }
  });
  EXPECT_TRUE(system_.check());
  settle();
  EXPECT_EQ(system_.pool_state(), before);
}

TEST_P(MemoryThreads, BlocksAreResizedWhileOthersLook) {
  Owner& pipeline = system_.pipeline();
  std::atomic<bool> done = false;
  std::thread watcher([&] {
    while (!done) {
      EXPECT_TRUE(memory_.check(CheckDepth::deep));
      std::size_t live = 0;
      memory_.for_each_heap([&](const HeapReport& heap) { live += heap.live_bytes; });
      EXPECT_LE(live, 2883584U);
      EXPECT_GT(memory_.largest_request({&pipeline, 1, 0, 0, {}}), 0U);
      EXPECT_GT(memory_.metadata_bytes(), 0U);
      EXPECT_EQ(memory_.audio_path_calls() % 2, 0U);
    }
  });
  in_threads([&](int number) {
    std::uint32_t random = static_cast<std::uint32_t>(number) + 1;
    Owner* module = memory_.create_owner(pipeline, {.id = random, .name = "module"});
    ASSERT_NE(module, nullptr);
    void* block = nullptr;
    for (int round = 0; round < kRounds; ++round) {
      random = random * 1664525U + 1013904223U;
      void* resized =
          memory_.reallocate(block, {module, 1 + (random >> 8) % 9000, 0, 0, MODMEM_HERE});
      ASSERT_NE(resized, nullptr);
      block = resized;
      EXPECT_GT(memory_.usable_size(block), 0U);
      int local = 0;
      EXPECT_EQ(memory_.free(&local), PointerStatus::foreign);
    }
    EXPECT_EQ(memory_.destroy_owner(*module), 1U);
  });
  done = true;
  watcher.join();
  EXPECT_EQ(system_.seen().faults.size(), std::size_t{kThreads} * kRounds);
  EXPECT_TRUE(system_.check());
}

}  // namespace
}  // namespace modmem
