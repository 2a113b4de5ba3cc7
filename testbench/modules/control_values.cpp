#include "testbench/modules/control_values.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

#include "testbench/modules/gain_ramp.hpp"

namespace modmem::testbench {
namespace {

constexpr double kStepsPerFactorOf10 = 2000;  // of 0.01 dB

}  // namespace

bool fits(const Control& control, std::span<const std::int64_t> values) {
  if (const auto* mixer = std::get_if<MixerControl>(&control.detail)) {
    return (values.size() == 1 || values.size() == mixer->channels.size()) &&
           std::all_of(values.begin(), values.end(), [mixer](std::int64_t value) {
             return value >= mixer->min && value <= mixer->max;
           });
  }
  if (const auto* enumeration = std::get_if<EnumControl>(&control.detail)) {
    return values.size() == 1 && values.front() >= 0 &&
           values.front() < static_cast<std::int64_t>(enumeration->texts.size());
  }
  return false;
}

bool is_switch(const Control& control) {
  const auto* mixer = std::get_if<MixerControl>(&control.detail);
  return mixer != nullptr && mixer->min == 0 && mixer->max == 1;
}

std::optional<std::uint32_t> volume_gain(const Control& control, std::int64_t value) {
  if (!control.tlv || !control.tlv->db_scale) {
    return std::nullopt;
  }
  const DbScale& scale = *control.tlv->db_scale;
  if (scale.mute && value == 0) {
    return 0;
  }
  const double level =
      static_cast<double>(scale.min) + static_cast<double>(value) * static_cast<double>(scale.step);
  const double gain = std::pow(10.0, std::min(level, 0.0) / kStepsPerFactorOf10);
  return static_cast<std::uint32_t>(std::min<long long>(std::llround(gain * 0x1p31), kUnityQ31));
}

}  // namespace modmem::testbench
