#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "capi/capi_testing.hpp"
#include "capi/system.hpp"

namespace modmem {
namespace {

struct Lines {
  std::vector<std::string> seen;

  static void add(modmem_log_level /*level*/, const char* line, void* self) {
    static_cast<Lines*>(self)->seen.emplace_back(line);
  }
};

// Has `signal` end the program with kSignalled. Returns no flags.
constexpr int kSignalled = 61;
std::uint32_t exit_at(int signal) {
  std::signal(signal, [](int) {
#if defined(__SANITIZE_THREAD__)
    std::_Exit(kSignalled);  // it waits forever for what exit() ends
#else
    std::exit(kSignalled);  // which writes down what was counted of the lines that ran
#endif
  });
  return 0;
}

class BootTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(modmem_shutdown(), 0); }
  void TearDown() override {
    modmem_shutdown();
    modmem_set_log_sink(nullptr, nullptr);
    for (const char* name : {"MODMEM_PLATFORM", "MODMEM_POLICY", "MODMEM_HOST"}) {
      unsetenv(name);
    }
  }
  Lines lines_;
};

TEST_F(BootTest, TheFirstAllocationBootsAndTheNextOneAfterShutdown) {
  for (int round = 0; round < 2; ++round) {
    void* block = rmalloc(0, 100);
    ASSERT_NE(block, nullptr);
    struct modmem_info info {};
    ASSERT_EQ(modmem_info(&info), 0);
    EXPECT_STREQ(info.platform, "mtl");
    EXPECT_STREQ(info.policy, "elastic");
    EXPECT_STREQ(info.host, "plain");
    EXPECT_EQ(modmem_boot(nullptr), -EBUSY);
    rfree(block);
    EXPECT_EQ(modmem_shutdown(), 0);
    EXPECT_EQ(modmem_shutdown(), 0);
  }
}

TEST_F(BootTest, ThreadsThatAllocateFirstBootOnce) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([] { rfree(rmalloc(0, 100)); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    struct modmem_heap_info heap {};
    ASSERT_EQ(modmem_heap_info(nullptr, &heap), 0);
    EXPECT_EQ(heap.allocations, 4U);
    EXPECT_EQ(modmem_shutdown(), 0);
  }
}

TEST_F(BootTest, ThreadsMayDoEverythingAtOnce) {
  static std::atomic<int> lines;
  static std::atomic<int> faults;
  static std::atomic<int> failures;
  lines = faults = failures = 0;
  modmem_set_log_sink([](modmem_log_level, const char*, void*) { ++lines; }, nullptr);
  modmem_set_fault_handler([](const modmem_fault*, void*) { ++faults; }, nullptr);
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < kRounds; ++round) {
        void* pages = vpage_alloc(1);
        rfree(&round);
        vregion* region = vregion_create(4096);
        k_heap* heap = modmem_heap_create("of a thread", 0);
        void* in_region = vregion_alloc(region, 100);
        void* in_heap = sof_heap_alloc(heap, 0, 100, 0);
        struct modmem_info info {};
        heap_trace_all(0);
        const bool good = pages != nullptr && in_region != nullptr && in_heap != nullptr &&
                          modmem_info(&info) == 0 && modmem_is_mapped(pages);
        failures += good ? 0 : 1;
        sof_heap_free(heap, in_heap);
        failures += modmem_heap_destroy(heap) == 0 && vregion_put(region) == nullptr ? 0 : 1;
        vpage_free(pages);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(faults, kThreads * kRounds);
  EXPECT_GE(lines, 3 * kThreads * kRounds);
  struct modmem_info info {};
  ASSERT_EQ(modmem_info(&info), 0);
  EXPECT_EQ(info.faults, std::uint64_t{kThreads} * kRounds);
  EXPECT_EQ(info.owners, 2U);  // the system, and who has the pages
  EXPECT_TRUE(modmem_check(true));
  modmem_set_fault_handler(nullptr, nullptr);
}

