#include "testbench/c_functions.hpp"

#include <modmem/modmem.h>

#include "base/check.hpp"

namespace modmem::testbench {

CFunctions::CFunctions(System& system)
    : system_(system),
      copies_owner_(system.fence() != nullptr ? system.fence()->make_readable("copies") : nullptr),
      copies_(system.memory(), copies_owner_),
      c_system_(system.memory(), copies_, "testbench") {
  modmem_set_fault_mode(MODMEM_FAULT_REPORT);
  const bool adopted = adopt(c_system_);
  MODMEM_ASSERT(adopted);
  static_cast<void>(adopted);
}

void CFunctions::close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  c_system_.modules.close();
  copies_.close();
  if (copies_owner_ != nullptr) {
    system_.memory().destroy_owner(*copies_owner_);
  }
  system_.shut_down();
  leave(c_system_);
  modmem_set_fault_mode(MODMEM_FAULT_DEFAULT);
}

}  // namespace modmem::testbench
