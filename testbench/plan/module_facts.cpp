#include "testbench/plan/module_facts.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

namespace modmem::testbench {

namespace {

constexpr std::array<std::string_view, 16> kNames = {
    "in_channels",     "out_channels",     "inputs",          "outputs",
    "in_period_bytes", "out_period_bytes", "endpoint_bytes",  "endpoint_formats",
    "blob_bytes",      "in_frame_bytes",   "out_frame_bytes", "deep_buffer_ms",
    "in_rate",         "out_rate",         "name_bytes",      "heap_bytes",
};
constexpr std::size_t kBlobHeaderBytes = 32;

std::size_t period_bytes(const StreamFormat& format) {
  return most_frames_in_period(format.rate) * format.frame_bytes();
}

// What `formats` say of a period of `format`, 0 where they say nothing.
std::size_t declared_period(const std::vector<PinFormat>& formats, const StreamFormat& format) {
  const auto found = std::find_if(formats.begin(), formats.end(), [&](const PinFormat& pin) {
    return pin.rate == format.rate && pin.channels == format.channels &&
           pin.bits == 8 * sample_bytes(format.sample);
  });
  return found != formats.end() ? found->buffer_bytes : 0;
}

// The configuration that a widget starts with, without its header.
std::span<const std::byte> blob_of(const Widget& widget) {
  for (const Control& control : widget.controls) {
    const std::span<const std::byte> data(control.private_data);
    if (std::holds_alternative<BytesControl>(control.detail) && !data.empty()) {
      return data.subspan(std::min(kBlobHeaderBytes, data.size()));
    }
  }
  return {};
}

std::int64_t number_at(std::span<const std::byte> blob, const Parameter& parameter) {
  if (parameter.offset + parameter.bytes > blob.size()) {
    return 0;
  }
  std::int64_t number = 0;
  for (std::size_t i = parameter.bytes; i-- > 0;) {
    number = number << 8 | std::to_integer<std::int64_t>(blob[parameter.offset + i]);
  }
  return (number + parameter.unit / 2) / parameter.unit;
}

}  // namespace

std::span<const std::string_view> fact_names() { return kNames; }

Facts facts_of(const StreamGraph& graph, const StreamNode& node,
               const std::vector<Parameter>& parameters) {
  std::vector<StreamFormat> inputs;
  std::vector<StreamFormat> outputs;
  // In the order in which a module is told of them.
  if (node.endpoint == Endpoint::source) {
    inputs.push_back(node.file_format);
  }
  for (const std::size_t edge : node.inputs) {
    inputs.push_back(graph.edges[edge].format);
  }
  for (const std::size_t edge : node.outputs) {
    outputs.push_back(graph.edges[edge].format);
  }
  if (node.endpoint == Endpoint::sink) {
    outputs.push_back(node.file_format);
  }
  Facts facts;
  const auto note = [&](const char* name, std::size_t value) {
    facts[name] = static_cast<std::int64_t>(value);
  };
  const auto note_side = [&](const std::string& side, const std::vector<StreamFormat>& formats) {
    if (!formats.empty()) {
      note((side + "_channels").c_str(), formats.front().channels);
      note((side + "_rate").c_str(), formats.front().rate);
      note((side + "_frame_bytes").c_str(), formats.front().frame_bytes());
      note((side + "_period_bytes").c_str(), period_bytes(formats.front()));
    }
    note((side + "puts").c_str(), formats.size());
  };
  note_side("in", inputs);
  note_side("out", outputs);
  const Widget& widget = *node.widget;
  if (node.endpoint != Endpoint::none) {
    const bool by_input = widget.type == WidgetType::aif_in || widget.type == WidgetType::dai_in;
    const std::vector<StreamFormat>& side = by_input ? inputs : outputs;
    const std::vector<PinFormat>& declared = by_input ? widget.inputs : widget.outputs;
    std::size_t bytes = period_bytes(node.file_format);
    if (!side.empty()) {
      bytes = std::max(bytes, declared_period(declared, by_input ? side.front() : side.back()));
    }
    note("endpoint_bytes", bytes);
    note("endpoint_formats", declared.size());
  }
  const std::span<const std::byte> blob = blob_of(widget);
  note("deep_buffer_ms", widget.deep_buffer_ms.value_or(0));
  note("blob_bytes", blob.size());
  note("name_bytes", widget.name.size());
  note("heap_bytes", widget.heap_bytes.value_or(0));
  for (const Parameter& parameter : parameters) {
    facts[parameter.name] = number_at(blob, parameter);
  }
  return facts;
}

}  // namespace modmem::testbench
