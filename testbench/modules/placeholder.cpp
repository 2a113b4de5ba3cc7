#include "testbench/modules/placeholder.hpp"

#include <algorithm>
#include <utility>

#include "modmem/config.hpp"
#include "testbench/modules/control_values.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {

std::size_t declared_bytes(const Widget& widget) {
  if (widget.heap_bytes.value_or(0) != 0) {
    return *widget.heap_bytes;
  }
  if (widget.is_pages.value_or(0) != 0) {
    return *widget.is_pages * config::kPageBytes;
  }
  return config::kPageBytes;
}

bool Placeholder::init(const Widget& widget, ModuleMemory& memory) {
  declared_ = memory.make_array<std::byte>(declared_bytes(widget));
  return static_cast<bool>(declared_);
}

bool Placeholder::prepare(std::span<const StreamFormat> /*inputs*/,
                          std::span<const StreamFormat> /*outputs*/, ModuleMemory& /*memory*/) {
  return true;
}

void Placeholder::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  for (const OutputView& out : outputs) {
    transfer(in, out);
  }
}

void Placeholder::reset(ModuleMemory& /*memory*/) {}

bool Placeholder::set_control(const Control& control, std::span<const std::int64_t> values,
                              ModuleMemory& /*memory*/) {
  return fits(control, values);
}

bool Placeholder::set_blob(std::span<const std::byte> payload, ModuleMemory& memory) {
  ModuleArray<std::byte> blob = memory.make_array<std::byte>(payload.size());
  if (!payload.empty() && !blob) {
    return false;
  }
  std::copy(payload.begin(), payload.end(), blob.begin());
  blob_ = std::move(blob);
  return true;
}

}  // namespace modmem::testbench
