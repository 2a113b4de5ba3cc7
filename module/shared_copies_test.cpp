// SharedCopies: one copy for all, gone with the last reference, whoever held it.

#include "module/shared_copies.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "memory/testing/access_probe.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::is_aligned;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kSources = 12;

class SharedCopiesTest : public ::testing::TestWithParam<const Policy*> {
 protected:
  void SetUp() override {
    for (std::size_t i = 0; i < sizeof(data_); ++i) {
      data_[i] = static_cast<unsigned char>(i * 7 + i / 256);
    }
    ASSERT_TRUE(module_.open(memory_, pipeline_, {OwnerKind::module, 0x10001, "eq"}));
    ASSERT_TRUE(other_.open(memory_, pipeline_, {OwnerKind::module, 0x10002, "src"}));
  }
  void TearDown() override {
    EXPECT_TRUE(copies_.check());
    EXPECT_TRUE(system_.check());
    EXPECT_TRUE(seen_.faults.empty());
  }

  const unsigned char* source(std::size_t index) const { return data_ + index * 1000; }
  static bool same(const void* copy, const void* source, std::size_t bytes) {
    return std::memcmp(copy, source, bytes) == 0;
  }

  unsigned char data_[kSources * 1000];
  TestSystem system_{preset("mtl"), *GetParam()};
  Memory& memory_ = system_.memory();
  testing::NotingObserver& seen_ = system_.seen();
  Owner& pipeline_ = system_.pipeline();
  SharedCopies copies_{memory_};
  ModuleMemory module_;
  ModuleMemory other_;
};

INSTANTIATE_TEST_SUITE_P(Policies, SharedCopiesTest, ::testing::ValuesIn(kPolicies),
                         [](const auto& test) { return testing::test_name(test.param->name); });

TEST_P(SharedCopiesTest, SharesOneCopyUntilTheLastReferenceGoes) {
  const auto before = system_.pool_state();
  const std::uint32_t first_line = __LINE__ + 1;
  const CopyResult first = copies_.get(source(0), 1000);
  ASSERT_EQ(first.status, CopyStatus::good);
  EXPECT_NE(first.copy, static_cast<const void*>(source(0)));
  EXPECT_TRUE(same(first.copy, source(0), 1000));
  EXPECT_TRUE(is_aligned(first.copy, system_.config().cache_line_bytes));
  const std::size_t held = memory_.system().own;
  const CopyResult second = copies_.get(source(0), 1000);
  EXPECT_EQ(second.copy, first.copy);
  EXPECT_EQ(copies_.references(source(0)), 2U);
  EXPECT_EQ(memory_.system().own, held);
  EXPECT_NE(copies_.get(source(1), 1000).copy, first.copy);
  EXPECT_EQ(copies_.copies(), 2U);
  EXPECT_EQ(copies_.put(copies_.get(source(1), 1000).copy), PointerStatus::live);
  EXPECT_EQ(copies_.references(source(1)), 1U);
  EXPECT_EQ(copies_.close(), 2U);
  EXPECT_EQ(system_.pool_state(), before);
  EXPECT_EQ(memory_.system().own, 0U);
  ASSERT_EQ(seen_.leaks.size(), 2U);  // each once, with its data's size and the first get
  EXPECT_EQ(seen_.leaks[1].bytes, 1000U);
  EXPECT_EQ(seen_.leaks[1].owner_kind, OwnerKind::system);
  EXPECT_EQ(seen_.leaks[1].site.line, first_line);
}

TEST_P(SharedCopiesTest, LastPutFrees) {
  const auto before = system_.pool_state();
  const void* copy = copies_.get(source(0), 999).copy;
  copies_.get(source(0), 999);
  EXPECT_EQ(copies_.put(copy), PointerStatus::live);
  EXPECT_TRUE(same(copy, source(0), 999));
  EXPECT_EQ(copies_.put(copy), PointerStatus::live);
  EXPECT_EQ(copies_.copies(), 0U);
  EXPECT_EQ(memory_.system().own, 0U);
  EXPECT_EQ(copies_.put(copy), PointerStatus::foreign);  // it was the last
  EXPECT_EQ(system_.pool_state(), before);
}

