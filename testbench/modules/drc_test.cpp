#include "testbench/modules/drc.hpp"

#include <cmath>
#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/controls_testing.hpp"
#include "testbench/modules/drc_testing.hpp"

namespace modmem::testbench {
namespace {

// A compressor for a small speaker: threshold -30 dB, knee 20 dB, ratio 10, attack 3 ms at 48 kHz.
struct Settings {
  std::int32_t enabled = 1;
  double look_ahead = 0.006;
  double linear_threshold = 0.0316227766;
  double slope = 0.1;
  double bend = 11.66191006;
  double alpha = 0.11737204;
  double beta = -0.12399101;
  double knee_end = 0.31622777;
  double ratio_base = 0.12821188;
  double makeup = 4.84443396;
  double attack = 1 / 144.0;
  double release = -1 / 120.0;
  double release_high = 0.00192066;
  std::int32_t spacing = 5;
  std::vector<double> polynomial = {1080, 71.865, 604.9141, 151.865, 11.3557};

  std::vector<std::byte> payload() const {
    const auto fixed = [](double value, int fraction) {
      return static_cast<std::int32_t>(std::llround(std::ldexp(value, fraction)));
    };
    BlobBytes bytes;
    bytes.zeros(16).words({enabled, fixed(-30, 24), fixed(20, 24), fixed(10, 24),
                           fixed(look_ahead, 30), fixed(linear_threshold, 30), fixed(slope, 30),
                           fixed(bend, 20), fixed(alpha, 24), fixed(beta, 24), fixed(knee_end, 24),
                           fixed(ratio_base, 30), fixed(makeup, 24), fixed(attack, 30),
                           fixed(release, 30), fixed(release_high, 30), spacing});
    for (const double coefficient : polynomial) {
      bytes.put(fixed(coefficient, 12));
    }
    return bytes.sized();
  }
};

class DrcTest : public ModuleTest {
 protected:
  void start(const Settings& settings, const StreamFormat& in, const StreamFormat& out) {
    drc.reset(memory);
    ASSERT_TRUE(drc.init(blob_widget(settings.payload()), memory));
    ASSERT_TRUE(drc.prepare({&in, 1}, {&out, 1}, memory));
  }
  void start(const Settings& settings, const StreamFormat& format) {
    start(settings, format, format);
  }

