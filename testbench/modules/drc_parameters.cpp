#include "testbench/modules/drc_parameters.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace modmem::testbench {
namespace {

constexpr std::size_t kReservedBytes = 16;

// The next word, with `fraction` bits behind the point.
double take_number(ConfigurationBlob& blob, int fraction, std::string_view what) {
  return std::ldexp(blob.take<std::int32_t>(what), -fraction);
}

void check(const DrcParameters& p, const ConfigurationBlob& blob) {
  const auto require = [&blob](bool holds, const char* reason) {
    if (!holds) {
      blob.fail(reason);
    }
  };
  require(p.look_ahead >= 0, "the look-ahead is negative");
  require(p.linear_threshold > 0, "the linear threshold is not above 0");
  require(p.knee_threshold >= p.linear_threshold, "the knee ends before it begins");
  require(p.knee_bend >= 0, "the knee's bend is negative");
  require(p.attack_rate > 0, "the attack takes forever");
  require(p.detector_release <= 0 && p.detector_release_high >= 0, "the detector never releases");
  require(p.release_spacing > 0, "the release spacing is not above 0");
  for (int i = 0; i <= 64; ++i) {
    require(p.frames(3 * i / 64.0) >= 1, "a release takes less than a frame");
  }
}

}  // namespace

double DrcParameters::gain(double level) const {
  if (level < linear_threshold) {
    return 1;
  }
  if (level < knee_threshold) {
    return (knee_alpha + knee_beta * std::exp(-knee_bend * level)) / level;
  }
  return ratio_base * std::pow(level, slope - 1);
}

double DrcParameters::frames(double depth) const {
  double sum = 0;
  for (std::size_t i = release_frames.size(); i-- > 0;) {
    sum = sum * depth + release_frames[i];
  }
  return sum;
}

DrcParameters read_drc_parameters(const Widget& widget) {
  ConfigurationBlob blob(widget);
  return take_drc_parameters(blob);
}

DrcParameters take_drc_parameters(ConfigurationBlob& blob) {
  DrcParameters p;
  if (blob.empty()) {
    return p;
  }
  blob.take_size();
  blob.skip(kReservedBytes, "the reserved words");
  p.enabled = blob.take<std::int32_t>("the switch") != 0;
  blob.skip(3 * sizeof(std::int32_t), "threshold, knee and ratio");  // derived numbers follow
  p.look_ahead = take_number(blob, 30, "the look-ahead");
  p.linear_threshold = take_number(blob, 30, "the linear threshold");
  p.slope = take_number(blob, 30, "the slope");
  p.knee_bend = take_number(blob, 20, "the knee's bend");
  p.knee_alpha = take_number(blob, 24, "the knee's alpha");
  p.knee_beta = take_number(blob, 24, "the knee's beta");
  p.knee_threshold = take_number(blob, 24, "the knee's end");
  p.ratio_base = take_number(blob, 30, "the ratio's base");
  p.makeup_gain = take_number(blob, 24, "the makeup gain");
  p.attack_rate = take_number(blob, 30, "the attack rate");
  p.detector_release = take_number(blob, 30, "the detector's release");
  p.detector_release_high = take_number(blob, 30, "the detector's release rate");
  p.release_spacing = blob.take<std::int32_t>("the release spacing");
  for (double& coefficient : p.release_frames) {
    coefficient = take_number(blob, 12, "the release polynomial");
  }
  if (blob.remaining() != 0) {
    blob.fail(std::to_string(blob.remaining()) + " bytes follow the parameters");
  }
  if (p.enabled) {
    check(p, blob);
  }
  return p;
}

}  // namespace modmem::testbench
