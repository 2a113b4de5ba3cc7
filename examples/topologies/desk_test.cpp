// The desk, as compiled by the build: what each stream needs, on which core, and what is special.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "testbench/modules/drc_parameters.hpp"
#include "testbench/pcm_stream.hpp"
#include "testbench/stream_graph.hpp"
#include "testbench/topology/topology.hpp"

namespace modmem::testbench {
namespace {

Topology load(const std::string& name) {
  return load_topology(std::string(MODMEM_EXAMPLES_DIR) + "/" + name + ".tplg");
}

const Widget& widget(const Topology& topology, const std::string& name) {
  static const Widget kNone;
  const Widget* found = find_widget(topology, name);
  EXPECT_NE(found, nullptr) << name;
  return found != nullptr ? *found : kNone;
}

TEST(DeskTest, EveryStreamHasItsPipelines) {
  const Topology topology = load("desk");
  const StreamGraph graph = build_graph(topology, {}, {48000, 2, SampleFormat::s16});
  std::map<std::string, std::set<std::uint32_t>> pipelines;
  for (const PcmStream& stream : find_streams(topology, graph)) {
    for (const std::size_t pipeline : stream.pipelines) {
      pipelines[to_string(stream)].insert(topology.pipelines[pipeline].id);
    }
  }
  const std::map<std::string, std::set<std::uint32_t>> expected = {
      {"Music playback", {1, 6}},        {"Notifications playback", {2, 6}},
      {"Deep Buffer playback", {6, 13}}, {"Call playback", {4, 6}},
      {"Call 2 playback", {5, 6}},       {"Call capture", {7, 9}},
      {"Call 2 capture", {7, 10}},       {"Microphone capture", {7, 8}},
      {"Key Phrase capture", {3, 11}}};
  EXPECT_EQ(pipelines, expected);
}

TEST(DeskTest, PipelinesAndTheirModulesAreOnThreeCores) {
  const Topology topology = load("desk");
  const std::map<std::uint32_t, std::uint32_t> cores = {{1, 0}, {2, 0},  {3, 2},  {4, 1},
                                                        {5, 1}, {6, 0},  {7, 0},  {8, 0},
                                                        {9, 1}, {10, 2}, {11, 2}, {13, 0}};
  ASSERT_EQ(topology.pipelines.size(), cores.size());
  for (const Pipeline& pipeline : topology.pipelines) {
    EXPECT_EQ(pipeline.core, cores.at(pipeline.id)) << pipeline.name;
    for (const std::size_t index : pipeline.widgets) {
      EXPECT_EQ(topology.widgets[index].core, pipeline.core) << topology.widgets[index].name;
    }
  }
}

TEST(DeskTest, CallsAreConvertedFromAndToTheRateOfTheDesk) {
  const Topology topology = load("desk");
  const StreamGraph graph = build_graph(topology, {}, {48000, 2, SampleFormat::s16});
  const auto format = [&](const std::string& name) {
    const auto edge = std::find_if(graph.edges.begin(), graph.edges.end(),
                                   [&](const StreamEdge& e) { return e.name == name; });
    EXPECT_NE(edge, graph.edges.end()) << name;
    return edge != graph.edges.end() ? edge->format : StreamFormat{};
  };
  const StreamFormat narrow{16000, 1, SampleFormat::s32};
  const StreamFormat mono{48000, 1, SampleFormat::s32};
  const StreamFormat wide{48000, 2, SampleFormat::s32};
  for (const std::string n : {"4", "5"}) {
    EXPECT_EQ(format("gain." + n + ".1 > src." + n + ".1"), narrow);
    EXPECT_EQ(format("src." + n + ".1 > micsel." + n + ".1"), mono);
    EXPECT_EQ(format("micsel." + n + ".1 > mixin." + n + ".1"), wide);
  }
  for (const std::string n : {"9", "10"}) {
    EXPECT_EQ(format("module-copier.7.1 > micsel." + n + ".1"), wide);
    EXPECT_EQ(format("micsel." + n + ".1 > src." + n + ".1"), mono);
    EXPECT_EQ(format("src." + n + ".1 > denoiser." + n + ".1"), narrow);
  }
  EXPECT_EQ(format("kpb.11.1 > host-copier.5.capture"),
            (StreamFormat{16000, 2, SampleFormat::s32}));
}

TEST(DeskTest, HasModulesOfEveryKind) {
  const Topology topology = load("desk");
  const Widget& denoiser = widget(topology, "denoiser.9.1");
  EXPECT_EQ(denoiser.scheduler_domain, SchedulerDomain::data_processing);
  EXPECT_EQ(denoiser.stack_bytes, 4096U);
  EXPECT_EQ(denoiser.heap_bytes, 24576U);
  EXPECT_EQ(widget(topology, "gain.9.1").scheduler_domain, SchedulerDomain::unset);
  const Widget& kpb = widget(topology, "kpb.11.1");
  EXPECT_EQ(kpb.output_bindings,
            (std::vector<std::string>{"detector.11.1", "host-copier.5.capture"}));
  EXPECT_EQ(kpb.outputs.size(), 2U);
  EXPECT_TRUE(read_drc_parameters(widget(topology, "drc.6.1")).enabled);
}

TEST(DeskTest, DiffersFromTheDeepOneInTheDepthOnly) {
  const Topology desk = load("desk");
  const Topology deep = load("desk-deep");
  EXPECT_EQ(widget(desk, "host-copier.2.playback").deep_buffer_ms, 100U);
  EXPECT_EQ(widget(deep, "host-copier.2.playback").deep_buffer_ms, 4000U);
  ASSERT_EQ(desk.widgets.size(), deep.widgets.size());
  for (std::size_t i = 0; i < desk.widgets.size(); ++i) {
    EXPECT_EQ(desk.widgets[i].name, deep.widgets[i].name);
    EXPECT_EQ(desk.widgets[i].deep_buffer_ms.has_value(),
              i == static_cast<std::size_t>(find_widget(desk, "host-copier.2.playback") -
                                            desk.widgets.data()));
  }
  EXPECT_EQ(desk.routes.size(), deep.routes.size());
}

}  // namespace
}  // namespace modmem::testbench
