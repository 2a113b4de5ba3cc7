// What a session has to say about its pipelines and modules.
#include <algorithm>

#include "testbench/modules/factory.hpp"
#include "testbench/session.hpp"

namespace modmem::testbench {

std::vector<PipelineReport> Session::pipelines() const {
  std::vector<PipelineReport> reports;
  for (const std::size_t index : graph_.pipelines) {
    const Pipeline& pipeline = topology_.pipelines[index];
    const Owner* owner = pipelines_[index].owner();
    if (owner == nullptr) {
      continue;
    }
    PipelineReport report;
    report.id = pipeline.id;
    report.name = pipeline.name;
    report.core = pipeline.core;
    report.live_bytes = owner->tree;
    report.peak_live_bytes = owner->tree_peak;
    for (const Owner* at = owner; at != nullptr;
         at = at == owner ? owner->first_child : at->next_sibling) {
      report.allocations += at->allocations;
      report.failures += at->failures;
    }
    system_.memory().for_each_heap([&](const HeapReport& heap) {
      if (heap.owner == owner) {
        report.mapped_bytes = heap.mapped_bytes;
        report.peak_mapped_bytes = heap.peak_mapped_bytes;
      }
    });
    reports.push_back(report);
  }
  return reports;
}

std::vector<ModuleReport> Session::modules() const {
  std::vector<ModuleReport> reports;
  for (const Component& component : components_) {
    if (!component.exists()) {
      continue;
    }
    const StreamNode& node = component.node();
    ModuleReport report;
    report.id = node.component_id;
    report.uuid = to_string(*node.widget->uuid);
    report.name = node.widget->name;
    report.pipeline = topology_.pipelines[node.pipeline].id;
    if (node.task) {
      report.declared_heap_bytes = node.widget->heap_bytes;
    }
    report.placeholder = find_module(*node.widget->uuid) == nullptr;
    if (const Owner* account = component.account()) {
      report.live_bytes = account->own;
      report.peak_live_bytes = account->own_peak;
      report.allocations = account->allocations;
      report.failures = account->failures;
    }
    reports.push_back(report);
  }
  std::sort(reports.begin(), reports.end(),
            [](const ModuleReport& a, const ModuleReport& b) { return a.id < b.id; });
  return reports;
}

}  // namespace modmem::testbench
