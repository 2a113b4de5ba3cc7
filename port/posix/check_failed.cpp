// What every port defines: the end of a program that found a broken invariant.
#include <cstdio>
#include <cstdlib>

#include "base/check.hpp"

namespace modmem {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "modmem: %s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}

}  // namespace modmem
