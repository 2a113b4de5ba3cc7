// Names of call sites and owners, each once in the process, so that the same one of different
// traces is one.
#pragma once

#include <string_view>

namespace modmem::trace {

// The name as a C string that lives as long as the process; equal names give the same pointer.
// There are as many names as programs have functions: beyond 65,536 all are one, "(other)".
// From any thread. O(length) and a lock.
const char* site_name(std::string_view name);

// The same of owners, of which there may be as many as streams are started: a table of its own.
const char* owner_name(std::string_view name);

}  // namespace modmem::trace
