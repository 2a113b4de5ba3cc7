// ByteSource: the bytes of an input as choices, for targets that make calls.
//
// A choice takes as few bytes as have room for it, so that most bytes mean something and engines
// can move and repeat what stands for a call. Behind the end all choices are 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace modmem::fuzz {

class ByteSource {
 public:
  ByteSource(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  bool empty() const { return rest_.empty(); }

  // In [0, limit), limit > 0.
  std::size_t below(std::size_t limit) {
    std::uint64_t value = 0;
    for (std::uint64_t most = limit - 1; most != 0 && !rest_.empty(); most >>= 8U) {
      value = value << 8U | rest_.front();
      rest_ = rest_.subspan(1);
    }
    return static_cast<std::size_t>(value % limit);
  }

  bool one_in(std::size_t count) { return below(count) == count - 1; }

  // In [1, most]: each number of binary digits is equally likely, so mostly small.
  std::size_t size(std::size_t most) {
    const auto digits = static_cast<std::size_t>(64 - __builtin_clzll(most));
    const std::size_t limit = most >> (digits - 1 - below(digits));
    return 1 + below(limit);
  }

 private:
  std::span<const std::uint8_t> rest_;
};

}  // namespace modmem::fuzz
