// Line: one line of log, put together without the C library.
//
// Text that does not fit is left out; the line ends with its terminator all the same. Ids and
// addresses are hexadecimal, with 0x. Cost: O(characters).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace modmem {

class Line {
 public:
  static constexpr std::size_t kSize = 384;

  Line() = default;

  const char* text() const { return text_; }

  Line& operator<<(const char* text) {
    for (; *text != '\0' && length_ + 1 < kSize; ++text) {
      text_[length_++] = *text;
    }
    text_[length_] = '\0';
    return *this;
  }

  // Whatever types the target's fixed-width ones and std::size_t are.
  Line& operator<<(std::unsigned_integral auto number) { return digits(number, 10); }

  // As %#x, but with 0x for 0 as well.
  Line& hex(std::uint64_t number) { return (*this << "0x").digits(number, 16); }
  Line& address(const void* pointer) { return hex(reinterpret_cast<std::uintptr_t>(pointer)); }

 private:
  Line& digits(std::uint64_t number, unsigned base) {
    char reversed[20];
    std::size_t count = 0;
    do {
      reversed[count++] = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    while (count > 0 && length_ + 1 < kSize) {
      text_[length_++] = reversed[--count];
    }
    text_[length_] = '\0';
    return *this;
  }

  std::size_t length_ = 0;
  char text_[kSize] = "";
};

}  // namespace modmem
