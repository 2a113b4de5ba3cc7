// name_code() and panic() of a host.

#include <dlfcn.h>
#include <link.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "capi/hooks.hpp"

namespace modmem {

void panic() { abort(); }

// Not dladdr(): that takes the loader's lock, and lines are written under the library's own.
bool name_code(const void* code, char* text, std::size_t size) {
  dl_find_object object;
  if (code == nullptr || _dl_find_object(const_cast<void*>(code), &object) != 0) {
    return false;
  }
  const char* file = object.dlfo_link_map->l_name;
  if (file == nullptr || file[0] == '\0') {
    file = program_invocation_name;  // the program itself has no name there
  }
  const char* slash = strrchr(file, '/');
  const std::uintptr_t offset =
      reinterpret_cast<std::uintptr_t>(code) - std::uintptr_t{object.dlfo_link_map->l_addr};
  snprintf(text, size, "%s+%#zx", slash != nullptr ? slash + 1 : file, std::size_t{offset});
  return true;
}

}  // namespace modmem