  Drc drc;
};

TEST_F(DrcTest, FollowsTheReference) {
  for (const SampleFormat sample : kSampleFormats) {
    for (const std::uint32_t rate : {16000U, 44100U, 48000U}) {
      const Signal in = bursts({rate, 2, sample}, 30000);
      start(Settings{}, in.format);
      const AudioPathCheck check(system.memory());
      const Signal out = play(drc, in);
      const std::vector<Values> expected = reference_drc(Settings{}.payload(), in);
      for (std::uint32_t channel = 0; channel < 2; ++channel) {
        EXPECT_LT(error_db(out, channel, expected[channel]), std::max(rounding_db(sample), -180.0));
      }
    }
  }
}

TEST_F(DrcTest, FollowsTheReferenceWithOtherSettings) {
  Settings slow;
  slow.attack = 1 / 2000.0;
  slow.release = -1 / 1000.0;
  slow.polynomial = {4000, -100, 50, -10, 1};
  Settings soft;
  soft.slope = 0.9;
  soft.makeup = 0.5;
  soft.look_ahead = 0.0001;
  Settings late;
  late.look_ahead = 0.1;
  for (const Settings& settings : {slow, soft, late}) {
    const Signal in = bursts({48000, 1, SampleFormat::s32}, 30000, 2);
    start(settings, in.format);
    EXPECT_LT(error_db(play(drc, in), 0, reference_drc(settings.payload(), in)[0]), -180);
  }
}

TEST_F(DrcTest, DoesNotDependOnHowPeriodsDivideTheAudio) {
  const Signal in = bursts({48000, 2, SampleFormat::s32}, 5000);
  start(Settings{}, in.format);
  const Signal expected = play(drc, in);
  for (const std::size_t period : {1U, 31U, 32U, 45U, 1000U, 5000U}) {
    start(Settings{}, in.format);
    EXPECT_EQ(play(drc, in, period).data, expected.data) << period;
  }
}

// Far behind the knee, the level out rises by a tenth of what the level in does, in dB; below the
// threshold, the gain is the makeup gain.
TEST_F(DrcTest, HasTheRatioThatTheBlobNames) {
  const auto level_out = [&](double db) {
    const double level = std::pow(10, db / 20);
    Signal in({48000, 1, SampleFormat::s32}, 48000);
    for (std::size_t i = 0; i < in.frames(); ++i) {
      in.set(i, static_cast<std::int32_t>((i / 24 % 2 == 0 ? level : -level) * INT32_MAX));
    }
    Settings settings;
    settings.makeup = 1;
    start(settings, in.format);
    const Signal out = play(drc, in);
    return 20 * std::log10(std::abs(out.at(out.frames() - 1)) / 0x1p31);
  };
  EXPECT_NEAR(level_out(-2) - level_out(-8), 0.6, 0.01);
  EXPECT_LT(level_out(-8), -14);
  EXPECT_NEAR(level_out(-35), -35, 1e-3);
}

TEST_F(DrcTest, DelaysByTheLookAheadInWholeDivisions) {
  const auto delay = [&](double seconds, std::uint32_t rate) {
    Signal in({rate, 1, SampleFormat::s32}, rate / 2);
    for (std::size_t i = rate / 4; i < in.frames(); ++i) {
      in.set(i, INT32_MAX / 2);
    }
    Settings settings;
    settings.look_ahead = seconds;
    start(settings, in.format);
    const Signal out = play(drc, in);
    std::size_t first = 0;
    while (first < out.frames() && out.at(first) == 0) {
      ++first;
    }
    return first - rate / 4;
  };
  EXPECT_EQ(delay(0.006, 48000), 288U);
  EXPECT_EQ(delay(0.004, 48000), 192U);
  EXPECT_EQ(delay(0.006, 44100), 256U);
  EXPECT_EQ(delay(0.006, 16000), 96U);
  EXPECT_EQ(delay(0.1, 16000), 1600U);
  EXPECT_EQ(delay(0, 48000), 32U);
}

TEST_F(DrcTest, TurnsTheGainDownBeforeTheBurstComesOut) {
  Signal in({48000, 1, SampleFormat::s32}, 30000);
  for (std::size_t i = 0; i < in.frames(); ++i) {
    in.set(i, i < 24000 ? 1 << 20 : INT32_MAX);
  }
  start(Settings{}, in.format);
  const Signal out = play(drc, in);
  const auto gain = [&](std::size_t i) { return static_cast<double>(out.at(i)) / in.at(i - 288); };
  EXPECT_NEAR(gain(24000), 4.844, 0.001);
  EXPECT_LT(gain(24288), 1.0);
  EXPECT_NEAR(gain(24287) / gain(24288), 1, 0.1) << "a step";
}

TEST_F(DrcTest, WithoutABlobAudioPassesBitForBit) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    Drc other;
    ASSERT_TRUE(other.init(Widget{}, memory));
    ASSERT_TRUE(other.prepare({&in.format, 1}, {&in.format, 1}, memory));
    EXPECT_EQ(memory.held_bytes(), 0U);
    EXPECT_EQ(play(other, in).data, in.data);
  }
}

TEST_F(DrcTest, ADisabledBlobPassesBitForBit) {
  Settings settings;
  settings.enabled = 0;
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    start(settings, in.format);
    EXPECT_EQ(memory.held_bytes(), 0U);
    EXPECT_EQ(play(drc, in).data, in.data);
    drc.set_switch(true);
    EXPECT_EQ(play(drc, in).data, in.data);
  }
}

TEST_F(DrcTest, SwitchedOffAudioPassesBitForBitAsLateAsBefore) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 960);
    start(Settings{}, in.format);
    drc.set_switch(false);
    const Signal out = play(drc, in);
    for (std::size_t i = 0; i < out.samples(); ++i) {
      ASSERT_EQ(out.at(i), i < 2 * 288 ? 0 : in.at(i - 2 * 288));
    }
    drc.set_switch(true);
    EXPECT_NE(play(drc, in).data, in.data);
  }
}

TEST_F(DrcTest, TheSwitchMayTurnWhileAudioPlays) {
  const Signal in = bursts({48000, 1, SampleFormat::s32}, 24000);
  start(Settings{}, in.format);
  Signal out(in.format, in.frames());
  for (std::size_t first = 0; first < in.frames(); first += 50) {
    drc.set_switch(first / 1000 % 2 == 0);
    process(drc, in.input(first, 50), out.output(first, 50));
    for (std::size_t i = first; first / 1000 % 2 != 0 && i < first + 50; ++i) {
      ASSERT_EQ(out.at(i), in.at(i - 288));
    }
  }
}

