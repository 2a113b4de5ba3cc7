// What a session has to say about its pipelines and modules, those that are gone among them.
#include <algorithm>

#include "testbench/modules/factory.hpp"
#include "testbench/session.hpp"

namespace modmem::testbench {

namespace {

// Adds an ended life to what the report says.
template <typename Report>
void add_life(Report& report, const Report& past) {
  report.peak_live_bytes = std::max(report.peak_live_bytes, past.peak_live_bytes);
  report.allocations += past.allocations;
  report.failures += past.failures;
}

void add_past(PipelineReport& report, const PipelineReport& past) {
  add_life(report, past);
  report.peak_mapped_bytes = std::max(report.peak_mapped_bytes, past.peak_mapped_bytes);
  report.bank_us += past.bank_us;
}

void add_past(ModuleReport& report, const ModuleReport& past) {
  add_life(report, past);
  report.errors.first = past.errors.count != 0 ? past.errors.first : report.errors.first;
  report.errors.count += past.errors.count;
}

// Adds what was asked for by `owner` and all below it.
template <typename Report>
void add_counts(Report& report, const Owner& owner) {
  report.allocations += owner.allocations;
  report.failures += owner.failures;
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    add_counts(report, *child);
  }
}

// Keeps the report of a life that ends now among those by `key`.
template <typename Report>
void keep(std::map<std::size_t, Report>& kept, std::size_t key, Report report) {
  const auto known = kept.find(key);
  if (known != kept.end()) {
    add_past(report, known->second);
  }
  kept[key] = std::move(report);
}

}  // namespace

PipelineReport Session::report_of(std::size_t pipeline) const {
  const Pipeline& description = topology_.pipelines[pipeline];
  PipelineReport report;
  report.id = description.id;
  report.name = description.name;
  report.core = description.core;
  const Owner* owner = pipelines_[pipeline].owner();
  if (owner == nullptr) {
    return report;
  }
  report.live_bytes = owner->tree;
  report.peak_live_bytes = owner->tree_peak;
  add_counts(report, *owner);
  system_.memory().for_each_heap([&](const HeapReport& heap) {
    if (heap.owner == owner) {
      report.mapped_bytes = heap.mapped_bytes;
      report.peak_mapped_bytes = heap.peak_mapped_bytes;
      report.bank_us = heap.bank_us;
    }
  });
  return report;
}

ModuleReport Session::report_of(const Component& component) const {
  const StreamNode& node = component.node();
  ModuleReport report;
  report.id = node.component_id;
  report.uuid = to_string(*node.widget->uuid);
  report.name = node.widget->name;
  report.pipeline = topology_.pipelines[node.pipeline].id;
  const LoadedModule* loaded = loaded_.find(*node.widget->uuid);
  report.loaded_from = loaded != nullptr ? loaded->file : "";
  report.placeholder = loaded == nullptr && find_module(*node.widget->uuid) == nullptr;
  if (node.task) {
    report.declared_heap_bytes = node.widget->heap_bytes;
  }
  if (const Owner* account = component.account()) {
    // With that of a loaded module, which has an account of its own below it.
    report.live_bytes = account->tree;
    report.peak_live_bytes = account->tree_peak;
    add_counts(report, *account);
  }
  report.errors = component.errors();
  return report;
}

// Closes a component, with what it had said.
void Session::end_component(std::size_t node) {
  Component& component = components_[node];
  if (component.exists()) {
    ModuleReport report = report_of(component);
    report.live_bytes = 0;
    keep(past_modules_, node, std::move(report));
  }
  on_core(graph_.nodes[node].core, [&] { component.close(); });
}

void Session::end_pipeline(std::size_t pipeline) {
  PipelineInstance& instance = pipelines_[pipeline];
  if (instance.exists()) {
    PipelineReport report = report_of(pipeline);
    report.live_bytes = 0;
    report.mapped_bytes = 0;
    keep(past_pipelines_, pipeline, std::move(report));
  }
  on_core(topology_.pipelines[pipeline].core, [&] { instance.destroy(system_.memory()); });
}

std::vector<PipelineReport> Session::pipelines() const {
  std::vector<PipelineReport> reports;
  for (const std::size_t index : graph_.pipelines) {
    const auto past = past_pipelines_.find(index);
    if (pipelines_[index].exists()) {
      reports.push_back(report_of(index));
      if (past != past_pipelines_.end()) {
        add_past(reports.back(), past->second);
      }
    } else if (past != past_pipelines_.end()) {
      reports.push_back(past->second);
    }
  }
  return reports;
}

std::vector<ModuleReport> Session::modules() const {
  std::vector<ModuleReport> reports;
  for (std::size_t i = 0; i < components_.size(); ++i) {
    const auto past = past_modules_.find(i);
    if (components_[i].exists()) {
      reports.push_back(report_of(components_[i]));
      if (past != past_modules_.end()) {
        add_past(reports.back(), past->second);
      }
    } else if (past != past_modules_.end()) {
      reports.push_back(past->second);
    }
  }
  std::sort(reports.begin(), reports.end(),
            [](const ModuleReport& a, const ModuleReport& b) { return a.id < b.id; });
  return reports;
}

}  // namespace modmem::testbench
