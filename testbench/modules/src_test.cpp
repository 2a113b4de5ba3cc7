#include "testbench/modules/src.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/modules_testing.hpp"
#include "testbench/stream_graph.hpp"

namespace modmem::testbench {
namespace {

// All that firmware's table has, on either side.
constexpr std::uint32_t kUsualRates[] = {8000,  11025, 12000, 16000, 18900, 22050, 24000,  32000,
                                         37800, 44100, 48000, 64000, 88200, 96000, 176400, 192000};
constexpr double kFullScale = 0x1p31;

struct Pair {
  std::uint32_t in;
  std::uint32_t out;
};
constexpr Pair kPairs[] = {{44100, 48000}, {48000, 44100},  {48000, 16000}, {16000, 48000},
                           {11025, 48000}, {192000, 44100}, {8000, 192000}};

StreamFormat format(std::uint32_t rate, std::uint32_t channels = 1,
                    SampleFormat sample = SampleFormat::s32) {
  return {rate, channels, sample};
}

Signal sine(const StreamFormat& in, std::size_t frames, double hertz, double level = 0.5) {
  Signal signal(in, frames);
  const double scale = std::ldexp(level, bits_of(in.sample) - 1);
  for (std::size_t i = 0; i < signal.samples(); ++i) {
    const double time = static_cast<double>(i / in.channels) / in.rate;
    signal.set(i, static_cast<std::int32_t>(
                      std::lround(scale * std::sin(2 * std::numbers::pi * hertz * time))));
  }
  return signal;
}

// What is left of a sine: its amplitude (full scale is 1), its phase, and the power of everything
// else.
struct Tone {
  double amplitude = 0;
  double phase = 0;
  double residue = 0;

  double snr() const { return 10 * std::log10(amplitude * amplitude / 2 / residue); }
};

// The sine of `hertz` that comes nearest to frames `first` to `last` of `signal` (mono).
Tone fit(const Signal& signal, double hertz, std::size_t first, std::size_t last = SIZE_MAX) {
  last = std::min(last, signal.frames());
  double ss = 0, sc = 0, cc = 0, ys = 0, yc = 0;
  const auto at = [&](std::size_t i) { return signal.at(i) / kFullScale; };
  const auto angle = [&](std::size_t i) {
    return 2 * std::numbers::pi * hertz * static_cast<double>(i) / signal.format.rate;
  };
  for (std::size_t i = first; i < last; ++i) {
    const double s = std::sin(angle(i));
    const double c = std::cos(angle(i));
    ss += s * s;
    sc += s * c;
    cc += c * c;
    ys += at(i) * s;
    yc += at(i) * c;
  }
  const double a = (ys * cc - yc * sc) / (ss * cc - sc * sc);
  const double b = (yc * ss - ys * sc) / (ss * cc - sc * sc);
  double power = 0;
  for (std::size_t i = first; i < last; ++i) {
    power += std::pow(at(i) - a * std::sin(angle(i)) - b * std::cos(angle(i)), 2);
  }
  return {std::hypot(a, b), std::atan2(b, a), power / static_cast<double>(last - first)};
}

std::size_t frames_of_periods(std::uint32_t rate, std::size_t first, std::size_t count) {
  std::size_t frames = 0;
  for (std::size_t period = first; period < first + count; ++period) {
    frames += frames_in_period(rate, period);
  }
  return frames;
}

class SrcTest : public ModuleTest {
 protected:
  void start(const StreamFormat& in, const StreamFormat& out) {
    src.reset(memory);
    ASSERT_TRUE(src.prepare({&in, 1}, {&out, 1}, memory));
  }

  // All of `in` in one call, for as many frames as are due for it.
  Signal convert(const Signal& in, const StreamFormat& out_format) {
    start(in.format, out_format);
    Signal out(out_format, in.frames() * out_format.rate / in.format.rate, std::byte{0xa5});
    process(src, in.input(), out.output());
    return out;
  }