// What is heard while it is switched off has no effect on what follows, but for the delay.
TEST_F(DrcTest, SwitchedOffItStandsStill) {
  const Signal in = bursts({48000, 1, SampleFormat::s32}, 6400);
  start(Settings{}, in.format);
  const Signal expected = play(drc, in);
  start(Settings{}, in.format);
  Signal out(in.format, in.frames());
  process(drc, in.input(0, 3200), out.output(0, 3200));
  drc.set_switch(false);
  const Signal loud = constant_signal(in.format, 320, INT32_MAX);
  Signal aside(in.format, 320);
  process(drc, loud.input(), aside.output());
  drc.set_switch(true);
  process(drc, in.input(3200, 3200), out.output(3200, 3200));
  for (std::size_t i = 3200 + 288; i < in.frames(); ++i) {
    ASSERT_EQ(out.at(i), expected.at(i));
  }
}

TEST_F(DrcTest, StartsAnewEachTimeItIsPrepared) {
  const Signal in = bursts({48000, 1, SampleFormat::s32}, 3000);
  start(Settings{}, in.format);
  const Signal first = play(drc, in);
  drc.reset(memory);
  ASSERT_TRUE(drc.prepare({&in.format, 1}, {&in.format, 1}, memory));
  EXPECT_EQ(play(drc, in).data, first.data);
}

TEST_F(DrcTest, ConvertsFormatsAndChannels) {
  const Signal in = bursts({48000, 2, SampleFormat::s32}, 6000);
  const std::vector<Values> expected = reference_drc(Settings{}.payload(), in);
  for (const SampleFormat sample : kSampleFormats) {
    for (const std::uint32_t channels : {1U, 2U, 3U}) {
      const StreamFormat out_format{48000, channels, sample};
      start(Settings{}, in.format, out_format);
      Signal out(out_format, in.frames(), std::byte{0xa5});
      play(drc, in, {&out, 1});
      for (std::uint32_t channel = 0; channel < channels; ++channel) {
        const Values silence(in.frames(), 0.0);
        EXPECT_LT(error_db(out, channel, channel < 2 ? expected[channel] : silence),
                  std::max(rounding_db(sample), -180.0));
      }
    }
  }
}

TEST_F(DrcTest, WaitsWhereInputIsMissing) {
  const Signal in = bursts({48000, 1, SampleFormat::s16}, 4800);
  start(Settings{}, in.format);
  const Signal expected = play(drc, in);
  start(Settings{}, in.format);
  Signal gap(in.format, 48, std::byte{0xa5});
  const OutputView gap_view = gap.output();
  Signal out(in.format, in.frames());
  process(drc, in.input(0, 2000), out.output(0, 2000));
  drc.process({}, {&gap_view, 1});
  process(drc, {in.format, nullptr, 0}, gap_view);
  EXPECT_EQ(gap.data, Signal(in.format, 48).data);
  process(drc, in.input(2000, 2800), out.output(2000, 2800));
  EXPECT_EQ(out.data, expected.data);
}

TEST_F(DrcTest, TakesTheLookAheadAndGivesItBack) {
  start(Settings{}, {48000, 2, SampleFormat::s16});
  EXPECT_GE(memory.held_bytes(), 288U * 2 * 4);
  EXPECT_LT(memory.held_bytes(), 288U * 2 * 4 + 128);
  drc.reset(memory);
  EXPECT_EQ(memory.held_bytes(), 0U);
}

