#include "record/recorded_port.hpp"

namespace modmem {

bool RecordedMemory::map(Page page, Frame frame) {
  const bool done = ForwardingPort::map(page, frame);
  if (done) {
    recorder_->map(number(page), number(frame), memory_);
  }
  return done;
}

void RecordedMemory::unmap(Page page) {
  ForwardingPort::unmap(page);
  recorder_->unmap(number(page), memory_);
}

bool RecordedMemory::remap(Page page, Frame from, Frame to) {
  const bool done = ForwardingPort::remap(page, from, to);
  if (done) {
    recorder_->map(number(page), number(to), memory_);
  }
  return done;
}

bool RecordedMemory::set_bank_power(Bank bank, bool on) {
  const bool done = ForwardingPort::set_bank_power(bank, on);
  if (done || !on) {
    recorder_->bank(number(bank), on, memory_);
  }
  return done;
}

bool RecordedPort::Side::map(Page page, Frame frame) { return RecordedMemory::map(page, frame); }

Port* RecordedPort::low_power() { return low_power_.or_none(); }

Port* RecordedPort::l3() { return l3_.or_none(); }

}  // namespace modmem
