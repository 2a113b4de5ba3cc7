// The modules that the testbench implements, by UUID; every other UUID is a placeholder's.
//
// A new module is one line in the table of factory.cpp.
#pragma once

#include <span>
#include <string_view>

#include "testbench/modules/module.hpp"

namespace modmem::testbench {

struct ModuleInfo {
  Uuid uuid;
  std::string_view name;
  ModuleHandle<Module> (*make)(ModuleMemory& memory);
};

// All of them, in no particular order.
std::span<const ModuleInfo> known_modules();

// The module of `uuid`, nullptr where a placeholder stands in for it. O(known modules).
const ModuleInfo* find_module(const Uuid& uuid);

// A module of `uuid`, made in `memory` and not yet initialised; a placeholder where find_module()
// knows none. Empty exactly when memory ran out.
ModuleHandle<Module> make_module(const Uuid& uuid, ModuleMemory& memory);

}  // namespace modmem::testbench
