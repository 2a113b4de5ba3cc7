#include "testbench/plan/planned_module.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/placeholder.hpp"

namespace modmem::testbench {

namespace {

// Gives blocks back, the newest first.
void give_back(std::vector<void*>& blocks, ModuleMemory& memory) {
  for (; !blocks.empty(); blocks.pop_back()) {
    memory.free(blocks.back());
  }
}

// Takes the blocks, those that stay into `kept`. False exactly when memory ran out.
bool take(const PlannedPhase& phase, ModuleMemory& memory, std::vector<void*>& kept) {
  std::vector<void*> temporary;
  bool complete = true;
  for (const PlannedBlock& block : phase.blocks) {
    void* const taken =
        block.least != 0 ? memory
                               .allocate_range(block.least, block.bytes, block.alignment,
                                               block.flags, MODMEM_HERE)
                               .pointer
                         : memory.allocate(block.bytes, block.alignment, block.flags, MODMEM_HERE);
    if (taken == nullptr) {
      complete = false;
      break;
    }
    (block.temporary ? temporary : kept).push_back(taken);
  }
  give_back(temporary, memory);
  return complete;
}

}  // namespace

PlannedModule::~PlannedModule() {
  if (memory_ != nullptr) {
    give_back(prepared_, *memory_);
    give_back(initial_, *memory_);
  }
}

bool PlannedModule::init(const Widget& /*widget*/, ModuleMemory& memory) {
  memory_ = &memory;
  return take(init_, memory, initial_);
}

bool PlannedModule::prepare(std::span<const StreamFormat> /*inputs*/,
                            std::span<const StreamFormat> /*outputs*/, ModuleMemory& memory) {
  return take(prepare_, memory, prepared_);
}

void PlannedModule::process(std::span<const InputView> /*inputs*/,
                            std::span<const OutputView> /*outputs*/) {}

void PlannedModule::reset(ModuleMemory& memory) { give_back(prepared_, memory); }

const char* to_string(Coverage coverage) {
  switch (coverage) {
    case Coverage::known:
      return "known";
    case Coverage::estimated:
      return "estimated";
    case Coverage::uncovered:
      return "uncovered";
    case Coverage::unknown:
      return "unknown";
  }
  return "";
}

PlannedModules::PlannedModules(const StreamGraph& graph, const FootprintTable& table)
    : graph_(graph) {
  for (const StreamNode& node : graph.nodes) {
    Plan& plan = plans_.emplace_back();
    const Footprint* const footprint = table.find(*node.widget->uuid);
    if (footprint == nullptr) {
      plan.init.blocks = {{.bytes = declared_bytes(*node.widget), .flags = flag::kUser}};
      continue;
    }
    const Facts facts = facts_of(graph, node, footprint->parameters);
    try {
      plan.init = planned_blocks(footprint->init, facts);
      plan.prepare = planned_blocks(footprint->prepare, facts);
    } catch (const InputError& error) {
      throw InputError(node.widget->name + ": its footprint: " + error.what());
    }
    const bool covered = plan.init.covered && plan.prepare.covered && footprint->has_seen(facts);
    const bool estimated = plan.init.estimate || plan.prepare.estimate;
    plan.coverage = !covered    ? Coverage::uncovered
                    : estimated ? Coverage::estimated
                                : Coverage::known;
  }
}

std::unique_ptr<Module> PlannedModules::make(const StreamNode& node) const {
  const Plan& plan = plans_[static_cast<std::size_t>(&node - graph_.nodes.data())];
  return std::make_unique<PlannedModule>(plan.init, plan.prepare);
}

bool PlannedModules::yields(std::size_t node) const {
  const auto has_range = [](const PlannedPhase& phase) {
    return std::any_of(phase.blocks.begin(), phase.blocks.end(),
                       [](const PlannedBlock& block) { return block.least != 0; });
  };
  return has_range(plans_[node].init) || has_range(plans_[node].prepare);
}

std::size_t PlannedModules::bytes(std::size_t node) const {
  const auto sum = [](const PlannedPhase& phase) {
    return std::accumulate(
        phase.blocks.begin(), phase.blocks.end(), std::size_t{0},
        [](std::size_t bytes, const PlannedBlock& block) { return bytes + block.bytes; });
  };
  return sum(plans_[node].init) + sum(plans_[node].prepare);
}

}  // namespace modmem::testbench