TEST_P(SharedCopiesTest, AnotherSizeIsRefusedAndChangesNothing) {
  const void* copy = copies_.get(source(0), 500).copy;
  const auto before = figures(system_);
  for (const std::size_t bytes : {499U, 501U, 1U}) {
    const CopyResult result = copies_.get(source(0), bytes);
    EXPECT_EQ(result.copy, nullptr);
    EXPECT_EQ(result.status, CopyStatus::other_size);
    EXPECT_EQ(result.known_bytes, 500U);
  }
  EXPECT_EQ(copies_.get(source(0), 0).status, CopyStatus::invalid);
  EXPECT_EQ(copies_.get(nullptr, 10).status, CopyStatus::invalid);
  EXPECT_EQ(copies_.references(source(0)), 1U);
  EXPECT_EQ(figures(system_), before);
  EXPECT_EQ(copies_.put(copy), PointerStatus::live);
  EXPECT_NE(copies_.get(source(0), 501).copy, nullptr);  // forgotten with the copy
}

TEST_P(SharedCopiesTest, WhatIsNoCopyChangesNothing) {
  const auto* copy = static_cast<const unsigned char*>(copies_.get(source(0), 500).copy);
  void* block = module_.allocate(100);
  const auto before = figures(system_);
  EXPECT_EQ(copies_.put(nullptr), PointerStatus::live);
  EXPECT_EQ(copies_.put(source(0)), PointerStatus::foreign);
  EXPECT_EQ(copies_.put(block), PointerStatus::foreign);
  EXPECT_EQ(copies_.put(copy + 1), PointerStatus::interior);
  EXPECT_EQ(copies_.put(copy + 499), PointerStatus::interior);
  EXPECT_EQ(copies_.put(copy + 500), PointerStatus::foreign);
  EXPECT_EQ(copies_.put(copy - 1), PointerStatus::foreign);
  EXPECT_EQ(copies_.references(source(0)), 1U);
  EXPECT_EQ(figures(system_), before);
  EXPECT_EQ(module_.free(block), PointerStatus::live);
}

TEST_P(SharedCopiesTest, ChargesTheOwnerGivenInWholeLines) {
  Owner& owner = system_.owner(memory_.system(), {OwnerKind::buffer, 5, "copies"});
  SharedCopies copies(memory_, &owner);
  copies.get(source(0), 1);
  const std::size_t one = owner.own;
  copies.get(source(1), system_.config().cache_line_bytes + 1);
  EXPECT_EQ(owner.own, 2 * one + system_.config().cache_line_bytes);
  EXPECT_EQ(memory_.system().own, 0U);
  EXPECT_EQ(copies.close(), 2U);
  EXPECT_EQ(owner.own, 0U);
}

// What a former user of the place left in the cache of a core is not what that core then reads.
TEST_P(SharedCopiesTest, EveryGetInvalidatesTheCopyForItsCore) {
  const void* copy = copies_.get(source(0), 700).copy;
  system_.port().forget_invalidations();
  copies_.get(source(0), 700);
  EXPECT_TRUE(system_.port().invalidated(static_cast<const std::byte*>(copy), 700));
}

// Entries that one core made were not seen by another in the field: they are past the caches, which
// shows in the invalidation of what is not the copy as they are taken back.
TEST_P(SharedCopiesTest, EntriesAndReferencesLiePastTheCaches) {
  // Without guards, which have the caches of blocks dropped as well.
  TestSystem system(preset("mtl"), *GetParam(), false, kHardeningNone);
  SharedCopies copies(system.memory());
  ModuleMemory module;
  ASSERT_TRUE(module.open(system.memory(), system.pipeline(), {OwnerKind::module, 0x10001, "eq"}));
  const CopyResult result = copies.get(module, source(0), 700);
  const auto* copy = static_cast<const std::byte*>(result.copy);
  system.port().forget_invalidations();
  EXPECT_EQ(copies.put(module, copy), PointerStatus::live);
  const auto& seen = system.port().invalidations();
  EXPECT_EQ(std::count_if(
                seen.begin(), seen.end(),
                [&](const auto& one) { return one.address < copy || one.address >= copy + 700; }),
            2);
  EXPECT_EQ(module.close(), 0U);
}

