// CFunctions: has the functions of the C interface work on a System's memory, for loaded modules.
//
// A module's calls of mod_alloc(), rmalloc() and all others are bound to those of this program, and
// they to the system that plays, so that there is one allocator and one set of books. What is
// misused is in the system's faults, and the run goes on.
#pragma once

#include "capi/system.hpp"
#include "module/shared_copies.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

class CFunctions {
 public:
  // Requires that the C functions work on no system.
  explicit CFunctions(System& system);
  ~CFunctions() { close(); }
  CFunctions(const CFunctions&) = delete;
  CFunctions& operator=(const CFunctions&) = delete;

  // What C code still holds, by no module's name, is reported as leaks of the system and released,
  // and the system is shut down; the C functions no longer work on it. Does nothing the second
  // time.
  void close();

 private:
  System& system_;
  Owner* copies_owner_;  // where modules are in domains: one that all of them read
  SharedCopies copies_;
  CSystem c_system_;
  bool closed_ = false;
};

}  // namespace modmem::testbench
