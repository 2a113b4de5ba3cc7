#include "testbench/modules/drc_envelope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace modmem::testbench {
namespace {

constexpr double kMinusTwoDb = 0.7943282347242815;
constexpr double kDeepestRelease = 12;  // dB; from there on it is fastest
constexpr double kLeastAttack = 0.5;    // dB
constexpr double kAttackTarget = 0.25;  // dB that are left after the attack time

double to_db(double linear) { return 20 * std::log10(linear); }
double from_db(double db) { return std::pow(10, db / 20); }

}  // namespace

void DrcEnvelope::advance(const DrcParameters& parameters, const Division& peaks, Division& gains) {
  for (const double peak : peaks) {
    detect(parameters, peak);
  }
  begin(parameters, gains);
}

void DrcEnvelope::detect(const DrcParameters& parameters, double peak) {
  const double wanted = parameters.gain(peak);
  if (wanted > detector_) {
    // That is from_db(to_db(wanted) * detector_release) - 1.
    const double rate = wanted > kMinusTwoDb ? parameters.detector_release_high
                                             : std::pow(wanted, parameters.detector_release) - 1;
    detector_ += (wanted - detector_) * rate;
  } else {
    detector_ = wanted;
  }
  detector_ = std::clamp(detector_, 0.0, 1.0);
}

void DrcEnvelope::begin(const DrcParameters& parameters, Division& gains) {
  const double wanted = std::asin(detector_) * 2 / std::numbers::pi;
  const bool releases = wanted > gain_;
  double distance = releases ? -1 : 1;  // where one of them is silence
  if (wanted > 0 && gain_ > 0) {
    distance = to_db(gain_ / wanted);
  }
  double rate = 0;
  if (releases) {
    deepest_attack_ = -std::numeric_limits<double>::infinity();
    const double depth = 0.25 * (std::clamp(distance, -kDeepestRelease, 0.0) + kDeepestRelease);
    rate = from_db(parameters.release_spacing / parameters.frames(depth));
  } else {
    // The rate stays that of the deepest attack while it lasts.
    deepest_attack_ = std::max(deepest_attack_, distance);
    rate =
        std::pow(kAttackTarget / std::max(kLeastAttack, deepest_attack_), parameters.attack_rate);
  }
  for (double& gain : gains) {
    gain_ = releases ? std::min(1.0, gain_ * rate) : wanted + (gain_ - wanted) * rate;
    gain = parameters.makeup_gain * std::sin(gain_ * std::numbers::pi / 2);
  }
}

}  // namespace modmem::testbench
