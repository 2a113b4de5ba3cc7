// FakeKernel: what of Zephyr's kernel the glue is tested against, on one thread of a host.
//
// It says what the functions of testing/include answer, and notes what they were called with. The
// first broken rule of Zephyr's (a lock taken twice, a key that is not the lock's, a core asked for
// with interrupts on) is in `violation`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace modmem {

struct FakeKernel {
  bool in_interrupt = false;
  std::uint64_t cycles = 0;
  std::int64_t ticks = 0;
  std::uint8_t core = 0;
  unsigned int cores = 2;
  std::size_t cache_line = 64;

  unsigned int interrupts_off = 0;  // how often they were switched off and not on again
  int last_key = 0;
  std::vector<std::string> lines;  // of the log: level, space, text
  std::string violation;

  void require(bool holds, const char* rule) {
    if (!holds && violation.empty()) {
      violation = rule;
    }
  }

  // Whether a line holds the text.
  bool said(const char* text) const;
};

FakeKernel& fake_kernel();

}  // namespace modmem
