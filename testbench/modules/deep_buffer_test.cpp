// Deep buffers: a host copier's buffer that the host fills in bursts.
#include "modmem/config.hpp"
#include "testbench/modules/copier.hpp"
#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

const StreamFormat kStereo{48000, 2, SampleFormat::s32};
constexpr std::size_t kPeriodBytes = 48 * 8;

Widget deep(std::uint32_t ms) {
  Widget widget;
  widget.type = WidgetType::aif_in;
  widget.deep_buffer_ms = ms;
  return widget;
}

class DeepBufferTest : public ModuleTest {
 protected:
  void start(std::uint32_t ms, const StreamFormat& in = kStereo,
             const StreamFormat& out = kStereo) {
    ASSERT_TRUE(copier.init(deep(ms), memory));
    ASSERT_TRUE(copier.prepare({&in, 1}, {&out, 1}, memory));
  }

  struct Played {
    Signal out;
    std::size_t bursts = 0;
  };
  // Plays `in` as a host and its pipeline do, for as many periods of 1 ms as it has.
  Played play(const Signal& in, const StreamFormat& format) {
    const std::size_t periods = in.frames() * 1000 / in.format.rate;
    Played played{Signal(format, periods * format.rate / 1000, std::byte{0xa5})};
    std::size_t fed = 0;
    std::size_t given = 0;
    for (std::size_t period = 1; period <= periods; ++period) {
      const std::size_t due = (period + 1) * in.format.rate / 1000 - period * in.format.rate / 1000;
      const std::size_t wanted = copier.host_frames(due);
      EXPECT_LE(wanted, copier.most_host_frames(due));
      const std::size_t frames = std::min(wanted, in.frames() - fed);
      played.bursts += frames != 0 ? 1 : 0;
      const std::size_t end = period * format.rate / 1000;
      process(copier, in.input(fed, frames), played.out.output(given, end - given));
      fed += frames;
      given = end;
    }
    EXPECT_EQ(fed, in.frames());
    return played;
  }

  Copier copier;
};

TEST_F(DeepBufferTest, PlaysBitForBitInFewBursts) {
  for (const std::uint32_t ms : {10U, 100U, 4000U}) {
    const std::size_t length = 3 * std::max<std::size_t>(ms, 100);  // ms
    const Signal in = random_signal(kStereo, 48 * length);
    start(ms);
    EXPECT_EQ(copier.dma_buffer().size(), ms * kPeriodBytes);
    EXPECT_EQ(copier.most_host_frames(48), 48U * ms);
    const Played played = play(in, kStereo);
    EXPECT_EQ(played.out.data, in.data);
    EXPECT_NEAR(static_cast<double>(played.bursts), static_cast<double>(length) / (ms / 2.0), 1.5)
        << ms << " ms";
    copier.reset(memory);
    EXPECT_EQ(memory.held_bytes(), 0U);
  }
}

TEST_F(DeepBufferTest, FollowsUnevenPeriodsAndOtherSamples) {
  const StreamFormat in_format{44100, 2, SampleFormat::s16};
  const StreamFormat out_format{44100, 2, SampleFormat::s32};
  const Signal in = random_signal(in_format, 44100);
  start(100, in_format, out_format);
  const Played played = play(in, out_format);
  for (std::size_t i = 0; i < in.samples(); ++i) {
    ASSERT_EQ(played.out.at(i), in.at(i) * 65536);
  }
}

// At another rate, which nobody should ask of a copier, it neither runs dry nor over.
TEST_F(DeepBufferTest, KeepsInStepWithAnotherRate) {
  const StreamFormat in_format{44100, 1, SampleFormat::s32};
  const StreamFormat out_format{48000, 1, SampleFormat::s32};
  Signal in(in_format, 44100);
  for (std::size_t i = 0; i < in.frames(); ++i) {
    in.set(i, static_cast<std::int32_t>(i));
  }
  start(100, in_format, out_format);
  const Played played = play(in, out_format);
  for (std::size_t i = 0; i < played.out.frames(); ++i) {
    ASSERT_NEAR(played.out.at(i), static_cast<double>(i) * 44100 / 48000, 2);
  }
}

