// Containers and strings of the standard library in module memory, on the simulator.
//
// A module keeps a table of named presets. All that its containers take is charged to its account:
// it shows in the module's figures, stops at the module's limit, and is gone when the table is.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

#include "hosted/memory_resource.hpp"
#include "module/module_memory.hpp"
#include "testbench/system.hpp"

namespace {

using Presets = std::pmr::map<std::pmr::string, std::pmr::vector<float>>;

void show(const char* what, const modmem::ModuleMemory& memory) {
  std::printf("%-15s %5zu B held, %5zu B at most, %llu refused\n", what, memory.held_bytes(),
              memory.high_water_mark(), static_cast<unsigned long long>(memory.failures()));
}

// Adds presets until memory runs out.
void fill(Presets& presets) {
  constexpr std::size_t kBands = 64;
  try {
    while (true) {
      const std::pmr::string name("preset number " + std::to_string(presets.size()));
      presets.try_emplace(name, kBands, 0.5F);
    }
  } catch (const std::bad_alloc&) {
    std::printf("out of memory with %zu presets, all of them whole\n", presets.size());
  }
}

int run() {
  modmem::testbench::System system(modmem::testbench::find_platform("mtl"), modmem::kElasticPolicy);
  modmem::Memory& memory = system.memory();
  modmem::Owner* pipeline =
      memory.create_owner(memory.system(), {modmem::OwnerKind::pipeline, 1, "pipeline.1"});
  modmem::ModuleMemory module;
  if (pipeline == nullptr ||
      !module.open(memory, *pipeline, {modmem::OwnerKind::module, 0x10000, "equaliser", 8192})) {
    return EXIT_FAILURE;
  }

  // README.md shows these lines.
  modmem::ModuleResource resource(module);
  {
    Presets presets(&resource);
    presets["a quiet room in the evening"] = {0.2F, 0.4F, 0.8F, 1.0F};
    presets["a voice call"] = {0.0F, 1.0F, 1.0F, 0.0F};
    show("two presets", module);
    fill(presets);
    show("as many as fit", module);
  }
  show("no more table", module);

  const std::size_t leaks = module.close();
  std::printf("%zu leaks\n", leaks);
  return leaks == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "containers: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
