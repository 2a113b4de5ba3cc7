// What a port and its firmware define for the library, for the anchors: nothing of it is counted.
#include "base/check.hpp"
#include "capi/hooks.hpp"

namespace modmem {

void check_failed(const char*, const char*, int) {
  for (;;) {
  }
}

void panic() {
  for (;;) {
  }
}

CSystem* boot_default() { return nullptr; }

bool name_code(const void*, char*, std::size_t) { return false; }

}  // namespace modmem
