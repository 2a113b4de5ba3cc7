// The error of hosted code for bad input: a file or an argument that cannot be used.
//
// Invariant: what() is one line that names the input (a file name, an option) and the reason; what
// the input has of control characters is '?' in it. The command line turns this type, and no other,
// into exit status 2.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace modmem::testbench {

class InputError : public std::runtime_error {
 public:
  explicit InputError(std::string line) : std::runtime_error(in_one_line(std::move(line))) {}

 private:
  static std::string in_one_line(std::string line) {
    std::replace_if(
        line.begin(), line.end(),
        [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
    return line;
  }
};

}  // namespace modmem::testbench
