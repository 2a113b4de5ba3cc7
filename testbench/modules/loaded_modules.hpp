// LoadedModules: the modules of shared objects (modmem/module_interface.h), by UUID.
//
// They come before those that the testbench implements itself, and before placeholders. Each UUID
// is there once. What a module is made of is in the file: nothing of it may be left when its
// LoadedModules goes.
#pragma once

#include <modmem/module_interface.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "testbench/modules/shared_object.hpp"
#include "testbench/topology/topology.hpp"

namespace modmem::testbench {

struct LoadedModule {
  Uuid uuid;
  std::string name;
  std::string file;  // as it was given
  const modmem_module_interface* interface = nullptr;
};

class LoadedModules {
 public:
  // Loads `files`. Once. Throws InputError, which names the file, as SharedObject does, and where a
  // file has no `modmem_module`, one of another ABI or without a required function, a UUID that is
  // there already, or no module that a widget of `topology` asks for: what was loaded to be heard
  // would not be.
  void load(std::span<const std::filesystem::path> files, const Topology& topology);

  // The module of `uuid`, nullptr where there is none. O(modules).
  const LoadedModule* find(const Uuid& uuid) const;

 private:
  void add(const std::filesystem::path& path, const Topology& topology);

  std::vector<SharedObject> files_;
  std::vector<LoadedModule> modules_;
};

// None, for good.
const LoadedModules& no_loaded_modules();

}  // namespace modmem::testbench