  // `in` as the pipeline has it, in `periods` periods of 1 ms, number `first` being the first.
  Signal play(const Signal& in, const StreamFormat& out_format, std::size_t periods,
              std::size_t first = 0) {
    start(in.format, out_format);
    Signal out(out_format, frames_of_periods(out_format.rate, first, periods), std::byte{0xa5});
    std::size_t read = 0;
    std::size_t written = 0;
    for (std::size_t period = first; period < first + periods; ++period) {
      const std::size_t take = frames_in_period(in.format.rate, period);
      const std::size_t make = frames_in_period(out_format.rate, period);
      process(src, in.input(read, take), out.output(written, make));
      read += take;
      written += make;
    }
    return out;
  }

  Src src;
};

TEST_F(SrcTest, KeepsAToneAbove100dBFrom44100To48000) {
  const Signal out =
      play(sine(format(44100), frames_of_periods(44100, 0, 500), 997), format(48000), 500);
  const Tone tone = fit(out, 997, 4800);
  EXPECT_GT(tone.snr(), 100);
  EXPECT_NEAR(tone.amplitude, 0.5, 1e-5);
}

TEST_F(SrcTest, KeepsAToneBetweenAllUsualRates) {
  constexpr std::size_t kPeriods = 50;
  for (const std::uint32_t from : kUsualRates) {
    const Signal in = sine(format(from), frames_of_periods(from, 0, kPeriods), 997);
    for (const std::uint32_t to : kUsualRates) {
      if (from != to) {
        const Tone tone = fit(play(in, format(to), kPeriods), 997, to / 50);
        EXPECT_GT(tone.snr(), 100) << from << " to " << to;
        EXPECT_NEAR(tone.amplitude, 0.5, 1e-5) << from << " to " << to;
      }
    }
  }
}

// What the filter is said to be, computed anew for every output from its place in time.
double reference(const Signal& in, double rate_out, std::size_t index) {
  const double ratio = rate_out / in.format.rate;
  const double cutoff = std::min(1.0, ratio);
  const double taps = std::ceil(64 / cutoff);
  const std::uint32_t common = std::gcd(in.format.rate, static_cast<std::uint32_t>(rate_out));
  const double up = rate_out / common;
  const double place = static_cast<double>(index) / ratio - (taps + 1) / 2 - (up - 1) / (2 * up);
  double sum = 0;
  double weights = 0;
  for (double k = std::ceil(place - taps / 2 - 1e-6); k <= place + taps / 2 + 1e-6; ++k) {
    const double distance = place - k;
    const double window = std::sqrt(std::max(0.0, 1 - std::pow(2 * distance / taps, 2)));
    const double angle = std::numbers::pi * cutoff * distance;
    const double weight = (std::abs(angle) < 1e-12 ? 1 : std::sin(angle) / angle) *
                          std::cyl_bessel_i(0.0, 0.1102 * (100 - 8.7) * window);
    weights += weight;
    if (k >= 0) {
      sum += weight * in.at(static_cast<std::size_t>(k));
    }
  }
  return sum / weights;
}

TEST_F(SrcTest, FollowsTheReference) {
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(std::to_string(pair.in) + " to " + std::to_string(pair.out));
    Signal in = random_signal(format(pair.in), pair.in / 100);
    for (std::size_t i = 0; i < in.samples(); ++i) {
      in.set(i, in.at(i) / 4);  // stays within range between samples
    }
    const Signal out = convert(in, format(pair.out));
    ASSERT_GT(out.frames(), 0U);
    double worst = 0;
    for (std::size_t i = 0; i < out.frames(); ++i) {
      worst = std::max(worst, std::abs(out.at(i) - reference(in, pair.out, i)));
    }
    EXPECT_LT(20 * std::log10(worst / kFullScale), -130);
  }
}

TEST_F(SrcTest, PassesTheBandAndStopsWhatWouldFoldIntoIt) {
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(std::to_string(pair.in) + " to " + std::to_string(pair.out));
    const std::uint32_t lower = std::min(pair.in, pair.out);
    const auto level = [&](double hertz) {
      const Signal in = sine(format(pair.in), pair.in / 10, hertz);
      const Signal out = convert(in, format(pair.out));
      double power = 0;
      for (std::size_t i = out.frames() / 2; i < out.frames(); ++i) {
        power += std::pow(out.at(i) / kFullScale, 2);
      }
      return 10 * std::log10(power / static_cast<double>(out.frames() - out.frames() / 2) / 0.125);
    };
    EXPECT_NEAR(level(0.45 * lower), 0, 0.01);
    if (pair.out < pair.in) {
      for (const double stopped : {0.55, 0.65, 0.9, 1.5}) {
        if (stopped * lower < 0.5 * pair.in) {
          EXPECT_LT(level(stopped * lower), -95) << stopped;
        }
      }
    } else {
      // The images of a tone near the edge of the band.
      const Signal out =
          convert(sine(format(pair.in), pair.in / 10, 0.45 * lower), format(pair.out));
      EXPECT_GT(fit(out, 0.45 * lower, out.frames() / 2).snr(), 95);
    }
  }
}

