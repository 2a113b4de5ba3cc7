#include "testbench/modules/mixout.hpp"

#include <algorithm>
#include <vector>

#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

class MixoutTest : public ModuleTest {
 protected:
  MixoutTest() { EXPECT_TRUE(mixout.init(Widget{}, memory)); }

  // The sum of `inputs` in as many frames of `format`.
  Signal mix(const std::vector<InputView>& inputs, const StreamFormat& format, std::size_t frames) {
    Signal out(format, frames, std::byte{0xa5});
    const OutputView view = out.output();
    mixout.process(inputs, {&view, 1});
    return out;
  }

  Mixout mixout;
};

TEST_F(MixoutTest, OneInputPassesBitForBit) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    EXPECT_EQ(mix({in.input()}, in.format, 480).data, in.data);
  }
}

TEST_F(MixoutTest, SumsAreExactAndSaturate) {
  for (const SampleFormat sample : kSampleFormats) {
    const std::int64_t highest = (std::int64_t{1} << (bits_of(sample) - 1)) - 1;
    for (const std::uint32_t channels : {1U, 2U, 3U, 8U, 32U}) {
      const StreamFormat format{48000, channels, sample};
      std::vector<Signal> signals;
      std::vector<InputView> inputs;
      signals.reserve(kMaxPins);
      inputs.reserve(kMaxPins);
      for (unsigned i = 0; i < kMaxPins; ++i) {
        signals.push_back(random_signal(format, 100, i + 1));
      }
      for (const Signal& signal : signals) {
        inputs.push_back(signal.input());
      }
      const Signal out = mix(inputs, format, 100);
      std::size_t saturated = 0;
      for (std::size_t i = 0; i < out.samples(); ++i) {
        std::int64_t sum = 0;
        for (const Signal& signal : signals) {
          sum += signal.at(i);
        }
        const std::int64_t expected = std::clamp(sum, -highest - 1, highest);
        saturated += expected != sum ? 1 : 0;
        ASSERT_EQ(out.at(i), expected);
      }
      EXPECT_GT(saturated, 0U);
      EXPECT_LT(saturated, out.samples());
    }
  }
}

TEST_F(MixoutTest, SaturatesAtBothEnds) {
  for (const SampleFormat sample : kSampleFormats) {
    const StreamFormat format{48000, 2, sample};
    const auto highest = static_cast<std::int32_t>((std::int64_t{1} << (bits_of(sample) - 1)) - 1);
    const Signal high = constant_signal(format, 48, highest);
    const Signal low = constant_signal(format, 48, -highest - 1);
    EXPECT_EQ(mix({high.input(), high.input()}, format, 48).data, high.data);
    EXPECT_EQ(mix({low.input(), low.input()}, format, 48).data, low.data);
  }
}

// Nothing is lost on the way to a sum that is in range.
TEST_F(MixoutTest, TheOrderOfInputsDoesNotMatter) {
  const StreamFormat format{48000, 2, SampleFormat::s32};
  const Signal high = constant_signal(format, 48, INT32_MAX);
  const Signal low = constant_signal(format, 48, -INT32_MAX);
  const Signal some = random_signal(format, 48);
  const std::vector<InputView> one = {high.input(), high.input(), some.input(), low.input(),
                                      low.input()};
  const std::vector<InputView> other = {low.input(), some.input(), high.input(), low.input(),
                                        high.input()};
  EXPECT_EQ(mix(one, format, 48).data, some.data);
  EXPECT_EQ(mix(other, format, 48).data, some.data);
}

TEST_F(MixoutTest, AnInputWithoutFramesIsSilent) {
  const Signal in = random_signal({48000, 2, SampleFormat::s16}, 48);
  EXPECT_EQ(mix({{in.format, nullptr, 0}, in.input(), {}}, in.format, 48).data, in.data);
  EXPECT_EQ(mix({}, in.format, 48).data, Signal(in.format, 48).data);
}

TEST_F(MixoutTest, AnInputWithFewerFramesIsSilentForTheRest) {
  const Signal whole = random_signal({48000, 2, SampleFormat::s16}, 480, 1);
  for (const std::size_t frames : {1U, 127U, 128U, 129U, 300U}) {
    const Signal part = constant_signal(whole.format, frames, 1);
    const Signal out = mix({whole.input(), part.input()}, whole.format, 480);
    for (std::size_t i = 0; i < out.samples(); ++i) {
      const std::int32_t added = i < 2 * frames ? 1 : 0;
      ASSERT_EQ(out.at(i), std::min(whole.at(i) + added, INT16_MAX));
    }
  }
}

TEST_F(MixoutTest, MixesFormatsAndChannels) {
  const Signal mono = constant_signal({48000, 1, SampleFormat::s16}, 48, 1);
  const Signal stereo = constant_signal({48000, 2, SampleFormat::s24_4le}, 48, 0x10);
  const Signal quad = constant_signal({48000, 4, SampleFormat::s32}, 48, 0x3);
  const Signal out =
      mix({mono.input(), stereo.input(), quad.input()}, {48000, 3, SampleFormat::s32}, 48);
  for (std::size_t i = 0; i < out.frames(); ++i) {
    EXPECT_EQ(out.at(3 * i), 0x11003);
    EXPECT_EQ(out.at(3 * i + 1), 0x11003);
    EXPECT_EQ(out.at(3 * i + 2), 0x10003);
  }
}

// Two quarters of a step make a half, which rounds up; rounding each would lose both.
TEST_F(MixoutTest, RoundsTheSumNotItsParts) {
  const Signal quarter = constant_signal({48000, 1, SampleFormat::s32}, 48, 0x4000);
  const StreamFormat format{48000, 1, SampleFormat::s16};
  EXPECT_EQ(mix({quarter.input(), quarter.input()}, format, 48).data,
            constant_signal(format, 48, 1).data);
}

}  // namespace
}  // namespace modmem::testbench
