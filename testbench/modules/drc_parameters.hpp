// DrcParameters: what a compressor's blob says, in numbers as they are meant.
//
// The blob, after SOF's header, has its own size, four reserved words and 22 words: whether it is
// enabled, the curve, the look-ahead, attack and release. The curve is linear up to a threshold,
// goes on as a knee that bends exponentially, and from the knee's end on has the slope of the ratio
// (in dB); tools compute the derived numbers of the curve beforehand, so those are taken as given.
#pragma once

#include <array>
#include <cstddef>

#include "testbench/modules/configuration_blob.hpp"
#include "testbench/topology/widget.hpp"

namespace modmem::testbench {

struct DrcParameters {
  bool enabled = false;
  double look_ahead = 0;  // seconds

  // The curve, over levels of which full scale is 1.
  double linear_threshold = 1;
  double knee_threshold = 1;
  double knee_bend = 0;   // K
  double knee_alpha = 0;  // the knee is alpha + beta * e^(-K * level)
  double knee_beta = 0;
  double ratio_base = 1;  // behind it, the curve is base * level^slope
  double slope = 1;
  double makeup_gain = 1;

  // How the gain follows it.
  double attack_rate = 0;                  // 1 / frames
  double detector_release = 0;             // per frame; its negative power of a gain is the rate
  double detector_release_high = 0;        // the rate for gains above -2 dB
  double release_spacing = 0;              // dB in as many frames as the polynomial gives
  std::array<double, 5> release_frames{};  // its coefficients, from the constant one on

  // The gain that the curve has for `level` (>= 0). O(1).
  double gain(double level) const;

  // The frames that a release by `release_spacing` takes; 0 <= depth <= 3, 3 for the deepest.
  double frames(double depth) const;
};

// The parameters in `widget`'s blob; those of a disabled compressor where it has none, or where the
// blob says that it is disabled. Throws InputError where the blob is malformed or, enabled, its
// numbers lead nowhere: no threshold, no attack, a release that takes no time.
DrcParameters read_drc_parameters(const Widget& widget);

// The same from a blob of its own, from its first byte on.
DrcParameters take_drc_parameters(ConfigurationBlob& blob);

}  // namespace modmem::testbench
