// TraceError: a trace that can't be used.
//
// Invariant: what() is one line that names the file, the line where there is one, and the reason.
// The command line turns it into exit status 2.
#pragma once

#include <stdexcept>

namespace modmem::trace {

class TraceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace modmem::trace
