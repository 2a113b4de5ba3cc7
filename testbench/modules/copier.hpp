// Copier: hands what comes in to every output, in that output's format.
//
// Host and DAI copiers are copiers with a file at their outer end. A mixin is one as well: all that
// distinguishes it in firmware is that a mixout, not a buffer, takes what it puts out.
// Takes no memory but its own object.
#pragma once

#include "testbench/modules/module.hpp"

namespace modmem::testbench {

class Copier final : public Module {
 public:
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;
};

}  // namespace modmem::testbench
