// The C interface on the port to Zephyr, with an array as the pool: no driver, no cache, no hooks.

#include <gtest/gtest.h>
#include <modmem/modmem.h>
#include <rtos/alloc.h>

#include <cerrno>
#include <cstring>

#include "capi/system.hpp"
#include "integrations/zephyr/testing/fake_kernel.hpp"

namespace {

using modmem::fake_kernel;

class ZephyrArray : public testing::Test {
 protected:
  ZephyrArray() {
    fake_kernel() = {};
    fake_kernel().cores = 1;
  }
  ~ZephyrArray() override {
    EXPECT_EQ(modmem_shutdown(), 0);
    EXPECT_EQ(fake_kernel().interrupts_off, 0U);
    EXPECT_EQ(fake_kernel().violation, "");
  }
};

TEST_F(ZephyrArray, BootsWhenItIsToldTo) {
  EXPECT_EQ(rmalloc(0, 100), nullptr);
  ASSERT_EQ(modmem_boot(nullptr), 0);
  struct modmem_info info {};
  ASSERT_EQ(modmem_info(&info), 0);
  EXPECT_EQ(info.pool_bytes, 0x14000U);
  EXPECT_EQ(info.banks, 1U);
  EXPECT_EQ(info.cache_line_bytes, 16U);
  EXPECT_EQ(info.dma_alignment, 32U);
}

TEST_F(ZephyrArray, AllOfItCanBeUsed) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  const std::size_t most = modmem_largest_request(nullptr, 0, 16);
  EXPECT_GE(most, 0x14000U * 3 / 4);
  void* block = rmalloc(0, most);
  ASSERT_NE(block, nullptr);
  std::memset(block, 0xA5, most);
  EXPECT_TRUE(modmem_check(true));
  EXPECT_EQ(rmalloc(0, 0x14000), nullptr);
  rfree(block);
}

TEST_F(ZephyrArray, ThereIsOneAddressOfAByte) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  EXPECT_EQ(modmem::current_system()->port().alias_offset(), 0);
  void* block = rmalloc(SOF_MEM_FLAG_COHERENT, 100);
  EXPECT_NE(block, nullptr);
  rfree(block);
}

TEST_F(ZephyrArray, TheWeakHooksSayThatInterruptsAloneAreTheAudioPath) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  const modmem::Port& port = modmem::current_system()->port();
  EXPECT_FALSE(port.on_audio_path());
  fake_kernel().in_interrupt = true;
  EXPECT_TRUE(port.on_audio_path());
  fake_kernel().in_interrupt = false;
}

TEST_F(ZephyrArray, TicksAreTheClockWhereCyclesAreTooFew) {
  ASSERT_EQ(modmem_boot(nullptr), 0);
  fake_kernel().cycles = 4'000'000;
  fake_kernel().ticks = 7;
  EXPECT_EQ(modmem::current_system()->port().time_us(), 700U);
}

TEST_F(ZephyrArray, APolicyWithSlotsNeedsADriver) {
  modmem_config config{};
  config.policy = "slots";
  EXPECT_EQ(modmem_boot(&config), -EINVAL);
  EXPECT_TRUE(fake_kernel().said("policy slots: needs an MMU"));
}

}  // namespace
