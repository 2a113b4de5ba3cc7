// Choices: what decides the next call of a driver: a generator of random numbers, or the bytes of a
// fuzzer's input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

namespace modmem::testing {

class Choices {
 public:
  virtual ~Choices() = default;

  // In [0, limit), limit > 0.
  virtual std::size_t below(std::size_t limit) = 0;
};

// The same for the same seed.
class RandomChoices final : public Choices {
 public:
  explicit RandomChoices(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) override {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

 private:
  std::mt19937 random_;
};

}  // namespace modmem::testing
