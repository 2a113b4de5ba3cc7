// For tests of all modules alike: a configuration, and another one, for each that takes any.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/crossover.hpp"
#include "testbench/modules/dc_block.hpp"
#include "testbench/modules/drc.hpp"
#include "testbench/modules/eq_fir.hpp"
#include "testbench/modules/eq_iir.hpp"
#include "testbench/modules/filter_testing.hpp"
#include "testbench/modules/selector.hpp"

namespace modmem::testbench {

// A compressor for a small speaker: threshold -30 dB, knee 20 dB, ratio 10, attack 3 ms at 48 kHz.
inline std::vector<std::byte> standard_drc(bool enabled, double look_ahead, double makeup) {
  const auto fixed = [](double value, int fraction) {
    return static_cast<std::int32_t>(std::llround(std::ldexp(value, fraction)));
  };
  return BlobBytes()
      .zeros(16)
      .words({enabled ? 1 : 0,
              fixed(-30, 24),
              fixed(20, 24),
              fixed(10, 24),
              fixed(look_ahead, 30),
              fixed(0.0316227766, 30),
              fixed(0.1, 30),
              fixed(11.66191006, 20),
              fixed(0.11737204, 24),
              fixed(-0.12399101, 24),
              fixed(0.31622777, 24),
              fixed(0.12821188, 30),
              fixed(makeup, 24),
              fixed(1 / 144.0, 30),
              fixed(-1 / 120.0, 30),
              fixed(0.00192066, 30),
              5,
              fixed(1080, 12),
              fixed(71.865, 12),
              fixed(604.9141, 12),
              fixed(151.865, 12),
              fixed(11.3557, 12)})
      .sized();
}

// Configuration 0 or 1 of the module of `uuid`, for two channels; empty where it takes none. Both
// have as many sections and bands, as many taps, and as long a look-ahead.
inline std::vector<std::byte> standard_blob(const Uuid& uuid, std::int16_t number = 0) {
  const double frequency = number == 0 ? 1000 : 3000;
  const Section low = butterworth(false, frequency, 48000);
  const Section high = butterworth(true, frequency, 48000);
  if (uuid == kEqIirUuid) {
    return BlobBytes()
        .words({2, 1})
        .zeros(16)
        .words({0, 0, 2, 2})
        .zeros(16)
        .words(low)
        .words(high)
        .sized();
  }
  if (uuid == kCrossoverUuid) {
    return BlobBytes().words({2}).zeros(16).words({0, 1, 2, 3}).words(low).words(high).sized();
  }
  if (uuid == kDcBlockUuid) {
    const std::int32_t pole = kQ30One - (number + 1) * (1 << 22);
    return BlobBytes().words({pole, pole}).bytes();
  }
  if (uuid == kEqFirUuid) {
    BlobBytes bytes;
    bytes.put(std::int16_t{2}).put(std::int16_t{1}).zeros(16);
    bytes.put(std::int16_t{0}).put(std::int16_t{0}).put(std::int16_t{8}).put(std::int16_t{0});
    bytes.zeros(16);
    for (std::int16_t tap = 0; tap < 8; ++tap) {
      bytes.put(static_cast<std::int16_t>((tap % 3 - 1) * 4000 + 100 * number));
    }
    return bytes.sized();
  }
  if (uuid == kDrcUuid) {
    return standard_drc(true, 0.006, 4.84443396 - number);
  }
  if (uuid == kSelectorUuid) {
    BlobBytes bytes;
    bytes.put(std::uint8_t{2}).put(std::uint8_t{2}).put(std::uint8_t{1}).put(std::uint8_t{1});
    for (int weight = 0; weight < 64; ++weight) {
      bytes.put(static_cast<std::int16_t>(100 * (weight % 9) + 50 * number));
    }
    return bytes.bytes();
  }
  return {};
}

}  // namespace modmem::testbench
