// A system that was booted for one test, on the host and with the policy that the test names, and
// what it says.
#pragma once

#include <gtest/gtest.h>
#include <modmem/modmem.h>
#include <rtos/alloc.h>

#include <string>
#include <utility>
#include <vector>

namespace modmem {

struct SeenFault {
  modmem_fault_kind kind;
  std::string function;
  const void* pointer;
  std::string heap;
  std::string owner;
  bool fatal;
};

class BootedTest : public testing::Test {
 protected:
  void boot(const char* host, const char* policy = "elastic") {
    modmem_config config{};
    config.platform = "mtl";
    config.host = host;
    config.policy = policy;
    config.log_level = MODMEM_LOG_DEBUG;
    config.log_sink = [](modmem_log_level, const char* line, void* self) {
      static_cast<BootedTest*>(self)->lines_.emplace_back(line);
    };
    config.log_context = this;
    config.fault_handler = [](const modmem_fault* fault, void* self) {
      static_cast<BootedTest*>(self)->faults_.push_back(
          {fault->kind, fault->function, fault->pointer, fault->heap, fault->owner, fault->fatal});
    };
    config.fault_context = this;
    ASSERT_EQ(modmem_boot(&config), 0);
    modmem_host_set_core(0);
  }

  void TearDown() override {
    EXPECT_TRUE(modmem_check(true));
    EXPECT_EQ(modmem_shutdown(), leaks_);
    modmem_host_set_core(0);
  }

  // The lines since the last call.
  std::vector<std::string> take_lines() { return std::exchange(lines_, {}); }
  std::vector<SeenFault> take_faults() { return std::exchange(faults_, {}); }

  static struct modmem_info info() {
    struct modmem_info now {};
    EXPECT_EQ(modmem_info(&now), 0);
    return now;
  }

  int leaks_ = 0;  // what the test leaves behind on purpose

 private:
  std::vector<std::string> lines_;
  std::vector<SeenFault> faults_;
};

// One such system for each host.
class HostsTest : public BootedTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { boot(GetParam()); }
  static bool is_libc() { return std::string(GetParam()) == "libc"; }
};

#define MODMEM_ON_ALL_HOSTS(suite)                                                \
  INSTANTIATE_TEST_SUITE_P(Hosts, suite, testing::Values("sim", "plain", "libc"), \
                           [](const auto& host) { return std::string(host.param); })

}  // namespace modmem
