#include "testbench/modules/gain_ramp.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace modmem::testbench {
namespace {

GainRamp ramp(GainCurve curve, Gain31 start, Gain31 target, std::uint64_t duration) {
  return {.start = start, .target = target, .elapsed = 0, .duration = duration, .curve = curve};
}

TEST(GainRamp, UnityIsExactlyOne) {
  EXPECT_EQ(gain_from_q31(0x7fffffff), kUnityGain);
  EXPECT_EQ(gain_from_q31(0xffffffff), kUnityGain);
  EXPECT_EQ(gain_from_q31(0x7ffffffe), kUnityGain - 2);
  EXPECT_EQ(gain_from_q31(0x40000000), kUnityGain / 2);
  EXPECT_EQ(gain_from_q31(0), 0);
}

TEST(GainRamp, WithoutDurationItIsAtTheTargetAtOnce) {
  const GainRamp immediate = ramp(GainCurve::linear, 0, kUnityGain, 0);
  EXPECT_TRUE(immediate.settled());
  EXPECT_EQ(immediate.at(0), kUnityGain);
}

TEST(GainRamp, LinearIsLinear) {
  const GainRamp linear = ramp(GainCurve::linear, 0, 1'000'000, 1000);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(linear.at(i), static_cast<Gain31>(i) * 1000);
  }
  EXPECT_EQ(linear.at(1000), 1'000'000);
  EXPECT_EQ(linear.at(UINT32_MAX), 1'000'000);
}

TEST(GainRamp, WindowsFadeFollowsItsPower) {
  const GainRamp fade = ramp(GainCurve::windows_fade, 0, kUnityGain, 960);
  for (std::uint64_t i = 0; i <= 960; ++i) {
    const double expected = std::pow(static_cast<double>(i) / 960, 1.75) * 0x1p31;
    EXPECT_NEAR(static_cast<double>(fade.at(i)), expected, 1);
  }
}

TEST(GainRamp, MovesOnlyTowardsItsTargetAndReachesItExactlyInTime) {
  for (const GainCurve curve : {GainCurve::linear, GainCurve::windows_fade}) {
    for (const std::uint64_t duration : {1U, 2U, 3U, 960U, 96'000U}) {
      for (const Gain31 end : {Gain31{0}, Gain31{1}, kUnityGain / 3, kUnityGain}) {
        const Gain31 begin = kUnityGain - end;
        const GainRamp one = ramp(curve, begin, end, duration);
        EXPECT_EQ(one.at(0), begin);
        for (std::uint64_t i = 0; i < duration; ++i) {
          if (end >= begin) {
            ASSERT_LE(one.at(i), one.at(i + 1));
          } else {
            ASSERT_GE(one.at(i), one.at(i + 1));
          }
        }
        EXPECT_EQ(one.at(duration), end);
        if (duration > 3 && duration < 96'000 && end != begin) {
          EXPECT_NE(one.at(duration - 1), end) << "too early";
        }
      }
    }
  }
}

TEST(GainRamp, AdvancesAsLookingAheadForetold) {
  for (const GainCurve curve : {GainCurve::linear, GainCurve::windows_fade}) {
    const GainRamp whole = ramp(curve, 5, kUnityGain, 500);
    GainRamp pieces = whole;
    std::uint64_t time = 0;
    for (const std::uint64_t step : {1U, 48U, 44U, 0U, 300U, 106U, 1U, 48U}) {
      for (std::uint64_t ahead = 0; ahead < step; ++ahead) {
        ASSERT_EQ(pieces.at(ahead), whole.at(time + ahead));
      }
      EXPECT_EQ(pieces.settled(), time >= 500);
      pieces.advance(step);
      time += step;
    }
    EXPECT_TRUE(pieces.settled());
    pieces.advance(UINT64_MAX);
    EXPECT_EQ(pieces.at(0), kUnityGain);
  }
}

TEST(GainRamp, TurnsAroundFromWhereItIs) {
  GainRamp turning = ramp(GainCurve::linear, 0, 1'000'000, 1000);
  turning.advance(500);
  turning.lead_to(0);
  EXPECT_EQ(turning.at(0), 500'000);
  EXPECT_EQ(turning.at(500), 250'000);
  EXPECT_EQ(turning.at(1000), 0);
}

}  // namespace
}  // namespace modmem::testbench