TEST_F(DrcTest, ReportsThatMemoryRanOut) {
  const StreamFormat format{48000, 2, SampleFormat::s32};
  ASSERT_TRUE(drc.init(blob_widget(Settings{}.payload()), memory));
  limit_memory(1024);
  EXPECT_FALSE(drc.prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_EQ(memory.failures(), 1U);
  drc.reset(memory);
}

TEST_F(DrcTest, RefusesBlobsThatMakeNoSense) {
  const auto expect_refused = [&](const std::vector<std::byte>& payload,
                                  const std::string& reason) {
    try {
      drc.init(blob_widget(payload), memory);
      ADD_FAILURE() << "no error about " << reason;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()), "widget 'module.1.1': control 'blob': " + reason);
    }
  };
  const auto expect_settings_refused = [&](auto change, const std::string& reason) {
    Settings settings;
    change(settings);
    expect_refused(settings.payload(), reason);
    settings.enabled = 0;
    EXPECT_TRUE(drc.init(blob_widget(settings.payload()), memory)) << "though disabled";
  };
  std::vector<std::byte> longer = Settings{}.payload();
  longer.resize(longer.size() + 4);
  longer[0] = static_cast<std::byte>(longer.size());
  expect_refused(longer, "4 bytes follow the parameters");
  longer[0] = std::byte{0};
  expect_refused(longer, "its configuration says that it has 0 bytes, it has 112");

  expect_settings_refused([](Settings& s) { s.look_ahead = -0.001; }, "the look-ahead is negative");
  expect_settings_refused([](Settings& s) { s.linear_threshold = 0; },
                          "the linear threshold is not above 0");
  expect_settings_refused([](Settings& s) { s.knee_end = 0.03; }, "the knee ends before it begins");
  expect_settings_refused([](Settings& s) { s.bend = -1; }, "the knee's bend is negative");
  expect_settings_refused([](Settings& s) { s.attack = 0; }, "the attack takes forever");
  expect_settings_refused([](Settings& s) { s.release = 0.01; }, "the detector never releases");
  expect_settings_refused([](Settings& s) { s.release_high = -0.01; },
                          "the detector never releases");
  expect_settings_refused([](Settings& s) { s.spacing = 0; }, "the release spacing is not above 0");
  expect_settings_refused([](Settings& s) { s.polynomial[1] = -2000; },
                          "a release takes less than a frame");
  expect_settings_refused(
      [](Settings& s) {
        s.polynomial = {100, 0, 0, 0, -2};
      },
      "a release takes less than a frame");
}

// Whatever a blob says, it is refused or leads to gains that can be applied.
TEST(DrcEnvelope, EveryBlobThatIsTakenHasFiniteGains) {
  std::mt19937 random(1);
  int taken = 0;
  for (int round = 0; round < 20000; ++round) {
    BlobBytes bytes;
    bytes.zeros(16).put(std::int32_t{1});
    for (int word = 0; word < 21; ++word) {
      const auto magnitude = static_cast<std::int32_t>(random() >> (1 + random() % 31));
      constexpr bool kOfEitherSign[] = {true,  true,  true,  false, false, true,  false,
                                        true,  true,  false, true,  true,  false, false,
                                        false, false, false, true,  true,  true,  true};
      constexpr int kDetectorRelease = 13;
      const bool negative = (random() % 64 == 0) != (word == kDetectorRelease) ||
                            (kOfEitherSign[word] && random() % 8 == 0);
      bytes.put(negative ? -magnitude : magnitude);
    }
    DrcParameters parameters;
    try {
      parameters = read_drc_parameters(blob_widget(bytes.sized()));
    } catch (const InputError&) {
      continue;
    }
    ++taken;
    DrcEnvelope envelope;
    DrcEnvelope::Division peaks{};
    DrcEnvelope::Division gains{};
    envelope.begin(parameters, gains);
    for (int division = 0; division < 8; ++division) {
      for (double& peak : peaks) {
        const auto level = static_cast<std::int32_t>(random() % 0x80000000);
        peak = random() % 3 == 0 ? static_cast<double>(level % 2) : std::ldexp(level, -31);
      }
      envelope.advance(parameters, peaks, gains);
      for (const double gain : gains) {
        ASSERT_TRUE(std::isfinite(gain)) << "round " << round;
        ASSERT_LE(std::abs(gain), std::abs(parameters.makeup_gain));
      }
    }
  }
  EXPECT_GT(taken, 1000);
}

TEST_F(DrcTest, TheControlOfTheTopologyIsTheSwitch) {
  const StreamFormat format{48000, 2, SampleFormat::s32};
  const Signal in = bursts(format, 4800);
  start({}, format);
  drc.set_switch(false);
  const Signal off = play(drc, in);
  start({}, format);
  ASSERT_TRUE(drc.set_control(switch_control(1), std::vector<std::int64_t>{1}, memory));
  const Signal on = play(drc, in);
  EXPECT_NE(on.data, off.data);
  start({}, format);
  ASSERT_TRUE(drc.set_control(switch_control(1), std::vector<std::int64_t>{0}, memory));
  EXPECT_EQ(play(drc, in).data, off.data);
  EXPECT_FALSE(drc.set_control(switch_control(1), std::vector<std::int64_t>{2}, memory));
  EXPECT_FALSE(drc.set_control(volume_control(1), std::vector<std::int64_t>{1}, memory));
}

}  // namespace
}  // namespace modmem::testbench
