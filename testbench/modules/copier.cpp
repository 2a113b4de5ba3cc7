#include "testbench/modules/copier.hpp"

#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {

bool Copier::init(const Widget& /*widget*/, ModuleMemory& /*memory*/) { return true; }

bool Copier::prepare(std::span<const StreamFormat> /*inputs*/,
                     std::span<const StreamFormat> /*outputs*/, ModuleMemory& /*memory*/) {
  return true;
}

void Copier::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  for (const OutputView& out : outputs) {
    transfer(in, out);
  }
}

void Copier::reset(ModuleMemory& /*memory*/) {}

}  // namespace modmem::testbench
