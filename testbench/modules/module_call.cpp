#include "testbench/modules/module_call.hpp"

namespace modmem::testbench {

namespace {
thread_local ModulePlace here;
}

const char* to_string(ModulePhase phase) {
  switch (phase) {
    case ModulePhase::init:
      return "init()";
    case ModulePhase::configure:
      return "set_configuration()";
    case ModulePhase::prepare:
      return "prepare()";
    case ModulePhase::process:
      return "process()";
    case ModulePhase::reset:
      return "reset()";
    case ModulePhase::free:
      return "free()";
  }
  return "";
}

ModuleCall::ModuleCall(std::uint32_t id, ModulePhase phase) : before_(here) {
  here = {true, id, phase};
}
ModuleCall::~ModuleCall() { here = before_; }

const ModulePlace& ModuleCall::current() { return here; }

void ModuleCall::restore(const ModulePlace& place) { here = place; }

}  // namespace modmem::testbench
