// RandomBits: what places are chosen by where they are to be random; always false where they are
// not, and without config::kHardeningSupport, at no cost there.
//
// The state is the user's, so that runs with the same one are alike. Xorshift (Marsaglia, "Xorshift
// RNGs", 2003): not for keys. Cost: O(1).
#pragma once

#include <cstdint>

#include "modmem/config.hpp"

namespace modmem {

template <bool kSupported>
class RandomBitsIf {
 public:
  // From now on, from *state, which is not 0; nullptr: none.
  void use(std::uint32_t* state) { state_ = state; }

  bool next() const {
    if (state_ == nullptr) [[likely]] {
      return false;
    }
    std::uint32_t bits = *state_;
    bits ^= bits << 13;
    bits ^= bits >> 17;
    bits ^= bits << 5;
    *state_ = bits;
    return (bits & 0x10000U) != 0;
  }

 private:
  std::uint32_t* state_ = nullptr;
};

template <>
class RandomBitsIf<false> {
 public:
  void use(std::uint32_t* /*state*/) {}
  bool next() const { return false; }
};

using RandomBits = RandomBitsIf<config::kHardeningSupport>;

}  // namespace modmem
