// The example topologies, as compiled by the build.
#include <gtest/gtest.h>

#include <set>

#include "testbench/topology/test_files.hpp"
#include "testbench/topology/topology.hpp"
#include "testbench/topology/topology_checks.hpp"

namespace modmem::testbench {
namespace {

Topology load(const std::string& name) {
  Topology topology = load_topology(example_topology(name));
  EXPECT_EQ(check_topology(topology), "") << name;
  for (const Widget& widget : topology.widgets) {
    EXPECT_TRUE(widget.pipeline) << widget.name;
    for (const std::vector<PinFormat>& formats : {widget.inputs, widget.outputs}) {
      for (const PinFormat& format : formats) {
        EXPECT_EQ(format.rate, 48000u) << widget.name;
        EXPECT_EQ(format.channels, 2u) << widget.name;
        EXPECT_EQ(format.valid_bits, format.bits) << widget.name;
        EXPECT_EQ(format.buffer_bytes, 48 * format.frame_bytes()) << widget.name;
        EXPECT_EQ(format.sample_type, SampleType::lsb_integer) << widget.name;
      }
    }
  }
  for (const Pipeline& pipeline : topology.pipelines) {
    EXPECT_EQ(pipeline.period_us, 1000u) << pipeline.name;
    EXPECT_EQ(pipeline.core, 0u) << pipeline.name;
    EXPECT_FALSE(pipeline.chain_dma) << pipeline.name;
  }
  for (const Route& route : topology.routes) {
    EXPECT_TRUE(route.source && route.sink) << route.source_name << " -> " << route.sink_name;
  }
  return topology;
}

// "a -> b" for every route, in file order.
std::vector<std::string> routes(const Topology& topology) {
  std::vector<std::string> names;
  for (const Route& route : topology.routes) {
    names.push_back(route.source_name + " -> " + route.sink_name);
  }
  return names;
}

// The names of a pipeline's modules.
std::set<std::string> modules(const Topology& topology, std::uint32_t pipeline_id) {
  std::set<std::string> names;
  if (const Pipeline* pipeline = find_pipeline(topology, pipeline_id)) {
    for (const std::size_t widget : pipeline->widgets) {
      names.insert(topology.widgets[widget].name);
    }
  }
  return names;
}

// Requires module `name` of `uuid` with one format of `in_bits` and one of `out_bits`.
const Widget& module(const Topology& topology, const std::string& name, const Uuid& uuid,
                     std::uint32_t in_bits, std::uint32_t out_bits) {
  static const Widget kNone;
  const Widget* widget = find_widget(topology, name);
  if (widget == nullptr || widget->inputs.size() != 1 || widget->outputs.size() != 1) {
    ADD_FAILURE() << name << " is not there, or has not one format on each side";
    return kNone;
  }
  EXPECT_EQ(widget->uuid, uuid) << name;
  EXPECT_EQ(widget->inputs[0].bits, in_bits) << name;
  EXPECT_EQ(widget->outputs[0].bits, out_bits) << name;
  return *widget;
}

void expect_gain(const Topology& topology, const std::string& name,
                 const std::string& control_name) {
  const Widget& gain = module(topology, name, kGainUuid, 32, 32);
  ASSERT_TRUE(gain.gain) << name;
  EXPECT_EQ(gain.gain->curve_type, 2u) << name;
  EXPECT_EQ(gain.gain->curve_duration, 200000u) << name;
  EXPECT_EQ(gain.gain->initial_value, 0x7fffffffu) << name;
  ASSERT_EQ(gain.controls.size(), 1u) << name;
  const Control& control = gain.controls[0];
  EXPECT_EQ(control.name, control_name);
  EXPECT_EQ(control.ops.get, 256u) << name;
  ASSERT_TRUE(control.tlv && control.tlv->db_scale) << name;
  EXPECT_EQ(control.tlv->db_scale->min, -9000) << name;
  EXPECT_EQ(control.tlv->db_scale->step, 200u) << name;
  EXPECT_EQ(std::get<MixerControl>(control.detail).max, 45) << name;
  EXPECT_EQ(std::get<MixerControl>(control.detail).channels.size(), 2u) << name;
}

void expect_playback_mixer(const Topology& topology) {
  EXPECT_EQ(modules(topology, 1),
            (std::set<std::string>{"host-copier.0.playback", "gain.1.1", "mixin.1.1"}));
  EXPECT_EQ(modules(topology, 2),
            (std::set<std::string>{"host-copier.1.playback", "gain.2.1", "mixin.2.1"}));
  EXPECT_EQ(modules(topology, 3),
            (std::set<std::string>{"mixout.3.1", "gain.3.1", "dai-copier.SSP.Speaker.playback"}));
  for (const std::string name : {"host-copier.0.playback", "host-copier.1.playback"}) {
    const Widget& copier = module(topology, name, kCopierUuid, 16, 32);
    EXPECT_EQ(copier.type, WidgetType::aif_in);
    EXPECT_EQ(copier.is_pages, 1u);
    EXPECT_EQ(copier.direction, Direction::playback);
  }
  expect_gain(topology, "gain.1.1", "Music Playback Volume");
  expect_gain(topology, "gain.2.1", "Notification Playback Volume");
  expect_gain(topology, "gain.3.1", "Speaker Playback Volume");
  EXPECT_EQ(module(topology, "mixin.1.1", kMixinUuid, 32, 32).output_pins, 3u);
  EXPECT_EQ(module(topology, "mixin.2.1", kMixinUuid, 32, 32).mix_type, 0u);
  const Widget& mixout = module(topology, "mixout.3.1", kMixoutUuid, 32, 32);
  EXPECT_EQ(mixout.input_pins, 8u);
  EXPECT_EQ(mixout.mix_type, 1u);
  const Widget& dai = module(topology, "dai-copier.SSP.Speaker.playback", kCopierUuid, 32, 32);
  EXPECT_EQ(dai.type, WidgetType::dai_in);
  ASSERT_TRUE(dai.dai);
  EXPECT_EQ(dai.dai->type, "SSP");
}

void expect_capture(const Topology& topology) {
  EXPECT_EQ(modules(topology, 4), (std::set<std::string>{"host-copier.2.capture"}));
  EXPECT_EQ(modules(topology, 5),
            (std::set<std::string>{"dai-copier.SSP.Microphone.capture", "gain.5.1"}));
  expect_gain(topology, "gain.5.1", "Microphone Capture Volume");
  const Widget& dai = module(topology, "dai-copier.SSP.Microphone.capture", kCopierUuid, 32, 32);
  EXPECT_EQ(dai.type, WidgetType::dai_out);
  EXPECT_EQ(dai.direction, Direction::capture);
  const Widget& host = module(topology, "host-copier.2.capture", kCopierUuid, 32, 16);
  EXPECT_EQ(host.type, WidgetType::aif_out);
}

// Requires PCM `id` with the one direction whose host copier is `widget`.
void expect_pcm(const Topology& topology, std::uint32_t id, const std::string& name,
                const std::string& widget, Direction direction) {
  for (const Pcm& pcm : topology.pcms) {
    if (pcm.id != id) {
      continue;
    }
    EXPECT_EQ(pcm.name, name);
    const bool playback = direction == Direction::playback;
    const auto& caps = playback ? pcm.playback : pcm.capture;
    const auto& other = playback ? pcm.capture : pcm.playback;
    const auto& copier = playback ? pcm.playback_widget : pcm.capture_widget;
    ASSERT_TRUE(caps && copier) << name;
    EXPECT_FALSE(other) << name;
    EXPECT_EQ(topology.widgets[*copier].name, widget);
    EXPECT_EQ(caps->formats, 1u << 2) << "S16_LE";
    EXPECT_EQ(caps->rate_min, 48000u);
    EXPECT_EQ(caps->channels_max, 2u);
    return;
  }
  ADD_FAILURE() << "there is no PCM " << id;
}

const std::vector<std::string> kMixerRoutes = {"mixin.1.1 -> mixout.3.1",
                                               "mixin.2.1 -> mixout.3.1",
                                               "host-copier.0.playback -> gain.1.1",
                                               "gain.1.1 -> mixin.1.1",
                                               "host-copier.1.playback -> gain.2.1",
                                               "gain.2.1 -> mixin.2.1",
                                               "mixout.3.1 -> gain.3.1",
                                               "gain.3.1 -> dai-copier.SSP.Speaker.playback"};

TEST(Examples, PlaybackMixer) {
  const Topology topology = load("playback-mixer");
  EXPECT_EQ(topology.widgets.size(), 12u);
  EXPECT_EQ(topology.pipelines.size(), 3u);
  EXPECT_EQ(topology.pcms.size(), 2u);
  expect_playback_mixer(topology);
  EXPECT_EQ(routes(topology), kMixerRoutes);
  expect_pcm(topology, 0, "Music", "host-copier.0.playback", Direction::playback);
  expect_pcm(topology, 1, "Notification", "host-copier.1.playback", Direction::playback);
  ASSERT_EQ(topology.links.size(), 1u);
  ASSERT_EQ(topology.links[0].widgets.size(), 1u);
  EXPECT_EQ(topology.widgets[topology.links[0].widgets[0]].name, "dai-copier.SSP.Speaker.playback");
}

TEST(Examples, Capture) {
  const Topology topology = load("capture");
  EXPECT_EQ(topology.widgets.size(), 5u);
  EXPECT_EQ(topology.pipelines.size(), 2u);
  EXPECT_EQ(topology.pcms.size(), 1u);
  expect_capture(topology);
  EXPECT_EQ(routes(topology),
            (std::vector<std::string>{"gain.5.1 -> host-copier.2.capture",
                                      "dai-copier.SSP.Microphone.capture -> gain.5.1"}));
  expect_pcm(topology, 2, "Microphone", "host-copier.2.capture", Direction::capture);
}

TEST(Examples, Passthrough) {
  const Topology topology = load("passthrough");
  EXPECT_EQ(topology.widgets.size(), 3u);
  EXPECT_EQ(topology.pipelines.size(), 1u);
  EXPECT_EQ(modules(topology, 1),
            (std::set<std::string>{"host-copier.0.playback", "dai-copier.SSP.Speaker.playback"}));
  module(topology, "host-copier.0.playback", kCopierUuid, 16, 16);
  module(topology, "dai-copier.SSP.Speaker.playback", kCopierUuid, 16, 16);
  EXPECT_EQ(
      routes(topology),
      (std::vector<std::string>{"host-copier.0.playback -> dai-copier.SSP.Speaker.playback"}));
  expect_pcm(topology, 0, "Speaker", "host-copier.0.playback", Direction::playback);
}

TEST(Examples, PlaybackAndCaptureIsBoth) {
  const Topology topology = load("playback-and-capture");
  EXPECT_EQ(topology.widgets.size(), 12u + 5u);
  EXPECT_EQ(topology.pipelines.size(), 3u + 2u);
  EXPECT_EQ(topology.pcms.size(), 2u + 1u);
  EXPECT_EQ(topology.routes.size(), 8u + 2u);
  EXPECT_EQ(topology.links.size(), 2u);
  expect_playback_mixer(topology);
  expect_capture(topology);
}

}  // namespace
}  // namespace modmem::testbench