TEST_F(BootTest, TheConfigurationWinsOverTheEnvironment) {
  setenv("MODMEM_PLATFORM", "lnl", 1);
  setenv("MODMEM_POLICY", "single", 1);
  setenv("MODMEM_HOST", "sim", 1);
  struct modmem_info info {};
  ASSERT_EQ(modmem_info(&info), 0);
  EXPECT_STREQ(info.platform, "lnl");
  EXPECT_STREQ(info.policy, "single");
  EXPECT_STREQ(info.host, "sim");
  ASSERT_EQ(modmem_shutdown(), 0);
  modmem_config config{};
  config.platform = "tgl";
  config.policy = "slots";
  config.host = "libc";
  config.sram_bytes = 2 << 20;
  config.reserve_bytes = 256 << 10;
  ASSERT_EQ(modmem_boot(&config), 0);
  ASSERT_EQ(modmem_info(&info), 0);
  EXPECT_STREQ(info.platform, "tgl");
  EXPECT_STREQ(info.policy, "slots");
  EXPECT_STREQ(info.host, "libc");
  EXPECT_EQ(info.pool_bytes, (2U << 20) - (256U << 10));
}

TEST_F(BootTest, WhatThereIsNotIsRefusedInOneLine) {
  modmem_set_log_sink(Lines::add, &lines_);
  modmem_config config{};
  config.platform = "pdp-11";
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  config = {};
  config.policy = "none";
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  config = {};
  config.host = "cloud";
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  config = {};
  config.platform = "mcu";
  config.policy = "slots";
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  config = {};
  config.sram_bytes = 5000;
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  setenv("MODMEM_HOST", "somewhere", 1);
  EXPECT_EQ(modmem_boot(nullptr), -EINVAL);
  ASSERT_EQ(lines_.seen.size(), 6U);
  EXPECT_EQ(lines_.seen[0].find("modmem_boot: platform pdp-11: unknown; there are "), 0U);
  EXPECT_EQ(lines_.seen[1],
            "modmem_boot: policy none: unknown; there are elastic, module-heaps, single, slots, "
            "slots-modules, slots-all");
  EXPECT_EQ(lines_.seen[3], "policy slots: needs an MMU, which platform mcu has not");
  EXPECT_EQ(lines_.seen[5], "MODMEM_HOST: host somewhere: unknown; there are sim, plain, libc");
  unsetenv("MODMEM_HOST");
  setenv("MODMEM_FAULT", "ignore", 1);
  EXPECT_EQ(modmem_boot(nullptr), -EINVAL);
  unsetenv("MODMEM_FAULT");
  setenv("MODMEM_LOG", "loud", 1);
  EXPECT_EQ(modmem_boot(nullptr), -EINVAL);
  unsetenv("MODMEM_LOG");
  config = {};
  config.hardening = "granite";
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  ASSERT_EQ(lines_.seen.size(), 9U);
  EXPECT_EQ(lines_.seen[8],
            "modmem_boot: hardening level granite: unknown; there are none, standard, full");
  EXPECT_EQ(lines_.seen[6], "MODMEM_FAULT: fault mode ignore: unknown; there are abort, report");
  EXPECT_EQ(lines_.seen[7],
            "MODMEM_LOG: log level loud: unknown; there are error, warning, info, debug");
  EXPECT_EQ(modmem_boot(nullptr), 0);
}

TEST_F(BootTest, WhatNobodyTakesTheLineOfGoesToStderr) {
  setenv("MODMEM_HOST", "somewhere", 1);
  EXPECT_EXIT(std::exit(modmem_boot(nullptr) == -EINVAL ? 0 : 1), testing::ExitedWithCode(0),
              "^modmem: error: MODMEM_HOST: host somewhere: unknown");
}

TEST_F(BootTest, AProgramWhoseDefaultSystemDoesNotComeUpEnds) {
  setenv("MODMEM_PLATFORM", "pdp-11", 1);
  EXPECT_EXIT(rmalloc(exit_at(SIGABRT), 100), testing::ExitedWithCode(kSignalled),
              "^modmem: error: MODMEM_PLATFORM: platform pdp-11: unknown");
}

