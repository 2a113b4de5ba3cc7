#include "testbench/modules/channel_block.hpp"

#include <gtest/gtest.h>

#include "testbench/audio/convert.hpp"
#include "testbench/modules/filter_testing.hpp"

namespace modmem::testbench {
namespace {

// A filter that does nothing.
void pass(const InputView& in, std::span<const OutputView> outputs) {
  filter_channels(
      in, outputs,
      [](std::uint32_t, std::span<const std::int32_t> samples, std::span<double> result) {
        std::copy(samples.begin(), samples.end(), result.begin());
      });
}

TEST(ChannelBlockTest, ValuesThatAreLeftAloneArriveAsConvertFramesHasThem) {
  for (const SampleFormat from : kSampleFormats) {
    for (const SampleFormat to : kSampleFormats) {
      for (const std::uint32_t in_channels : {1U, 2U, 3U}) {
        for (const std::uint32_t out_channels : {1U, 2U, 4U}) {
          const Signal in = random_signal({48000, in_channels, from}, 150);
          Signal out({48000, out_channels, to}, 150, std::byte{0xa5});
          Signal expected(out.format, 150, std::byte{0x5a});
          const OutputView view = out.output();
          pass(in.input(), {&view, 1});
          convert_frames(in.data.data(), in.format, expected.data.data(), out.format, 150);
          ASSERT_EQ(out.data, expected.data) << in_channels << " to " << out_channels;
        }
      }
    }
  }
}

TEST(ChannelBlockTest, EveryOutputIsServedAndWhatTheInputLacksIsSilent) {
  const Signal in = random_signal({48000, 2, SampleFormat::s32}, 70);
  std::array outs = {Signal(in.format, 100, std::byte{0xa5}),
                     Signal(in.format, 65, std::byte{0xa5})};
  const std::array views = {outs[0].output(), outs[1].output()};
  pass(in.input(), views);
  for (std::size_t i = 0; i < outs[0].samples(); ++i) {
    ASSERT_EQ(outs[0].at(i), i < in.samples() ? in.at(i) : 0);
  }
  for (std::size_t i = 0; i < outs[1].samples(); ++i) {
    ASSERT_EQ(outs[1].at(i), in.at(i));
  }
}

TEST(ChannelBlockTest, BlocksOfAChannelComeInOrder) {
  const Signal in = random_signal({48000, 2, SampleFormat::s16}, 130);
  std::vector<std::size_t> firsts;
  std::vector<std::uint32_t> channels;
  std::size_t frames = 0;
  for_each_channel_block(in.input(), [&](std::uint32_t channel, std::size_t first,
                                         std::span<const std::int32_t> samples) {
    channels.push_back(channel);
    firsts.push_back(first);
    frames += samples.size();
    EXPECT_EQ(samples.front(), in.at(2 * first + channel) * 65536);
  });
  EXPECT_EQ(channels, (std::vector<std::uint32_t>{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(firsts, (std::vector<std::size_t>{0, 64, 128, 0, 64, 128}));
  EXPECT_EQ(frames, 260U);
}

TEST(ChannelBlockTest, RoundsOnceToTheNearestAndSaturates) {
  for (const SampleFormat format : kSampleFormats) {
    const int bits = bits_of(format);
    const double step = std::ldexp(1.0, 32 - bits);
    const std::array values = {0.5 * step, 0.499 * step,  -0.5 * step, -0.501 * step,
                               1.5 * step, 0x1p31,        -0x1p31,     0x1p300,
                               -0x1p300,   0x1p31 - step, 7 * step};
    const std::int32_t top = static_cast<std::int32_t>((std::int64_t{1} << (bits - 1)) - 1);
    const std::array expected = {1, 0, 0, -1, 2, top, -top - 1, top, -top - 1, top, 7};
    Signal out({48000, 1, format}, values.size());
    store_channel(out.output(), 0, 1, 0, values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(out.at(i), expected[i]) << values[i] / step;
    }
  }
}

}  // namespace
}  // namespace modmem::testbench
