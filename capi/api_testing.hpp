// ApiTest: a system that a test boots through the C interface, and all that it says.
#pragma once

#include <gtest/gtest.h>
#include <modmem/modmem.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

namespace modmem::testing {

class ApiTest : public ::testing::Test {
 protected:
  struct Fault {
    modmem_fault_kind kind;
    std::string function;
    const void* pointer;
    std::string owner;
    std::uint32_t owner_id;
    const void* site;
    std::uintptr_t thread;
    std::uintptr_t manager;
    bool fatal;
  };

  void boot(const char* host, const char* policy) {
    modmem_config config{};
    config.host = host;
    config.policy = policy;
    config.log_level = MODMEM_LOG_WARNING;
    config.log_sink = [](modmem_log_level /*level*/, const char* line, void* context) {
      auto& test = *static_cast<ApiTest*>(context);
      const std::lock_guard guard(test.lock_);
      test.lines_.emplace_back(line);
    };
    config.log_context = this;
    config.fault_handler = [](const modmem_fault* fault, void* context) {
      auto& test = *static_cast<ApiTest*>(context);
      const std::lock_guard guard(test.lock_);
      test.faults_.push_back({fault->kind, fault->function, fault->pointer, fault->owner,
                              fault->owner_id, fault->site, fault->thread, fault->manager,
                              fault->fatal});
    };
    config.fault_context = this;
    ASSERT_EQ(modmem_boot(&config), 0);
    start_ = info();
  }

  // Everything given back, and nothing said about it.
  void TearDown() override {
    EXPECT_TRUE(modmem_check(true));
    const struct modmem_info now = info();
    EXPECT_EQ(now.mapped_bytes, start_.mapped_bytes);
    EXPECT_EQ(now.owners, start_.owners);
    EXPECT_EQ(modmem_shutdown(), 0);
    EXPECT_EQ(lines_, std::vector<std::string>());
    EXPECT_TRUE(faults_.empty());
  }

  static struct modmem_info info() {
    struct modmem_info now {};
    EXPECT_EQ(::modmem_info(&now), 0);
    return now;
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
  Fault fault() {
    EXPECT_EQ(faults_.size(), 1U);
    const Fault last = faults_.empty() ? Fault{} : faults_.back();
    faults_.clear();
    return last;
  }

  std::mutex lock_;
  std::vector<std::string> lines_;
  std::vector<Fault> faults_;
  struct modmem_info start_ {};
};

}  // namespace modmem::testing
