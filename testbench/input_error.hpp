// The error of hosted code for bad input: a file or an argument that cannot be used.
//
// Invariant: what() is one line that names the input (a file name, an option) and the reason. The
// command line turns this type, and no other, into exit status 2.
#pragma once

#include <stdexcept>

namespace modmem::testbench {

class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace modmem::testbench
