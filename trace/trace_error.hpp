// TraceError: a trace that can't be used.
//
// Invariant: what() is one line that names the file, the line where there is one, and the reason.
// What it quotes of the file may have any characters. The command line turns it into exit status 2.
#pragma once

#include <stdexcept>
#include <string_view>

#include "trace/printable.hpp"

namespace modmem::trace {

class TraceError : public std::runtime_error {
 public:
  explicit TraceError(std::string_view line) : std::runtime_error(printable(line)) {}
};

}  // namespace modmem::trace
