#include "testbench/modules/control_values.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "testbench/modules/controls_testing.hpp"

namespace modmem::testbench {
namespace {

using Values = std::vector<std::int64_t>;

TEST(ControlValues, AVolumeTakesAValueForEachChannelOrOneForAll) {
  const Control volume = volume_control(2);
  EXPECT_TRUE(fits(volume, Values{0, 45}));
  EXPECT_TRUE(fits(volume, Values{45}));
  EXPECT_FALSE(fits(volume, Values{}));
  EXPECT_FALSE(fits(volume, Values{1, 2, 3}));
  EXPECT_FALSE(fits(volume, Values{0, 46}));
  EXPECT_FALSE(fits(volume, Values{-1, 0}));
}

TEST(ControlValues, AnEnumerationTakesTheNumberOfAnItem) {
  Control control;
  control.detail = EnumControl{.channels = {}, .mask = 0, .texts = {"left", "right"}};
  EXPECT_TRUE(fits(control, Values{0}));
  EXPECT_TRUE(fits(control, Values{1}));
  EXPECT_FALSE(fits(control, Values{2}));
  EXPECT_FALSE(fits(control, Values{-1}));
  EXPECT_FALSE(fits(control, Values{0, 0}));
  EXPECT_FALSE(fits(control, Values{}));
}

TEST(ControlValues, ABlobIsNoValue) {
  Control control;
  control.detail = BytesControl{};
  EXPECT_FALSE(fits(control, Values{0}));
  EXPECT_FALSE(is_switch(control));
}

TEST(ControlValues, ARangeOfOneIsASwitch) {
  EXPECT_TRUE(is_switch(switch_control(4)));
  EXPECT_FALSE(is_switch(volume_control(2)));
}

TEST(ControlValues, AVolumeIsWhatItsScaleSays) {
  const Control volume = volume_control(2);
  EXPECT_EQ(volume_gain(volume, 0), 0U) << "muted";
  EXPECT_EQ(volume_gain(volume, 45), 0x7fffffffU) << "0 dB";
  for (std::int64_t value = 1; value < 45; ++value) {
    const double expected =
        std::exp(std::log(10.0) * (-90 + 2.0 * static_cast<double>(value)) / 20);
    ASSERT_NEAR(volume_gain(volume, value).value_or(0), expected * 0x1p31, 1) << value;
  }
}

TEST(ControlValues, WhatWouldAmplifyIsUnity) {
  Control volume = volume_control(2);
  volume.tlv->db_scale = DbScale{.min = -100, .step = 100, .mute = false};
  EXPECT_NEAR(volume_gain(volume, 0).value_or(0), 0x1p31 * 0.8912509, 200) << "not muted";
  EXPECT_EQ(volume_gain(volume, 1), 0x7fffffffU);
  EXPECT_EQ(volume_gain(volume, 40), 0x7fffffffU);
}

TEST(ControlValues, WithoutAScaleAVolumeMeansNothing) {
  Control volume = volume_control(2);
  volume.tlv->db_scale.reset();
  EXPECT_EQ(volume_gain(volume, 1), std::nullopt);
  volume.tlv.reset();
  EXPECT_EQ(volume_gain(volume, 1), std::nullopt);
}

}  // namespace
}  // namespace modmem::testbench