TEST_P(SharedCopiesTest, OutOfMemoryAnywhereLeavesNothingBehind) {
  copies_.get(source(0), 1000);
  std::size_t failed = 0;
  for (std::size_t room = 0;; room += 8) {
    Owner& copies_owner =
        system_.owner(memory_.system(), {OwnerKind::buffer, 5, "copies", room, 0});
    SharedCopies copies(memory_, &copies_owner);
    const CopyResult result = copies.get(source(1), 1000);
    if (result.status == CopyStatus::good) {
      EXPECT_TRUE(same(result.copy, source(1), 1000));
      EXPECT_EQ(copies.close(), 1U);
      EXPECT_EQ(memory_.destroy_owner(copies_owner), 0U);
      break;
    }
    ++failed;
    EXPECT_EQ(result.status, CopyStatus::no_memory);
    EXPECT_EQ(result.copy, nullptr);
    EXPECT_EQ(copies.copies(), 0U);
    EXPECT_EQ(copies_owner.own, 0U);
    EXPECT_EQ(copies_owner.failures, 1U);
    EXPECT_EQ(memory_.destroy_owner(copies_owner), 0U);
  }
  EXPECT_GT(failed, 100U);  // the limit stopped the entry as well as the copy
  EXPECT_EQ(copies_.get(source(2), SIZE_MAX).status, CopyStatus::no_memory);
  EXPECT_EQ(copies_.copies(), 1U);
}

TEST_P(SharedCopiesTest, FailedMappingsLeaveNothingBehind) {
  std::vector<unsigned char> large(100000, 3);
  const auto before = system_.pool_state();
  bool good = false;
  std::uint64_t maps = 0;
  for (; !good && maps < 1000; ++maps) {
    system_.port().host().fail_maps_after(maps);
    const CopyResult result = copies_.get(module_, large.data(), large.size());
    system_.port().host().fail_maps_after(HostPort::kNever);
    good = result.status == CopyStatus::good;
    if (good) {
      EXPECT_EQ(copies_.put(module_, result.copy), PointerStatus::live);
    }
    EXPECT_EQ(copies_.copies(), 0U);
    EXPECT_EQ(module_.held_bytes(), 0U);
    ASSERT_EQ(system_.pool_state(), before) << maps;
  }
  EXPECT_TRUE(good);
}

TEST_P(SharedCopiesTest, ThoseOfAReadableDomainAreReadByAllAndWrittenByNobody) {
  Owner* common = memory_.create_owner(memory_.system(), {OwnerKind::heap, 1, "copies"},
                                       {.isolated = true, .readable = true});
  Owner* domain =
      memory_.create_owner(pipeline_, {OwnerKind::heap, 2, "domain"}, {.isolated = true});
  ASSERT_NE(common, nullptr);
  ASSERT_NE(domain, nullptr);
  SharedCopies copies(memory_, common);
  testing::AccessProbe probe;
  memory_.enter_domain(domain);
  // What is copied lies in the domain, which nobody else can read.
  auto* data = static_cast<unsigned char*>(memory_.allocate({domain, 5000, 0, 0, MODMEM_HERE}));
  ASSERT_NE(data, nullptr);
  std::memset(data, 5, 5000);
  const CopyResult result = copies.get(data, 5000);
  ASSERT_EQ(result.status, CopyStatus::good);
  EXPECT_TRUE(same(result.copy, data, 5000));
  auto* copy = static_cast<std::byte*>(const_cast<void*>(result.copy));
  EXPECT_EQ(probe.access(copy), Access::read_only);
  EXPECT_EQ(probe.access(copy + 4999), Access::read_only);
  memory_.enter_domain(nullptr);
  EXPECT_EQ(probe.access(copy), Access::read_only);
  EXPECT_TRUE(copies.check());
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(copies.put(copy), PointerStatus::live);
  EXPECT_EQ(memory_.destroy_owner(*common), 0U);
}

