#include "testbench/pcm_stream.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace modmem::testbench {

namespace {

// One way along the edges: with the audio, or against it.
struct Way {
  std::vector<std::size_t> StreamNode::*edges;
  std::size_t StreamEdge::*next;
};
constexpr Way kDown{&StreamNode::outputs, &StreamEdge::sink};
constexpr Way kUp{&StreamNode::inputs, &StreamEdge::source};

// Which nodes lead from `starts` along `way`, the starts among them.
std::vector<bool> reached(const StreamGraph& graph, std::vector<std::size_t> starts,
                          const Way& way) {
  std::vector<bool> seen(graph.nodes.size(), false);
  for (const std::size_t start : starts) {
    seen[start] = true;
  }
  while (!starts.empty()) {
    const std::size_t at = starts.back();
    starts.pop_back();
    for (const std::size_t edge : graph.nodes[at].*way.edges) {
      const std::size_t next = graph.edges[edge].*way.next;
      if (!seen[next]) {
        seen[next] = true;
        starts.push_back(next);
      }
    }
  }
  return seen;
}

PcmStream make_stream(const StreamGraph& graph, const std::string& pcm, Direction direction,
                      std::size_t host) {
  const bool playback = direction == Direction::playback;
  const WidgetType dai = playback ? WidgetType::dai_in : WidgetType::dai_out;
  const std::vector<bool> from_host = reached(graph, {host}, playback ? kDown : kUp);
  std::vector<std::size_t> dais;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (from_host[i] && graph.nodes[i].widget->type == dai) {
      dais.push_back(i);
    }
  }
  const bool connected = !dais.empty();
  const std::vector<bool> from_dais = reached(graph, std::move(dais), playback ? kUp : kDown);
  PcmStream stream{.pcm = pcm, .direction = direction, .host = host, .nodes = {}, .pipelines = {}};
  std::set<std::size_t> pipelines;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (from_host[i] && (from_dais[i] || !connected)) {
      stream.nodes.push_back(i);
      pipelines.insert(graph.nodes[i].pipeline);
    }
  }
  stream.pipelines.assign(pipelines.begin(), pipelines.end());
  return stream;
}

}  // namespace

std::string to_string(const PcmStream& stream) {
  return stream.pcm + (stream.direction == Direction::playback ? " playback" : " capture");
}

std::vector<PcmStream> find_streams(const Topology& topology, const StreamGraph& graph) {
  std::vector<std::optional<std::size_t>> node_of(topology.widgets.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    node_of[static_cast<std::size_t>(graph.nodes[i].widget - topology.widgets.data())] = i;
  }
  std::vector<PcmStream> streams;
  for (const Pcm& pcm : topology.pcms) {
    if (pcm.playback_widget && node_of[*pcm.playback_widget]) {
      streams.push_back(
          make_stream(graph, pcm.name, Direction::playback, *node_of[*pcm.playback_widget]));
    }
    if (pcm.capture_widget && node_of[*pcm.capture_widget]) {
      streams.push_back(
          make_stream(graph, pcm.name, Direction::capture, *node_of[*pcm.capture_widget]));
    }
  }
  return streams;
}

}  // namespace modmem::testbench
