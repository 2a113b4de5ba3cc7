// What a session's set-up will need, admitted before the first module of it exists.
#include <algorithm>
#include <string>

#include "testbench/out_of_memory.hpp"
#include "testbench/session.hpp"

namespace modmem::testbench {

namespace {

// The parts of a set-up that lie in one pipeline.
struct PipelineNeeds {
  std::vector<Need> needs;
  std::uint32_t accounts = 0;
  std::uint32_t heaps = 0;
};

}  // namespace

// What the topology says of a part that was never set up.
std::vector<NeededBlock> Session::declared(const Part& part) const {
  std::vector<NeededBlock> blocks;
  if (part.first == PartKind::buffer) {
    blocks.push_back(
        {.bytes = graph_.edges[part.second].bytes, .flags = buffers_[part.second].flags()});
  } else if (part.first == PartKind::module && graph_.nodes[part.second].task) {
    blocks.push_back({.bytes = Component::stack_bytes(graph_.nodes[part.second]),
                      .flags = flag::kKernel,
                      .of_system = false});
  }
  return blocks;
}

// The parts that raise() sets up to get to `wanted`.
std::vector<Part> Session::missing_parts(const States& wanted) const {
  std::vector<Part> parts;
  const auto exists = [&](std::size_t node) {
    return components_[node].exists() || wanted[graph_.nodes[node].pipeline] != PlayState::absent;
  };
  for (std::size_t i = 0; i < components_.size(); ++i) {
    if (exists(i) && !components_[i].exists()) {
      parts.emplace_back(PartKind::module, i);
    }
    if (wanted[graph_.nodes[i].pipeline] >= PlayState::paused && !components_[i].prepared()) {
      parts.emplace_back(PartKind::prepared_module, i);
    }
  }
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const StreamEdge& edge = graph_.edges[i];
    if (exists(edge.source) && exists(edge.sink) && !buffers_[i].bound()) {
      parts.emplace_back(PartKind::buffer, i);
    }
  }
  return parts;
}

// Reserves what is missing for `wanted`, whose pipelines exist. Throws OutOfMemory, which says how
// much of what is missing, with nothing reserved, where that does not fit.
void Session::admit(Transaction& setup, const States& wanted) {
  Memory& memory = system_.memory();
  if (system_.fence() != nullptr) {
    return;  // what modules take comes from heaps that do not exist yet
  }
  const bool module_heaps = memory.policy().module != HeapKind::none;
  std::map<std::size_t, PipelineNeeds> pipelines;  // by index
  std::vector<Need> of_system;
  bool all_recorded = true;
  for (const std::size_t index : graph_.pipelines) {
    if (pipelines_[index].exists() && !pipelines_[index].has_record()) {
      add_need(pipelines[index].needs, PipelineInstance::record_block(), false);
    }
  }
  for (const Part& part : missing_parts(wanted)) {
    const bool is_buffer = part.first == PartKind::buffer;
    const std::size_t node = is_buffer ? graph_.edges[part.second].source : part.second;
    PipelineNeeds& pipeline = pipelines[graph_.nodes[node].pipeline];
    if (part.first != PartKind::prepared_module) {
      // A loaded module has an account of its own below that of its component.
      const bool is_loaded =
          !is_buffer && loaded_.find(*graph_.nodes[node].widget->uuid) != nullptr;
      pipeline.accounts += is_loaded ? 2 : 1;
      pipeline.heaps += module_heaps && !is_buffer ? 1 : 0;
    }
    const std::vector<NeededBlock>* recorded = system_.needs().find(part);
    all_recorded = all_recorded && recorded != nullptr;
    for (const NeededBlock& block : recorded != nullptr ? *recorded : declared(part)) {
      add_need(block.of_system ? of_system : pipeline.needs, block, module_heaps && !is_buffer);
    }
  }
  std::vector<PlanEntry> plan;
  for (const auto& [index, needs] : pipelines) {
    PlanEntry entry;
    entry.owner = pipelines_[index].owner();
    entry.accounts = needs.accounts;
    entry.heaps = needs.heaps;
    entry.needs = needs.needs;
    plan.push_back(entry);
  }
  if (!of_system.empty()) {
    PlanEntry entry;
    entry.owner = &memory.system();
    entry.needs = of_system;
    plan.push_back(entry);
  }
  if (plan.empty()) {
    return;
  }
  Shortage shortage;
  AdmissionFigures& figures = system_.admissions();
  if (!setup.admit(plan, &shortage)) {
    const std::string text = "admitting " + std::string(plan[shortage.entry].owner->spec.name) +
                             ": " + to_text(shortage);
    ++figures.refused;
    figures.shortage = figures.shortage.empty() ? text : figures.shortage;
    throw OutOfMemory(text);
  }
  ++figures.admitted;
  figures.recorded += all_recorded ? 1 : 0;
  std::size_t reserved = 0;
  for (const PlanEntry& entry : plan) {
    reserved += memory.reserved_frames(*entry.owner) * config::kPageBytes;
    admitted_.push_back(entry.owner);
  }
  figures.reserved_bytes = std::max(figures.reserved_bytes, reserved);
}

// Returns what was admitted and not used.
void Session::return_unused() {
  for (Owner* owner : admitted_) {
    system_.admissions().returned_bytes +=
        system_.memory().reserved_frames(*owner) * config::kPageBytes;
    system_.memory().return_unused(*owner);
  }
  admitted_.clear();
}

}  // namespace modmem::testbench
