#include "testbench/modules/loaded_modules.hpp"

#include <algorithm>
#include <utility>

#include "testbench/input_error.hpp"

namespace modmem::testbench {
namespace {

[[noreturn]] void fail(const std::string& file, const std::string& reason) {
  throw InputError("module " + file + ": " + reason);
}

}  // namespace

void LoadedModules::load(std::span<const std::filesystem::path> files, const Topology& topology) {
  for (const std::filesystem::path& file : files) {
    add(file, topology);
  }
}

void LoadedModules::add(const std::filesystem::path& path, const Topology& topology) {
  const std::string file = path.string();
  SharedObject object(path);
  const auto* at = static_cast<const modmem_module_interface*>(object.find("modmem_module"));
  if (at == nullptr) {
    fail(file, "it defines no modmem_module");
  }
  const std::size_t first = modules_.size();
  bool used = false;
  for (; at != nullptr; at = at->next) {
    if (at->abi != MODMEM_MODULE_ABI) {
      fail(file, "its ABI version is " + std::to_string(at->abi) + ", this program's is " +
                     std::to_string(MODMEM_MODULE_ABI));
    }
    if (at->name == nullptr || at->init == nullptr || at->process == nullptr) {
      fail(file, "a module lacks its name, init or process");
    }
    LoadedModule module{uuid_from_file(std::as_bytes(std::span(at->uuid))), at->name, file, at};
    if (const LoadedModule* known = find(module.uuid)) {
      fail(file, module.name + " has the UUID " + to_string(module.uuid) + ", as has " +
                     known->name + " of " + known->file);
    }
    used = used || std::any_of(topology.widgets.begin(), topology.widgets.end(),
                               [&](const Widget& widget) { return widget.uuid == module.uuid; });
    modules_.push_back(std::move(module));
  }
  if (!used) {
    fail(file, topology.name + " has no widget with the UUID " + to_string(modules_[first].uuid) +
                   " of " + modules_[first].name);
  }
  files_.push_back(std::move(object));
}

const LoadedModule* LoadedModules::find(const Uuid& uuid) const {
  const auto found = std::find_if(modules_.begin(), modules_.end(),
                                  [&](const LoadedModule& module) { return module.uuid == uuid; });
  return found == modules_.end() ? nullptr : &*found;
}

const LoadedModules& no_loaded_modules() {
  static const LoadedModules kNone;
  return kNone;
}

}  // namespace modmem::testbench
