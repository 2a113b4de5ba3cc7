#include "testbench/modules/gain.hpp"

#include <cmath>
#include <optional>
#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/controls_testing.hpp"
#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

using Values = std::vector<std::int64_t>;

constexpr std::uint32_t kHalf = 0x40000000;
constexpr std::uint32_t k20Ms = 200'000;

Widget widget(std::uint32_t initial, std::uint32_t duration = 0, std::uint32_t curve = 2) {
  Widget result;
  result.name = "gain.1.1";
  result.gain =
      GainSettings{.curve_type = curve, .curve_duration = duration, .initial_value = initial};
  return result;
}

class GainTest : public ModuleTest {
 protected:
  void start(const Widget& settings, const StreamFormat& in, const StreamFormat& out) {
    ASSERT_TRUE(gain.init(settings, memory));
    ASSERT_TRUE(gain.prepare({&in, 1}, {&out, 1}, memory));
  }
  void start(const Widget& settings, const StreamFormat& format) {
    start(settings, format, format);
  }

  // `in` in periods of 48 frames.
  Signal play(const Signal& in) {
    Signal out(in.format, in.frames(), std::byte{0xa5});
    for (std::size_t first = 0; first < in.frames(); first += 48) {
      const std::size_t frames = std::min<std::size_t>(48, in.frames() - first);
      process(gain, in.input(first, frames), out.output(first, frames));
    }
    return out;
  }

  Gain gain;
};

TEST_F(GainTest, UnityPassesEveryFormatBitForBit) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    start(widget(kUnityQ31), in.format);
    EXPECT_EQ(play(in).data, in.data);
  }
}

// Also where another channel's gain keeps it from being a mere copy.
TEST_F(GainTest, UnityIsBitForBitBesideOtherGains) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    start(widget(kUnityQ31), in.format);
    ASSERT_TRUE(gain.set_gain(1, 0));
    const Signal out = play(in);
    for (std::size_t i = 0; i < in.frames(); ++i) {
      ASSERT_EQ(out.at(2 * i), in.at(2 * i));
      ASSERT_EQ(out.at(2 * i + 1), 0);
    }
  }
}

TEST_F(GainTest, IsBitForBitFromTheEndOfTheRampToUnity) {
  for (const SampleFormat sample : kSampleFormats) {
    for (const std::uint32_t curve : {1U, 2U, 4U}) {
      const Signal in = random_signal({48000, 2, sample}, 2000);
      start(widget(kUnityQ31, k20Ms, curve), in.format);
      const Signal out = play(in);
      for (std::size_t i = std::size_t{2} * 960; i < in.samples(); ++i) {
        ASSERT_EQ(out.at(i), in.at(i));
      }
    }
  }
}

TEST_F(GainTest, EveryGainIsExactToOneStep) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 4800);
    for (const std::uint32_t value : {kHalf, 0U, 1U, 0x12345678U, 0x7ffffffeU, 0x20000000U}) {
      start(widget(value), in.format);
      const Signal out = play(in);
      for (std::size_t i = 0; i < in.samples(); ++i) {
        const double exact = in.at(i) * (value / 0x1p31);
        ASSERT_NEAR(out.at(i), exact, 0.5) << "gain " << value << " of " << in.at(i);
      }
    }
  }
}

TEST_F(GainTest, HalfScaleIsExactToOneStepAfterTheRamp) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 4800);
    start(widget(kHalf, k20Ms), in.format);
    const Signal out = play(in);
    for (std::size_t i = std::size_t{2} * 960; i < in.samples(); ++i) {
      ASSERT_NEAR(out.at(i), in.at(i) / 2.0, 0.5);
    }
  }
}

TEST_F(GainTest, RampsFromSilenceToTheTargetInTheGivenTime) {
  for (const std::uint32_t rate : {16000U, 44100U, 48000U, 96000U}) {
    for (const std::uint32_t curve : {1U, 2U}) {
      const Signal in = constant_signal({rate, 1, SampleFormat::s32}, rate / 40, 0x40000000);
      start(widget(kHalf, k20Ms, curve), in.format);
      const Signal out = play(in);
      EXPECT_EQ(out.at(0), 0);
      const std::size_t ramp = rate / 50;
      for (std::size_t i = 1; i < ramp; ++i) {
        ASSERT_GT(out.at(i), out.at(i - 1)) << rate << " Hz, frame " << i;
        ASSERT_LT(out.at(i), 0x20000000);
      }
      for (std::size_t i = ramp; i < in.frames(); ++i) {
        ASSERT_EQ(out.at(i), 0x20000000) << rate << " Hz, frame " << i;
      }
    }
  }
}

TEST_F(GainTest, CurveZeroHasNoRamp) {
  const Signal in = constant_signal({48000, 1, SampleFormat::s16}, 48, 1000);
  start(widget(kHalf, k20Ms, 0), in.format);
  EXPECT_EQ(play(in).data, constant_signal(in.format, 48, 500).data);
}

