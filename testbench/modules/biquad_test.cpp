#include "testbench/modules/biquad.hpp"

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/filter_testing.hpp"

namespace modmem::testbench {
namespace {

Biquad take(const Section& section) {
  const Widget widget = blob_widget(BlobBytes().words(section).bytes());
  ConfigurationBlob blob(widget);
  return take_biquad(blob);
}

TEST(BiquadTest, FollowsItsDifferenceEquation) {
  for (const Section& section :
       {butterworth(false, 100, 48000, 1.5), butterworth(true, 3000, 48000, -0.25),
        Section{-900'000'000, 1'500'000'000, 400'000'000, -300'000'000, 123'456'789, -3, 20'000},
        Section{300'000'000, -500'000'000, INT32_MIN, INT32_MAX, 5, 7, -1}}) {
    Values x = channel_values(quiet_noise({48000, 1, SampleFormat::s32}, 2000), 0);
    const Values expected = reference_section(section.data(), x);
    const Biquad biquad = take(section);
    BiquadState state;
    for (std::size_t first = 0; first < x.size(); first += 50) {
      run(biquad, state, std::span(x).subspan(first, 50));
    }
    double level = 0;
    double error = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      level = std::max(level, std::abs(expected[i]));
      error = std::max(error, std::abs(x[i] - expected[i]));
    }
    EXPECT_LT(error, 1e-10 * level);
    EXPECT_GT(level, 0);
  }
}

TEST(BiquadTest, AFlatSectionIsExact) {
  Values x = channel_values(random_signal({48000, 1, SampleFormat::s32}, 500), 0);
  const Values expected = x;
  BiquadState state;
  run(take(kFlatSection), state, x);
  EXPECT_EQ(x, expected);
}

TEST(BiquadTest, SilenceEndsInNothingAtAll) {
  const Biquad biquad = take(butterworth(true, 500, 48000));
  BiquadState state;
  Values values(48, 0x1p31);
  run(biquad, state, values);
  EXPECT_NE(state.s1, 0);
  for (int period = 0; period < 100; ++period) {
    values.assign(48, 0.0);
    run(biquad, state, values);
    for (const double value : values) {
      ASSERT_TRUE(value == 0 || std::isnormal(value)) << period;
    }
  }
  EXPECT_EQ(state.s1, 0);
  EXPECT_EQ(state.s2, 0);
}

TEST(BiquadTest, TakesPolesUpToTheUnitCircle) {
  const auto with_feedback = [](std::int32_t a1, std::int32_t a2) {
    return Section{a2, a1, 0, 0, kQ30One, 0, kQ14One};
  };
  EXPECT_NO_THROW(take(with_feedback(0, kQ30One)));
  EXPECT_NO_THROW(take(with_feedback(0, -kQ30One)));
  EXPECT_NO_THROW(take(with_feedback(kQ30One, 0)));
  EXPECT_NO_THROW(take(with_feedback(-kQ30One - kQ30One / 2, -kQ30One / 2)));
  EXPECT_THROW(take(with_feedback(0, kQ30One + 1)), InputError);
  EXPECT_THROW(take(with_feedback(0, -kQ30One - 1)), InputError);
  EXPECT_THROW(take(with_feedback(kQ30One + 1, 0)), InputError);
  EXPECT_THROW(take(with_feedback(-kQ30One - 1, 0)), InputError);
  EXPECT_THROW(take(with_feedback(INT32_MAX, INT32_MIN)), InputError);
  try {
    take(with_feedback(kQ30One + kQ30One / 2, 0));
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "widget 'module.1.1': control 'blob': unstable: a1 = 1.500000, a2 = 0.000000");
  }
}

TEST(BiquadTest, RefusesWhatFirmwareCannotShift) {
  Section section = kFlatSection;
  for (const std::int32_t shift : {-13, 0, 31}) {
    section[5] = shift;
    EXPECT_EQ(take(section).b0, std::ldexp(1.0, -shift));
  }
  for (const std::int32_t shift : {-14, 32, INT32_MIN, INT32_MAX}) {
    section[5] = shift;
    EXPECT_THROW(take(section), InputError);
  }
}

TEST(BiquadTest, RefusesASectionThatIsCutShort) {
  for (std::size_t words = 1; words < 7; ++words) {
    EXPECT_THROW(take(Section(words, 0)), InputError);
  }
}

}  // namespace
}  // namespace modmem::testbench
