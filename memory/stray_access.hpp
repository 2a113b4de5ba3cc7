// What lies at an address that an access failed at, in words for whoever reads the report.
#pragma once

#include "base/line.hpp"
#include "memory/memory.hpp"

namespace modmem {

// Appends "page not mapped, in heap music of pipeline music (id 0x21)", or why else the access
// failed, to `line`: "page closed, as its domain is not entered", "page read only, as it is
// granted", "page not mapped, its bank off", "page of the library's own" (or "table", in the boot
// arena). Without an MMU a page that is not mapped is "last in" the heap that had it, which may
// have got others since. "in no heap" where the address is nobody's. Takes no lock: for fault
// handlers. O(heaps).
Line& describe_stray_access(Line& line, const Memory& memory, const void* address);

}  // namespace modmem
