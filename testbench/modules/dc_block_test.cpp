#include "testbench/modules/dc_block.hpp"

#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/filter_testing.hpp"

namespace modmem::testbench {
namespace {

constexpr std::int32_t kSlow = 0x3fa9fd22;  // 40 Hz at 48 kHz
constexpr std::int32_t kFast = 0x3eb851ec;  // 0.98

Widget widget(const std::vector<std::int32_t>& poles) {
  return blob_widget(BlobBytes().words(poles).bytes());
}

Values reference(std::int32_t q30, const Values& x) {
  Values y(x.size());
  for (std::size_t n = 0; n < x.size(); ++n) {
    y[n] = x[n] - (n < 1 ? 0 : x[n - 1]) + q30 / 0x1p30 * (n < 1 ? 0 : y[n - 1]);
  }
  return y;
}

class DcBlockTest : public ModuleTest {
 protected:
  void start(const Widget& settings, const StreamFormat& format) {
    block = DcBlock();  // a module is initialised once
    ASSERT_TRUE(block.init(settings, memory));
    ASSERT_TRUE(block.prepare({&format, 1}, {&format, 1}, memory));
  }

  DcBlock block;
};

TEST_F(DcBlockTest, FollowsTheReferenceInEveryFormatOnEveryChannel) {
  const std::vector<std::int32_t> poles = {kSlow, kFast, 0, kQ30One};
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = quiet_noise({48000, 4, sample}, 9600);
    start(widget(poles), in.format);
    const AudioPathCheck check(system.memory());
    const Signal out = play(block, in);
    for (std::uint32_t channel = 0; channel < 4; ++channel) {
      const Values expected = reference(poles[channel], channel_values(in, channel));
      EXPECT_LT(error_db(out, channel, expected), rounding_db(sample)) << channel;
      EXPECT_EQ(channel_values(out, channel) == channel_values(in, channel), channel == 3);
    }
  }
}

TEST_F(DcBlockTest, TakesOutWhatIsConstantAndLittleElse) {
  Signal in({48000, 1, SampleFormat::s32}, 9600);
  for (std::size_t i = 0; i < in.samples(); ++i) {
    in.set(i, static_cast<std::int32_t>(
                  0x20000000 + 0x10000000 * std::sin(2 * M_PI * static_cast<double>(i) / 48)));
  }
  start(widget({kSlow}), in.format);
  const Signal out = play(block, in);
  double mean = 0;
  double peak = 0;
  for (std::size_t i = 9120; i < 9600; ++i) {
    mean += out.at(i) / 480.0;
    peak = std::max(peak, std::abs(static_cast<double>(out.at(i))));
  }
  EXPECT_LT(std::abs(mean), 0x1p31 * 1e-5);
  EXPECT_NEAR(peak / 0x10000000, 1, 0.01);
}

TEST_F(DcBlockTest, FurtherChannelsHaveWhatTheLastOneHas) {
  const Signal in = quiet_noise({48000, 4, SampleFormat::s32}, 480);
  start(widget({kSlow, kFast}), in.format);
  const Signal out = play(block, in);
  for (std::uint32_t channel = 0; channel < 4; ++channel) {
    const Values expected = reference(channel == 0 ? kSlow : kFast, channel_values(in, channel));
    EXPECT_LT(error_db(out, channel, expected), -180);
  }
}

TEST_F(DcBlockTest, PassesBitForBitWithoutABlobOrWithOnes) {
  Widget nothing;
  nothing.name = "dcblock.1.1";
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    for (const Widget& settings : {nothing, blob_widget({}), widget({kQ30One, kQ30One})}) {
      start(settings, in.format);
      EXPECT_EQ(play(block, in).data, in.data);
    }
  }
}

TEST_F(DcBlockTest, SaturatesWhereTheStepIsLargerThanTheRange) {
  Signal in({48000, 1, SampleFormat::s16}, 2);
  in.set(0, INT16_MIN);
  in.set(1, INT16_MAX);
  start(widget({kFast}), in.format);
  const Signal out = play(block, in);
  EXPECT_EQ(out.at(0), INT16_MIN);
  EXPECT_EQ(out.at(1), INT16_MAX);
}

TEST_F(DcBlockTest, StartsAnewWhenPrepared) {
  const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 480);
  start(widget({kSlow}), in.format);
  const Signal expected = play(block, in);
  block.reset(memory);
  ASSERT_TRUE(block.prepare({&in.format, 1}, {&in.format, 1}, memory));
  Signal silence(in.format, 48, std::byte{0xa5});
  process(block, {in.format, nullptr, 0}, silence.output());
  EXPECT_EQ(silence.data, Signal(in.format, 48).data);
  EXPECT_EQ(play(block, in).data, expected.data);
}

TEST_F(DcBlockTest, TakesMemoryForWhatThereIs) {
  const StreamFormat format{48000, 3, SampleFormat::s32};
  start(widget({kSlow, kFast}), format);
  EXPECT_EQ(memory.held_bytes(), 2 * sizeof(double) + 3 * sizeof(BiquadState));
  block.reset(memory);
  EXPECT_EQ(memory.held_bytes(), 2 * sizeof(double));
  start(Widget{}, format);
  EXPECT_EQ(memory.held_bytes(), 0U);

  limit_memory(8);
  DcBlock other;
  EXPECT_FALSE(other.init(widget({kSlow, kFast}), memory));
  limit_memory(20);
  ASSERT_TRUE(other.init(widget({kSlow, kFast}), memory));
  EXPECT_FALSE(other.prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_EQ(memory.failures(), 1U);
  other.reset(memory);
}

TEST_F(DcBlockTest, RefusesBlobsThatMakeNoSense) {
  const auto expect_refused = [&](const Widget& settings, const std::string& reason) {
    try {
      block.init(settings, memory);
      ADD_FAILURE() << "no error about " << reason;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()), "widget 'module.1.1': control 'blob': " + reason);
    }
  };
  expect_refused(blob_widget(BlobBytes().zeros(7).bytes()),
                 "a blob of 7 bytes: 4 a channel, for at most 32 channels, are possible");
  expect_refused(blob_widget(BlobBytes().zeros(33 * 4).bytes()),
                 "a blob of 132 bytes: 4 a channel, for at most 32 channels, are possible");
  expect_refused(widget({kSlow, kQ30One + 1}),
                 "a coefficient (Q2.30) of 1073741825, 0 to 1073741824 are possible");
  expect_refused(widget({-1}), "a coefficient (Q2.30) of -1, 0 to 1073741824 are possible");
}

}  // namespace
}  // namespace modmem::testbench
