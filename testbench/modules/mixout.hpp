// Mixout: the sum of all inputs, in the output's format.
//
// Sums are exact, in 64 bits, until each is rounded and saturated once: the order of the inputs
// does not matter, and a sum that ends within range is right whatever its parts were. An input that
// has no frames, or fewer than are due, is silent for the rest. Channels as source_channel() says.
// Takes no memory but its own object: sums are made in blocks on the stack.
#pragma once

#include "testbench/modules/module.hpp"

namespace modmem::testbench {

class Mixout final : public Module {
 public:
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;
};

}  // namespace modmem::testbench
