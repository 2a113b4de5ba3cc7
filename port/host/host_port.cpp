#include "port/host/host_port.hpp"

#include <cerrno>

namespace modmem {

bool HostPort::open(const PlatformConfig& config) {
  const char* failure = open_memory(config, Kind::sram, blocks_);
  if (failure == nullptr && config.lp_sram_bytes != 0) {
    failure = low_power_.open_memory(side_platform(config, config.lp_sram_bytes), Kind::low_power,
                                     blocks_);
  }
  if (failure == nullptr && config.l3_bytes != 0) {
    failure = l3_.open_memory(side_platform(config, config.l3_bytes), Kind::l3, blocks_);
  }
  if (failure != nullptr) {
    const int error = errno;
    close();
    errno = error;
    failure_ = failure;
    return false;
  }
  failure_ = "";
  return true;
}

void HostPort::close() {
  blocks_.forget();
  low_power_.close_memory();
  l3_.close_memory();
  close_memory();
}

Port* HostPort::low_power() { return low_power_.is_open() ? &low_power_ : nullptr; }

Port* HostPort::l3() { return l3_.is_open() ? &l3_ : nullptr; }

void HostPort::power_cycle() {
  blocks_.stop_all();
  unmap_all();
  if (low_power_.is_open()) {
    low_power_.unmap_all();
  }
  if (l3_.is_open()) {
    l3_.unmap_all();
  }
}

void HostPort::before_fork() {
  lock();
  SimulatedMemory::before_fork();
  low_power_.before_fork();
  l3_.before_fork();
}

void HostPort::after_fork(bool is_child) {
  SimulatedMemory::after_fork(is_child);
  low_power_.after_fork(is_child);
  l3_.after_fork(is_child);
  unlock();
}

}  // namespace modmem