TEST_P(SharedCopiesTest, ModulesGiveTheirReferencesBackAtTheirEnd) {
  const auto before = system_.pool_state();
  const void* copy = copies_.get(module_, source(0), 1000).copy;
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copies_.get(module_, source(0), 1000).copy, copy);
  EXPECT_EQ(copies_.get(other_, source(0), 1000).copy, copy);
  EXPECT_NE(copies_.get(module_, source(1), 1000).copy, nullptr);
  EXPECT_EQ(copies_.references(source(0)), 3U);
  EXPECT_EQ(copies_.put(module_, copy), PointerStatus::live);
  EXPECT_EQ(module_.release_all(), 2U);
  EXPECT_EQ(copies_.references(source(0)), 1U);
  EXPECT_EQ(copies_.references(source(1)), 0U);
  EXPECT_TRUE(seen_.leaks.empty());
  EXPECT_TRUE(same(copy, source(0), 1000));
  EXPECT_EQ(other_.release_all(), 1U);
  EXPECT_EQ(copies_.copies(), 0U);
  EXPECT_EQ(other_.release_all(), 0U);
  EXPECT_EQ(system_.pool_state(), before);
}

TEST_P(SharedCopiesTest, WhatAModuleStillHoldsIsALeakAndGoes) {
  const std::uint32_t line = __LINE__ + 1;
  copies_.get(module_, source(0), 1000);
  void* block = module_.allocate(10);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(module_.close(), 2U);
  ASSERT_EQ(seen_.leaks.size(), 2U);
  EXPECT_EQ(seen_.leaks[0].bytes, 1000U);
  EXPECT_EQ(seen_.leaks[0].site.line, line);
  EXPECT_EQ(seen_.leaks[0].owner_id, 0x10001U);
  EXPECT_EQ(seen_.leaks[1].bytes, 10U);
  EXPECT_EQ(copies_.copies(), 0U);
}

// A reference that another module holds is not this one's to drop: a double put would take it.
TEST_P(SharedCopiesTest, AModuleDropsItsOwnReferencesOnly) {
  const void* copy = copies_.get(module_, source(0), 1000).copy;
  copies_.get(other_, source(0), 1000);
  EXPECT_FALSE(module_.end_resource(ResourceKind::blob_handler, copy));  // nor as another kind
  EXPECT_EQ(copies_.put(module_, copy), PointerStatus::live);
  EXPECT_EQ(copies_.put(module_, copy), PointerStatus::foreign);
  EXPECT_EQ(copies_.put(module_, source(0)), PointerStatus::foreign);
  EXPECT_EQ(copies_.put(module_, nullptr), PointerStatus::live);
  EXPECT_EQ(copies_.references(source(0)), 1U);
  EXPECT_EQ(copies_.put(other_, copy), PointerStatus::live);
  EXPECT_EQ(copies_.copies(), 0U);
}

TEST_P(SharedCopiesTest, ARefusedGetLeavesTheModuleAsItWas) {
  copies_.get(source(0), 1000);
  EXPECT_EQ(copies_.get(module_, source(0), 10).status, CopyStatus::other_size);
  EXPECT_EQ(copies_.get(module_, nullptr, 10).status, CopyStatus::invalid);
  EXPECT_EQ(module_.held_bytes(), 0U);
  ModuleMemory closed;
  EXPECT_EQ(copies_.get(closed, source(0), 1000).status, CopyStatus::no_memory);
  EXPECT_EQ(copies_.put(closed, source(0)), PointerStatus::foreign);
  EXPECT_EQ(copies_.references(source(0)), 1U);
}

// 392 bytes lost in each cycle of a module were found in the field.
TEST_P(SharedCopiesTest, AThousandCyclesLeaveAFlatLine) {
  const auto before = figures(system_).pool;
  for (int cycle = 0; cycle < 1000; ++cycle) {
    ModuleMemory module;
    ASSERT_TRUE(module.open(memory_, pipeline_, {OwnerKind::module, 7, "cycle"}));
    ASSERT_NE(copies_.get(module, source(0), 1000).copy, nullptr);
    ASSERT_NE(copies_.get(module, source(1), 200).copy, nullptr);
    ASSERT_EQ(copies_.get(module, source(1), 201).copy, nullptr);
    module.release_all();
    ASSERT_EQ(module.close(), 0U);
    ASSERT_EQ(memory_.system().tree, 0U);
  }
  EXPECT_EQ(system_.pool_state(), before);
}

