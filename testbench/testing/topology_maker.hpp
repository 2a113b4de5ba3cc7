// TopologyMaker: topologies made by hand, as the loader would return them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "testbench/stream_format.hpp"
#include "testbench/topology/topology.hpp"

namespace modmem::testbench {

// Of no module that the testbench has.
inline constexpr Uuid kMadeUpUuid = *parse_uuid("6d6f646d-656d-4d6f-a465-6d6d6f646d65");

// A pin's format as files give it.
inline PinFormat pin_format(const StreamFormat& format, std::uint32_t pin = 0,
                            std::uint32_t buffer_bytes = 0) {
  PinFormat result;
  result.pin = pin;
  result.rate = format.rate;
  result.channels = format.channels;
  result.bits = static_cast<std::uint32_t>(8 * sample_bytes(format.sample));
  result.valid_bits = format.sample == SampleFormat::s24_4le ? 24 : result.bits;
  result.sample_type = SampleType::lsb_integer;
  result.buffer_bytes = buffer_bytes;
  return result;
}

class TopologyMaker {
 public:
  TopologyMaker() { topology_.name = "made.tplg"; }

  // A pipeline and its scheduler. What follows belongs to it.
  TopologyMaker& pipeline(std::uint32_t id) {
    Widget scheduler;
    scheduler.name = "pipeline." + std::to_string(id);
    scheduler.type = WidgetType::scheduler;
    scheduler.group = id;
    scheduler.pipeline = topology_.pipelines.size();
    Pipeline pipeline;
    pipeline.id = id;
    pipeline.name = scheduler.name;
    pipeline.scheduler = topology_.widgets.size();
    topology_.pipelines.push_back(std::move(pipeline));
    topology_.widgets.push_back(std::move(scheduler));
    return *this;
  }

  // A module of the last pipeline.
  TopologyMaker& module(const std::string& name, WidgetType type = WidgetType::effect,
                        const Uuid& uuid = kMadeUpUuid) {
    Pipeline& pipeline = topology_.pipelines.back();
    Widget widget;
    widget.name = name;
    widget.type = type;
    widget.uuid = uuid;
    widget.group = pipeline.id;
    widget.pipeline = topology_.pipelines.size() - 1;
    pipeline.widgets.push_back(topology_.widgets.size());
    topology_.widgets.push_back(std::move(widget));
    return *this;
  }
  TopologyMaker& source(const std::string& name) {
    return module(name, WidgetType::aif_in, kCopierUuid);
  }
  TopologyMaker& sink(const std::string& name) {
    return module(name, WidgetType::dai_in, kCopierUuid);
  }

  // The core of the last pipeline.
  TopologyMaker& core(std::uint32_t core) {
    topology_.pipelines.back().core = core;
    return *this;
  }
  // Puts the last module into the data-processing domain.
  TopologyMaker& task() {
    last().scheduler_domain = SchedulerDomain::data_processing;
    return *this;
  }

  // Formats of the last module.
  TopologyMaker& inputs(std::initializer_list<PinFormat> formats) {
    last().inputs = formats;
    return *this;
  }
  TopologyMaker& outputs(std::initializer_list<PinFormat> formats) {
    last().outputs = formats;
    return *this;
  }

  // A widget that is no module and in no pipeline.
  TopologyMaker& virtual_widget(const std::string& name) {
    Widget widget;
    widget.name = name;
    widget.type = WidgetType::output;
    topology_.widgets.push_back(std::move(widget));
    return *this;
  }

  // Routes from each name to the next; one that there is no widget of leads nowhere. Modules that
  // are added later are not found.
  TopologyMaker& route(std::initializer_list<const char*> names) {
    const char* previous = nullptr;
    for (const char* name : names) {
      if (previous != nullptr) {
        Route route;
        route.source_name = previous;
        route.sink_name = name;
        route.source = index(previous);
        route.sink = index(name);
        topology_.routes.push_back(std::move(route));
      }
      previous = name;
    }
    return *this;
  }

  // A PCM with these host copiers; nullptr: it has not this direction. Widgets that are added later
  // are not found.
  TopologyMaker& pcm(const std::string& name, const char* playback, const char* capture = nullptr) {
    Pcm pcm;
    pcm.id = static_cast<std::uint32_t>(topology_.pcms.size());
    pcm.name = name;
    if (playback != nullptr) {
      pcm.playback_widget = index(playback);
    }
    if (capture != nullptr) {
      pcm.capture_widget = index(capture);
    }
    topology_.pcms.push_back(std::move(pcm));
    return *this;
  }

  Widget& last() { return topology_.widgets.back(); }
  const Topology& made() const { return topology_; }

 private:
  std::optional<std::size_t> index(const std::string& name) const {
    for (std::size_t i = 0; i < topology_.widgets.size(); ++i) {
      if (topology_.widgets[i].name == name) {
        return i;
      }
    }
    return std::nullopt;
  }

  Topology topology_;
};

}  // namespace modmem::testbench
