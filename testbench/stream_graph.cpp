#include "testbench/stream_graph.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "testbench/input_error.hpp"

namespace modmem::testbench {

namespace {

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

// Of the formats for `pin`, the one that shares most with `wanted`: rate before channels before
// samples, the first of equals. Without a list, `wanted` itself.
Choice choose(const Widget& widget, const std::vector<PinFormat>& formats, std::uint32_t pin,
              const StreamFormat& wanted) {
  std::optional<Choice> best;
  int best_score = -1;
  bool listed = false;
  // Formats that name no pin of their own are for all of them.
  const bool pin_listed = std::any_of(formats.begin(), formats.end(),
                                      [pin](const PinFormat& f) { return f.pin == pin; });
  for (const PinFormat& candidate : formats) {
    if (pin_listed && candidate.pin != pin) {
      continue;
    }
    listed = true;
    const std::optional<SampleFormat> sample = sample_format(candidate);
    if (!sample || candidate.rate < 1000) {
      continue;
    }
    const StreamFormat format{candidate.rate, candidate.channels, *sample};
    const int score = (format.rate == wanted.rate ? 4 : 0) +
                      (format.channels == wanted.channels ? 2 : 0) +
                      (format.sample == wanted.sample ? 1 : 0);
    if (score > best_score) {
      best_score = score;
      best = Choice{format, candidate.buffer_bytes};
    }
  }
  if (listed && !best) {
    throw InputError(widget.name + ": none of its formats is 16, 24 or 32-bit integer PCM");
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
std::vector<std::pair<std::size_t, std::size_t>> module_routes(const Topology& topology) {
  std::vector<std::pair<std::size_t, std::size_t>> routes;
  std::set<std::pair<std::size_t, std::size_t>> seen;
  for (const Route& route : topology.routes) {
    if (!route.source || !route.sink || !topology.widgets[*route.source].pipeline ||
        !topology.widgets[*route.sink].pipeline || !topology.widgets[*route.source].is_module() ||
        !topology.widgets[*route.sink].is_module()) {
      continue;
    }
    if (seen.insert({*route.source, *route.sink}).second) {
      routes.emplace_back(*route.source, *route.sink);
    }
  }
  return routes;
}

std::vector<bool> choose_pipelines(const Topology& topology, const std::vector<std::uint32_t>& ids,
                                   const std::vector<std::pair<std::size_t, std::size_t>>& routes) {
  std::vector<bool> chosen(topology.pipelines.size(), ids.empty());
  for (const std::uint32_t id : ids) {
    const Pipeline* pipeline = find_pipeline(topology, id);
    if (pipeline == nullptr) {
      throw InputError(topology.name + ": it has no pipeline " + std::to_string(id));
    }
    chosen[static_cast<std::size_t>(pipeline - topology.pipelines.data())] = true;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [source, sink] : routes) {
      const std::size_t a = *topology.widgets[source].pipeline;
      const std::size_t b = *topology.widgets[sink].pipeline;
      if (chosen[a] != chosen[b]) {
        chosen[a] = chosen[b] = true;
        changed = true;
      }
    }
  }
  return chosen;
}

// Widgets of the chosen pipelines so that sources come before sinks (Kahn); what is left in rings
// follows in file order.
std::vector<std::size_t> processing_order(
    const Topology& topology, const std::vector<bool>& chosen,
    const std::vector<std::pair<std::size_t, std::size_t>>& routes) {
  std::vector<std::size_t> waiting;
  for (std::size_t i = 0; i < topology.pipelines.size(); ++i) {
    if (chosen[i]) {
      const std::vector<std::size_t>& widgets = topology.pipelines[i].widgets;
      waiting.insert(waiting.end(), widgets.begin(), widgets.end());
    }
  }
  std::vector<std::size_t> unheard(topology.widgets.size(), 0);
  for (const auto& [source, sink] : routes) {
    ++unheard[sink];
  }
  std::vector<std::size_t> order;
  while (!waiting.empty()) {
    auto next = std::find_if(waiting.begin(), waiting.end(),
                             [&](std::size_t widget) { return unheard[widget] == 0; });
    if (next == waiting.end()) {
      next = waiting.begin();
    }
    const std::size_t widget = *next;
    waiting.erase(next);
    order.push_back(widget);
    for (const auto& [source, sink] : routes) {
      if (source == widget && unheard[sink] > 0) {
        --unheard[sink];
      }
    }
  }
  return order;
}

// Which input pin an edge from `source` feeds: the one that the sink binds to it, else the next
// free.
void sort_inputs(const StreamGraph& graph, StreamNode& node) {
  const std::vector<std::string>& bindings = node.widget->input_bindings;
  const auto pin = [&](std::size_t edge) {
    const std::string& source = graph.nodes[graph.edges[edge].source].widget->name;
    return std::find(bindings.begin(), bindings.end(), source) - bindings.begin();
  };
  std::stable_sort(node.inputs.begin(), node.inputs.end(),
                   [&](std::size_t a, std::size_t b) { return pin(a) < pin(b); });
}

// Picks the formats of a node whose inputs are settled.
void settle_formats(StreamGraph& graph, StreamNode& node, const StreamFormat& file) {
  const Widget& widget = *node.widget;
  StreamFormat heard = file;
  for (std::size_t pin = node.inputs.size(); pin-- > 0;) {
    StreamEdge& edge = graph.edges[node.inputs[pin]];
    const Choice in = choose(widget, widget.inputs, static_cast<std::uint32_t>(pin), edge.format);
    edge.bytes = std::max(edge.bytes, 2 * in.buffer_bytes);
    heard = edge.format;  // of the first pin in the end
  }
  if (node.endpoint == Endpoint::source) {
    heard = choose(widget, widget.inputs, 0, file).format;
    node.file_format = heard;
  }
  if (node.endpoint == Endpoint::sink) {
    // The host asks for the file's kind of samples; a DAI has what it has.
    StreamFormat wanted = heard;
    wanted.sample = widget.type == WidgetType::aif_out ? file.sample : heard.sample;
    node.file_format = choose(widget, widget.outputs, 0, wanted).format;
  }
  for (std::size_t pin = 0; pin < node.outputs.size(); ++pin) {
    StreamEdge& edge = graph.edges[node.outputs[pin]];
    const Choice out = choose(widget, widget.outputs, static_cast<std::uint32_t>(pin), heard);
    edge.format = out.format;
    const std::size_t period = most_frames_in_period(edge.format.rate) * edge.format.frame_bytes();
    edge.bytes = std::max({edge.bytes, 2 * out.buffer_bytes, 2 * period});
  }
}

}  // namespace

StreamGraph build_graph(const Topology& topology, const std::vector<std::uint32_t>& pipeline_ids,
                        const StreamFormat& file) {
  const auto routes = module_routes(topology);
  const std::vector<bool> chosen = choose_pipelines(topology, pipeline_ids, routes);
  StreamGraph graph;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]) {
      graph.pipelines.push_back(i);
    }
  }
  std::vector<std::optional<std::size_t>> node_of(topology.widgets.size());
  for (const std::size_t widget : processing_order(topology, chosen, routes)) {
    StreamNode node;
    node.widget = &topology.widgets[widget];
    node.pipeline = *node.widget->pipeline;
    node.endpoint = endpoint_of(*node.widget);
    const Pipeline& pipeline = topology.pipelines[node.pipeline];
    const auto at = std::find(pipeline.widgets.begin(), pipeline.widgets.end(), widget);
    node.component_id =
        pipeline.id << 16 | static_cast<std::uint32_t>(at - pipeline.widgets.begin());
    node_of[widget] = graph.nodes.size();
    graph.nodes.push_back(std::move(node));
  }
  if (graph.nodes.empty()) {
    throw InputError(topology.name + ": it has no modules to run");
  }
  for (const auto& [source, sink] : routes) {
    if (node_of[source] && node_of[sink]) {
      StreamNode& from = graph.nodes[*node_of[source]];
      StreamNode& to = graph.nodes[*node_of[sink]];
      from.outputs.push_back(graph.edges.size());
      to.inputs.push_back(graph.edges.size());
      graph.edges.push_back(
          {*node_of[source], *node_of[sink], file, 0, from.widget->name + " > " + to.widget->name});
    }
  }
  for (StreamNode& node : graph.nodes) {
    sort_inputs(graph, node);
    settle_formats(graph, node, file);
  }
  return graph;
}

}  // namespace modmem::testbench
