#include "testbench/modules/factory.hpp"

#include <algorithm>
#include <array>

#include "testbench/modules/copier.hpp"
#include "testbench/modules/crossover.hpp"
#include "testbench/modules/dc_block.hpp"
#include "testbench/modules/drc.hpp"
#include "testbench/modules/eq_fir.hpp"
#include "testbench/modules/eq_iir.hpp"
#include "testbench/modules/gain.hpp"
#include "testbench/modules/kpb.hpp"
#include "testbench/modules/mixout.hpp"
#include "testbench/modules/placeholder.hpp"
#include "testbench/modules/selector.hpp"
#include "testbench/modules/src.hpp"

namespace modmem::testbench {
namespace {

template <typename T>
ModuleHandle<Module> make(ModuleMemory& memory) {
  return memory.make<T>();
}

constexpr std::array kModules = {
    ModuleInfo{kCopierUuid, "copier", make<Copier>},
    ModuleInfo{kCrossoverUuid, "crossover", make<Crossover>},
    ModuleInfo{kDcBlockUuid, "dcblock", make<DcBlock>},
    ModuleInfo{kDrcUuid, "drc", make<Drc>},
    ModuleInfo{kEqFirUuid, "eq-fir", make<EqFir>},
    ModuleInfo{kEqIirUuid, "eq-iir", make<EqIir>},
    ModuleInfo{kGainUuid, "gain", make<Gain>},
    ModuleInfo{kKpbUuid, "kpb", make<Kpb>},
    ModuleInfo{kMixinUuid, "mixin", make<Copier>},
    ModuleInfo{kMixoutUuid, "mixout", make<Mixout>},
    ModuleInfo{kSelectorUuid, "micsel", make<Selector>},
    ModuleInfo{kSrcUuid, "src", make<Src>},
    ModuleInfo{kSrcLiteUuid, "src-lite", make<Src>},
};

}  // namespace

std::span<const ModuleInfo> known_modules() { return kModules; }

const ModuleInfo* find_module(const Uuid& uuid) {
  const auto* found = std::find_if(kModules.begin(), kModules.end(),
                                   [&](const ModuleInfo& module) { return module.uuid == uuid; });
  return found == kModules.end() ? nullptr : found;
}

ModuleHandle<Module> make_module(const Uuid& uuid, ModuleMemory& memory) {
  const ModuleInfo* known = find_module(uuid);
  return known != nullptr ? known->make(memory) : make<Placeholder>(memory);
}

}  // namespace modmem::testbench
