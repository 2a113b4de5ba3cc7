// A test's own hooks (capi/hooks.hpp) in place of a host's: nothing boots by itself, and a system
// is one that the test lends, on a FakePort that can be interrupted. So functions can be called
// without a system, with little memory, and with another thread's calls between two of their steps.
#pragma once

#include <gtest/gtest.h>
#include <modmem/modmem.h>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "capi/report.hpp"
#include "capi/system.hpp"
#include "memory/testing/test_system.hpp"
#include "port/forwarding_port.hpp"
#include "port/testing/fake_port.hpp"

namespace modmem::testing {

// How often the library wanted a system to be booted, since the last call.
int take_boots();
// What name_code() says; "": nothing.
void set_code_name(const std::string& name);
// The exit status of a program that panic() ended.
inline constexpr int kPanicked = 73;

// A port that calls back before its nth lock(): the same thread then does what another one would do
// between two steps of a call. And the nth mapping or power-up of a bank can be had to fail.
class InterruptiblePort final : public ForwardingPort {
 public:
  explicit InterruptiblePort(FakePort& fake) : ForwardingPort(&fake) {}
  ~InterruptiblePort() = default;

  // Before the lock() after `count` more, once, calls `what`.
  void interrupt_after(int count, std::function<void()> what) {
    locks_left_ = count;
    what_ = std::move(what);
  }
  // Takes the call back; returns whether it was still to come.
  bool never_interrupted() { return std::exchange(what_, nullptr) != nullptr; }

  // Refuses the `nth` mapping, or power-up, from now on (1: the next), and no other; 0: none.
  void refuse_map(std::uint64_t nth) {
    refused_map_ = nth;
    maps_ = 0;
  }
  void refuse_power(std::uint64_t nth) {
    refused_power_ = nth;
    powers_ = 0;
  }
  // How many there were since.
  std::uint64_t maps() const { return maps_; }
  std::uint64_t powers() const { return powers_; }

  bool map(Page page, Frame frame) override {
    return ++maps_ != refused_map_ && ForwardingPort::map(page, frame);
  }
  bool remap(Page page, Frame from, Frame to) override {
    return ++maps_ != refused_map_ && ForwardingPort::remap(page, from, to);
  }
  bool set_bank_power(Bank bank, bool on) override {
    return (!on || ++powers_ != refused_power_) && ForwardingPort::set_bank_power(bank, on);
  }

  void lock() override {
    if (what_ && locks_left_-- == 0) {
      std::exchange(what_, nullptr)();
    }
    ForwardingPort::lock();
  }

 private:
  std::uint64_t maps_ = 0;
  std::uint64_t refused_map_ = 0;
  std::uint64_t powers_ = 0;
  std::uint64_t refused_power_ = 0;
  int locks_left_ = 0;
  std::function<void()> what_;
};

// A system that the C functions work on while it lives. What it ends with is counted as leaks().
class LentSystem {
 public:
  explicit LentSystem(const PlatformConfig& config = preset("mtl"),
                      const Policy& policy = kElasticPolicy)
      : config_(config),
        fake_(config),
        port_(fake_),
        arena_(Memory::arena_bytes(config, port_)),
        reporter_(port_) {
    EXPECT_TRUE(memory_.boot(config_, policy, port_, &reporter_, arena_.span()));
    EXPECT_TRUE(adopt(system_));
  }
  ~LentSystem() { end(); }
  LentSystem(const LentSystem&) = delete;
  LentSystem& operator=(const LentSystem&) = delete;

  // Takes it back early. Returns the number of leaks.
  std::size_t end() {
    if (std::exchange(running_, false)) {
      EXPECT_TRUE(memory_.check(CheckDepth::deep));
      leave(system_);
      leaks_ = system_.modules.close() + copies_.close() + memory_.shutdown();
      EXPECT_EQ(fake_.violations(), 0U) << fake_.violation();
    }
    return leaks_;
  }

  FakePort& fake() { return fake_; }
  InterruptiblePort& port() { return port_; }
  Memory& memory() { return memory_; }
  CSystem& system() { return system_; }
  Reporter& reporter() { return reporter_; }

 private:
  PlatformConfig config_;
  FakePort fake_;
  InterruptiblePort port_;
  ArenaMemory arena_;
  Reporter reporter_;
  Memory memory_;
  SharedCopies copies_{memory_};
  CSystem system_{memory_, copies_, "test"};
  bool running_ = true;
  std::size_t leaks_ = 0;
};

// Notes lines and faults; without a system at first.
class HooksTest : public ::testing::Test {
 protected:
  struct SeenFault {
    modmem_fault_kind kind;
    std::string function;
    const void* pointer;
    std::string heap;
    bool fatal;
  };

  void SetUp() override {
    modmem_set_log_sink(
        [](modmem_log_level, const char* line, void* self) {
          static_cast<HooksTest*>(self)->lines_.emplace_back(line);
        },
        this);
    modmem_set_fault_handler(
        [](const modmem_fault* fault, void* self) {
          static_cast<HooksTest*>(self)->faults_.push_back(
              {fault->kind, fault->function, fault->pointer, fault->heap, fault->fatal});
        },
        this);
    set_code_name("");
    take_boots();
  }
  void TearDown() override {
    EXPECT_EQ(lines_, std::vector<std::string>());
    EXPECT_TRUE(faults_.empty());
    EXPECT_EQ(current_system(), nullptr);
    modmem_set_log_sink(nullptr, nullptr);
    modmem_set_fault_handler(nullptr, nullptr);
  }

  // Takes the only line away.
  std::string line() {
    EXPECT_EQ(lines_.size(), 1U);
    std::string last = lines_.empty() ? "" : lines_.back();
    lines_.clear();
    return last;
  }
  // Takes the only fault away, with its line.
  SeenFault fault() {
    EXPECT_EQ(faults_.size(), 1U);
    SeenFault last = faults_.empty() ? SeenFault{} : faults_.back();
    faults_.clear();
    EXPECT_EQ(line().find(last.function + ": 0x"), 0U);
    return last;
  }

  std::vector<std::string> lines_;
  std::vector<SeenFault> faults_;
};

}  // namespace modmem::testing
