// MeteredPort: another port, whose calls for mapping and bank power are counted and whose
// instructions are not: what they cost is the platform's business.
#pragma once

#include <cstdint>

#include "bench/instruction_meter.hpp"
#include "port/forwarding_port.hpp"

namespace modmem::bench {

class MeteredPort final : public ForwardingPort {
 public:
  explicit MeteredPort(Port& port) : ForwardingPort(&port) {}

  // Whether instructions of those calls are left out: not where they are with what calls them.
  void set_apart(bool is_apart) { is_apart_ = is_apart; }

  // Calls of map(), unmap(), remap() and set_bank_power().
  std::uint64_t calls() const { return calls_; }

  bool map(Page page, Frame frame) override {
    return metered([&] { return ForwardingPort::map(page, frame); });
  }
  void unmap(Page page) override {
    metered([&] {
      ForwardingPort::unmap(page);
      return true;
    });
  }
  bool remap(Page page, Frame from, Frame to) override {
    return metered([&] { return ForwardingPort::remap(page, from, to); });
  }
  bool set_bank_power(Bank bank, bool on) override {
    return metered([&] { return ForwardingPort::set_bank_power(bank, on); });
  }

 private:
  template <typename Call>
  bool metered(Call call) {
    ++calls_;
    if (!is_apart_) {
      return call();
    }
    InstructionMeter::pause();
    const bool done = call();
    InstructionMeter::resume();
    return done;
  }

  std::uint64_t calls_ = 0;
  bool is_apart_ = true;
};

}  // namespace modmem::bench
