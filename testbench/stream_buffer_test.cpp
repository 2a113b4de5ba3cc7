#include "testbench/stream_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>

#include "testbench/system.hpp"

namespace modmem::testbench {
namespace {

constexpr StreamFormat kFormat{48000, 1, SampleFormat::s32};
constexpr std::size_t kFrames = 200;

StreamEdge edge(bool decoupled, bool between_cores = false) {
  StreamEdge edge;
  edge.id = 0x18000;
  edge.name = "a > b";
  edge.format = kFormat;
  edge.bytes = kFrames * kFormat.frame_bytes();
  edge.room = kFrames;
  edge.decoupled = decoupled;
  edge.between_cores = between_cores;
  edge.silence = decoupled ? 48 : 0;
  return edge;
}

class StreamBufferTest : public ::testing::Test {
 protected:
  void write(StreamBuffer& buffer, std::size_t frames, bool own_pace = false) {
    ASSERT_LE(frames, buffer.room());
    for (std::size_t i = 0; i < frames; ++i, ++next_) {
      std::memcpy(buffer.space() + 4 * i, &next_, 4);
    }
    buffer.wrote(frames, own_pace);
  }
  static std::int32_t sample(const StreamBuffer& buffer, std::size_t at) {
    std::int32_t value = 0;
    std::memcpy(&value, buffer.data() + 4 * at, 4);
    return value;
  }

  System system{find_platform("mtl"), kElasticPolicy};
  Owner& owner = system.memory().system();
  std::int32_t next_ = 1;
};

TEST_F(StreamBufferTest, NothingFlowsUnlessItIsLive) {
  for (const bool decoupled : {false, true}) {
    const StreamEdge what = edge(decoupled);
    StreamBuffer buffer(what);
    EXPECT_FALSE(buffer.bound());
    EXPECT_EQ(buffer.room(), 0U);
    EXPECT_EQ(buffer.frames(), 0U);
    ASSERT_TRUE(buffer.open(system.memory(), owner));
    EXPECT_TRUE(buffer.bound());
    EXPECT_EQ(buffer.room(), 0U);
    buffer.set_live(true);
    EXPECT_EQ(buffer.room(), decoupled ? kFrames - 48 : kFrames);
    write(buffer, 48);
    buffer.settle();
    EXPECT_NE(buffer.frames(), 0U);
    buffer.set_live(false);
    EXPECT_EQ(buffer.room(), 0U);
    EXPECT_EQ(buffer.frames(), 0U);
    buffer.close();
    EXPECT_FALSE(buffer.bound());
    EXPECT_EQ(system.memory().system().tree, 0U);
  }
}

TEST_F(StreamBufferTest, APlainBufferIsReadInThePeriodInWhichItIsFilled) {
  const StreamEdge what = edge(false);
  StreamBuffer buffer(what);
  ASSERT_TRUE(buffer.open(system.memory(), owner));
  buffer.set_live(true);
  for (int period = 0; period < 3; ++period) {
    const std::int32_t first = next_;
    write(buffer, 48);
    EXPECT_EQ(buffer.frames(), 48U);
    EXPECT_EQ(sample(buffer, 0), first);
    buffer.took(48);
  }
  EXPECT_FALSE(buffer.own_pace());
  write(buffer, 0, true);
  EXPECT_TRUE(buffer.own_pace());
  write(buffer, 48, false);
  EXPECT_TRUE(buffer.own_pace());  // for good
  buffer.set_live(false);
  buffer.set_live(true);
  EXPECT_FALSE(buffer.own_pace());
  buffer.close();
}

TEST_F(StreamBufferTest, AQueueHandsOnEverythingInOrderAPeriodLater) {
  const StreamEdge what = edge(true);
  StreamBuffer buffer(what);
  ASSERT_TRUE(buffer.open(system.memory(), owner));
  buffer.set_live(true);
  std::deque<std::int32_t> expected(48, 0);  // silence
  std::mt19937 random(3);
  for (int period = 0; period < 2000; ++period) {
    ASSERT_EQ(buffer.frames(), expected.size());
    const std::size_t take = random() % (expected.size() + 1);
    const std::size_t put = random() % (buffer.room() + 1);
    const std::int32_t first = next_;
    // Whichever end is first makes no difference.
    if (random() % 2 == 0) {
      write(buffer, put);
    }
    for (std::size_t i = 0; i < take; ++i) {
      ASSERT_EQ(sample(buffer, i), expected[i]);
    }
    buffer.took(take);
    if (next_ == first) {
      write(buffer, put);
    }
    ASSERT_EQ(buffer.frames(), expected.size());  // nothing counts before settle()
    expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(take));
    for (std::int32_t value = first; value < next_; ++value) {
      expected.push_back(value);
    }
    buffer.settle();
  }
  buffer.close();
}

TEST_F(StreamBufferTest, AQueueThatStartsAgainStartsWithSilence) {
  const StreamEdge what = edge(true);
  StreamBuffer buffer(what);
  ASSERT_TRUE(buffer.open(system.memory(), owner));
  for (int life = 0; life < 2; ++life) {
    buffer.set_live(true);
    buffer.set_live(true);  // no news
    ASSERT_EQ(buffer.frames(), 48U);
    for (std::size_t i = 0; i < 48; ++i) {
      ASSERT_EQ(sample(buffer, i), 0);
    }
    write(buffer, 100, true);
    EXPECT_FALSE(buffer.own_pace());
    buffer.took(48);
    buffer.settle();
    EXPECT_TRUE(buffer.own_pace());
    EXPECT_EQ(buffer.frames(), 100U);
    buffer.set_live(false);
  }
  buffer.close();
}

TEST_F(StreamBufferTest, BetweenCoresItIsSharedAndNotCached) {
  const StreamEdge near = edge(true);
  const StreamEdge far = edge(true, true);
  StreamBuffer here(near);
  StreamBuffer there(far);
  ASSERT_TRUE(here.open(system.memory(), owner));
  ASSERT_TRUE(there.open(system.memory(), owner));
  const std::byte* window = system.port().window();
  const auto is_cached = [&](const StreamBuffer& buffer) {
    const auto* end = window + system.memory().config().window_bytes;
    return buffer.data() >= window && buffer.data() < end;
  };
  EXPECT_TRUE(is_cached(here));
  EXPECT_FALSE(is_cached(there));
  EXPECT_STREQ(system.memory().locate(there.data()).name, "shared");
  EXPECT_STREQ(system.memory().locate(here.data()).name, "system");
  here.close();
  there.close();
}

TEST_F(StreamBufferTest, WhereMemoryRanOutNothingStays) {
  StreamEdge what = edge(true);
  what.bytes = std::size_t{1} << 30;
  StreamBuffer buffer(what);
  EXPECT_FALSE(buffer.open(system.memory(), owner));
  buffer.close();
  buffer.close();
  EXPECT_EQ(owner.tree, 0U);
  EXPECT_EQ(owner.first_child, nullptr);
  EXPECT_TRUE(system.leaks().empty());
}

}  // namespace
}  // namespace modmem::testbench
