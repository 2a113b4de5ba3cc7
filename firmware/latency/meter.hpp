// Meter: instructions of one call of the library, and what of them is the platform's mapping.
//
//   Meter::begin();
//   memory.free(block);  // on a MeteredPort, whose functions that map are parts of their own
//   Meter::end<Part::own>();
//   ... Meter::total(Part::own) ...
//
// A part is what is executed from begin() or the end of another part on. What these functions take
// themselves is counted once, for a part without anything in it, and taken away from each; they
// have no arguments, so that calling them is one instruction everywhere. A part is counted exactly
// where instructions() is exact, and else is off by less than one tick of what that reads. One for
// an image; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/forwarding_port.hpp"

namespace modmem::firmware {

enum class Part : std::uint8_t { own, map, unmap, other };  // other: power, access

class Meter {
 public:
  // Finds what an empty part counts. To be called once.
  static void calibrate();

  // Begins a call, with nothing counted.
  [[gnu::noinline]] static void begin();
  // Ends a part of it, which was of that kind.
  template <Part part>
  static void end();

  // Since begin(): instructions of all parts of that kind; the parts, the first ones of which are
  // kept one by one.
  static std::uint32_t total(Part part) { return sums_[index(part)].total; }
  static std::uint32_t mapping() {
    return total(Part::map) + total(Part::unmap) + total(Part::other);
  }
  static std::uint32_t parts(Part part) { return sums_[index(part)].parts; }
  static std::uint32_t one(Part part, std::uint32_t number) {
    return sums_[index(part)].each[number];
  }

 private:
  static constexpr std::size_t kParts = 4;
  static constexpr std::uint32_t kMostEach = 64;

  struct Sum {
    std::uint32_t total;
    std::uint32_t parts;
    std::uint32_t each[kMostEach];
  };

  static constexpr std::size_t index(Part part) { return static_cast<std::size_t>(part); }

  static std::uint32_t empty_;
  static std::uint64_t last_;
  static Sum sums_[kParts];
};

// Another port, whose functions that map, close pages and switch power are parts of their own.
class MeteredPort final : public ForwardingPort {
 public:
  explicit MeteredPort(Port& port) : ForwardingPort(&port) {}

  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  void set_access(Page page, Access access) override;
  bool set_bank_power(Bank bank, bool on) override;
};

}  // namespace modmem::firmware
