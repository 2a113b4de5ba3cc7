// A system that was booted for one test, on the host and with the policy that the test names, and
// what it says.
#pragma once

#include <gtest/gtest.h>
#include <modmem/modmem.h>
#include <rtos/alloc.h>

#include <cstdint>
#include <mutex>
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
  std::uint32_t owner_id;
  const void* site;
  std::uintptr_t thread;
  std::uintptr_t manager;
};

class BootedTest : public testing::Test {
 protected:
  void boot(const char* host, const char* policy = "elastic") {
    modmem_config config{};
    config.platform = "mtl";
    config.host = host;
    config.policy = policy;
    config.log_level = MODMEM_LOG_DEBUG;
    config.log_sink = [](modmem_log_level, const char* line, void* context) {
      auto& self = *static_cast<BootedTest*>(context);
      const std::lock_guard guard(self.lock_);
      self.lines_.emplace_back(line);
    };
    config.log_context = this;
    config.fault_handler = [](const modmem_fault* fault, void* context) {
      auto& self = *static_cast<BootedTest*>(context);
      const std::lock_guard guard(self.lock_);
      self.faults_.push_back({fault->kind, fault->function, fault->pointer, fault->heap,
                              fault->owner, fault->fatal, fault->owner_id, fault->site,
                              fault->thread, fault->manager});
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
  // Of all threads, so under the lock while there are several.
  std::mutex lock_;
  std::vector<std::string> lines_;
  std::vector<SeenFault> faults_;
};

// One that gives everything back, and takes note of all that is said.
class QuietTest : public BootedTest {
 protected:
  void boot(const char* host, const char* policy = "elastic") {
    BootedTest::boot(host, policy);
    start_ = info();
    lines_.clear();
  }

  void TearDown() override {
    const struct modmem_info now = info();
    EXPECT_EQ(now.mapped_bytes, start_.mapped_bytes);
    EXPECT_EQ(now.owners, start_.owners);
    EXPECT_EQ(lines_, std::vector<std::string>());
    EXPECT_TRUE(faults_.empty());
    BootedTest::TearDown();
  }

  static struct modmem_heap_info system_heap() {
    struct modmem_heap_info now {};
    EXPECT_EQ(modmem_heap_info(nullptr, &now), 0);
    return now;
  }

  // Takes the lines that contain `text` away; returns how many.
  std::size_t said(const std::string& text) {
    return std::erase_if(
        lines_, [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }
  // Takes the only fault away.
  SeenFault fault() {
    EXPECT_EQ(faults_.size(), 1U);
    SeenFault last = faults_.empty() ? SeenFault{} : faults_.back();
    faults_.clear();
    return last;
  }

  struct modmem_info start_ {};
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
