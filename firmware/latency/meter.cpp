#include "firmware/latency/meter.hpp"

#include "firmware/board.hpp"

namespace modmem::firmware {

std::uint32_t Meter::empty_ = 0;
std::uint64_t Meter::last_ = 0;
Meter::Sum Meter::sums_[kParts];

void Meter::begin() {
  for (Sum& sum : sums_) {
    sum.total = 0;
    sum.parts = 0;
  }
  last_ = instructions();
}

template <Part part>
[[gnu::noinline]] void Meter::end() {
  const auto counted = static_cast<std::uint32_t>(instructions() - last_) - empty_;
  Sum& sum = sums_[index(part)];
  sum.total += counted;
  if (sum.parts < kMostEach) {
    sum.each[sum.parts++] = counted;
  }
  last_ = instructions();
}

template void Meter::end<Part::own>();
template void Meter::end<Part::map>();
template void Meter::end<Part::unmap>();
template void Meter::end<Part::other>();

void Meter::calibrate() {
  begin();
  end<Part::own>();
  empty_ = sums_[index(Part::own)].each[0];
}

bool MeteredPort::map(Page page, Frame frame) {
  Meter::end<Part::own>();
  const bool done = ForwardingPort::map(page, frame);
  Meter::end<Part::map>();
  return done;
}

void MeteredPort::unmap(Page page) {
  Meter::end<Part::own>();
  ForwardingPort::unmap(page);
  Meter::end<Part::unmap>();
}

void MeteredPort::set_access(Page page, Access access) {
  Meter::end<Part::own>();
  ForwardingPort::set_access(page, access);
  Meter::end<Part::other>();
}

bool MeteredPort::set_bank_power(Bank bank, bool on) {
  Meter::end<Part::own>();
  const bool done = ForwardingPort::set_bank_power(bank, on);
  Meter::end<Part::other>();
  return done;
}

}  // namespace modmem::firmware
