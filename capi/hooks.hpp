// What the C interface needs of whoever brings it up, beside the port: capi/host defines these for
// hosts, firmware its own.
#pragma once

#include <cstddef>

namespace modmem {

struct CSystem;

// Brings up the system that a program gets that did not boot one, on whichever thread asks first:
// threads that ask meanwhile wait. nullptr where there is no such thing.
CSystem* boot_default();

// Stops the system: a misuse was reported that nothing can go on after.
[[noreturn]] void panic();

// Writes what a reader can find the code address by into `text`: the file that it lies in and the
// offset there. Returns false, with nothing written, where that is not known. Takes no lock.
bool name_code(const void* code, char* text, std::size_t size);

}  // namespace modmem
