// Random: numbers that are the same on every machine for the same seed (splitmix64).
#pragma once

#include <cstddef>
#include <cstdint>

namespace modmem {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
  }

  // In [0, bound), bound > 0.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
  // In [first, last].
  std::size_t between(std::size_t first, std::size_t last) {
    return first + below(last - first + 1);
  }
  bool one_in(std::size_t count) { return below(count) == 0; }

  // In [1, most], each number of binary digits equally likely: mostly small.
  std::size_t size(std::size_t most) {
    const std::size_t limit = most >> below(static_cast<std::size_t>(64 - __builtin_clzll(most)));
    return 1 + below(limit > 0 ? limit : 1);
  }

 private:
  std::uint64_t state_;
};

}  // namespace modmem
