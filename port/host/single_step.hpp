// What a signal handler can find out about the access that faulted, and how it lets the program do
// that one access and no more: for simulations that want to see accesses one by one.
//
// Both are the machine's: on x86-64 the processor traps after an instruction where the trap flag is
// set. Elsewhere kCanSingleStep is false, and the functions are not to be called.
#pragma once

namespace modmem {

#if defined(__x86_64__)
inline constexpr bool kCanSingleStep = true;
#else
inline constexpr bool kCanSingleStep = false;
#endif

// `context` is what the handler of SIGSEGV or SIGTRAP was given.

// Whether the access that faulted was a store.
bool is_store(const void* context);

// Whether the program is to run one instruction only when the handler returns: SIGTRAP comes after
// it.
void set_single_step(void* context, bool on);

}  // namespace modmem
