// What a HostPort has for hosted C++ alone: the constructor that throws.
#include <cerrno>
#include <system_error>

#include "port/host/host_port.hpp"

namespace modmem {

HostPort::HostPort(const PlatformConfig& config) {
  if (!open(config)) {
    throw std::system_error(errno, std::generic_category(), failure());
  }
}

}  // namespace modmem
