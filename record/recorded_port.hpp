// RecordedPort: a platform's port whose pages and banks a recorder hears of.
//
// It stands before the platform's own port, and does what that does. A Memory that is not recorded
// is booted with the platform's port itself, so its pages cost nothing more then.
#pragma once

#include <cstdint>

#include "port/forwarding_port.hpp"
#include "record/recorder.hpp"

namespace modmem {

// The port of one memory: SRAM (0), low-power SRAM (1) or L3 (2).
class RecordedMemory : public ForwardingPort {
 public:
  // `port` may be nullptr: then nothing is to be called.
  RecordedMemory(Port* port, Recorder& recorder, std::uint8_t memory)
      : ForwardingPort(port), recorder_(&recorder), memory_(memory) {}

  // Out of line: where the first of them is, the table of virtual functions is.
  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  bool remap(Page page, Frame from, Frame to) override;
  bool set_bank_power(Bank bank, bool on) override;

  // This one, or nullptr where there is none behind it.
  Port* or_none() { return port() != nullptr ? this : nullptr; }

 protected:
  ~RecordedMemory() = default;

 private:
  Recorder* recorder_;
  std::uint8_t memory_;
};

class RecordedPort final : public RecordedMemory {
 public:
  // `port` and `recorder` must outlive it.
  RecordedPort(Port& port, Recorder& recorder)
      : RecordedMemory(&port, recorder, 0),
        low_power_(port.low_power(), recorder, 1),
        l3_(port.l3(), recorder, 2) {}

  Port* low_power() override;
  Port* l3() override;

 private:
  class Side final : public RecordedMemory {
   public:
    using RecordedMemory::RecordedMemory;
    bool map(Page page, Frame frame) override;
  };

  Side low_power_;
  Side l3_;
};

}  // namespace modmem
