#include "testbench/topology/topology_links.hpp"

#include <map>
#include <string_view>

#include "testbench/input_error.hpp"
#include "testbench/topology/tokens.hpp"

namespace modmem::testbench {
namespace {

constexpr std::uint32_t kMaxCores = 16;
constexpr std::uint32_t kMaxPeriodUs = 1'000'000;

using NameIndex = std::map<std::string_view, std::size_t>;

[[noreturn]] void fail(const Topology& topology, const std::string& reason) {
  throw InputError(topology.name + ": " + reason);
}

NameIndex index_widgets(const Topology& topology) {
  NameIndex index;
  for (std::size_t i = 0; i < topology.widgets.size(); ++i) {
    const std::string& name = topology.widgets[i].name;
    if (!index.emplace(name, i).second) {
      fail(topology, "two widgets are named '" + name + "'");
    }
  }
  return index;
}

std::optional<Direction> pipeline_direction(const Topology& topology, const Widget& scheduler) {
  const Tuples& tuples = scheduler.tuples;
  const std::optional<std::uint32_t> value = tuples.number(token::kPipelineDirection);
  if (!value || tuples.number(token::kPipelineDirectionValid).value_or(1) == 0) {
    return std::nullopt;
  }
  if (*value > 1) {
    fail(topology,
         "widget '" + scheduler.name + "' has an impossible direction: " + std::to_string(*value));
  }
  return static_cast<Direction>(*value);
}

Pipeline to_pipeline(const Topology& topology, std::size_t scheduler_index) {
  const Widget& scheduler = topology.widgets[scheduler_index];
  const Tuples& tuples = scheduler.tuples;
  const auto number = [&](std::uint32_t token) { return tuples.number(token).value_or(0); };
  Pipeline pipeline;
  pipeline.id = scheduler.group;
  pipeline.name = scheduler.name;
  pipeline.scheduler = scheduler_index;
  if (const std::uint32_t period = number(token::kPipelinePeriod); period != 0) {
    pipeline.period_us = period;
  }
  if (pipeline.period_us > kMaxPeriodUs) {
    fail(topology, "widget '" + scheduler.name +
                       "' has an impossible period: " + std::to_string(pipeline.period_us) + " us");
  }
  pipeline.priority = number(token::kPipelinePriority);
  pipeline.mips = number(token::kPipelineMips);
  pipeline.core = number(token::kPipelineCore);
  if (pipeline.core >= kMaxCores) {
    fail(topology, "widget '" + scheduler.name +
                       "' has an impossible core: " + std::to_string(pipeline.core));
  }
  pipeline.time_domain = tuples.number(token::kPipelineTimeDomain);
  pipeline.dynamic = number(token::kPipelineDynamic) != 0;
  pipeline.low_power = number(token::kPipelineLowPower) != 0;
  pipeline.chain_dma = number(token::kPipelineChainDma) != 0;
  pipeline.direction = pipeline_direction(topology, scheduler);
  return pipeline;
}

void link_pipelines(Topology& topology) {
  std::map<std::uint32_t, std::size_t> by_group;
  for (std::size_t i = 0; i < topology.widgets.size(); ++i) {
    Widget& widget = topology.widgets[i];
    if (!widget.is_scheduler()) {
      continue;
    }
    const auto [found, added] = by_group.emplace(widget.group, topology.pipelines.size());
    if (!added) {
      fail(topology, "widgets '" + topology.pipelines[found->second].name + "' and '" +
                         widget.name + "' both schedule pipeline " + std::to_string(widget.group));
    }
    widget.pipeline = found->second;
    topology.pipelines.push_back(to_pipeline(topology, i));
  }
  for (std::size_t i = 0; i < topology.widgets.size(); ++i) {
    Widget& widget = topology.widgets[i];
    if (!widget.is_module() || widget.is_scheduler()) {
      continue;
    }
    const auto found = by_group.find(widget.group);
    if (found == by_group.end()) {
      continue;
    }
    widget.pipeline = found->second;
    topology.pipelines[found->second].widgets.push_back(i);
  }
}

std::optional<std::size_t> find_host_copier(const Topology& topology, WidgetType type,
                                            const std::optional<StreamCaps>& caps) {
  if (!caps || caps->name.empty()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < topology.widgets.size(); ++i) {
    const Widget& widget = topology.widgets[i];
    if (widget.type == type && widget.stream_name == caps->name) {
      return i;
    }
  }
  return std::nullopt;
}

void link_streams(Topology& topology) {
  for (Pcm& pcm : topology.pcms) {
    pcm.playback_widget = find_host_copier(topology, WidgetType::aif_in, pcm.playback);
    pcm.capture_widget = find_host_copier(topology, WidgetType::aif_out, pcm.capture);
  }
  std::multimap<std::string_view, std::size_t> links_by_name;
  for (std::size_t i = 0; i < topology.links.size(); ++i) {
    links_by_name.emplace(topology.links[i].name, i);
  }
  for (std::size_t i = 0; i < topology.widgets.size(); ++i) {
    const Widget& widget = topology.widgets[i];
    if (widget.type != WidgetType::dai_in && widget.type != WidgetType::dai_out) {
      continue;
    }
    const auto [first, last] = links_by_name.equal_range(widget.stream_name);
    for (auto link = first; link != last; ++link) {
      topology.links[link->second].widgets.push_back(i);
    }
  }
}

void link_routes(Topology& topology, const NameIndex& index) {
  const auto find = [&](const std::string& name) -> std::optional<std::size_t> {
    const auto found = index.find(name);
    if (found == index.end()) {
      return std::nullopt;
    }
    return found->second;
  };
  for (Route& route : topology.routes) {
    route.source = find(route.source_name);
    route.sink = find(route.sink_name);
  }
}

}  // namespace

void link_topology(Topology& topology) {
  const NameIndex index = index_widgets(topology);
  link_routes(topology, index);
  link_pipelines(topology);
  link_streams(topology);
}

}  // namespace modmem::testbench
