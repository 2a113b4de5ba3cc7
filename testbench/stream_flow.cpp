#include "testbench/stream_flow.hpp"

#include <algorithm>
#include <numeric>

namespace modmem::testbench {

namespace {

// Only tasks have chunks, and only of more than a period: what is less comes as a period does.
void settle_chunks(StreamGraph& graph, const StreamNode& node) {
  for (const std::size_t in : node.inputs) {
    StreamEdge& edge = graph.edges[in];
    if (!node.task || edge.sink_chunk <= most_frames_in_period(edge.format.rate)) {
      edge.sink_chunk = 0;
    }
  }
  const StreamEdge* heard = node.inputs.empty() ? nullptr : &graph.edges[node.inputs.front()];
  for (const std::size_t out : node.outputs) {
    StreamEdge& edge = graph.edges[out];
    if (heard == nullptr || heard->sink_chunk == 0) {
      edge.source_chunk = 0;
    } else if (edge.source_chunk <= most_frames_in_period(edge.format.rate)) {
      // As long as what comes in.
      edge.source_chunk = heard->sink_chunk * edge.format.rate / heard->format.rate;
    }
  }
}

std::size_t silence(const StreamEdge& edge, std::uint32_t heard_rate) {
  const std::size_t period = most_frames_in_period(edge.format.rate);
  if (edge.source_chunk == 0) {
    return period;
  }
  const bool even = edge.format.rate % 1000 == 0 && edge.format.rate == heard_rate;
  return period + edge.source_chunk - (even ? std::gcd(edge.source_chunk, period) : 1);
}

void decouple(const StreamGraph& graph, StreamEdge& edge) {
  const StreamNode& source = graph.nodes[edge.source];
  const StreamNode& sink = graph.nodes[edge.sink];
  edge.between_cores = source.core != sink.core;
  edge.decoupled = edge.between_cores || source.task || sink.task;
  if (!edge.decoupled) {
    return;
  }
  const std::size_t period = most_frames_in_period(edge.format.rate);
  const std::uint32_t heard_rate =
      source.inputs.empty() ? edge.format.rate : graph.edges[source.inputs.front()].format.rate;
  edge.silence = silence(edge, heard_rate);
  const std::size_t most = edge.silence + std::max(edge.sink_chunk, period) + period;
  edge.bytes = std::max(edge.bytes, most * edge.format.frame_bytes());
}

// What a buffer takes goes on at once where the rate stays, so no buffer takes more than the
// smallest behind it.
void settle_room(StreamGraph& graph) {
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    for (const std::size_t in : node->inputs) {
      StreamEdge& edge = graph.edges[in];
      edge.room = edge.bytes / edge.format.frame_bytes();
      for (const std::size_t out : node->outputs) {
        const StreamEdge& next = graph.edges[out];
        // In a ring, the edge ahead may not be settled yet.
        if (next.format.rate == edge.format.rate && next.room != 0) {
          edge.room = std::min(edge.room, next.room);
        }
      }
    }
  }
}

}  // namespace

void settle_flow(StreamGraph& graph) {
  for (const StreamNode& node : graph.nodes) {
    settle_chunks(graph, node);
  }
  for (StreamEdge& edge : graph.edges) {
    decouple(graph, edge);
  }
  settle_room(graph);
}

}  // namespace modmem::testbench