// Its own memory, with what was in it; and the lock, whoever held it.
TEST_F(BootTest, AChildHasAMemoryOfItsOwn) {
  for (const char* host : {"sim", "plain", "libc"}) {
    setenv("MODMEM_HOST", host, 1);
    char* block = static_cast<char*>(rmalloc(0, 100));
    ASSERT_NE(block, nullptr);
    std::memset(block, 1, 100);
    const auto live_in_child = [&] {
      const bool same = block[0] == 1 && block[99] == 1;
      std::memset(block, 2, 100);
      void* more = rmalloc(0, 5000);
      const bool good = same && more != nullptr && modmem_check(true);
      rfree(more);
      rfree(block);
      std::exit(modmem_shutdown() == 0 && good ? 0 : 1);
    };
    EXPECT_EXIT(live_in_child(), testing::ExitedWithCode(0), "") << host;
    EXPECT_EQ(block[0], 1) << host;
    EXPECT_EQ(block[99], 1) << host;
    rfree(block);
    EXPECT_EQ(modmem_shutdown(), 0) << host;
  }
}

TEST_F(BootTest, ShutdownCountsLeaks) {
  modmem_config config{};
  config.log_sink = Lines::add;
  config.log_context = &lines_;
  ASSERT_EQ(modmem_boot(&config), 0);
  k_heap* heap = modmem_heap_create("left", 0);
  ASSERT_NE(sof_heap_alloc(heap, 0, 33, 0), nullptr);
  ASSERT_NE(rmalloc(0, 44), nullptr);
  EXPECT_EQ(modmem_shutdown(), 2);
  ASSERT_EQ(lines_.seen.size(), 2U);
  for (const std::string& line : lines_.seen) {
    EXPECT_EQ(line.find("leak: "), 0U);
    EXPECT_NE(line.find(", from capi_test+0x"), std::string::npos);
  }
  // The sink was that system's.
  ASSERT_EQ(modmem_boot(nullptr), 0);
  heap_trace_all(0);
  EXPECT_EQ(lines_.seen.size(), 2U);
}

TEST_F(BootTest, LevelsDropLines) {
  modmem_set_log_sink(Lines::add, &lines_);
  modmem_set_log_level(MODMEM_LOG_WARNING);
  heap_trace_all(0);
  EXPECT_EQ(rmalloc_align(0, 8, 3), nullptr);
  EXPECT_EQ(lines_.seen.size(), 1U);
  modmem_set_log_level(MODMEM_LOG_DEFAULT);
  heap_trace_all(0);
  EXPECT_GT(lines_.seen.size(), 1U);
}

TEST_F(BootTest, TheDefaultHandlerEndsTheProgramWhereAFaultIsFatal) {
  EXPECT_DEATH(rfree(&lines_), "modmem: error: rfree: 0x.* is none of its blocks");
  EXPECT_EXIT((exit_at(SIGABRT), rfree(&lines_)), testing::ExitedWithCode(kSignalled),
              "modmem: error: rfree: 0x.* is none of its blocks");
  modmem_set_fault_mode(MODMEM_FAULT_REPORT);
  modmem_set_log_sink(Lines::add, &lines_);
  rfree(&lines_);
  EXPECT_EQ(lines_.seen.size(), 1U);
  modmem_set_fault_mode(MODMEM_FAULT_DEFAULT);
}

TEST_F(BootTest, AHardenedSystemKnowsWhereABlockWasTakenAndFreed) {
  modmem_config config{};
  config.host = "sim";
  config.hardening = "full";
  config.fault_mode = MODMEM_FAULT_REPORT;
  config.log_sink = Lines::add;
  config.log_context = &lines_;
  ASSERT_EQ(modmem_boot(&config), 0);
  if (current_system()->port().blocks() != nullptr) {
    GTEST_SKIP() << "AddressSanitizer sees every byte itself: nothing is hardened";
  }
  void* block = rmalloc(0, 100);
  ASSERT_NE(block, nullptr);
  rfree(block);
  EXPECT_TRUE(lines_.seen.empty());
  rfree(block);
  ASSERT_EQ(lines_.seen.size(), 1U);
  EXPECT_EQ(lines_.seen[0].find("rfree: 0x"), 0U);
  EXPECT_NE(lines_.seen[0].find(", taken at capi_test+0x"), std::string::npos) << lines_.seen[0];
  EXPECT_NE(lines_.seen[0].find(", freed at capi_test+0x"), std::string::npos) << lines_.seen[0];
}

