#include "testbench/modules/frame_ring.hpp"

#include <deque>
#include <random>

#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

using FrameRingTest = ModuleTest;

// Against a queue of frame numbers, by random steps.
TEST_F(FrameRingTest, IsAQueueOfFrames) {
  const StreamFormat format{48000, 3, SampleFormat::s16};
  FrameRing ring;
  // A frame of 6 bytes less 1 is left over.
  ring.begin(format, memory.make_array<std::byte>(17 * format.frame_bytes() + 5));
  ASSERT_TRUE(ring);
  ASSERT_EQ(ring.capacity(), 17U);
  std::mt19937 random(1);
  std::deque<std::int32_t> expected;
  std::int32_t next = 0;
  for (int step = 0; step < 2000; ++step) {
    const std::size_t fresh = random() % (ring.room() + 1);
    Signal in(format, fresh);
    for (std::size_t i = 0; i < in.samples(); ++i) {
      in.set(i, static_cast<std::int16_t>(next * 3 + static_cast<std::int32_t>(i)));
    }
    for (std::size_t i = 0; i < fresh; ++i) {
      expected.push_back(next++);
    }
    ring.write(in.data.data(), fresh);
    ASSERT_EQ(ring.held(), expected.size());
    ASSERT_EQ(ring.room(), 17 - expected.size());

    const std::size_t count = random() % (ring.held() + 1);
    std::size_t seen = 0;
    ring.read(count, [&](const InputView& piece, std::size_t first) {
      ASSERT_EQ(first, seen);
      ASSERT_NE(piece.frames, 0U);
      Signal out(piece.format, piece.frames);
      std::copy(piece.data, piece.data + out.data.size(), out.data.begin());
      for (std::size_t i = 0; i < out.samples(); ++i) {
        const auto value = static_cast<std::int16_t>(expected[seen + i / 3] * 3 +
                                                     static_cast<std::int32_t>(i % 3));
        ASSERT_EQ(out.at(i), value);
      }
      seen += piece.frames;
    });
    ASSERT_EQ(seen, count);
    const std::size_t gone = random() % (count + 1);
    ring.drop(gone);
    expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(gone));
  }
}

TEST_F(FrameRingTest, GivesItsBlockBack) {
  FrameRing ring;
  EXPECT_FALSE(ring);
  ring.begin({}, memory.make_array<std::byte>(800));
  EXPECT_EQ(memory.held_bytes(), 800U);
  EXPECT_EQ(ring.block().size(), 800U);
  ring.end();
  EXPECT_FALSE(ring);
  EXPECT_EQ(ring.room(), 0U);
  EXPECT_EQ(memory.held_bytes(), 0U);
}

}  // namespace
}  // namespace modmem::testbench
