// Random: numbers for tests, the same in every run.
#pragma once

#include <cstdint>

namespace modmem::firmware {

// Marsaglia, "Xorshift RNGs", 2003.
class Random {
 public:
  std::uint32_t below(std::uint32_t end) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ % end;
  }

 private:
  std::uint32_t state_ = 2463534242;
};

}  // namespace modmem::firmware
