#include "testbench/modules/kpb.hpp"

#include <optional>
#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kPeriod = 16;  // frames of 1 ms at 16 kHz
constexpr std::size_t kHistory = 2100 * kPeriod;

StreamFormat format_of(std::uint32_t channels, SampleFormat sample) {
  return {16000, channels, sample};
}

class KpbTest : public ModuleTest {
 protected:
  void start(const StreamFormat& format) {
    const std::array outputs = {format, format};
    ASSERT_TRUE(kpb.init(Widget{}, memory));
    ASSERT_TRUE(kpb.prepare({&format, 1}, outputs, memory));
  }

  // Feeds the frames of `in` from `first` up to `last`, `period` frames a call; the host has room
  // for `room` frames a call. Returns what it got.
  std::vector<std::byte> feed(const Signal& in, std::size_t first, std::size_t last,
                              std::size_t room, std::size_t period = kPeriod) {
    std::vector<std::byte> drained;
    Signal detector(in.format, period);
    for (std::size_t at = first; at < last; at += period) {
      const std::size_t frames = std::min(period, last - at);
      const std::size_t due = kpb.output_frames(Kpb::kHostOutput, frames, room);
      EXPECT_LE(due, room);
      Signal host(in.format, due, std::byte{0xa5});
      const InputView input = in.input(at, frames);
      const std::array outputs = {detector.output(0, frames), host.output()};
      kpb.process({&input, 1}, outputs);
      EXPECT_TRUE(std::equal(input.data, input.data + frames * in.format.frame_bytes(),
                             detector.data.begin()))
          << "the detector hears what comes in";
      drained.insert(drained.end(), host.data.begin(), host.data.end());
    }
    return drained;
  }

  // Whether `drained` is what `in` has from frame `first` on.
  static void expect_is_input(const std::vector<std::byte>& drained, const Signal& in,
                              std::size_t first) {
    const std::size_t offset = first * in.format.frame_bytes();
    ASSERT_LE(offset + drained.size(), in.data.size());
    EXPECT_TRUE(std::equal(drained.begin(), drained.end(),
                           in.data.begin() + static_cast<std::ptrdiff_t>(offset)));
  }

  Kpb kpb;
};

