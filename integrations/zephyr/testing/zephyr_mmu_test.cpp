// The C interface on the port to Zephyr, with a driver that maps pages.

#include <gtest/gtest.h>
#include <modmem/modmem.h>
#include <modmem_zephyr.h>
#include <rtos/alloc.h>
#include <zephyr/cache.h>
#include <zephyr/shell/shell.h>

#include <cerrno>
#include <cstring>

#include "capi/system.hpp"
#include "integrations/zephyr/testing/fake_kernel.hpp"
#include "integrations/zephyr/testing/fake_sram.hpp"
#include "integrations/zephyr/testing/sof_module.h"
#include "integrations/zephyr/zephyr_port.hpp"

extern "C" int fake_init_POST_KERNEL(void);

namespace {

using modmem::fake_kernel;
using modmem::fake_sram;
using modmem::FakeSram;

bool on_audio_path = false;

class ZephyrMmu : public testing::Test {
 protected:
  ZephyrMmu() {
    fake_kernel() = {};
    fake_sram().reset();
    on_audio_path = false;
  }
  ~ZephyrMmu() override {
    EXPECT_EQ(modmem_shutdown(), 0);
    EXPECT_EQ(fake_sram().mapped(), 0U);
    EXPECT_EQ(fake_kernel().interrupts_off, 0U);
    EXPECT_EQ(fake_kernel().violation, "");
  }
};

TEST_F(ZephyrMmu, NothingIsHadBeforeTheBootAtInit) {
  EXPECT_EQ(rmalloc(0, 100), nullptr);
  ASSERT_EQ(fake_init_POST_KERNEL(), 0);
  void* block = rmalloc(0, 100);
  EXPECT_TRUE(fake_sram().is_in_window(block));
  rfree(block);
}

TEST_F(ZephyrMmu, ThePlatformIsWhatDevicetreeAndKconfigSay) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  struct modmem_info info {};
  ASSERT_EQ(modmem_info(&info), 0);
  EXPECT_STREQ(info.platform, "fake_board");
  EXPECT_STREQ(info.policy, "elastic");
  EXPECT_EQ(info.pool_bytes, std::size_t{52} * 4096);
  EXPECT_EQ(info.cache_line_bytes, 64U);
  EXPECT_EQ(info.dma_alignment, 128U);
  const modmem::PlatformConfig& config = modmem::current_system()->memory.config();
  EXPECT_EQ(config.cores, 2U);
  EXPECT_EQ(config.max_heaps, 16U);
  EXPECT_EQ(config.span_bytes, 0x10000U);
}

TEST_F(ZephyrMmu, PagesAreMappedUnderLiveDataByBothAddresses) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  const std::size_t before = fake_sram().mapped();
  auto* const block = static_cast<char*>(rballoc(SOF_MEM_FLAG_DMA, 3 * 4096));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(fake_sram().mapped(), before + 3);
  std::strcpy(block + 4096, "through the cache");
  EXPECT_STREQ(block + 4096 + fake_sram().alias_offset(), "through the cache");
  EXPECT_TRUE(modmem_check(true));
  rfree(block);
  EXPECT_EQ(fake_sram().mapped(), before);
}

TEST_F(ZephyrMmu, CoherentBlocksLiePastTheCacheAndAreFreedByEitherAddress) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  for (const bool by_cached : {false, true}) {
    auto* const block = static_cast<std::byte*>(rmalloc(SOF_MEM_FLAG_COHERENT, 256));
    ASSERT_NE(block, nullptr);
    EXPECT_TRUE(fake_sram().is_uncached(block));
    rfree(by_cached ? block - fake_sram().alias_offset() : block);
  }
}

TEST_F(ZephyrMmu, AMappingThatFailsLeavesEverythingAsItWas) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  const std::size_t before = fake_sram().mapped();
  fake_sram().maps_until_failure = 2;
  EXPECT_EQ(rballoc(0, 4 * 4096), nullptr);
  EXPECT_EQ(fake_sram().mapped(), before);
  EXPECT_TRUE(fake_kernel().said("sys_mm_drv_map_page() says -22"));
  EXPECT_TRUE(modmem_check(true));
  fake_sram().maps_until_failure = FakeSram::kNever;
  void* block = rballoc(0, 4 * 4096);
  EXPECT_NE(block, nullptr);
  rfree(block);
}

