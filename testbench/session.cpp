#include "testbench/session.hpp"

#include <algorithm>
#include <new>

#include "testbench/input_error.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/out_of_memory.hpp"

namespace modmem::testbench {

Session::Session(System& system, const Topology& topology, const StreamGraph& graph)
    : system_(system),
      topology_(topology),
      graph_(graph),
      pipelines_(topology.pipelines.size()),
      file_ports_(graph.nodes.size(), nullptr) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const StreamNode& node = graph.nodes[i];
    if (node.endpoint == Endpoint::none) {
      continue;
    }
    const std::size_t frames = most_frames_in_period(node.file_format.rate);
    port_data_.emplace_back(frames * node.file_format.frame_bytes());
    ports_.push_back({node.file_format, port_data_.back().data(), 0});
    file_ports_[i] = &ports_.back();
  }
}

void Session::set_up() {
  xruns_ = 0;
  try {
    create_pipelines();
    create_modules();
    bind();
    prepare();
  } catch (const InputError& error) {
    // A module knows its widget, but not the file that the widget came from.
    throw InputError(topology_.name + ": " + error.what());
  }
}

void Session::create_pipelines() {
  Memory& memory = system_.memory();
  for (const std::size_t index : graph_.pipelines) {
    const Pipeline& pipeline = topology_.pipelines[index];
    PipelineEntry& entry = pipelines_[index];
    entry.owner = memory.create_owner(
        memory.system(),
        {.kind = OwnerKind::pipeline, .id = pipeline.id, .name = pipeline.name.c_str()});
    void* block = entry.owner == nullptr ? nullptr
                                         : memory.allocate({.owner = entry.owner,
                                                            .bytes = sizeof(PipelineRecord),
                                                            .alignment = alignof(PipelineRecord),
                                                            .site = MODMEM_HERE});
    if (block == nullptr) {
      throw OutOfMemory("creating " + pipeline.name);
    }
    entry.record = new (block) PipelineRecord{.id = pipeline.id,
                                              .core = pipeline.core,
                                              .priority = pipeline.priority,
                                              .period_us = pipeline.period_us};
  }
}

void Session::create_modules() {
  for (const StreamNode& node : graph_.nodes) {
    components_.emplace_back();
    if (!components_.back().open(system_.memory(), *pipelines_[node.pipeline].owner, node)) {
      throw OutOfMemory("creating " + node.widget->name);
    }
  }
}

void Session::bind() {
  for (const StreamEdge& edge : graph_.edges) {
    // A buffer belongs to the pipeline of the module that fills it.
    Owner& pipeline = *pipelines_[graph_.nodes[edge.source].pipeline].owner;
    buffers_.emplace_back();
    if (!buffers_.back().open(system_.memory(), pipeline, edge)) {
      throw OutOfMemory("binding " + edge.name);
    }
  }
}

void Session::prepare() {
  for (std::size_t i = 0; i < components_.size(); ++i) {
    const StreamNode& node = graph_.nodes[i];
    std::vector<StreamBuffer*> inputs;
    std::vector<StreamBuffer*> outputs;
    for (const std::size_t edge : node.inputs) {
      inputs.push_back(&buffers_[edge]);
    }
    for (const std::size_t edge : node.outputs) {
      outputs.push_back(&buffers_[edge]);
    }
    if (!components_[i].prepare(inputs, outputs, file_ports_[i])) {
      throw OutOfMemory("preparing " + node.widget->name);
    }
  }
}

void Session::run_period(std::uint64_t period) {
  const AudioPathScope audio_path;
  for (Component& component : components_) {
    xruns_ += component.process(period) ? 0 : 1;
  }
  for (const std::size_t index : graph_.pipelines) {
    ++pipelines_[index].record->periods;
  }
}

void Session::tear_down() {
  for (Component& component : components_) {
    component.reset();
  }
  for (StreamBuffer& buffer : buffers_) {
    buffer.close();
  }
  buffers_.clear();
  while (!components_.empty()) {
    components_.back().close();
    components_.pop_back();
  }
  Memory& memory = system_.memory();
  for (PipelineEntry& entry : pipelines_) {
    if (entry.owner != nullptr) {
      memory.free(entry.record, entry.owner);
      memory.destroy_owner(*entry.owner);
    }
    entry = {};
  }
}

std::vector<PipelineReport> Session::pipelines() const {
  std::vector<PipelineReport> reports;
  for (const std::size_t index : graph_.pipelines) {
    const Pipeline& pipeline = topology_.pipelines[index];
    const Owner* owner = pipelines_[index].owner;
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
    const StreamNode& node = component.node();
    ModuleReport report;
    report.id = node.component_id;
    report.uuid = to_string(*node.widget->uuid);
    report.name = node.widget->name;
    report.pipeline = topology_.pipelines[node.pipeline].id;
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
