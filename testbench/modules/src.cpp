#include "testbench/modules/src.hpp"

#include "testbench/input_error.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {

bool Src::init(const Widget& widget, ModuleMemory& /*memory*/) {
  if (widget.src_rate_out == 0U) {
    throw InputError("widget '" + widget.name + "': cannot convert to a rate of 0 Hz");
  }
  return true;
}

bool Src::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
                  ModuleMemory& memory) {
  if (inputs.empty() || outputs.empty()) {
    return true;
  }
  rate_in_ = inputs.front().rate;
  converters_ = memory.make_array<SrcConverter>(outputs.size());
  for (std::size_t i = 0; i < converters_.size(); ++i) {
    if (outputs[i].rate != rate_in_ &&
        !converters_[i].prepare(inputs.front(), outputs[i], memory)) {
      return false;
    }
  }
  return static_cast<bool>(converters_);
}

void Src::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const OutputView& out = outputs[i];
    if (i < converters_.size() && out.format.rate != rate_in_) {
      converters_[i].process(in, out);
    } else {
      transfer(in, out);
    }
  }
}

void Src::reset(ModuleMemory& /*memory*/) { converters_.reset(); }

}  // namespace modmem::testbench