TEST_F(ZephyrMmu, MemoriesBesideTheSramAreThoseOfTheTree) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  auto* const low_power = static_cast<std::byte*>(rmalloc(SOF_MEM_FLAG_LOW_POWER, 64));
  auto* const l3 = static_cast<std::byte*>(rmalloc(SOF_MEM_FLAG_L3, 64));
  EXPECT_GE(low_power, fake_sram().low_power());
  EXPECT_LT(low_power, fake_sram().low_power() + 0x4000);
  EXPECT_GE(l3, fake_sram().l3());
  EXPECT_LT(l3, fake_sram().l3() + 0x10000);
  rfree(low_power);
  rfree(l3);
}

TEST_F(ZephyrMmu, InterruptsAndWhatTheProductSaysAreTheAudioPath) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  const modmem::Memory& memory = modmem::current_system()->memory;
  void* blocks[3] = {rmalloc(0, 32)};
  const std::uint64_t none = memory.audio_path_calls();
  fake_kernel().in_interrupt = true;
  blocks[1] = rmalloc(0, 32);
  fake_kernel().in_interrupt = false;
  EXPECT_EQ(memory.audio_path_calls(), none + 1);
  on_audio_path = true;
  blocks[2] = rmalloc(0, 32);
  on_audio_path = false;
  EXPECT_EQ(memory.audio_path_calls(), none + 2);
  for (void* block : blocks) {
    EXPECT_NE(block, nullptr);
    rfree(block);
  }
}

TEST_F(ZephyrMmu, TimeCoreAndThreadAreTheKernels) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  const modmem::Port& port = modmem::current_system()->port();
  fake_kernel().cycles = 4'000'000'000'000;
  fake_kernel().ticks = 7;
  EXPECT_EQ(port.time_us(), 10'000'000'000U);
  fake_kernel().core = 1;
  EXPECT_EQ(port.core_id(), 1U);
  EXPECT_EQ(port.thread_id(), 0x1000U);
}

TEST_F(ZephyrMmu, LinesGoToTheLogAtTheirLevel) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  modmem_set_fault_mode(MODMEM_FAULT_REPORT);
  char foreign = 0;
  rfree(&foreign);
  ASSERT_FALSE(fake_kernel().lines.empty());
  EXPECT_EQ(fake_kernel().lines.back().rfind("E ", 0), 0U) << fake_kernel().lines.back();
  EXPECT_TRUE(fake_kernel().said("rfree"));
  modmem::Port& port = modmem::current_system()->port();
  port.log(modmem::LogLevel::warning, "w %s");
  EXPECT_EQ(fake_kernel().lines.back(), "W w %s");
  port.log(modmem::LogLevel::info, "i");
  EXPECT_EQ(fake_kernel().lines.back(), "I i");
  port.log(modmem::LogLevel::debug, "d");
  EXPECT_EQ(fake_kernel().lines.back(), "D d");
}

TEST_F(ZephyrMmu, WhatIsNotZephyrsIsRefused) {
  modmem_config config{};
  config.platform = "mtl";
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  EXPECT_TRUE(fake_kernel().said("devicetree"));
  config = {};
  config.policy = "none";
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  EXPECT_TRUE(fake_kernel().said("policy none: unknown"));
  config.policy = "module-heaps";
  ASSERT_EQ(modmem_boot(&config), 0);
  EXPECT_EQ(modmem_boot(&config), -EBUSY);
}

TEST_F(ZephyrMmu, ABootThatFailsLeavesNothingAndCanBeTriedAgain) {
  modmem_config config{};
  config.policy = "slots";  // its arena is larger than this chip's pool
  EXPECT_EQ(modmem_boot(&config), -ENOMEM);
  EXPECT_TRUE(fake_kernel().said("policy slots do not fit"));
  EXPECT_EQ(fake_sram().mapped(), 0U);
  EXPECT_EQ(rmalloc(0, 100), nullptr);
  EXPECT_EQ(modmem_boot(nullptr), 0);
}