TEST_F(BootTest, PlacesOnTheAudioPathBeyondThoseThereIsRoomForShareOne) {
  constexpr std::uint32_t kPlaces = 40;
  constexpr std::size_t kKnown = 32;
  modmem_set_log_sink(Lines::add, &lines_);
  ASSERT_EQ(modmem_boot(nullptr), 0);
  Memory& memory = current_system()->memory;
  std::vector<void*> blocks;
  blocks.reserve(kPlaces);
  modmem_audio_path_enter();
  for (std::uint32_t line = 1; line <= kPlaces; ++line) {
    blocks.push_back(memory.allocate({nullptr, 10, 0, 0, {"gain.c", line}}));
  }
  modmem_audio_path_leave();
  EXPECT_EQ(lines_.seen.size(), kKnown + 1);  // the first call of each
  modmem_audio_path_call calls[kKnown + 2] = {};
  ASSERT_EQ(modmem_audio_path_calls(calls, kKnown + 2), kKnown + 1);
  EXPECT_EQ(modmem_audio_path_calls(nullptr, 10), kKnown + 1);
  EXPECT_NE(calls[kKnown - 1].site, nullptr);
  EXPECT_EQ(calls[kKnown - 1].count, 1U);
  EXPECT_EQ(calls[kKnown].site, nullptr);
  EXPECT_EQ(calls[kKnown].count, kPlaces - kKnown);
  EXPECT_EQ(calls[kKnown].bytes, 10 * (kPlaces - kKnown));
  for (void* block : blocks) {
    rfree(block);
  }
  EXPECT_EQ(modmem_shutdown(), 0);
}

TEST_F(BootTest, AStrayAccessInTheSimulatorIsExplained) {
  setenv("MODMEM_HOST", "sim", 1);
  volatile char* block = static_cast<char*>(rmalloc(0, 5000));
  block[0] = 1;
  void* address = const_cast<char*>(block);
  rfree(address);
  EXPECT_DEATH(block[0] = 2, "modmem: stray access to 0x.*: page not mapped, in heap system");
}

// Who handles the signal else, does so after that.
TEST_F(BootTest, AStrayAccessInTheSimulatorIsExplainedBesideAnotherHandler) {
  setenv("MODMEM_HOST", "sim", 1);
  const auto stray = [] {
    exit_at(SIGSEGV);
    volatile char* block = static_cast<char*>(rmalloc(0, 5000));
    block[0] = 1;
    rfree(const_cast<char*>(block));
    block[0] = 2;
  };
  EXPECT_EXIT(stray(), testing::ExitedWithCode(kSignalled),
              "modmem: stray access to 0x.*: page not mapped, in heap system");
}

// Every policy serves what the functions promise.
class PoliciesTest : public BootedTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { boot("sim", GetParam()); }
};

TEST_P(PoliciesTest, TheSameProgramRuns) {
  for (const std::uint32_t flags :
       {0U, 0x10U, 0x100U, 0x110U, 0x400U, 0x500U, 0x4U, 0x20U, 0x40U}) {
    for (const std::size_t bytes : {1U, 100U, 4096U, 20000U}) {
      void* block = rmalloc(flags, bytes);
      void* zero = rzalloc(flags, bytes);
      void* large = rballoc(flags, bytes);
      ASSERT_TRUE(block != nullptr && zero != nullptr && large != nullptr) << flags << " " << bytes;
      std::memset(block, 1, bytes);
      rfree(zero);
      rfree(block);
      rfree(large);
    }
  }
  k_heap* heap = modmem_heap_create("private", 0);
  ASSERT_NE(heap, nullptr);
  void* block = sof_heap_alloc(heap, 0, 100, 0);
  ASSERT_NE(block, nullptr);
  sof_heap_free(heap, block);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  std::size_t actual = 0;
  block = modmem_alloc_range(nullptr, 0, 3000, 1000, 64, &actual);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(actual, 3000U);
  rfree(block);
  EXPECT_TRUE(take_faults().empty());
}

INSTANTIATE_TEST_SUITE_P(Policies, PoliciesTest,
                         testing::Values("elastic", "module-heaps", "single", "slots",
                                         "slots-modules", "slots-all"),
                         [](const auto& policy) {
                           std::string name = policy.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace modmem
