#include "testbench/modules/crossover.hpp"

#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/filter_testing.hpp"

namespace modmem::testbench {
namespace {

constexpr double kRate = 48000;

// L0 and H0, then, for more than two bands, L1, H1, L2 and H2.
std::vector<Section> sections(std::size_t bands, const std::vector<double>& frequencies) {
  std::vector<double> splits = frequencies;
  if (bands == 3) {
    splits.push_back(frequencies[1]);  // the lowest band's turn, then the split
  }
  std::vector<Section> result;
  for (const double frequency : splits) {
    result.push_back(butterworth(false, frequency, kRate));
    result.push_back(butterworth(true, frequency, kRate));
  }
  return result;
}

std::vector<std::byte> payload(std::uint32_t bands, const std::vector<Section>& coefficients,
                               const std::vector<std::int32_t>& pins = {0, 1, 2, 3}) {
  BlobBytes bytes;
  bytes.put(bands).zeros(16).words(pins);
  for (const Section& section : coefficients) {
    bytes.words(section);
  }
  return bytes.sized();
}

std::vector<std::byte> way(std::size_t bands,
                           const std::vector<std::int32_t>& pins = {0, 1, 2, 3}) {
  const std::vector<std::vector<double>> frequencies = {{1000}, {200, 2000}, {200, 1000, 5000}};
  return payload(static_cast<std::uint32_t>(bands), sections(bands, frequencies[bands - 2]), pins);
}

// A fourth-order filter: section `index` of the blob, twice.
Values lr4(const std::vector<Section>& from, std::size_t index, const Values& x) {
  return reference_section(from[index].data(), reference_section(from[index].data(), x));
}

Values sum(const Values& a, const Values& b) {
  Values result = a;
  for (std::size_t i = 0; i < b.size(); ++i) {
    result[i] += b[i];
  }
  return result;
}

std::vector<Values> reference(std::size_t bands, const Values& x) {
  if (bands == 2) {
    const std::vector<Section> s = sections(2, {1000});
    return {lr4(s, 0, x), lr4(s, 1, x)};
  }
  if (bands == 3) {
    const std::vector<Section> s = sections(3, {200, 2000});
    const Values low = lr4(s, 0, x);
    const Values high = lr4(s, 1, x);
    return {sum(lr4(s, 2, low), lr4(s, 3, low)), lr4(s, 4, high), lr4(s, 5, high)};
  }
  const std::vector<Section> s = sections(4, {200, 1000, 5000});
  const Values low = lr4(s, 2, x);
  const Values high = lr4(s, 3, x);
  return {lr4(s, 0, low), lr4(s, 1, low), lr4(s, 4, high), lr4(s, 5, high)};
}

class CrossoverTest : public ModuleTest {
 protected:
  void start(const Widget& widget, const StreamFormat& in, std::span<const StreamFormat> outs) {
    crossover = Crossover();  // a module is initialised once
    ASSERT_TRUE(crossover.init(widget, memory));
    ASSERT_TRUE(crossover.prepare({&in, 1}, outs, memory));
  }
  // All outputs of `widget`, in the input's format.
  std::vector<Signal> play_all(const Widget& widget, const Signal& in, std::size_t outputs,
                               std::size_t period = 48) {
    const std::vector<StreamFormat> formats(outputs, in.format);
    start(widget, in.format, formats);
    std::vector<Signal> outs(outputs, Signal(in.format, in.frames(), std::byte{0xa5}));
    const AudioPathCheck check(system.memory());
    play(crossover, in, outs, period);
    return outs;
  }
  void expect_refused(const std::vector<std::byte>& bytes, const std::string& reason) {
    try {
      crossover.init(blob_widget(bytes), memory);
      ADD_FAILURE() << "no error about " << reason;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()), "widget 'module.1.1': control 'blob': " + reason);
    }
  }

  Crossover crossover;
};

