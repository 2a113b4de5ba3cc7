// CoreTurns: for simulations in which one core runs at a time.
#pragma once

#include <cstdint>

namespace modmem::testbench {

class CoreTurns {
 public:
  // From now on what runs is `core`, and no other.
  virtual void begin_turn(std::uint32_t core) = 0;

  // Which of `count` cores that wait has its turn next: a number below `count`.
  virtual std::uint32_t pick(std::uint32_t count) = 0;

 protected:
  ~CoreTurns() = default;
};

}  // namespace modmem::testbench