TEST_F(GainTest, AWidgetWithoutSettingsPassesThrough) {
  const Signal in = random_signal({48000, 2, SampleFormat::s24_4le}, 48);
  start(Widget{}, in.format);
  EXPECT_EQ(play(in).data, in.data);
}

TEST_F(GainTest, StartsFromSilenceEachTimeItIsPrepared) {
  const Signal in = constant_signal({48000, 1, SampleFormat::s16}, 2000, 10'000);
  start(widget(kUnityQ31, k20Ms), in.format);
  const Signal first = play(in);
  gain.reset(memory);
  ASSERT_TRUE(gain.prepare({&in.format, 1}, {&in.format, 1}, memory));
  EXPECT_EQ(play(in).data, first.data);
  EXPECT_EQ(first.at(0), 0);
}

// The ramp is heard even where the audio comes late.
TEST_F(GainTest, TheRampWaitsForAudio) {
  const Signal in = constant_signal({48000, 1, SampleFormat::s16}, 2000, 10'000);
  start(widget(kUnityQ31, k20Ms), in.format);
  Signal silence(in.format, 48, std::byte{0xa5});
  process(gain, {in.format, nullptr, 0}, silence.output());
  EXPECT_EQ(silence.data, Signal(in.format, 48).data);
  EXPECT_LT(play(in).at(48), 1000);
}

TEST_F(GainTest, ConvertsFormatsWithOneRounding) {
  for (const SampleFormat from : kSampleFormats) {
    for (const SampleFormat to : kSampleFormats) {
      const Signal in = random_signal({48000, 1, from}, 48);
      Signal out({48000, 2, to}, 48);
      start(widget(0x5a5a5a5a), in.format, out.format);
      process(gain, in.input(), out.output());
      for (std::size_t i = 0; i < out.samples(); ++i) {
        const double exact =
            std::ldexp(in.at(i / 2) * (0x5a5a5a5a / 0x1p31), bits_of(to) - bits_of(from));
        ASSERT_NEAR(out.at(i), exact, 0.5);
      }
    }
  }
}

TEST_F(GainTest, SaturatesWhereRoundingWouldLeaveTheRange) {
  const Signal in = constant_signal({48000, 2, SampleFormat::s32}, 48, INT32_MAX);
  Signal out({48000, 2, SampleFormat::s16}, 48);
  start(widget(kUnityQ31), in.format, out.format);
  ASSERT_TRUE(gain.set_gain(1, kUnityQ31 - 1));
  process(gain, in.input(), out.output());
  EXPECT_EQ(out.data, constant_signal(out.format, 48, INT16_MAX).data);
}

TEST_F(GainTest, SetGainRampsFromWhereItIs) {
  const Signal in = constant_signal({48000, 2, SampleFormat::s32}, 960, 0x40000000);
  start(widget(kUnityQ31, k20Ms), in.format);
  play(in);
  ASSERT_TRUE(gain.set_gain(0, 0));
  const Signal out = play(in);
  EXPECT_EQ(out.at(0), 0x40000000);
  EXPECT_NEAR(out.at(960), 0x20000000, 1);
  for (std::size_t i = 2; i < out.samples(); i += 2) {
    ASSERT_LT(out.at(i), out.at(i - 2));
    ASSERT_EQ(out.at(i + 1), 0x40000000);
  }
  EXPECT_EQ(play(in).at(0), 0);

  ASSERT_TRUE(gain.set_gain(std::nullopt, kHalf));
  play(in);
  EXPECT_EQ(play(in).data, constant_signal(in.format, 960, 0x20000000).data);
}

TEST_F(GainTest, SetGainOutlivesResetAndRefusesChannelsThatCannotBe) {
  const Signal in = constant_signal({48000, 1, SampleFormat::s16}, 48, 1000);
  ASSERT_TRUE(gain.init(widget(kUnityQ31), memory));
  EXPECT_TRUE(gain.set_gain(0, kHalf));
  EXPECT_TRUE(gain.set_gain(kMaxChannels - 1, kHalf));
  EXPECT_FALSE(gain.set_gain(kMaxChannels, kHalf));
  ASSERT_TRUE(gain.prepare({&in.format, 1}, {&in.format, 1}, memory));
  EXPECT_EQ(play(in).at(0), 500);
}

TEST_F(GainTest, RefusesSettingsThatMakeNoSense) {
  const auto expect_refused = [&](const Widget& settings, const std::string& reason) {
    try {
      gain.init(settings, memory);
      ADD_FAILURE() << "no error about " << reason;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()), "widget 'gain.1.1': " + reason);
    }
  };
  expect_refused(widget(0x80000000),
                 "an initial gain above 1: 2147483648, at most 2147483647 is possible");
  expect_refused(widget(0, 0, 3), "a logarithmic gain curve is not supported");
  expect_refused(widget(0, 0, 5), "a logarithmic gain curve is not supported");
  expect_refused(widget(0, 0, 6), "unknown gain curve type 6");
}