TEST_F(KpbTest, TakesItsHistoryAsOneLargeBuffer) {
  const struct {
    StreamFormat format;
    std::size_t bytes;
  } cases[] = {{format_of(2, SampleFormat::s32), 268'800},
               {format_of(4, SampleFormat::s32), 537'600},
               {format_of(2, SampleFormat::s16), 134'400},
               {{48000, 2, SampleFormat::s24_4le}, 806'400}};
  for (const auto& [format, bytes] : cases) {
    const std::uint64_t before = memory.owner()->allocations;
    start(format);
    EXPECT_EQ(memory.held_bytes(), bytes);
    EXPECT_EQ(memory.owner()->allocations, before + 1);
    EXPECT_EQ(memory.failures(), 0U);
    kpb.reset(memory);
    EXPECT_EQ(memory.held_bytes(), 0U);
  }
}

TEST_F(KpbTest, ReportsThatMemoryRanOut) {
  limit_memory(268'799);
  const StreamFormat format = format_of(2, SampleFormat::s32);
  EXPECT_FALSE(kpb.prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_EQ(memory.failures(), 1U) << "it does not probe";
  kpb.reset(memory);
}

TEST_F(KpbTest, DrainsBitForBitInEveryFormat) {
  for (const std::uint32_t channels : {2U, 4U}) {
    for (const SampleFormat sample : kSampleFormats) {
      const Signal in = random_signal(format_of(channels, sample), 4 * kHistory);
      start(in.format);
      // More than twice around, and not to the end of a round.
      const std::size_t trigger = 2 * kHistory + 1234 * kPeriod;
      EXPECT_TRUE(feed(in, 0, trigger, 1000).empty());
      ASSERT_TRUE(kpb.trigger());
      const std::vector<std::byte> drained = feed(in, trigger, in.frames(), 5 * kPeriod);
      expect_is_input(drained, in, trigger - kHistory);
      // It has caught up, but for the last period.
      EXPECT_EQ(drained.size() / in.format.frame_bytes(),
                in.frames() - (trigger - kHistory) - kPeriod);
      EXPECT_EQ(kpb.lost_frames(), 0U);
      kpb.reset(memory);
    }
  }
}

TEST_F(KpbTest, DrainsWhatThereIsBeforeTheHistoryIsFull) {
  const Signal in = random_signal(format_of(2, SampleFormat::s16), kHistory);
  for (const std::size_t trigger : {std::size_t{0}, kPeriod, 700 * kPeriod}) {
    start(in.format);
    EXPECT_TRUE(feed(in, 0, trigger, 1000).empty());
    ASSERT_TRUE(kpb.trigger());
    const std::vector<std::byte> drained = feed(in, trigger, in.frames(), 3 * kPeriod);
    expect_is_input(drained, in, 0);
    EXPECT_EQ(drained.size(), in.data.size() - kPeriod * in.format.frame_bytes());
    kpb.reset(memory);
  }
}

TEST_F(KpbTest, StaysBehindWhereThereIsRoomForNoMoreThanComes) {
  const Signal in = random_signal(format_of(2, SampleFormat::s32), 5 * kHistory);
  start(in.format);
  feed(in, 0, 2 * kHistory, 0);
  ASSERT_TRUE(kpb.trigger());
  const std::vector<std::byte> drained = feed(in, 2 * kHistory, in.frames(), kPeriod);
  expect_is_input(drained, in, kHistory);
  EXPECT_EQ(drained.size() / in.format.frame_bytes(), 3 * kHistory);
  EXPECT_EQ(kpb.lost_frames(), 0U);
}

TEST_F(KpbTest, CountsWhatIsLostWhereThereIsRoomForLessThanComes) {
  const Signal in = random_signal(format_of(2, SampleFormat::s32), 4 * kHistory);
  start(in.format);
  feed(in, 0, kHistory, 0);
  ASSERT_TRUE(kpb.trigger());
  const std::size_t room = kPeriod - 4;
  const std::vector<std::byte> drained = feed(in, kHistory, in.frames(), room);
  // 4 frames are lost each period, the oldest that wait: every period's own are in sequence.
  EXPECT_EQ(kpb.lost_frames(), 3 * kHistory / kPeriod * 4);
  const std::size_t bytes = room * in.format.frame_bytes();
  for (std::size_t period = 0; period < drained.size() / bytes; ++period) {
    ASSERT_TRUE(std::equal(
        drained.begin() + static_cast<std::ptrdiff_t>(period * bytes),
        drained.begin() + static_cast<std::ptrdiff_t>((period + 1) * bytes),
        in.data.begin() + static_cast<std::ptrdiff_t>(period * kPeriod * in.format.frame_bytes())));
  }
}

TEST_F(KpbTest, LeavesNoGapWhereTheInputComesInBursts) {
  const Signal in = random_signal(format_of(2, SampleFormat::s16), 2 * kHistory);
  start(in.format);
  const std::size_t burst = 8 * kPeriod;
  feed(in, 0, kHistory + 4 * burst, 0, burst);
  ASSERT_TRUE(kpb.trigger());
  std::vector<std::byte> drained;
  Signal detector(in.format, burst);
  for (std::size_t at = kHistory + 4 * burst; at + burst <= in.frames(); at += burst) {
    for (std::size_t period = 0; period < 8; ++period) {
      const InputView input = period == 7 ? in.input(at, burst) : InputView{in.format, nullptr, 0};
      Signal host(in.format, kpb.output_frames(1, kPeriod, 3 * kPeriod));
      const std::array outputs = {detector.output(0, input.frames), host.output()};
      kpb.process({&input, 1}, outputs);
      drained.insert(drained.end(), host.data.begin(), host.data.end());
    }
  }
  EXPECT_GT(drained.size(), kHistory * in.format.frame_bytes());
  expect_is_input(drained, in, 4 * burst);
}

TEST_F(KpbTest, WaitsAgainAfterReset) {
  const Signal in = random_signal(format_of(2, SampleFormat::s16), 2 * kHistory);
  start(in.format);
  feed(in, 0, kHistory, 0);
  ASSERT_TRUE(kpb.trigger());
  EXPECT_FALSE(kpb.trigger()) << "it drains already";
  EXPECT_FALSE(feed(in, kHistory, 2 * kHistory, 1000).empty());
  kpb.reset(memory);
  EXPECT_FALSE(kpb.trigger()) << "it is not prepared";
  EXPECT_EQ(kpb.output_frames(1, kPeriod, 1000), 0U);

  start(in.format);
  EXPECT_TRUE(feed(in, 300, 1500, 1000).empty());
  ASSERT_TRUE(kpb.trigger());
  const std::vector<std::byte> drained = feed(in, 1500, kHistory, 1000);
  expect_is_input(drained, in, 300);
}

TEST_F(KpbTest, ConvertsForAHostOfAnotherFormat) {
  const Signal in = random_signal(format_of(2, SampleFormat::s16), 64);
  const std::array formats = {in.format, format_of(1, SampleFormat::s32)};
  ASSERT_TRUE(kpb.prepare({&in.format, 1}, formats, memory));
  Signal detector(in.format, 64);
  Signal host(formats[1], 64);
  const InputView input = in.input();
  std::array outputs = {detector.output(), host.output(0, 0)};
  kpb.process({&input, 1}, outputs);
  ASSERT_TRUE(kpb.trigger());
  ASSERT_EQ(kpb.output_frames(1, 64, 100), 64U);
  outputs[1] = host.output();
  kpb.process({&input, 1}, outputs);
  for (std::size_t i = 0; i < 64; ++i) {
    ASSERT_EQ(host.at(i), in.at(2 * i) * 65536);
  }
}

TEST_F(KpbTest, RefusesAHostOfAnotherRate) {
  const StreamFormat in{16000, 2, SampleFormat::s16};
  const std::array outputs = {in, StreamFormat{48000, 2, SampleFormat::s16}};
  Widget widget;
  widget.name = "kpb.1.1";
  ASSERT_TRUE(kpb.init(widget, memory));
  try {
    kpb.prepare({&in, 1}, outputs, memory);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()),
              "widget 'kpb.1.1': a key-phrase buffer of 16000 Hz can't be drained at 48000 Hz");
  }
}

TEST_F(KpbTest, HasNothingToTriggerWithoutAHost) {
  const Signal in = random_signal(format_of(2, SampleFormat::s16), 4 * kPeriod);
  ASSERT_TRUE(kpb.prepare({&in.format, 1}, {&in.format, 1}, memory));
  EXPECT_FALSE(kpb.trigger());
  Signal out(in.format, in.frames());
  process(kpb, in.input(), out.output());
  EXPECT_EQ(out.data, in.data);
}

TEST_F(KpbTest, AHostThatIsNotThereYetMissesOnlyWhatHistoryForgets) {
  const Signal in = random_signal(format_of(2, SampleFormat::s16), 3 * kHistory);
  start(in.format);
  feed(in, 0, 2 * kHistory, 0);
  ASSERT_TRUE(kpb.trigger());
  feed(in, 2 * kHistory, 2 * kHistory + 10 * kPeriod, 0);
  EXPECT_EQ(kpb.lost_frames(), 10 * kPeriod);
  const std::vector<std::byte> drained =
      feed(in, 2 * kHistory + 10 * kPeriod, in.frames(), 4 * kPeriod);
  expect_is_input(drained, in, kHistory + 10 * kPeriod);
}

TEST_F(KpbTest, IsTheModuleOfItsUuid) {
  const ModuleHandle<Module> module = make_module(kKpbUuid, memory);
  EXPECT_NE(dynamic_cast<Kpb*>(module.get()), nullptr);
}

}  // namespace
}  // namespace modmem::testbench
