// GainRamp: the gain of one channel over time.
//
// Gains are Q1.31 numbers in 64 bits, so that unity is exactly 1.0; the 32-bit form, in which
// topologies and controls give them, has 0x7fffffff for it. A ramp leads from one gain to another
// in a number of frames, along a curve: linear, or as Windows fades, in proportion to t^1.75.
//
// Invariants: 0 <= start, target <= kUnityGain; at(i) lies between the two, moves only towards the
// target, and equals it exactly from the last frame of the ramp on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace modmem::testbench {

using Gain31 = std::int64_t;

inline constexpr Gain31 kUnityGain = Gain31{1} << 31;
inline constexpr std::uint32_t kUnityQ31 = 0x7fffffff;

// The gain that `q31` stands for; what is above unity counts as unity.
constexpr Gain31 gain_from_q31(std::uint32_t q31) {
  return q31 >= kUnityQ31 ? kUnityGain : Gain31{q31};
}

// The curve types of IPC4 that the ramp knows. Those at zero crossings have the same shape.
enum class GainCurve : std::uint8_t { none, windows_fade, linear };

struct GainRamp {
  Gain31 start = 0;
  Gain31 target = 0;
  std::uint64_t elapsed = 0;   // frames since the start
  std::uint64_t duration = 0;  // frames; 0: at the target at once
  GainCurve curve = GainCurve::none;

  bool settled() const { return elapsed >= duration; }

  // The gain of the frame that comes `ahead` frames from now. O(1).
  Gain31 at(std::uint64_t ahead) const {
    const std::uint64_t time = elapsed + ahead;
    if (time >= duration) {
      return target;
    }
    double way = static_cast<double>(time) / static_cast<double>(duration);
    if (curve == GainCurve::windows_fade) {
      const double root = std::sqrt(way);
      way *= root * std::sqrt(root);
    }
    return start + std::llround(static_cast<double>(target - start) * way);
  }

  // Lets `frames` frames pass.
  void advance(std::uint64_t frames) {
    elapsed = settled() ? duration : std::min(elapsed + frames, duration);
  }

  // Starts anew from where it is now.
  void lead_to(Gain31 new_target) {
    start = at(0);
    target = new_target;
    elapsed = 0;
  }
};

}  // namespace modmem::testbench
