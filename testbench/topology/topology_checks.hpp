// What must hold for every topology that the loader returns, for tests: the invariants that
// topology.hpp promises.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "testbench/topology/topology.hpp"

namespace modmem::testbench {

inline bool is_printable(std::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~') {
      return false;
    }
  }
  return true;
}

inline std::string check_formats(const std::vector<PinFormat>& formats) {
  for (const PinFormat& format : formats) {
    const bool known_bits = format.bits == 8 || format.bits == 16 || format.bits == 24 ||
                            format.bits == 32 || format.bits == 64;
    if (format.pin >= 8 || format.rate == 0 || format.rate > kMaxRate || !known_bits ||
        format.valid_bits == 0 || format.valid_bits > format.bits || format.channels == 0 ||
        format.channels > kMaxChannels || format.sample_type > SampleType::floating) {
      return "a pin format is beyond its limits";
    }
  }
  return {};
}

inline std::string check_controls(const std::vector<Control>& controls) {
  for (const Control& control : controls) {
    if (!is_printable(control.name)) {
      return "a control's name is not printable";
    }
    if (const auto* mixer = std::get_if<MixerControl>(&control.detail)) {
      if (mixer->min > mixer->max || mixer->channels.size() > 8) {
        return "a mixer is impossible";
      }
    }
    if (const auto* enumeration = std::get_if<EnumControl>(&control.detail)) {
      for (const std::string& text : enumeration->texts) {
        if (!is_printable(text)) {
          return "an item's text is not printable";
        }
      }
    }
  }
  return {};
}

inline std::string check_widget(const Topology& topology, std::size_t index) {
  const Widget& widget = topology.widgets[index];
  if (widget.name.empty() || !is_printable(widget.name) || !is_printable(widget.stream_name)) {
    return "a widget's name is empty or not printable";
  }
  if (to_string(widget.type).empty()) {
    return "a widget's type has no name";
  }
  if (widget.pipeline) {
    if (*widget.pipeline >= topology.pipelines.size()) {
      return "a widget's pipeline is out of range";
    }
    if (topology.pipelines[*widget.pipeline].id != widget.group) {
      return "a widget is in the pipeline of another group";
    }
    if (!widget.is_module() && !widget.is_scheduler()) {
      return "a widget that is neither module nor scheduler is in a pipeline";
    }
  }
  if (widget.input_pins > 8 || widget.output_pins > 8 || widget.core.value_or(0) > 15) {
    return "a widget's pins or core are beyond their limits";
  }
  for (const std::vector<PinFormat>* formats : {&widget.inputs, &widget.outputs}) {
    if (std::string problem = check_formats(*formats); !problem.empty()) {
      return problem;
    }
  }
  return check_controls(widget.controls);
}

inline std::string check_pipelines(const Topology& topology) {
  std::set<std::uint32_t> ids;
  for (std::size_t i = 0; i < topology.pipelines.size(); ++i) {
    const Pipeline& pipeline = topology.pipelines[i];
    if (!ids.insert(pipeline.id).second) {
      return "two pipelines have one id";
    }
    if (pipeline.scheduler >= topology.widgets.size() ||
        topology.widgets[pipeline.scheduler].pipeline != i || pipeline.period_us == 0 ||
        pipeline.period_us > 1'000'000 || pipeline.core > 15) {
      return "a pipeline's scheduler is not its own, or its period or core impossible";
    }
    for (const std::size_t widget : pipeline.widgets) {
      if (widget >= topology.widgets.size() || topology.widgets[widget].pipeline != i ||
          !topology.widgets[widget].is_module()) {
        return "a pipeline lists a widget that is not its module";
      }
    }
  }
  return {};
}

inline std::string check_streams(const Topology& topology) {
  const auto in_range = [&](const std::optional<std::size_t>& index) {
    return !index || *index < topology.widgets.size();
  };
  for (const Route& route : topology.routes) {
    if (!in_range(route.source) || !in_range(route.sink)) {
      return "a route's end is out of range";
    }
    if (!is_printable(route.source_name) || !is_printable(route.control) ||
        !is_printable(route.sink_name)) {
      return "a route's name is not printable";
    }
  }
  for (const Pcm& pcm : topology.pcms) {
    if (!in_range(pcm.playback_widget) || !in_range(pcm.capture_widget) ||
        !is_printable(pcm.name) || !is_printable(pcm.dai_name)) {
      return "a PCM's widget is out of range, or its name not printable";
    }
  }
  for (const BackendLink& link : topology.links) {
    for (const std::size_t widget : link.widgets) {
      if (!in_range(widget)) {
        return "a link's widget is out of range";
      }
    }
    if (!is_printable(link.name) || !is_printable(link.stream_name)) {
      return "a link's name is not printable";
    }
  }
  return {};
}

// What is wrong with `topology`, or an empty string.
inline std::string check_topology(const Topology& topology) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < topology.widgets.size(); ++i) {
    if (!names.insert(topology.widgets[i].name).second) {
      return "two widgets have one name";
    }
    if (std::string problem = check_widget(topology, i); !problem.empty()) {
      return problem;
    }
  }
  if (std::string problem = check_pipelines(topology); !problem.empty()) {
    return problem;
  }
  if (std::string problem = check_streams(topology); !problem.empty()) {
    return problem;
  }
  return check_controls(topology.controls);
}

}  // namespace modmem::testbench
