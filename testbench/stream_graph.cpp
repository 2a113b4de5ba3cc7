#include "testbench/stream_graph.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <queue>
#include <set>
#include <utility>

#include "testbench/input_error.hpp"
#include "testbench/stream_flow.hpp"

namespace modmem::testbench {

namespace {

using Routes = std::vector<std::pair<std::size_t, std::size_t>>;

// Component ids have 16 bits for the pipeline, and of the other 16 the top bit marks buffers.
constexpr std::uint32_t kMaxPipelineId = 0xffff;
constexpr std::uint32_t kBufferBit = 0x8000;

[[noreturn]] void fail(const Topology& topology, const std::string& reason) {
  throw InputError(topology.name + ": " + reason);
}

std::optional<SampleFormat> sample_format(const PinFormat& pin) {
  if (pin.bits == 16 && pin.valid_bits == 16) {
    return SampleFormat::s16;
  }
  if (pin.bits != 32 || pin.sample_type == SampleType::floating) {
    return std::nullopt;
  }
  // 24 bits that stand at the top of their word are 32-bit samples with zeros below.
  const bool low = pin.valid_bits == 24 && pin.sample_type != SampleType::msb_integer;
  return low ? SampleFormat::s24_4le : SampleFormat::s32;
}

// One of the formats that a module lists, as the testbench sees it.
struct Choice {
  StreamFormat format;
  std::size_t buffer_bytes = 0;
};

// How much of `wanted` there is in `format`.
int likeness(const StreamFormat& format, const StreamFormat& wanted) {
  const int sample = format.sample == wanted.sample ? 2 : format.sample > wanted.sample ? 1 : 0;
  return (format.rate == wanted.rate ? 6 : 0) + (format.channels == wanted.channels ? 3 : 0) +
         sample;
}

// Of the formats for `pin`, the one nearest to `wanted`, the first of equals. Without a list,
// `wanted` itself.
Choice choose(const Topology& topology, const Widget& widget, const std::vector<PinFormat>& formats,
              std::uint32_t pin, const StreamFormat& wanted) {
  std::optional<Choice> best;
  int best_likeness = -1;
  // Formats that name no pin of their own are for all of them.
  const bool pin_listed = std::any_of(formats.begin(), formats.end(),
                                      [pin](const PinFormat& f) { return f.pin == pin; });
  for (const PinFormat& candidate : formats) {
    const std::optional<SampleFormat> sample = sample_format(candidate);
    if ((pin_listed && candidate.pin != pin) || !sample || candidate.rate < 1000) {
      continue;
    }
    const StreamFormat format{candidate.rate, candidate.channels, *sample};
    const int alike = likeness(format, wanted);
    if (alike > best_likeness) {
      best_likeness = alike;
      best = Choice{format, candidate.buffer_bytes};
    }
  }
  if (!formats.empty() && !best) {
    fail(topology,
         widget.name + ": none of its formats is 16, 24 or 32-bit integer PCM at 1 kHz or more");
  }
  return best.value_or(Choice{wanted, 0});
}

Endpoint endpoint_of(const Widget& widget) {
  switch (widget.type) {
    case WidgetType::aif_in:
    case WidgetType::dai_out:
      return Endpoint::source;
    case WidgetType::aif_out:
    case WidgetType::dai_in:
      return Endpoint::sink;
    default:
      return Endpoint::none;
  }
}

// Routes between modules, as pairs of widgets, each once, in file order.
Routes module_routes(const Topology& topology) {
  const auto is_end = [&](const std::optional<std::size_t>& widget) {
    return widget && topology.widgets[*widget].pipeline && topology.widgets[*widget].is_module();
  };
  Routes routes;
  std::set<std::pair<std::size_t, std::size_t>> seen;
  for (const Route& route : topology.routes) {
    if (is_end(route.source) && is_end(route.sink) &&
        seen.insert({*route.source, *route.sink}).second) {
      routes.emplace_back(*route.source, *route.sink);
    }
  }
  return routes;
}

// Which pipelines to run: those named, all where none is, and what they are connected to.
std::vector<bool> choose_pipelines(const Topology& topology, const std::vector<std::uint32_t>& ids,
                                   const Routes& routes) {
  std::vector<std::vector<std::size_t>> neighbours(topology.pipelines.size());
  for (const auto& [source, sink] : routes) {
    const std::size_t a = *topology.widgets[source].pipeline;
    const std::size_t b = *topology.widgets[sink].pipeline;
    neighbours[a].push_back(b);
    neighbours[b].push_back(a);
  }
  std::vector<bool> chosen(topology.pipelines.size(), ids.empty());
  std::vector<std::size_t> fresh;
  const auto choose_one = [&](std::size_t pipeline) {
    if (!chosen[pipeline]) {
      chosen[pipeline] = true;
      fresh.push_back(pipeline);
    }
  };
  for (const std::uint32_t id : ids) {
    const Pipeline* pipeline = find_pipeline(topology, id);
    if (pipeline == nullptr) {
      fail(topology, "it has no pipeline " + std::to_string(id));
    }
    choose_one(static_cast<std::size_t>(pipeline - topology.pipelines.data()));
  }
  while (!fresh.empty()) {
    const std::size_t pipeline = fresh.back();
    fresh.pop_back();
    std::for_each(neighbours[pipeline].begin(), neighbours[pipeline].end(), choose_one);
  }
  return chosen;
}

// A node for each module of the chosen pipelines, in file order.
std::vector<StreamNode> make_nodes(const Topology& topology, const std::vector<bool>& chosen) {
  std::vector<StreamNode> nodes;
  for (std::size_t i = 0; i < topology.pipelines.size(); ++i) {
    const Pipeline& pipeline = topology.pipelines[i];
    if (!chosen[i]) {
      continue;
    }
    if (pipeline.id > kMaxPipelineId || pipeline.widgets.size() > kBufferBit) {
      fail(topology, pipeline.name + ": component ids have room for pipelines up to " +
                         std::to_string(kMaxPipelineId) + " of up to " +
                         std::to_string(kBufferBit) + " modules");
    }
    for (std::uint32_t index = 0; index < pipeline.widgets.size(); ++index) {
      StreamNode node;
      node.widget = &topology.widgets[pipeline.widgets[index]];
      node.pipeline = i;
      node.component_id = pipeline.id << 16 | index;
      node.core = pipeline.core;
      node.task = node.widget->scheduler_domain == SchedulerDomain::data_processing;
      node.endpoint = endpoint_of(*node.widget);
      nodes.push_back(std::move(node));
    }
  }
  return nodes;
}

// The positions of `nodes` so that sources come before sinks, and else stay in order (Kahn). Where
// only rings are left, the first of what is left is next.
std::vector<std::size_t> processing_order(std::size_t nodes, const Routes& routes) {
  std::vector<std::vector<std::size_t>> sinks(nodes);
  std::vector<std::size_t> unheard(nodes, 0);
  for (const auto& [source, sink] : routes) {
    sinks[source].push_back(sink);
    ++unheard[sink];
  }
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t node = 0; node < nodes; ++node) {
    if (unheard[node] == 0) {
      ready.push(node);
    }
  }
  std::vector<std::size_t> order;
  std::vector<bool> done(nodes, false);
  for (std::size_t first_left = 0; order.size() < nodes;) {
    while (done[first_left]) {
      ++first_left;
    }
    std::size_t next = first_left;
    if (!ready.empty()) {
      next = ready.top();
      ready.pop();
    }
    done[next] = true;
    order.push_back(next);
    for (const std::size_t sink : sinks[next]) {
      if (--unheard[sink] == 0 && !done[sink]) {
        ready.push(sink);
      }
    }
  }
  return order;
}

// Puts the nodes into processing order and the edges between them.
void connect(const Topology& topology, const Routes& routes, std::vector<StreamNode> nodes,
             StreamGraph& graph) {
  std::vector<std::optional<std::size_t>> node_of(topology.widgets.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    node_of[static_cast<std::size_t>(nodes[i].widget - topology.widgets.data())] = i;
  }
  Routes pairs;
  for (const auto& [source, sink] : routes) {
    if (node_of[source] && node_of[sink]) {
      pairs.emplace_back(*node_of[source], *node_of[sink]);
    }
  }
  std::vector<std::size_t> place(nodes.size());
  for (const std::size_t node : processing_order(nodes.size(), pairs)) {
    place[node] = graph.nodes.size();
    graph.nodes.push_back(std::move(nodes[node]));
  }
  std::vector<std::uint32_t> filled(topology.pipelines.size(), 0);
  for (const auto& [source, sink] : pairs) {
    StreamEdge edge;
    edge.source = place[source];
    edge.sink = place[sink];
    StreamNode& from = graph.nodes[edge.source];
    StreamNode& to = graph.nodes[edge.sink];
    const Pipeline& pipeline = topology.pipelines[from.pipeline];
    const std::uint32_t number = filled[from.pipeline]++;
    if (number >= kBufferBit) {
      fail(topology, pipeline.name + ": more than " + std::to_string(kBufferBit) + " routes");
    }
    edge.id = pipeline.id << 16 | kBufferBit | number;
    edge.name = from.widget->name + " > " + to.widget->name;
    from.outputs.push_back(graph.edges.size());
    to.inputs.push_back(graph.edges.size());
    graph.edges.push_back(std::move(edge));
  }
}

// Gives each of `edges`, all on one side of a module, its pin there: the one that `bindings` binds
// to the module at the other end, else the next behind the bound ones. Sorts them by pin.
void assign_pins(StreamGraph& graph, std::vector<std::size_t>& edges,
                 const std::vector<std::string>& bindings, std::size_t StreamEdge::*other,
                 std::uint32_t StreamEdge::*pin) {
  auto next_free = static_cast<std::uint32_t>(bindings.size());
  for (const std::size_t index : edges) {
    StreamEdge& edge = graph.edges[index];
    const auto bound =
        std::find(bindings.begin(), bindings.end(), graph.nodes[edge.*other].widget->name);
    edge.*pin = bound != bindings.end() ? static_cast<std::uint32_t>(bound - bindings.begin())
                                        : next_free++;
  }
  std::stable_sort(edges.begin(), edges.end(), [&](std::size_t a, std::size_t b) {
    return graph.edges[a].*pin < graph.edges[b].*pin;
  });
}

// Picks the formats of a node whose inputs are settled.
void settle_formats(const Topology& topology, StreamGraph& graph, StreamNode& node,
                    const StreamFormat& file) {
  const Widget& widget = *node.widget;
  StreamFormat heard = file;
  for (const std::size_t index : node.inputs) {
    StreamEdge& edge = graph.edges[index];
    const Choice in = choose(topology, widget, widget.inputs, edge.sink_pin, edge.format);
    edge.bytes = std::max(edge.bytes, 2 * in.buffer_bytes);
    edge.sink_chunk = in.buffer_bytes / in.format.frame_bytes();
  }
  if (!node.inputs.empty()) {
    heard = graph.edges[node.inputs.front()].format;
  }
  if (node.endpoint == Endpoint::source) {
    heard = choose(topology, widget, widget.inputs, 0, file).format;
    node.file_format = heard;
  }
  if (node.endpoint == Endpoint::sink) {
    // The host asks for the file's kind of samples; a DAI has what it has.
    StreamFormat wanted = heard;
    wanted.sample = widget.type == WidgetType::aif_out ? file.sample : heard.sample;
    node.file_format = choose(topology, widget, widget.outputs, 0, wanted).format;
  }
  for (const std::size_t index : node.outputs) {
    StreamEdge& edge = graph.edges[index];
    const Choice out = choose(topology, widget, widget.outputs, edge.source_pin, heard);
    edge.format = out.format;
    edge.source_chunk = out.buffer_bytes / out.format.frame_bytes();
    const std::size_t period = most_frames_in_period(edge.format.rate) * edge.format.frame_bytes();
    edge.bytes = std::max({edge.bytes, 2 * out.buffer_bytes, 2 * period});
  }
}

}  // namespace

StreamGraph build_graph(const Topology& topology, const std::vector<std::uint32_t>& pipeline_ids,
                        const StreamFormat& file) {
  const Routes routes = module_routes(topology);
  const std::vector<bool> chosen = choose_pipelines(topology, pipeline_ids, routes);
  StreamGraph graph;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]) {
      graph.pipelines.push_back(i);
    }
  }
  std::vector<StreamNode> nodes = make_nodes(topology, chosen);
  if (nodes.empty()) {
    fail(topology, "it has no modules to run");
  }
  connect(topology, routes, std::move(nodes), graph);
  for (StreamEdge& edge : graph.edges) {
    edge.format = file;  // what a ring has before its source is settled
  }
  for (StreamNode& node : graph.nodes) {
    assign_pins(graph, node.inputs, node.widget->input_bindings, &StreamEdge::source,
                &StreamEdge::sink_pin);
    assign_pins(graph, node.outputs, node.widget->output_bindings, &StreamEdge::sink,
                &StreamEdge::source_pin);
  }
  for (StreamNode& node : graph.nodes) {
    settle_formats(topology, graph, node, file);
  }
  settle_flow(graph);
  return graph;
}

}  // namespace modmem::testbench
