// The error of hosted code for bad input: a file or an argument that cannot be used.
//
// Invariant: what() is one line that names the input (a file name, an option) and the reason;
// control characters of the input are in it as text (trace/printable.hpp). The command line turns
// this type, and no other, into exit status 2.
#pragma once

#include <stdexcept>
#include <string_view>

#include "trace/printable.hpp"

namespace modmem::testbench {

class InputError : public std::runtime_error {
 public:
  explicit InputError(std::string_view line) : std::runtime_error(trace::printable(line)) {}
};

}  // namespace modmem::testbench
