// AccessProbe: what the calling process may do at an address, found out without a fault: the kernel
// says so, as it copies a byte from there into a pipe, and the same one back.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <stdexcept>

#include "port/port.hpp"

namespace modmem::testing {

class AccessProbe {
 public:
  AccessProbe() {
    if (pipe2(ends_, O_NONBLOCK | O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
  }
  ~AccessProbe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  AccessProbe(const AccessProbe&) = delete;
  AccessProbe& operator=(const AccessProbe&) = delete;

  // Changes nothing there.
  Access access(std::byte* address) {
    if (write(ends_[1], address, 1) != 1) {
      return Access::closed;
    }
    if (read(ends_[0], address, 1) == 1) {
      return Access::open;
    }
    std::byte left{};
    if (read(ends_[0], &left, 1) != 1) {
      throw std::runtime_error("no byte in the pipe");
    }
    return Access::read_only;
  }
  bool reaches(std::byte* address) { return access(address) != Access::closed; }

 private:
  int ends_[2] = {};
};

}  // namespace modmem::testing