TEST_F(GainTest, ResetGivesBackWhatPrepareTook) {
  const StreamFormat format{48000, 8, SampleFormat::s32};
  ASSERT_TRUE(gain.init(widget(kUnityQ31), memory));
  const std::size_t before = memory.held_bytes();
  EXPECT_GT(before, 0U);
  ASSERT_TRUE(gain.prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_GT(memory.held_bytes(), before);
  gain.reset(memory);
  EXPECT_EQ(memory.held_bytes(), before);
}

TEST_F(GainTest, ReportsThatMemoryRanOut) {
  const StreamFormat format{48000, 8, SampleFormat::s32};
  limit_memory(16);
  EXPECT_FALSE(gain.init(widget(kUnityQ31), memory));
  EXPECT_EQ(memory.held_bytes(), 0U);

  limit_memory(kMaxChannels * sizeof(Gain31) + 16);
  Gain other;
  ASSERT_TRUE(other.init(widget(kUnityQ31), memory));
  EXPECT_FALSE(other.prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_EQ(memory.failures(), 1U);
  other.reset(memory);
}

TEST_F(GainTest, AVolumeControlSetsTheGainOfItsChannels) {
  const Signal in = constant_signal({48000, 4, SampleFormat::s32}, 48, 0x40000000);
  start(widget(kUnityQ31), in.format);
  // -6 dB and mute; further channels follow the last.
  ASSERT_TRUE(gain.set_control(volume_control(2), Values{42, 0}, memory));
  const Signal out = play(in);
  EXPECT_NEAR(out.at(0), 0x40000000 * std::pow(10, -0.3), 1);
  EXPECT_EQ(out.at(1), 0);
  EXPECT_EQ(out.at(2), 0);
  EXPECT_EQ(out.at(3), 0);
  ASSERT_TRUE(gain.set_control(volume_control(2), Values{45}, memory));
  EXPECT_EQ(play(in).data, in.data);
}

TEST_F(GainTest, VolumesAndSwitchesMoveAlongTheCurve) {
  const Signal in = constant_signal({48000, 2, SampleFormat::s32}, 960, 0x40000000);
  start(widget(kUnityQ31, k20Ms), in.format);
  play(in);
  ASSERT_TRUE(gain.set_control(switch_control(2), Values{0, 1}, memory));
  const Signal out = play(in);
  EXPECT_EQ(out.at(0), 0x40000000);
  EXPECT_NEAR(out.at(960), 0x20000000, 1);
  EXPECT_EQ(out.at(961), 0x40000000);
  EXPECT_EQ(play(in).at(0), 0);
}

TEST_F(GainTest, WhatIsMutedKeepsItsGain) {
  const Signal in = constant_signal({48000, 2, SampleFormat::s32}, 48, 0x40000000);
  start(widget(kHalf), in.format);
  ASSERT_TRUE(gain.set_control(switch_control(4), Values{0, 0, 0, 0}, memory));
  EXPECT_EQ(play(in).at(0), 0);
  ASSERT_TRUE(gain.set_gain(0, 0x20000000));
  EXPECT_EQ(play(in).at(0), 0);
  gain.reset(memory);
  ASSERT_TRUE(gain.prepare({&in.format, 1}, {&in.format, 1}, memory));
  EXPECT_EQ(play(in).at(0), 0);
  ASSERT_TRUE(gain.set_control(switch_control(4), Values{1}, memory));
  EXPECT_EQ(play(in).at(0), 0x10000000);
  EXPECT_EQ(play(in).at(1), 0x20000000);
}

TEST_F(GainTest, RefusesControlsThatItDoesNotHaveAndValuesOutOfRange) {
  const Signal in = random_signal({48000, 2, SampleFormat::s16}, 48);
  start(widget(kUnityQ31), in.format);
  EXPECT_FALSE(gain.set_control(volume_control(2), Values{46, 0}, memory));
  EXPECT_FALSE(gain.set_control(volume_control(2), Values{}, memory));
  EXPECT_FALSE(gain.set_control(switch_control(2), Values{0, 2}, memory));
  Control unscaled = volume_control(2);
  unscaled.tlv.reset();
  EXPECT_FALSE(gain.set_control(unscaled, Values{0, 0}, memory));
  Control enumeration;
  enumeration.detail = EnumControl{.channels = {}, .mask = 0, .texts = {"one", "two"}};
  EXPECT_FALSE(gain.set_control(enumeration, Values{0}, memory));
  EXPECT_EQ(play(in).data, in.data);
}

}  // namespace
}  // namespace modmem::testbench
