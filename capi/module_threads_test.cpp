// Module memory in C and threads: a lock lets all of them in, the check only the manager.

#include <modmem/module.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "capi/capi_testing.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

class CModuleThreadsTest : public QuietTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    boot(GetParam());
    module_.dev_id = 0x10001;
  }

  template <typename Work>
  static void in_threads(int count, Work work) {
    std::vector<std::thread> threads;
    threads.reserve(static_cast<std::size_t>(count));
    for (int number = 0; number < count; ++number) {
      threads.emplace_back([=] { work(number); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  processing_module module_{};
};

INSTANTIATE_TEST_SUITE_P(Hosts, CModuleThreadsTest, testing::Values("sim", "plain"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(CModuleThreadsTest, AnyThreadMayUseAModule) {
  if (config::kModuleMemoryApiDebug) {
    GTEST_SKIP() << "this library lets one thread only use a module";
  }
  static const std::array<char, 300> kData{1};
  mod_resource_init(&module_);
  in_threads(3, [this](int /*number*/) {
    for (std::size_t round = 1; round <= 200; ++round) {
      void* block = mod_alloc(&module_, round);
      comp_data_blob_handler* handler = mod_data_blob_handler_new(&module_);
      const void* copy = mod_fast_get(&module_, kData.data(), kData.size());
      EXPECT_TRUE(block != nullptr && handler != nullptr && copy != nullptr);
      EXPECT_GE(module_adapter_heap_usage(&module_, nullptr), round);
      mod_data_blob_handler_free(&module_, handler);
      mod_fast_put(&module_, copy);
      EXPECT_EQ(mod_free(&module_, block), 0);
    }
  });
  EXPECT_EQ(module_adapter_heap_usage(&module_, nullptr), 0U);
  mod_free_all(&module_);
}

TEST_P(CModuleThreadsTest, ModulesOfAllThreadsComeAndGo) {
  in_threads(3, [](int number) {
    for (int round = 0; round < 200; ++round) {
      processing_module module{};
      module.dev_id = static_cast<std::uint32_t>(number);
      mod_resource_init(&module);
      EXPECT_NE(mod_alloc(&module, 100), nullptr);
      EXPECT_NE(mod_balloc(&module, 5000), nullptr);
      mod_free_all(&module);
    }
  });
}

TEST_P(CModuleThreadsTest, AModuleMayEndWhileOthersUseIt) {
  if (config::kModuleMemoryApiDebug) {
    GTEST_SKIP() << "this library lets one thread only use a module";
  }
  mod_resource_init(&module_);
  std::atomic<int> rounds{0};
  in_threads(3, [&](int number) {
    while (rounds.load() < 200) {
      if (number == 0) {
        mod_free_all(&module_);
        rounds.fetch_add(1);
      } else {
        mod_alloc(&module_, 50);
      }
    }
  });
  mod_free_all(&module_);
  EXPECT_EQ(module_adapter_heap_usage(&module_, nullptr), 0U);
  // What was taken between the release of all and the end of the account is reported.
  said("leak: 50 bytes");
  said("no memory: ");
}

TEST_P(CModuleThreadsTest, TheCheckComesBeforeAnythingElse) {
  static const std::array<char, 300> kData{1};
  // A library that is configured to check does so whatever a module asks for.
  modmem_module_init(&module_, !config::kModuleMemoryApiDebug);
  void* block = mod_alloc(&module_, 100);
  ASSERT_NE(block, nullptr);
  const auto before = system_heap();
  const module_resources resources = module_.resources;
  std::thread([&] {
    EXPECT_EQ(mod_alloc(&module_, 10), nullptr);
    EXPECT_EQ(mod_alloc(&module_, 0), nullptr);
    EXPECT_EQ(mod_balloc(&module_, 10), nullptr);
    EXPECT_EQ(mod_alloc_ext(&module_, 0, 10, 0), nullptr);
    EXPECT_EQ(mod_free(&module_, block), -EINVAL);
    EXPECT_EQ(mod_free(&module_, nullptr), -EINVAL);
    mod_free_all(&module_);
    EXPECT_EQ(mod_data_blob_handler_new(&module_), nullptr);
    mod_data_blob_handler_free(&module_, nullptr);
    EXPECT_EQ(mod_fast_get(&module_, kData.data(), kData.size()), nullptr);
    mod_fast_put(&module_, nullptr);
    EXPECT_EQ(module_adapter_heap_usage(&module_, nullptr), 0U);
    EXPECT_EQ(modmem_module_set_ctx(&module_, nullptr), -EINVAL);
  }).join();
  ASSERT_EQ(faults_.size(), 13U);
  for (const SeenFault& seen : faults_) {
    EXPECT_EQ(seen.kind, MODMEM_FAULT_THREAD);
    EXPECT_EQ(seen.owner_id, 0x10001U);
    EXPECT_EQ(seen.manager, resources.manager);
    EXPECT_NE(seen.thread, seen.manager);
    EXPECT_NE(seen.thread, 0U);
    EXPECT_TRUE(seen.fatal);
  }
  EXPECT_EQ(faults_[0].function, "mod_alloc_align");
  EXPECT_EQ(faults_[0].pointer, &module_);
  faults_.clear();
  EXPECT_EQ(said(", manager 0x"), 13U);
  EXPECT_EQ(system_heap().allocations, before.allocations);
  EXPECT_EQ(system_heap().frees, before.frees);
  EXPECT_EQ(module_adapter_heap_usage(&module_, nullptr), 100U);
  EXPECT_EQ(mod_free(&module_, block), 0);
  mod_free_all(&module_);
}

TEST_P(CModuleThreadsTest, InitMakesAnotherThreadTheManager) {
  modmem_module_init(&module_, true);
  std::thread([&] {
    modmem_module_init(&module_, true);
    EXPECT_NE(mod_alloc(&module_, 10), nullptr);
    mod_free_all(&module_);
  }).join();
  processing_module zeroed{};  // has no manager
  std::thread([&] { EXPECT_NE(mod_alloc(&zeroed, 10), nullptr); }).join();
  mod_free_all(&zeroed);
}

}  // namespace
}  // namespace modmem
