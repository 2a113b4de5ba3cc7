// SharedCopies between threads, one interleaving after the other: whatever another thread does
// between two steps of a call, there is one copy, and nothing is lost.
//
// The steps of a call are what it does under the port's lock. So a port that calls back before its
// nth lock() lets the same thread do what another one would do there.

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <utility>

#include "memory/testing/test_system.hpp"
#include "module/shared_copies.hpp"

namespace modmem {
namespace {

using testing::preset;

class InterruptingPort final : public Port {
 public:
  explicit InterruptingPort(const PlatformConfig& config) : host_(config) {}
  ~InterruptingPort() = default;

  // Before the lock() after `count` more, once, calls `what`.
  void interrupt_after(int count, std::function<void()> what) {
    locks_left_ = count;
    what_ = std::move(what);
  }
  // Takes the call back; returns whether it was still to come.
  bool never_interrupted() { return std::exchange(what_, nullptr) != nullptr; }

  void lock() override {
    if (what_ && locks_left_-- == 0) {
      std::exchange(what_, nullptr)();
    }
    host_.lock();
  }
  void unlock() override { host_.unlock(); }

  std::byte* window() const override { return host_.window(); }
  std::ptrdiff_t alias_offset() const override { return host_.alias_offset(); }
  bool map(Page page, Frame frame) override { return host_.map(page, frame); }
  void unmap(Page page) override { host_.unmap(page); }
  bool set_bank_power(Bank bank, bool on) override { return host_.set_bank_power(bank, on); }
  void cache_writeback(std::byte* address, std::size_t bytes) override {
    host_.cache_writeback(address, bytes);
  }
  void cache_invalidate(std::byte* address, std::size_t bytes) override {
    host_.cache_invalidate(address, bytes);
  }
  std::uintptr_t thread_id() const override { return host_.thread_id(); }
  std::uint32_t core_id() const override { return host_.core_id(); }
  bool on_audio_path() const override { return host_.on_audio_path(); }
  std::uint64_t time_us() const override { return host_.time_us(); }
  void log(LogLevel level, const char* line) override { host_.log(level, line); }

 private:
  HostPort host_;
  int locks_left_ = 0;
  std::function<void()> what_;
};

class SharedCopiesRace : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(memory_.boot(config_, kElasticPolicy, port_, &seen_, arena_.span()));
  }
  void TearDown() override {
    EXPECT_EQ(copies_.close(), 0U);
    EXPECT_TRUE(seen_.faults.empty());
    EXPECT_EQ(memory_.shutdown(), 0U);
  }

  // Calls `call`, with `other` before the lock() after `step` more. False where it has no such
  // step; `other` was not called then.
  bool interrupted(int step, std::function<void()> other, const std::function<void()>& call) {
    port_.interrupt_after(step, std::move(other));
    call();
    return !port_.never_interrupted();
  }

  const char source_[300] = "coefficients";
  PlatformConfig config_ = preset("mtl");
  InterruptingPort port_{config_};
  testing::ArenaMemory arena_{Memory::arena_bytes(config_, port_)};
  testing::NotingObserver seen_;
  Memory memory_;
  SharedCopies copies_{memory_};
};

TEST_F(SharedCopiesRace, TwoFirstGetsShareOneCopy) {
  CopyResult mine;
  CopyResult others;
  const auto get_mine = [&] { mine = copies_.get(source_, sizeof(source_)); };
  const auto get_others = [&] { others = copies_.get(source_, sizeof(source_)); };
  int step = 0;
  for (; interrupted(step, get_others, get_mine); ++step) {
    ASSERT_EQ(mine.status, CopyStatus::good);
    ASSERT_EQ(others.status, CopyStatus::good);
    EXPECT_EQ(mine.copy, others.copy);
    EXPECT_EQ(std::memcmp(mine.copy, source_, sizeof(source_)), 0);
    EXPECT_EQ(copies_.copies(), 1U);
    EXPECT_EQ(copies_.references(source_), 2U);
    EXPECT_TRUE(copies_.check());
    EXPECT_EQ(copies_.put(mine.copy), PointerStatus::live);
    EXPECT_EQ(copies_.put(others.copy), PointerStatus::live);
    EXPECT_EQ(copies_.copies(), 0U);
    EXPECT_EQ(memory_.system().own, 0U);
    EXPECT_TRUE(memory_.check(CheckDepth::deep));
  }
  EXPECT_GE(step, 4);  // looked up, took two blocks, looked again
  EXPECT_EQ(copies_.put(mine.copy), PointerStatus::live);
}

TEST_F(SharedCopiesRace, AnotherSizeThatWasFirstIsTheOneThatCounts) {
  CopyResult mine;
  CopyResult others;
  const auto get_mine = [&] { mine = copies_.get(source_, sizeof(source_)); };
  const auto get_others = [&] { others = copies_.get(source_, 100); };
  int step = 0;
  for (; interrupted(step, get_others, get_mine); ++step) {
    const bool was_first = others.status == CopyStatus::good;
    EXPECT_EQ(mine.status, was_first ? CopyStatus::other_size : CopyStatus::good);
    EXPECT_EQ(copies_.references(source_), 1U);
    EXPECT_EQ(copies_.put(was_first ? others.copy : mine.copy), PointerStatus::live);
    EXPECT_EQ(copies_.copies(), 0U);
    EXPECT_EQ(memory_.system().own, 0U);
  }
  EXPECT_GE(step, 4);
  EXPECT_EQ(copies_.put(mine.copy), PointerStatus::live);
}

TEST_F(SharedCopiesRace, AGetDuringTheLastPutHasACopy) {
  CopyResult others;
  const auto get_others = [&] { others = copies_.get(source_, sizeof(source_)); };
  for (int step = 0;; ++step) {
    const CopyResult mine = copies_.get(source_, sizeof(source_));
    ASSERT_EQ(mine.status, CopyStatus::good);
    if (!interrupted(step, get_others, [&] { copies_.put(mine.copy); })) {
      EXPECT_GE(step, 3);  // dropped the reference, freed two blocks
      break;
    }
    ASSERT_EQ(others.status, CopyStatus::good);
    EXPECT_EQ(std::memcmp(others.copy, source_, sizeof(source_)), 0);
    EXPECT_EQ(copies_.references(source_), 1U);
    EXPECT_EQ(copies_.put(others.copy), PointerStatus::live);
    EXPECT_EQ(memory_.system().own, 0U);
  }
}

}  // namespace
}  // namespace modmem
