// What must hold for every StreamGraph: the invariants that stream_graph.hpp promises.
#pragma once

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "testbench/stream_graph.hpp"

namespace modmem::testbench {

// What is wrong with one end of `edge`, the number `index`, or an empty string.
inline std::string check_edge_end(const std::vector<std::size_t>& edges, std::size_t index,
                                  const StreamEdge& edge) {
  if (std::count(edges.begin(), edges.end(), index) != 1) {
    return edge.name + ": its end lists it not once";
  }
  return {};
}

// What is wrong with `graph`, or an empty string. `rings`: whether the topology has any.
inline std::string check_graph(const Topology& topology, const StreamGraph& graph,
                               bool rings = false) {
  std::set<std::uint32_t> ids;
  std::set<const Widget*> widgets;
  std::size_t expected = 0;
  for (const std::size_t pipeline : graph.pipelines) {
    expected += topology.pipelines.at(pipeline).widgets.size();
  }
  if (graph.nodes.size() != expected) {
    return "not every module of the chosen pipelines is a node";
  }
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  for (const StreamNode& node : graph.nodes) {
    const std::string& name = node.widget->name;
    const Pipeline& pipeline = topology.pipelines.at(node.pipeline);
    const std::size_t index = node.component_id & 0xffff;
    if (!ids.insert(node.component_id).second || !widgets.insert(node.widget).second) {
      return name + ": twice in the graph, or its id is another one's";
    }
    if (node.component_id >> 16 != pipeline.id || index >= pipeline.widgets.size() ||
        &topology.widgets.at(pipeline.widgets[index]) != node.widget) {
      return name + ": its id is not pipeline id << 16 | index in the pipeline";
    }
    if (std::count(graph.pipelines.begin(), graph.pipelines.end(), node.pipeline) != 1) {
      return name + ": its pipeline is not a chosen one";
    }
    inputs += node.inputs.size();
    outputs += node.outputs.size();
  }
  if (inputs != graph.edges.size() || outputs != graph.edges.size()) {
    return "modules list edges that are not theirs";
  }
  std::set<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < graph.edges.size(); ++i) {
    const StreamEdge& edge = graph.edges[i];
    if (!ids.insert(edge.id).second) {
      return edge.name + ": its id is another one's";
    }
    if (!pairs.insert({edge.source, edge.sink}).second) {
      return edge.name + ": twice";
    }
    if (!rings && edge.source >= edge.sink) {
      return edge.name + ": its source does not stand before its sink";
    }
    const StreamNode& source = graph.nodes.at(edge.source);
    const StreamNode& sink = graph.nodes.at(edge.sink);
    std::string problem = check_edge_end(source.outputs, i, edge);
    if (problem.empty()) {
      problem = check_edge_end(sink.inputs, i, edge);
    }
    if (!problem.empty()) {
      return problem;
    }
    if (edge.format.rate < 1000 || edge.format.channels == 0 ||
        edge.bytes < most_frames_in_period(edge.format.rate) * edge.format.frame_bytes()) {
      return edge.name + ": its buffer does not hold a period";
    }
  }
  return {};
}

}  // namespace modmem::testbench
