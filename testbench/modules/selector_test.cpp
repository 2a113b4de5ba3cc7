#include "testbench/modules/selector.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kChannels = 8;

// A profile as SOF's tool writes it; weights are [out][in], one is 1024.
struct Matrix {
  std::uint8_t in = 0;
  std::uint8_t out = 0;
  std::int16_t weights[kChannels][kChannels] = {};

  std::vector<std::byte> payload() const {
    BlobBytes bytes;
    bytes.put(in).put(out).put(std::uint8_t{1}).put(std::uint8_t{12});
    for (const auto& row : weights) {
      for (const std::int16_t weight : row) {
        bytes.put(weight);
      }
    }
    return bytes.bytes();
  }
};

Matrix identity() {
  Matrix matrix;
  for (std::size_t i = 0; i < kChannels; ++i) {
    matrix.weights[i][i] = 1024;
  }
  return matrix;
}

Matrix random_matrix(unsigned seed) {
  std::mt19937 random(seed);
  Matrix matrix;
  for (auto& row : matrix.weights) {
    for (std::int16_t& weight : row) {
      weight = static_cast<std::int16_t>(random());
    }
  }
  return matrix;
}

std::vector<std::byte> plain(std::uint32_t in, std::uint32_t out, std::uint32_t selected) {
  return BlobBytes().put(in).put(out).put(selected).bytes();
}

StreamFormat format(std::uint32_t channels, SampleFormat sample = SampleFormat::s32) {
  return {48000, channels, sample};
}

class SelectorTest : public ModuleTest {
 protected:
  Signal convert(const std::vector<std::byte>& payload, const Signal& in, const StreamFormat& to) {
    Selector selector;
    EXPECT_TRUE(selector.init(blob_widget(payload), memory));
    EXPECT_TRUE(selector.prepare({&in.format, 1}, {&to, 1}, memory));
    Signal out(to, in.frames(), std::byte{0xa5});
    process(selector, in.input(), out.output());
    return out;
  }

  static void expect_mixed(const Signal& in, const Signal& out, const Matrix& matrix) {
    for (std::size_t i = 0; i < out.samples(); ++i) {
      const std::size_t to = i % out.format.channels;
      double sum = 0;
      for (std::size_t from = 0; from < in.format.channels; ++from) {
        sum += matrix.weights[to][from] / 1024.0 *
               in.at(i / out.format.channels * in.format.channels + from);
      }
      const int bits = bits_of(out.format.sample);
      sum = std::ldexp(sum, bits - bits_of(in.format.sample));
      const double top = std::ldexp(1.0, bits - 1);
      ASSERT_NEAR(out.at(i), std::clamp(sum, -top, top - 1), 0.5);
    }
  }
};

TEST_F(SelectorTest, MixesEveryChannelFromAllWithOneRounding) {
  for (const SampleFormat from : kSampleFormats) {
    for (const SampleFormat to : kSampleFormats) {
      for (const std::uint32_t channels_in : {1U, 2U, 4U, 8U}) {
        for (const std::uint32_t channels_out : {1U, 2U, 6U, 8U}) {
          Matrix matrix = random_matrix(channels_in * 8 + channels_out);
          for (auto& row : matrix.weights) {
            for (std::int16_t& weight : row) {
              weight = static_cast<std::int16_t>(weight / 64);
            }
          }
          const Signal in = random_signal(format(channels_in, from), 48);
          expect_mixed(in, convert(matrix.payload(), in, format(channels_out, to)), matrix);
        }
      }
    }
  }
}

TEST_F(SelectorTest, SaturatesTheLargestWeights) {
  const Matrix matrix = random_matrix(1);
  const Signal in = random_signal(format(8), 480);
  const Signal out = convert(matrix.payload(), in, format(8));
  expect_mixed(in, out, matrix);
  std::size_t saturated = 0;
  for (std::size_t i = 0; i < out.samples(); ++i) {
    saturated += out.at(i) == INT32_MAX || out.at(i) == INT32_MIN ? 1 : 0;
  }
  EXPECT_GT(saturated, out.samples() / 2);
}

TEST_F(SelectorTest, AWeightOfOnePassesBitForBit) {
  Matrix swap;
  swap.weights[0][1] = swap.weights[1][0] = 1024;
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal(format(2, sample), 480);
    EXPECT_EQ(convert(identity().payload(), in, in.format).data, in.data);
    const Signal out = convert(swap.payload(), in, in.format);
    for (std::size_t i = 0; i < in.samples(); ++i) {
      ASSERT_EQ(out.at(i), in.at(i ^ 1U));
    }
  }
}