// Whichever period is the first, and whatever its length, not one frame is lost or made up.
TEST_F(SrcTest, DoesNotDependOnHowPeriodsDivideTheAudio) {
  constexpr std::size_t kPeriods = 100;
  for (const std::uint32_t from : {11025U, 22050U, 44100U, 48000U, 192000U}) {
    for (const std::uint32_t to : {8000U, 11025U, 44100U, 48000U, 88200U, 192000U}) {
      if (from == to) {
        continue;
      }
      const Signal in = random_signal(format(from), (kPeriods + 1) * from / 1000 + 1);
      const Signal whole = convert(in, format(to));
      for (const std::size_t first : {0U, 1U, 8U, 39U}) {
        const Signal out = play(in, format(to), kPeriods, first);
        ASSERT_GE(whole.frames(), out.frames());
        ASSERT_TRUE(std::equal(out.data.begin(), out.data.end(), whole.data.begin()))
            << from << " to " << to << ", first period " << first;
      }
    }
  }
}

TEST_F(SrcTest, IsSilentUntilTheAudioHasPassedTheFilter) {
  for (const Pair& pair : kPairs) {
    Signal in(format(pair.in), pair.in / 10);
    in.set(0, INT32_MAX);
    const Signal out = convert(in, format(pair.out));
    EXPECT_EQ(out.at(0), 0);
    std::size_t peak = 0;
    for (std::size_t i = 0; i < out.frames(); ++i) {
      peak = out.at(i) > out.at(peak) ? i : peak;
    }
    const double ratio = static_cast<double>(pair.out) / pair.in;
    const double taps = 64 / std::min(1.0, ratio);
    EXPECT_NEAR(static_cast<double>(peak), (taps / 2 + 1) * ratio, 1 + ratio)
        << pair.in << " to " << pair.out;
  }
}

TEST_F(SrcTest, RoundsOnceToTheOutputsFormat) {
  for (const SampleFormat from : kSampleFormats) {
    const Signal in = random_signal(format(44100, 1, from), 441);
    const Signal exact = convert(in, format(48000));
    for (const SampleFormat to : kSampleFormats) {
      const Signal out = convert(in, format(48000, 1, to));
      for (std::size_t i = 0; i < out.frames(); ++i) {
        const double value = std::ldexp(exact.at(i), bits_of(to) - 32);
        const double limit = std::ldexp(1.0, bits_of(to) - 1) - 1;
        ASSERT_NEAR(out.at(i), std::min(value, limit), 0.5 + 1e-4);
      }
    }
  }
}

TEST_F(SrcTest, SaturatesWhatSwingsBeyondTheRange) {
  // A square wave: the band-limited one overshoots.
  Signal in(format(16000), 160);
  for (std::size_t i = 0; i < in.frames(); ++i) {
    in.set(i, i / 16 % 2 == 0 ? INT32_MAX : INT32_MIN);
  }
  const Signal out = convert(in, format(48000));
  std::size_t saturated = 0;
  for (std::size_t i = 0; i < out.frames(); ++i) {
    const double expected = reference(in, 48000, i);
    saturated += expected > kFullScale || expected < -kFullScale ? 1 : 0;
    ASSERT_NEAR(out.at(i), std::clamp(expected, -kFullScale, kFullScale - 1), 500);
  }
  EXPECT_GT(saturated, 50U);
}

