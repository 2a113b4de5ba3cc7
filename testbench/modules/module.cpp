#include "testbench/modules/module.hpp"

#include "testbench/input_error.hpp"

namespace modmem::testbench {

bool Module::set_control(const Control& /*control*/, std::span<const std::int64_t> /*values*/,
                         ModuleMemory& /*memory*/) {
  return false;
}

bool Module::set_blob(std::span<const std::byte> /*blob*/, ModuleMemory& /*memory*/) {
  throw InputError("the module takes no configuration");
}

bool Module::set_control_blob(const Control& /*control*/, std::span<const std::byte> blob,
                              ModuleMemory& memory) {
  return set_blob(blob, memory);
}

bool Module::trigger() { return false; }

std::size_t Module::output_frames(std::size_t /*output*/, std::size_t due,
                                  std::size_t /*room*/) const {
  return due;
}

std::size_t Module::host_frames(std::size_t due) const { return due; }

std::size_t Module::most_host_frames(std::size_t due) const { return due; }

}  // namespace modmem::testbench