TEST_F(CrossoverTest, BandsFollowTheReferenceInEveryFormat) {
  for (const std::size_t bands : {2U, 3U, 4U}) {
    for (const SampleFormat sample : kSampleFormats) {
      const Signal in = quiet_noise({48000, 2, sample}, 4800);
      const std::vector<Signal> outs = play_all(blob_widget(way(bands)), in, bands);
      for (std::uint32_t channel = 0; channel < 2; ++channel) {
        const std::vector<Values> expected = reference(bands, channel_values(in, channel));
        for (std::size_t band = 0; band < bands; ++band) {
          EXPECT_LT(error_db(outs[band], channel, expected[band]), rounding_db(sample))
              << bands << " bands, band " << band;
        }
      }
    }
  }
}

// What Linkwitz and Riley wanted: together the bands are as loud as the input at any frequency, and
// each has next to nothing far from its own. With 4 bands that holds far from the middle split.
TEST_F(CrossoverTest, BandsAddUpToAFlatResponse) {
  constexpr std::size_t kFrames = 16384;
  const StreamFormat format{48000, 1, SampleFormat::s32};
  Signal in(format, kFrames);
  in.set(0, 1 << 30);
  for (const std::size_t bands : {2U, 3U, 4U}) {
    const std::vector<Signal> outs = play_all(blob_widget(way(bands)), in, bands);
    for (const double frequency : {50.0, 200.0, 600.0, 1000.0, 2000.0, 5000.0, 15000.0}) {
      double real = 0;
      double imaginary = 0;
      double first = 0;
      double last = 0;
      for (std::size_t band = 0; band < bands; ++band) {
        double band_real = 0;
        double band_imaginary = 0;
        for (std::size_t i = 0; i < kFrames; ++i) {
          const double angle = 2 * M_PI * frequency / kRate * static_cast<double>(i);
          band_real += outs[band].at(i) / 0x1p30 * std::cos(angle);
          band_imaginary += outs[band].at(i) / 0x1p30 * std::sin(angle);
        }
        real += band_real;
        imaginary += band_imaginary;
        const double level = std::hypot(band_real, band_imaginary);
        first = band == 0 ? level : first;
        last = level;
      }
      const bool dips = bands == 4 && frequency > 100 && frequency < 10000;
      EXPECT_NEAR(std::hypot(real, imaginary), 1, dips ? 0.2 : 1e-3) << bands << ", " << frequency;
      if (frequency < 100) {
        EXPECT_NEAR(first, 1, 0.01);
        EXPECT_LT(last, 1e-4);
      }
      if (frequency > 10000) {
        EXPECT_LT(first, 1e-3);
        EXPECT_NEAR(last, 1, 0.01);
      }
    }
  }
}

TEST_F(CrossoverTest, BandsGoToTheirPins) {
  const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 480);
  const std::vector<Signal> straight = play_all(blob_widget(way(3)), in, 3);
  const Signal silence(in.format, in.frames());

  const std::vector<Signal> turned = play_all(blob_widget(way(3, {2, 0, 1, 3})), in, 4);
  EXPECT_EQ(turned[2].data, straight[0].data);
  EXPECT_EQ(turned[0].data, straight[1].data);
  EXPECT_EQ(turned[1].data, straight[2].data);
  EXPECT_EQ(turned[3].data, silence.data);

  const std::vector<Signal> missing = play_all(blob_widget(way(3, {4, 0, 2, 0})), in, 2);
  EXPECT_EQ(missing[0].data, straight[1].data);
  EXPECT_EQ(missing[1].data, silence.data);
}

TEST_F(CrossoverTest, OutputsMayDifferInFormat) {
  const Signal in = quiet_noise({48000, 1, SampleFormat::s32}, 480);
  std::array outs = {Signal({48000, 2, SampleFormat::s16}, 480, std::byte{0xa5}),
                     Signal({48000, 1, SampleFormat::s24_4le}, 480, std::byte{0xa5})};
  const std::array formats = {outs[0].format, outs[1].format};
  start(blob_widget(way(2)), in.format, formats);
  play(crossover, in, outs);
  const std::vector<Values> expected = reference(2, channel_values(in, 0));
  EXPECT_LT(error_db(outs[0], 0, expected[0]), rounding_db(SampleFormat::s16));
  EXPECT_LT(error_db(outs[0], 1, expected[0]), rounding_db(SampleFormat::s16));
  EXPECT_LT(error_db(outs[1], 0, expected[1]), rounding_db(SampleFormat::s24_4le));
}