TEST_F(SrcTest, ConvertsEveryChannelByItself) {
  const Signal in = random_signal(format(44100, 3), 441);
  const Signal out = convert(in, format(48000, 4));
  for (std::uint32_t channel = 0; channel < 4; ++channel) {
    Signal alone(format(44100), in.frames());
    for (std::size_t i = 0; channel < 3 && i < in.frames(); ++i) {
      alone.set(i, in.at(i * 3 + channel));
    }
    const Signal expected = convert(alone, format(48000));
    for (std::size_t i = 0; i < out.frames(); ++i) {
      ASSERT_EQ(out.at(i * 4 + channel), expected.at(i));
    }
  }
}

TEST_F(SrcTest, MonoGoesToEveryChannelAndSurplusChannelsNowhere) {
  const Signal stereo = random_signal(format(48000, 2), 480);
  const Signal mono = convert(stereo, format(16000, 1));
  const Signal both = convert(stereo, format(16000, 2));
  Signal left(format(48000), stereo.frames());
  for (std::size_t i = 0; i < left.frames(); ++i) {
    left.set(i, stereo.at(2 * i));
  }
  const Signal spread = convert(left, format(16000, 2));
  for (std::size_t i = 0; i < mono.frames(); ++i) {
    ASSERT_EQ(mono.at(i), both.at(2 * i));
    ASSERT_EQ(spread.at(2 * i), mono.at(i));
    ASSERT_EQ(spread.at(2 * i + 1), mono.at(i));
  }
}

TEST_F(SrcTest, FeedsEveryOutputAtItsOwnRate) {
  const Signal in = random_signal(format(48000, 2), 480);
  const Signal far = convert(in, format(16000, 2));
  const std::array formats = {format(16000, 2), format(48000, 2)};
  src.reset(memory);
  ASSERT_TRUE(src.prepare({&in.format, 1}, formats, memory));
  Signal first(formats[0], 160);
  Signal second(formats[1], 480);
  const InputView input = in.input();
  const std::array outputs = {first.output(), second.output()};
  src.process({&input, 1}, outputs);
  EXPECT_EQ(first.data, far.data);
  EXPECT_EQ(second.data, in.data);
}

TEST_F(SrcTest, EqualRatesPassBitForBitAndTakeNoTables) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal(format(44100, 2, sample), 441);
    EXPECT_EQ(convert(in, in.format).data, in.data);
    EXPECT_LT(memory.held_bytes(), 256U);
  }
}

// Periods without input, or with some of it, or with too much: the tone is clean again soon after,
// and as late as it was before.
TEST_F(SrcTest, RecoversFromMissingAndFromSurplusInput) {
  for (const Pair& pair : kPairs) {
    for (const int percent : {0, 50, 200}) {
      SCOPED_TRACE(std::to_string(pair.in) + " to " + std::to_string(pair.out) + ", " +
                   std::to_string(percent) + " %");
      constexpr std::size_t kPeriods = 150;
      const Signal in = sine(format(pair.in), (kPeriods + 5) * (pair.in / 1000 + 1), 997);
      start(in.format, format(pair.out));
      Signal out(format(pair.out), frames_of_periods(pair.out, 0, kPeriods), std::byte{0xa5});
      std::size_t read = 0;
      std::size_t written = 0;
      std::size_t nominal = 0;
      for (std::size_t period = 0; period < kPeriods; ++period) {
        const std::size_t due = frames_in_period(pair.in, period);
        const bool wrong = period >= 50 && period < 53;
        const std::size_t take = wrong ? due * static_cast<std::size_t>(percent) / 100 : due;
        const std::size_t make = frames_in_period(pair.out, period);
        process(src, in.input(read, take), out.output(written, make));
        read += take;
        nominal += due;
        written += make;
      }
      const Tone before = fit(out, 997, out.frames() / 5, out.frames() / 3);
      const Tone after = fit(out, 997, out.frames() * 3 / 5);
      EXPECT_GT(before.snr(), 100);
      EXPECT_GT(after.snr(), 100);
      // The input's phase has gone ahead of the output's by what came too much.
      const double turn = 2 * std::numbers::pi * 997 / pair.in;
      const double ahead = static_cast<double>(read) - static_cast<double>(nominal);
      const double late =
          std::remainder(after.phase - before.phase - turn * ahead, 2 * std::numbers::pi) / turn;
      EXPECT_LT(std::abs(late), 3.5 + static_cast<double>(pair.in) / pair.out);
      if (percent == 0 && std::min(pair.in, pair.out) > 40000) {
        EXPECT_EQ(out.at(frames_of_periods(pair.out, 0, 53) - 1), 0);
      }
    }
  }
}

