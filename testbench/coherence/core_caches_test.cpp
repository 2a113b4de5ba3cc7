#include "testbench/coherence/core_caches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace modmem::testbench {
namespace {

using State = CoreCaches::State;
using Written = CoreCaches::Written;

constexpr std::size_t kLine = 64;
constexpr std::size_t kLines = 32;

class CoreCachesTest : public ::testing::Test {
 protected:
  // A line all of one value.
  static std::array<std::byte, kLine> line_of(int value) {
    std::array<std::byte, kLine> line{};
    line.fill(static_cast<std::byte>(value));
    return line;
  }
  void set_memory(std::size_t line, int value) {
    std::memcpy(memory_.data() + line * kLine, line_of(value).data(), kLine);
  }
  int memory(std::size_t line) const { return std::to_integer<int>(memory_[line * kLine]); }
  int load(std::uint32_t core, std::size_t line) {
    return std::to_integer<int>(*caches_.load(core, line));
  }
  bool store(std::uint32_t core, std::size_t line, int value) {
    caches_.load(core, line);
    return caches_.store(core, line, line_of(value).data());
  }

  alignas(kLine) std::array<std::byte, kLines * kLine> memory_{};
  CoreCaches caches_{memory_.data(), memory_.size(), kLine, 3, 1};
};

TEST_F(CoreCachesTest, AStoreIsSeenByOthersOnceItIsWrittenBack) {
  set_memory(4, 7);
  EXPECT_EQ(load(0, 4), 7);
  EXPECT_TRUE(store(0, 4, 8));
  EXPECT_FALSE(store(0, 4, 9)) << "dirty already";
  EXPECT_EQ(caches_.state(0, 4), State::dirty);
  EXPECT_EQ(memory(4), 7);
  EXPECT_EQ(load(1, 4), 7);
  EXPECT_EQ(caches_.dirty_elsewhere(1, 4), 0U);
  EXPECT_EQ(caches_.dirty_elsewhere(0, 4), std::nullopt);

  EXPECT_EQ(caches_.write_back(0, 4), Written::line);
  EXPECT_EQ(caches_.write_back(0, 4), Written::nothing);
  EXPECT_EQ(memory(4), 9);
  EXPECT_EQ(load(1, 4), 7) << "its cache has the line";
  EXPECT_TRUE(caches_.is_stale(1, 4));
  caches_.invalidate(1, 4);
  EXPECT_EQ(load(1, 4), 9);
  EXPECT_FALSE(caches_.is_stale(1, 4));
}

TEST_F(CoreCachesTest, InvalidatingForgetsWhatWasStored) {
  store(2, 0, 5);
  caches_.invalidate(2, 0);
  EXPECT_EQ(caches_.state(2, 0), State::absent);
  EXPECT_EQ(load(2, 0), 0);
  EXPECT_EQ(memory(0), 0);
}

TEST_F(CoreCachesTest, TheSameValueStoredChangesNothing) {
  set_memory(1, 3);
  EXPECT_FALSE(store(0, 1, 3));
  EXPECT_EQ(caches_.state(0, 1), State::clean);
}

TEST_F(CoreCachesTest, WritingOverWhatOthersWroteIsToldApart) {
  store(0, 3, 1);
  store(1, 3, 2);
  EXPECT_EQ(caches_.write_back(0, 3), Written::line);
  EXPECT_EQ(caches_.write_back(1, 3), Written::over_others);
  EXPECT_EQ(memory(3), 2);

  store(0, 5, 1);
  set_memory(5, 9);  // past the caches
  EXPECT_EQ(caches_.write_back(0, 5), Written::over_others);

  store(0, 6, 4);
  store(1, 6, 4);  // both the same: nothing is lost
  EXPECT_EQ(caches_.write_back(0, 6), Written::line);
  EXPECT_EQ(caches_.write_back(1, 6), Written::line);

  // After its own write-back, its own content is what it expects there.
  store(0, 7, 1);
  EXPECT_EQ(caches_.write_back(0, 7), Written::line);
  store(0, 7, 2);
  EXPECT_EQ(caches_.write_back(0, 7), Written::line);
}

TEST_F(CoreCachesTest, TheSeedDecidesWhatIsEvicted) {
  const auto choices = [this](std::uint64_t seed) {
    CoreCaches caches(memory_.data(), memory_.size(), kLine, 1, seed);
    std::vector<bool> chosen(1000);
    std::generate(chosen.begin(), chosen.end(), [&] { return caches.chance(16); });
    return chosen;
  };
  EXPECT_EQ(choices(1), choices(1));
  EXPECT_NE(choices(1), choices(2));
  const auto evicted = choices(1);
  const auto count = std::count(evicted.begin(), evicted.end(), true);
  EXPECT_GT(count, 30);
  EXPECT_LT(count, 100);
}

}  // namespace
}  // namespace modmem::testbench
