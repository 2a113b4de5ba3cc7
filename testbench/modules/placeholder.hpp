// Placeholder: stands in for a module that the testbench does not implement.
//
// Takes the memory that the topology declares for the module, and passes the audio of its first
// input to every output, converted to that output's format and rate (see transfer()). Further
// inputs are consumed and have no effect; without an input the outputs are silent.
#pragma once

#include "testbench/modules/module.hpp"

namespace modmem::testbench {

// The memory that `widget` declares: its heap bytes; where it gives none, its pages; where it gives
// none either, one page. O(1).
std::size_t declared_bytes(const Widget& widget);

class Placeholder final : public Module {
 public:
  // Takes declared_bytes(widget), zeroed, for life.
  bool init(const Widget& widget, ModuleMemory& memory) override;
  bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
               ModuleMemory& memory) override;
  void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) override;
  void reset(ModuleMemory& memory) override;
  // Every control of the widget can be set, to values that it has, and does nothing.
  bool set_control(const Control& control, std::span<const std::int64_t> values,
                   ModuleMemory& memory) override;
  // Keeps a copy, as the module would.
  bool set_blob(std::span<const std::byte> payload, ModuleMemory& memory) override;

 private:
  ModuleArray<std::byte> declared_;
  ModuleArray<std::byte> blob_;
};

}  // namespace modmem::testbench