TEST_F(SelectorTest, WithoutABlobAudioPassesBitForBit) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal(format(12, sample), 480);
    Selector selector;
    ASSERT_TRUE(selector.init(Widget{}, memory));
    ASSERT_TRUE(selector.prepare({&in.format, 1}, {&in.format, 1}, memory));
    EXPECT_LE(memory.held_bytes(), 32U);
    Signal out(in.format, in.frames(), std::byte{0xa5});
    process(selector, in.input(), out.output());
    EXPECT_EQ(out.data, in.data);
  }
}

TEST_F(SelectorTest, ASingleProfileServesAllFormatsWhateverItsHeaderSays) {
  Matrix down;
  down.in = 8;
  down.out = 2;
  down.weights[0][0] = 512;
  down.weights[0][1] = 512;
  const Signal in = random_signal(format(2), 48);
  expect_mixed(in, convert(down.payload(), in, format(1)), down);
  const Signal wide = random_signal(format(6), 48);
  expect_mixed(wide, convert(down.payload(), wide, format(3)), down);
}

TEST_F(SelectorTest, TakesTheProfileOfTheFormats) {
  Matrix pass = identity();
  pass.in = pass.out = 8;
  Matrix up;
  up.in = 1;
  up.out = 2;
  up.weights[0][0] = up.weights[1][0] = 725;
  Matrix down;
  down.in = 6;
  down.out = 2;
  down.weights[0][0] = down.weights[1][5] = 300;
  Matrix swap;
  swap.in = swap.out = 2;
  swap.weights[0][1] = swap.weights[1][0] = 1024;
  const auto blob = [](const std::vector<Matrix>& matrices) {
    BlobBytes bytes;
    for (const Matrix& matrix : matrices) {
      bytes.append(matrix.payload());
    }
    return bytes.bytes();
  };
  const std::vector<std::byte> payload = blob({pass, up, down});
  const Signal mono = random_signal(format(1), 48);
  const Signal stereo = random_signal(format(2), 48);
  const Signal wide = random_signal(format(6), 48);
  expect_mixed(mono, convert(payload, mono, format(2)), up);
  expect_mixed(wide, convert(payload, wide, format(2)), down);
  EXPECT_EQ(convert(payload, wide, format(6)).data, wide.data);
  EXPECT_EQ(convert(payload, stereo, format(2)).data, stereo.data);
  // One of its own comes before that for 8 channels.
  expect_mixed(stereo, convert(blob({pass, swap}), stereo, format(2)), swap);
}

TEST_F(SelectorTest, SelectsTheChannelOfAPlainConfiguration) {
  const Signal in = random_signal(format(4, SampleFormat::s16), 480);
  for (const std::uint32_t channels_in : {0U, 4U}) {
    for (const std::uint32_t channels_out : {0U, 1U}) {
      for (std::uint32_t selected = 0; selected < 4; ++selected) {
        const Signal out = convert(plain(channels_in, channels_out, selected), in,
                                   format(1, SampleFormat::s24_4le));
        for (std::size_t i = 0; i < in.frames(); ++i) {
          ASSERT_EQ(out.at(i), in.at(4 * i + selected) * 256);
        }
      }
    }
  }
}

TEST_F(SelectorTest, PassesMoreChannelsOfAPlainConfiguration) {
  const Signal in = random_signal(format(4), 480);
  for (const std::uint32_t channels : {0U, 4U}) {
    EXPECT_EQ(convert(plain(channels, channels, 2), in, format(4)).data, in.data);
  }
}

TEST_F(SelectorTest, FeedsEveryOutput) {
  const Signal in = random_signal(format(2), 48);
  const std::array formats = {format(1), format(2, SampleFormat::s16)};
  Selector selector;
  ASSERT_TRUE(selector.init(blob_widget(plain(0, 0, 1)), memory));
  ASSERT_TRUE(selector.prepare({&in.format, 1}, formats, memory));
  Signal first(formats[0], 48);
  Signal second(formats[1], 48);
  const InputView input = in.input();
  const std::array outputs = {first.output(), second.output()};
  selector.process({&input, 1}, outputs);
  EXPECT_EQ(first.data, convert(plain(0, 0, 1), in, formats[0]).data);
  EXPECT_EQ(second.data, convert(plain(0, 0, 1), in, formats[1]).data);
  EXPECT_NE(first.data, Signal(formats[0], 48).data);
}

TEST_F(SelectorTest, IsSilentWhereInputIsMissing) {
  const Signal in = constant_signal(format(2), 48, 1000);
  Selector selector;
  ASSERT_TRUE(selector.init(blob_widget(identity().payload()), memory));
  ASSERT_TRUE(selector.prepare({&in.format, 1}, {&in.format, 1}, memory));
  Signal out(in.format, 48, std::byte{0xa5});
  process(selector, in.input(0, 20), out.output());
  for (std::size_t i = 0; i < out.samples(); ++i) {
    ASSERT_EQ(out.at(i), i < 40 ? 1000 : 0);
  }
  const OutputView view = out.output();
  selector.process({}, {&view, 1});
  EXPECT_EQ(out.data, Signal(in.format, 48).data);
}

