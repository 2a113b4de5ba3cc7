// Where code of a loaded module is right now, as seen from a function that it called.
//
// Needs what a debugger needs to walk a stack, which compilers write by default. Takes no lock of
// the program and no memory, so that it can be asked under any lock and in a signal handler.
// Cost: O(frames) and O(loaded modules); for what must not happen.
#pragma once

#include <cstddef>
#include <string>

#include "memory/site_table.hpp"

namespace modmem::testbench {

// From now on the code around `symbol`, of a shared object, is a module's; then no longer. At most
// kMostModuleFiles at a time count. One thread at a time.
inline constexpr std::size_t kMostModuleFiles = 64;
void note_module_file(const void* symbol);
void forget_module_file(const void* symbol);

struct CallSite {
  const void* site = nullptr;      // in the module, where it will go on; nullptr: in no module
  const void* function = nullptr;  // an address in the function that it called
};

// The innermost frame of a module on the calling thread's stack.
CallSite module_call_site();

// The function that has this address, as far as its object tells: "mod_free", "operator new"; ""
// for none. Not in a signal handler.
std::string name_of(const void* function);

// "file:line"; of an address of code, "libx.so+0x<offset>" while its file is loaded, else
// "0x<address>".
std::string to_text(const Site& site);

// Whether `address` lies in an object that is loaded; in one of a module; in the program itself.
bool is_code(const void* address);
bool is_module_code(const void* address);
bool is_program_code(const void* address);

}  // namespace modmem::testbench
