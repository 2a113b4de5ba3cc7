// Thrown where setting up failed for want of simulated memory; what() says for which component. The
// figures are in System::first_failure().
#pragma once

#include <stdexcept>

namespace modmem::testbench {

class OutOfMemory : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace modmem::testbench