TEST_F(SelectorTest, RefusesFormatsThatItIsNotConfiguredFor) {
  const auto expect_refused = [&](const std::vector<std::byte>& payload, std::uint32_t channels_in,
                                  std::uint32_t channels_out) {
    Selector selector;
    {
      // The widget need not outlive init().
      const Widget widget = blob_widget(payload);
      ASSERT_TRUE(selector.init(widget, memory));
    }
    const StreamFormat in = format(channels_in);
    const StreamFormat out = format(channels_out);
    try {
      selector.prepare({&in, 1}, {&out, 1}, memory);
      ADD_FAILURE() << "no error";
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()), "widget 'module.1.1': its configuration is not for " +
                                               std::to_string(channels_in) + " channels in and " +
                                               std::to_string(channels_out) + " out");
    }
    selector.reset(memory);
  };
  Matrix up;
  up.in = 1;
  up.out = 2;
  std::vector<std::byte> two = up.payload();
  two.insert(two.end(), two.begin(), two.end());
  expect_refused(two, 2, 1);
  expect_refused(two, 2, 2);
  expect_refused(identity().payload(), 9, 2);
  expect_refused(identity().payload(), 2, 9);
  expect_refused(plain(4, 1, 0), 2, 1);
  expect_refused(plain(4, 4, 0), 4, 2);
}

TEST_F(SelectorTest, RefusesBlobsThatMakeNoSense) {
  const auto expect_refused = [&](const std::vector<std::byte>& payload,
                                  const std::string& reason) {
    Selector selector;
    try {
      selector.init(blob_widget(payload), memory);
      ADD_FAILURE() << "no error about " << reason;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()), "widget 'module.1.1': control 'blob': " + reason);
    }
  };
  const std::string sizes = ": it has 12, or 132 for each of 1 to 8 profiles";
  for (const std::size_t bytes : {1U, 11U, 131U, 133U, 9U * 132}) {
    expect_refused(std::vector<std::byte>(bytes),
                   "a selector's configuration of " + std::to_string(bytes) + " bytes" + sizes);
  }
  Matrix wide;
  wide.in = 9;
  wide.out = 1;
  std::vector<std::byte> two = identity().payload();
  two[0] = two[1] = std::byte{8};
  const std::vector<std::byte> second = wide.payload();
  two.insert(two.end(), second.begin(), second.end());
  expect_refused(two, "profile 1: a number of channels in of 9, 1 to 8 are possible");
  expect_refused(plain(9, 1, 0), "a number of channels in of 9, 0 to 8 are possible");
  expect_refused(plain(2, 9, 0), "a number of channels out of 9, 0 to 8 are possible");
  expect_refused(plain(4, 1, 4), "a channel to select of 4, 0 to 3 are possible");
  expect_refused(plain(0, 1, 8), "a channel to select of 8, 0 to 7 are possible");
  expect_refused(plain(4, 2, 0), "it passes 4 channels on to 2");
  EXPECT_EQ(memory.failures(), 0U);
}

TEST_F(SelectorTest, ResetGivesBackWhatPrepareTook) {
  Selector selector;
  const StreamFormat stereo = format(2);
  ASSERT_TRUE(selector.init(blob_widget(identity().payload()), memory));
  const std::size_t before = memory.held_bytes();
  EXPECT_GE(before, 128U);
  ASSERT_TRUE(selector.prepare({&stereo, 1}, {&stereo, 1}, memory));
  EXPECT_GT(memory.held_bytes(), before);
  selector.reset(memory);
  EXPECT_EQ(memory.held_bytes(), before);
}

TEST_F(SelectorTest, ReportsThatMemoryRanOut) {
  const StreamFormat stereo = format(2);
  for (const std::vector<std::byte>& payload : {identity().payload(), plain(0, 0, 0)}) {
    for (const std::size_t limit : {4U, 64U}) {
      limit_memory(limit);
      Selector selector;
      EXPECT_FALSE(selector.init(blob_widget(payload), memory));
      EXPECT_EQ(memory.failures(), 1U);
    }
    Selector selector;
    limit_memory(16 + 2 * sizeof(Selector::Profile));
    ASSERT_TRUE(selector.init(blob_widget(payload), memory));
    const std::vector<StreamFormat> many(64, stereo);
    EXPECT_FALSE(selector.prepare({&stereo, 1}, many, memory));
    selector.reset(memory);
  }
}

}  // namespace
}  // namespace modmem::testbench