TEST_P(SharedCopiesTest, RandomCallsAgreeWithAModel) {
  struct Known {
    const void* copy = nullptr;
    std::size_t bytes = 0;
    std::vector<int> holders;  // 0: nobody's, 1 and 2: the modules
  };
  std::map<std::size_t, Known> model;
  std::mt19937 random(11);
  const auto below = [&](std::size_t limit) { return random() % limit; };
  for (int step = 0; step < 3000; ++step) {
    const std::size_t index = below(kSources);
    Known& known = model[index];
    const int holder = static_cast<int>(below(3));
    ModuleMemory* module = holder == 1 ? &module_ : holder == 2 ? &other_ : nullptr;
    if (below(100) == 0 && module != nullptr) {
      std::size_t held = 0;
      for (auto& [unused, one] : model) {
        held +=
            static_cast<std::size_t>(std::count(one.holders.begin(), one.holders.end(), holder));
        one.holders.erase(std::remove(one.holders.begin(), one.holders.end(), holder),
                          one.holders.end());
      }
      ASSERT_EQ(module->release_all(), held);
    } else if (below(2) == 0) {
      const std::size_t bytes =
          known.holders.empty() || below(8) == 0 ? 1 + below(1000) : known.bytes;
      const CopyResult result = module != nullptr ? copies_.get(*module, source(index), bytes)
                                                  : copies_.get(source(index), bytes);
      if (!known.holders.empty() && bytes != known.bytes) {
        ASSERT_EQ(result.status, CopyStatus::other_size);
      } else {
        ASSERT_EQ(result.status, CopyStatus::good);
        ASSERT_TRUE(known.holders.empty() || result.copy == known.copy);
        known.copy = result.copy;
        known.bytes = bytes;
        known.holders.push_back(holder);
      }
    } else {
      const auto held = std::find(known.holders.begin(), known.holders.end(), holder);
      if (held == known.holders.end()) {
        if (module != nullptr && !known.holders.empty()) {
          ASSERT_EQ(copies_.put(*module, known.copy), PointerStatus::foreign);
        }
        continue;
      }
      ASSERT_EQ(module != nullptr ? copies_.put(*module, known.copy) : copies_.put(known.copy),
                PointerStatus::live);
      known.holders.erase(held);
    }
    std::size_t live = 0;
    for (const auto& [at, one] : model) {
      ASSERT_EQ(copies_.references(source(at)), one.holders.size());
      live += one.holders.empty() ? 0 : 1;
      ASSERT_TRUE(one.holders.empty() || same(one.copy, source(at), one.bytes));
    }
    ASSERT_EQ(copies_.copies(), live);
    ASSERT_TRUE(copies_.check());
  }
}

// Built with -fsanitize=thread, this shows every access that is not locked.
TEST_P(SharedCopiesTest, AnyThreadMayGetAndPut) {
  const auto before = system_.pool_state();
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (std::uint32_t number = 0; number < 4; ++number) {
    threads.emplace_back([this, number] {
      set_host_core(number);
      std::uint32_t random = number + 1;
      for (int round = 0; round < 400; ++round) {
        random = random * 1664525U + 1013904223U;
        const std::size_t index = (random >> 8) % 3;
        ModuleMemory* module = (random & 0x10000) != 0 ? &module_ : nullptr;
        const CopyResult result = module != nullptr ? copies_.get(*module, source(index), 900)
                                                    : copies_.get(source(index), 900);
        ASSERT_EQ(result.status, CopyStatus::good);
        ASSERT_TRUE(same(result.copy, source(index), 900));
        ASSERT_EQ(copies_.get(source(index), 901 + number).status, CopyStatus::other_size);
        ASSERT_EQ(module != nullptr ? copies_.put(*module, result.copy) : copies_.put(result.copy),
                  PointerStatus::live);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(copies_.copies(), 0U);
  EXPECT_EQ(module_.held_bytes(), 0U);
  EXPECT_EQ(memory_.system().tree, 0U);
  // Each core takes back what others freed of its heap.
  for (std::uint32_t number = 0; number < 4; ++number) {
    std::thread([this, number] {
      set_host_core(number);
      memory_.drain(UINT32_MAX);
    }).join();
  }
  EXPECT_EQ(system_.pool_state(), before);
}

}  // namespace
}  // namespace modmem
