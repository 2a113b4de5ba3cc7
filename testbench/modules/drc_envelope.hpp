// DrcEnvelope: the gain of a look-ahead compressor over time, one division of 32 frames after
// another.
//
// For every frame that comes in, a detector follows the gain that the curve wants for its peak: at
// once downwards, at a rate of its own upwards. After a division, the gain of the division that
// goes out next is bent towards what the detector has: exponentially towards it where it is below
// (attack), exponentially towards one where it is above (release), in as many frames as a
// polynomial of the distance says. Gains are warped by a sine on the way out, and what the detector
// has by its inverse, which rounds off the corners of the exponentials.
//
// In double precision throughout; it is the reference of firmware's fixed-point one.
// Invariants: 0 <= detector <= 1, 0 <= gain <= 1. Cost: O(1) for each frame, some of it a power.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>

#include "testbench/modules/drc_parameters.hpp"

namespace modmem::testbench {

class DrcEnvelope {
 public:
  static constexpr std::size_t kDivision = 32;
  using Division = std::array<double, kDivision>;

  // Takes in the division `peaks` (the loudest of all channels, full scale is 1) and gives the
  // gains of the division that goes out next, makeup included. The audio path.
  void advance(const DrcParameters& parameters, const Division& peaks, Division& gains);

  // The gains of the division that goes out before any came in.
  void begin(const DrcParameters& parameters, Division& gains);

 private:
  void detect(const DrcParameters& parameters, double peak);

  double detector_ = 0;
  double gain_ = 1;                                                   // before it is warped
  double deepest_attack_ = -std::numeric_limits<double>::infinity();  // dB, of the attack under way
};

}  // namespace modmem::testbench
