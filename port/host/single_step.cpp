#include "port/host/single_step.hpp"

#include <ucontext.h>

namespace modmem {

#if defined(__x86_64__)

bool is_store(const void* context) {
  constexpr greg_t kWrite = 2;  // of the error code of a page fault
  return (static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & kWrite) != 0;
}

void set_single_step(void* context, bool on) {
  constexpr greg_t kTrapFlag = 0x100;
  greg_t& flags = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
  flags = on ? flags | kTrapFlag : flags & ~kTrapFlag;
}

#else

bool is_store(const void* /*context*/) { return false; }

void set_single_step(void* /*context*/, bool /*on*/) {}

#endif

}  // namespace modmem