TEST_F(SrcTest, AnOutputWithoutInputIsSilent) {
  const StreamFormat out_format = format(48000, 2, SampleFormat::s16);
  start(format(44100, 2), out_format);
  Signal out(out_format, 48, std::byte{0xa5});
  const OutputView view = out.output();
  src.process({}, {&view, 1});
  EXPECT_EQ(out.data, Signal(out_format, 48).data);

  src.reset(memory);
  ASSERT_TRUE(src.prepare({}, {&out_format, 1}, memory));
  Signal other(out_format, 48, std::byte{0xa5});
  const OutputView other_view = other.output();
  src.process({}, {&other_view, 1});
  EXPECT_EQ(other.data, Signal(out_format, 48).data);
}

TEST_F(SrcTest, StartsAnewEachTimeItIsPrepared) {
  const Signal in = random_signal(format(44100), 441);
  const Signal first = convert(in, format(48000));
  EXPECT_EQ(convert(in, format(48000)).data, first.data);
}

TEST_F(SrcTest, TakesMemoryByTheRatioAndGivesItBack) {
  const auto held = [&](std::uint32_t from, std::uint32_t to) {
    start(format(from), format(to));
    const std::size_t bytes = memory.held_bytes();
    src.reset(memory);
    EXPECT_EQ(memory.held_bytes(), 0U);
    return bytes;
  };
  EXPECT_LT(held(48000, 16000), 2048U);
  EXPECT_LT(held(16000, 48000), 2048U);
  // 80 stored phases of 64 weights.
  EXPECT_GT(held(44100, 48000), 80U * 64 * 4);
  EXPECT_LT(held(44100, 48000), 80U * 64 * 4 + 1024);
  EXPECT_GT(held(22050, 48000), 160U * 64 * 4);
  EXPECT_LT(held(11025, 192000), 336U * 1024);
}

TEST_F(SrcTest, ReportsThatMemoryRanOut) {
  const StreamFormat in = format(44100, 2);
  const StreamFormat out = format(48000, 2);
  start(in, out);
  const std::size_t needed = memory.held_bytes();
  src.reset(memory);
  for (const std::size_t limit : {std::size_t{16}, needed / 2, needed - 64}) {
    limit_memory(limit);
    EXPECT_FALSE(src.prepare({&in, 1}, {&out, 1}, memory));
    EXPECT_EQ(memory.failures(), 1U);
    src.reset(memory);
    EXPECT_EQ(memory.held_bytes(), 0U);
  }
}

TEST_F(SrcTest, RefusesARateOfZero) {
  Widget widget;
  widget.name = "src.1.1";
  ASSERT_TRUE(src.init(widget, memory));
  widget.src_rate_out = 48000;
  ASSERT_TRUE(src.init(widget, memory));
  widget.src_rate_out = 0;
  try {
    src.init(widget, memory);
    ADD_FAILURE() << "no error";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "widget 'src.1.1': cannot convert to a rate of 0 Hz");
  }
}

}  // namespace
}  // namespace modmem::testbench
