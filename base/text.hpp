// Text without a C library.
#pragma once

namespace modmem {

// Whether two C strings are the same. O(length).
constexpr bool same_text(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

}  // namespace modmem