TEST_F(ZephyrMmu, WhatABootSetsIsInForce) {
  int faults = 0;
  modmem_config config{};
  config.fault_context = &faults;
  config.fault_handler = [](const modmem_fault*, void* context) { ++*static_cast<int*>(context); };
  ASSERT_EQ(modmem_boot(&config), 0);
  rfree(&faults);
  EXPECT_EQ(faults, 1);
  modmem_set_fault_handler(nullptr, nullptr);
}

TEST_F(ZephyrMmu, WhatIsStillAllocatedIsALeakAndReleased) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  ASSERT_NE(rmalloc(0, 5000), nullptr);
  EXPECT_EQ(modmem_shutdown(), 1);
  EXPECT_EQ(fake_sram().mapped(), 0U);
}

TEST_F(ZephyrMmu, AddressesThatNoWindowCanHaveAreRefused) {
  modmem::ZephyrPool pool = modmem::zephyr_pool();
  modmem::ZephyrPort port;
  EXPECT_EQ(port.start(pool), nullptr);
  EXPECT_EQ(port.alias_offset(), fake_sram().alias_offset());
  EXPECT_EQ(port.window(), fake_sram().window());  // the tree named the other address of it
  while (static_cast<std::size_t>(port.alias_offset()) % pool.config.window_bytes == 0) {
    pool.config.window_bytes *= 2;
  }
  EXPECT_NE(port.start(pool), nullptr);
}

using ZephyrMmuDeathTest = ZephyrMmu;

TEST_F(ZephyrMmuDeathTest, APageThatCannotBeUnmappedPanics) {
  GTEST_FLAG_SET(death_test_style, "fast");
  ASSERT_EQ(modmem_boot(nullptr), 0);
  void* block = rballoc(0, 4096);
  ASSERT_NE(block, nullptr);
  EXPECT_DEATH(
      {
        fake_sram().unmaps_fail = true;
        rfree(block);
      },
      "k_panic: .*can be unmapped");
  rfree(block);
}

TEST_F(ZephyrMmu, AModuleOfSofTakesAndGivesBack) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  const std::size_t before = fake_sram().mapped();
  ASSERT_TRUE(sof_module_init());
  EXPECT_GE(fake_sram().mapped(), before + 3);
  sof_module_free();
  EXPECT_EQ(fake_sram().mapped(), before);
  EXPECT_TRUE(fake_sram().is_in_window(sof_private_alloc(1000)));
  void* coherent = rmalloc(SOF_MEM_FLAG_COHERENT, 64);
  EXPECT_TRUE(sof_converts(coherent));
  sof_maintains(static_cast<std::byte*>(coherent) + 1, 64);  // parts of two lines
  EXPECT_EQ(fake_sram().maintained_bytes, 128U);
  sof_maintains(coherent, 0);
  EXPECT_EQ(fake_sram().maintained_bytes, 128U);
  rfree(coherent);
}

TEST_F(ZephyrMmu, TheShellSaysWhatIsThere) {
  struct shell sh {};
  const auto run = [&sh](const char* name, const char* argument) {
    for (const fake_command* command = fake_command_modmem; command->name != nullptr; ++command) {
      if (std::strcmp(command->name, name) == 0) {
        char* arguments[] = {const_cast<char*>(name), const_cast<char*>(argument)};
        EXPECT_EQ(command->mandatory, argument != nullptr ? 2U : 1U);
        sh = {};
        return command->handler(&sh, command->mandatory, arguments);
      }
    }
    return -1;
  };
  EXPECT_EQ(run("info", nullptr), -ENODEV);
  EXPECT_STREQ(sh.printed, "not booted");
  ASSERT_EQ(modmem_boot(nullptr), 0);
  void* block = rmalloc(0, 1000);
  EXPECT_EQ(run("info", nullptr), 0);
  EXPECT_NE(std::strstr(sh.printed, "pool 212992 B"), nullptr) << sh.printed;
  EXPECT_EQ(run("heap", "system"), 0);
  EXPECT_NE(std::strstr(sh.printed, "live 1000 B"), nullptr) << sh.printed;
  EXPECT_EQ(run("heap", "none"), -ENOENT);
  EXPECT_EQ(run("check", nullptr), 0);
  rfree(block);
}

}  // namespace

bool modmem_zephyr_on_audio_path() { return on_audio_path; }