TEST_F(CrossoverTest, TheSizeOfPeriodsDoesNotMatter) {
  const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 500);
  const std::vector<Signal> expected = play_all(blob_widget(way(4)), in, 4);
  for (const std::size_t period : {1U, 64U, 65U, 500U}) {
    const std::vector<Signal> outs = play_all(blob_widget(way(4)), in, 4, period);
    for (std::size_t band = 0; band < 4; ++band) {
      EXPECT_EQ(outs[band].data, expected[band].data) << period;
    }
  }
}

TEST_F(CrossoverTest, PassesToEveryOutputWithoutABlob) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    for (const Widget& widget : {Widget{}, blob_widget({})}) {
      for (const Signal& out : play_all(widget, in, 3)) {
        EXPECT_EQ(out.data, in.data);
      }
    }
  }
}

TEST_F(CrossoverTest, StartsAnewWhenPrepared) {
  const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 480);
  const std::vector<Signal> expected = play_all(blob_widget(way(3)), in, 3);
  crossover.reset(memory);
  ASSERT_TRUE(crossover.prepare({&in.format, 1}, {&in.format, 1}, memory));
  Signal silence(in.format, 48, std::byte{0xa5});
  process(crossover, {in.format, nullptr, 0}, silence.output());
  EXPECT_EQ(silence.data, Signal(in.format, 48).data);
  EXPECT_EQ(play(crossover, in).data, expected[0].data);
}

TEST_F(CrossoverTest, TakesMemoryForItsSectionsAndTheirStates) {
  const StreamFormat format{48000, 2, SampleFormat::s32};
  const std::array formats = {format, format};
  start(blob_widget(way(2)), format, formats);
  EXPECT_EQ(memory.held_bytes(), 2 * sizeof(Biquad) + 2 * 4 * sizeof(BiquadState));
  crossover.reset(memory);
  EXPECT_EQ(memory.held_bytes(), 2 * sizeof(Biquad));
  start(blob_widget(way(4)), format, formats);
  EXPECT_EQ(memory.held_bytes(), 6 * sizeof(Biquad) + 2 * 12 * sizeof(BiquadState));
  crossover.reset(memory);
  start(Widget{}, format, formats);
  EXPECT_EQ(memory.held_bytes(), 0U);

  limit_memory(64);
  Crossover other;
  EXPECT_FALSE(other.init(blob_widget(way(2)), memory));
  limit_memory(128);
  ASSERT_TRUE(other.init(blob_widget(way(2)), memory));
  EXPECT_FALSE(other.prepare({&format, 1}, formats, memory));
  EXPECT_EQ(memory.failures(), 1U);
  other.reset(memory);
}

TEST_F(CrossoverTest, RefusesBlobsThatMakeNoSense) {
  const std::vector<Section> two = sections(2, {1000});
  expect_refused(payload(1, two), "a number of bands of 1, 2 to 4 are possible");
  expect_refused(payload(5, two), "a number of bands of 5, 2 to 4 are possible");
  expect_refused(way(2, {0, 8, 0, 0}), "a band's pin of 8, 0 to 7 are possible");
  expect_refused(way(3, {0, 1, 0, 3}), "bands 0 and 2 both go to pin 0");
  std::vector<Section> wild = two;
  wild[1][0] = INT32_MAX;
  expect_refused(payload(2, wild), "section 1: unstable: a1 = " +
                                       std::to_string(two[1][1] / 0x1p30) + ", a2 = 2.000000");
}

TEST_F(CrossoverTest, RefusesBlobsThatAreCutShort) {
  for (const std::size_t bands : {2U, 3U}) {
    std::vector<std::byte> bytes = way(bands);
    while (bytes.size() > 4) {
      bytes.pop_back();
      const auto size = static_cast<std::uint32_t>(bytes.size());
      std::memcpy(bytes.data(), &size, sizeof(size));
      ASSERT_THROW(crossover.init(blob_widget(bytes), memory), InputError) << size;
    }
  }
}

}  // namespace
}  // namespace modmem::testbench
