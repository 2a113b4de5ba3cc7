// CrashCatcher: a crash in the code of a loaded module ends the module, not the run.
//
// While one lives, SIGSEGV, SIGBUS, SIGFPE and SIGILL in a call that survives() makes are noted,
// and the call ends there and then. What the module held, and its own state, are as the crash left
// them: it is not to be called again. Where the module had called the program, whose locks it may
// hold then, or it was not a loaded module, nothing can go on: the signal does what it would have
// done. Cost: the registers are kept for each call.
#pragma once

#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "testbench/modules/module_call.hpp"

namespace modmem::testbench {

struct CrashNote {
  ModulePlace place;
  int signal = 0;
  const void* address = nullptr;  // that was accessed
  const void* site = nullptr;     // code that did it, of a module where one is on the stack
  std::string what;               // lies at the address
};

class CrashCatcher {
 public:
  // Writes what is known of an address into `text`; nothing of one that is nobody's. Called in a
  // signal handler.
  using Describe = void (*)(const void* context, const void* address, char* text, std::size_t size);

  // One at a time. `context` must outlive it.
  CrashCatcher(Describe describe, const void* context);
  ~CrashCatcher();
  CrashCatcher(const CrashCatcher&) = delete;
  CrashCatcher& operator=(const CrashCatcher&) = delete;

  // Calls `call`. False where it crashed; what it had on the stack is gone without a destructor.
  static bool survives(const std::function<void()>& call);

  // Crashes so far, in order. Not while modules run.
  static std::vector<CrashNote> notes();

 private:
  static void handle(int signal, siginfo_t* info, void* context);
};

}  // namespace modmem::testbench
