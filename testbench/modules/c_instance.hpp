// CInstance: the `struct processing_module` of a loaded module's instance, and the account of what
// the module takes through it.
//
// The account lies below the component's own, so that what the testbench itself needs for the
// instance is not the module's to release, and both count for the component. What is held when it
// goes is reported as leaks of the component and released.
// Cost: an owner of Memory, opened when the module first takes something.
#pragma once

#include <modmem/module.h>

#include "module/module_memory.hpp"

namespace modmem::testbench {

class CInstance {
 public:
  // For the component whose account is open as `memory`, which must outlive it.
  explicit CInstance(ModuleMemory& memory);
  ~CInstance();
  CInstance(const CInstance&) = delete;
  CInstance& operator=(const CInstance&) = delete;

  processing_module* get() { return &module_; }

  // Releases all that it holds; that is no leak.
  void release();

 private:
  processing_module module_{};
};

}  // namespace modmem::testbench
