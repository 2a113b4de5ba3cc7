#include "testbench/core_threads.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "port/host/host_port.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {
namespace {

TEST(CoreThreadsTest, EachCoreIsAThreadOfItsOwnAndKnowsWhichOne) {
  const HostPort port(find_platform("mtl"));
  CoreThreads cores({0, 1, 2});
  std::map<std::uint32_t, std::uintptr_t> threads;
  for (int round = 0; round < 3; ++round) {
    for (const std::uint32_t core : {0U, 1U, 2U}) {
      cores.run_on(core, [&](std::uint32_t given) {
        EXPECT_EQ(given, core);
        EXPECT_EQ(port.core_id(), core);
        const auto seen = threads.emplace(core, port.thread_id());
        EXPECT_EQ(seen.first->second, port.thread_id());
      });
    }
  }
  ASSERT_EQ(threads.size(), 3U);
  EXPECT_EQ(threads[0], port.thread_id());
  EXPECT_NE(threads[1], threads[0]);
  EXPECT_NE(threads[2], threads[0]);
  EXPECT_NE(threads[2], threads[1]);
}

TEST(CoreThreadsTest, WhatOnePeriodDidIsSeenOnAllCoresInTheNext) {
  const std::vector<std::uint32_t> all{0, 1, 3};
  CoreThreads cores(all);
  // Nothing but the calls themselves keeps these apart.
  std::array<std::uint64_t, 4> counts{};
  std::array<std::uint64_t, 4> sums{};
  for (std::uint64_t period = 0; period < 1000; ++period) {
    cores.run_on_each(all, [&](std::uint32_t core) { ++counts[core]; });
    cores.run_on_each(all,
                      [&](std::uint32_t core) { sums[core] = counts[0] + counts[1] + counts[3]; });
    for (const std::uint32_t core : {0U, 1U, 3U}) {
      ASSERT_EQ(sums[core], 3 * (period + 1));
    }
  }
}

TEST(CoreThreadsTest, WhatIsThrownComesBackAndTheCoreLivesOn) {
  const std::vector<std::uint32_t> all{0, 1, 2};
  CoreThreads cores(all);
  const auto fail = [](std::uint32_t core) {
    throw std::runtime_error("core " + std::to_string(core));
  };
  for (const std::uint32_t core : {0U, 1U, 2U}) {
    try {
      cores.run_on(core, fail);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), "core " + std::to_string(core));
    }
  }
  std::array<int, 3> done{};
  const auto only_zero_works = [&](std::uint32_t core) {
    ++done[core];
    if (core != 0) {
      throw std::runtime_error("core " + std::to_string(core));
    }
  };
  EXPECT_THROW(cores.run_on_each(all, only_zero_works), std::runtime_error);
  EXPECT_THROW(cores.run_on_each(all, fail), std::runtime_error);
  EXPECT_EQ(done, (std::array<int, 3>{1, 1, 1}));
  cores.run_on_each(all, [&](std::uint32_t core) { ++done[core]; });
  EXPECT_EQ(done, (std::array<int, 3>{2, 2, 2}));
  cores.run_on_each({2}, [&](std::uint32_t core) { ++done[core]; });
  EXPECT_EQ(done, (std::array<int, 3>{2, 2, 3}));
}

// Gives the last of those that wait its turn, and notes whose turns there were.
class LastFirst final : public CoreTurns {
 public:
  void begin_turn(std::uint32_t core) override {
    EXPECT_FALSE(at_work) << "another core is at work";
    turns.push_back(core);
  }
  std::uint32_t pick(std::uint32_t count) override { return count - 1; }

  std::vector<std::uint32_t> turns;
  std::atomic<bool> at_work{false};
};

TEST(CoreThreadsTest, CoresThatTakeTurnsRunOneAfterAnother) {
  const HostPort port(find_platform("mtl"));
  LastFirst turns;
  CoreThreads cores({0, 1, 2}, &turns);
  std::vector<std::uint32_t> ran;
  const auto work = [&](std::uint32_t core) {
    EXPECT_FALSE(turns.at_work.exchange(true));
    EXPECT_EQ(port.core_id(), core);
    EXPECT_EQ(turns.turns.back(), core);
    ran.push_back(core);
    turns.at_work = false;
  };
  cores.run_on_each({0, 1, 2}, work);
  EXPECT_EQ(ran, (std::vector<std::uint32_t>{2, 1, 0}));
  EXPECT_EQ(turns.turns, (std::vector<std::uint32_t>{2, 1, 0, 0}));
  cores.run_on(1, work);
  EXPECT_EQ(ran.back(), 1U);
  EXPECT_EQ(turns.turns.back(), 0U);
  // All have their turn, and then what the first threw is thrown.
  const auto fail = [&](std::uint32_t core) {
    ran.push_back(core);
    throw std::runtime_error("core " + std::to_string(core));
  };
  try {
    cores.run_on_each({1, 0}, fail);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "core 0");
  }
  EXPECT_EQ(ran.back(), 1U);
  EXPECT_EQ(turns.turns.back(), 0U);
}

}  // namespace
}  // namespace modmem::testbench
