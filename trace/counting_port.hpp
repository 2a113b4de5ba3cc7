// CountingPort: another port, whose mappings and bank switches are counted.
#pragma once

#include <cstdint>

#include "port/forwarding_port.hpp"

namespace modmem::trace {

class CountingPort final : public ForwardingPort {
 public:
  // `port` outlives it.
  explicit CountingPort(Port& port) : ForwardingPort(&port) {}

  // Calls of map() and unmap(); remap() is one of each.
  std::uint64_t mappings() const { return mappings_; }
  // Banks switched on or off.
  std::uint64_t switches() const { return switches_; }

  bool map(Page page, Frame frame) override {
    ++mappings_;
    return ForwardingPort::map(page, frame);
  }
  void unmap(Page page) override {
    ++mappings_;
    ForwardingPort::unmap(page);
  }
  bool remap(Page page, Frame from, Frame to) override {
    mappings_ += 2;
    return ForwardingPort::remap(page, from, to);
  }
  bool set_bank_power(Bank bank, bool on) override {
    ++switches_;
    return ForwardingPort::set_bank_power(bank, on);
  }

 private:
  std::uint64_t mappings_ = 0;
  std::uint64_t switches_ = 0;
};

}  // namespace modmem::trace
