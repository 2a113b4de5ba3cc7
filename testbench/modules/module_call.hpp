// ModuleCall: which module a thread is in, and in which of its functions.
//
// Cost: two stores for each call of a module.
#pragma once

#include <cstdint>

namespace modmem::testbench {

enum class ModulePhase : std::uint8_t { init, configure, prepare, process, reset, free };

// "init()", ...
const char* to_string(ModulePhase phase);

struct ModulePlace {
  bool in_module = false;
  std::uint32_t id = 0;  // of the component
  ModulePhase phase = ModulePhase::init;
};

// For a scope. May nest.
class ModuleCall {
 public:
  ModuleCall(std::uint32_t id, ModulePhase phase);
  ~ModuleCall();
  ModuleCall(const ModuleCall&) = delete;
  ModuleCall& operator=(const ModuleCall&) = delete;

  // Where the calling thread is.
  static const ModulePlace& current();
  // Has it be there again, where scopes were left without their ends.
  static void restore(const ModulePlace& place);

 private:
  ModulePlace before_;
};

}  // namespace modmem::testbench