TEST_F(DeepBufferTest, AsksForMoreOnceItIsHalfEmpty) {
  start(10);
  const Signal in = random_signal(kStereo, 480);
  Signal out(kStereo, 48);
  EXPECT_EQ(copier.host_frames(48), 480U);
  process(copier, in.input(), out.output());
  for (std::size_t held = 432; held > 240; held -= 48) {
    EXPECT_EQ(copier.host_frames(48), 0U) << held;
    process(copier, {kStereo, nullptr, 0}, out.output());
  }
  EXPECT_EQ(copier.host_frames(48), 240U);
}

TEST_F(DeepBufferTest, AnEndedStreamPlaysOutAndThenIsSilent) {
  start(10);
  const Signal in = random_signal(kStereo, 100);
  Signal out(kStereo, 144, std::byte{0xa5});
  process(copier, in.input(), out.output(0, 48));
  process(copier, {kStereo, nullptr, 0}, out.output(48, 48));
  process(copier, {kStereo, nullptr, 0}, out.output(96, 48));
  EXPECT_TRUE(std::equal(in.data.begin(), in.data.end(), out.data.begin()));
  for (std::size_t i = 200; i < out.samples(); ++i) {
    EXPECT_EQ(out.at(i), 0);
  }
}

TEST_F(DeepBufferTest, WaitsWhileNothingIsConnected) {
  start(10);
  const Signal in = random_signal(kStereo, 480);
  process(copier, in.input(), {kStereo, nullptr, 0});
  EXPECT_EQ(copier.host_frames(48), 0U);
  Signal out(kStereo, 480);
  process(copier, {kStereo, nullptr, 0}, out.output());
  EXPECT_EQ(out.data, in.data);
}

TEST_F(DeepBufferTest, TwoMillisecondsAreNotDeep) {
  start(2);
  EXPECT_EQ(copier.dma_buffer().size(), 2 * kPeriodBytes);
  EXPECT_EQ(copier.host_frames(48), 48U);
  copier.reset(memory);
}

TEST_F(DeepBufferTest, TakesWhatThereIsWhereThatIsLess) {
  limit_memory(50 * kPeriodBytes + 100);
  start(100);
  EXPECT_GE(copier.dma_buffer().size(), 49 * kPeriodBytes);
  EXPECT_LE(copier.dma_buffer().size(), 50 * kPeriodBytes + 100);
  EXPECT_EQ(copier.most_host_frames(48), copier.dma_buffer().size() / 8);
  EXPECT_EQ(memory.failures(), 0U);
  const Signal in = random_signal(kStereo, std::size_t{48} * 500);
  EXPECT_EQ(play(in, kStereo).out.data, in.data);
  copier.reset(memory);
}

TEST_F(DeepBufferTest, PlaysWithTheLeastThatItTakes) {
  limit_memory(2 * kPeriodBytes);
  start(4000);
  EXPECT_EQ(copier.dma_buffer().size(), 2 * kPeriodBytes);
  const Signal in = random_signal(kStereo, std::size_t{48} * 50);
  EXPECT_EQ(play(in, kStereo).out.data, in.data);
  copier.reset(memory);

  limit_memory(2 * kPeriodBytes - 1);
  EXPECT_FALSE(copier.prepare({&kStereo, 1}, {&kStereo, 1}, memory));
  copier.reset(memory);
}

// The pool's headroom stays free, and whoever comes next still gets memory.
TEST_F(DeepBufferTest, LeavesTheHeadroomToOthers) {
  const PagePool& pool = system.memory().pool();
  const std::size_t free_before = pool.free() * config::kPageBytes;
  const std::size_t headroom =
      pool.frames() / system.config().headroom_divisor * config::kPageBytes;
  start(60'000);  // 23 MB
  EXPECT_GT(copier.dma_buffer().size(), free_before / 2);
  EXPECT_GE(pool.free() * config::kPageBytes, headroom);
  ModuleMemory next;
  ASSERT_TRUE(next.open(system.memory(), system.memory().system(), {.name = "next"}));
  void* block = next.allocate(headroom / 2);
  EXPECT_NE(block, nullptr);
  next.free(block);
  copier.reset(memory);
}

}  // namespace
}  // namespace modmem::testbench
