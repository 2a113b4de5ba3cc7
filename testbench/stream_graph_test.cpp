// Graphs of topologies made by hand: what runs, in which order, with which ids.
#include "testbench/stream_graph.hpp"

#include <gtest/gtest.h>

#include "testbench/input_error.hpp"
#include "testbench/testing/graph_checks.hpp"
#include "testbench/testing/topology_maker.hpp"

namespace modmem::testbench {
namespace {

constexpr StreamFormat kFile{48000, 2, SampleFormat::s16};

std::vector<std::string> names(const StreamGraph& graph) {
  std::vector<std::string> result;
  for (const StreamNode& node : graph.nodes) {
    result.push_back(node.widget->name);
  }
  return result;
}

std::vector<std::string> edge_names(const StreamGraph& graph) {
  std::vector<std::string> result;
  for (const StreamEdge& edge : graph.edges) {
    result.push_back(edge.name);
  }
  return result;
}

std::vector<std::uint32_t> pipeline_ids(const Topology& topology, const StreamGraph& graph) {
  std::vector<std::uint32_t> ids;
  for (const std::size_t pipeline : graph.pipelines) {
    ids.push_back(topology.pipelines[pipeline].id);
  }
  return ids;
}

using Names = std::vector<std::string>;
using Ids = std::vector<std::uint32_t>;

// The error that building the graph ends with; it must be one line that names the file.
std::string refusal(const Topology& topology, const std::vector<std::uint32_t>& ids = {}) {
  try {
    build_graph(topology, ids, kFile);
  } catch (const InputError& error) {
    std::string message = error.what();
    EXPECT_EQ(message.rfind(topology.name + ": ", 0), 0U) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(StreamGraphTest, EveryModuleComesAfterThoseItHears) {
  TopologyMaker maker;
  maker.pipeline(1).sink("d").module("c").module("b").source("a");
  maker.route({"c", "d"}).route({"b", "c"}).route({"a", "b"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(names(graph), (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(check_graph(maker.made(), graph), "");
}

TEST(StreamGraphTest, ModulesThatHearNothingOfEachOtherStayInTheFilesOrder) {
  TopologyMaker maker;
  maker.pipeline(2).module("late").module("z").module("y");
  maker.pipeline(1).module("x").module("early");
  maker.route({"early", "late"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(names(graph), (Names{"z", "y", "x", "early", "late"}));
  EXPECT_EQ(pipeline_ids(maker.made(), graph), (Ids{2, 1}));
  EXPECT_EQ(check_graph(maker.made(), graph), "");
}

TEST(StreamGraphTest, ARouteThatIsNamedTwiceIsOneBuffer) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").sink("b");
  maker.route({"a", "b"}).route({"a", "b"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(edge_names(graph), (Names{"a > b"}));
  EXPECT_EQ(check_graph(maker.made(), graph), "");
}

TEST(StreamGraphTest, RoutesThatEndInNoModuleAreNoBuffers) {
  TopologyMaker maker;
  maker.virtual_widget("codec").pipeline(1).source("a").sink("b");
  Widget& stray = maker.virtual_widget("no pipeline").last();
  stray.uuid = kMadeUpUuid;
  maker.route({"nobody", "a", "b", "nobody"}).route({"codec", "a"}).route({"b", "codec"});
  maker.route({"no pipeline", "a"}).route({"b", "no pipeline"});
  maker.route({"pipeline.1", "a"}).route({"b", "pipeline.1"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(names(graph), (Names{"a", "b"}));
  EXPECT_EQ(edge_names(graph), (Names{"a > b"}));
  EXPECT_EQ(check_graph(maker.made(), graph), "");
}

TEST(StreamGraphTest, ASchedulerWithAUuidIsStillNoModule) {
  TopologyMaker maker;
  maker.pipeline(1).last().uuid = kMadeUpUuid;
  maker.source("a").sink("b").route({"pipeline.1", "a", "b", "pipeline.1"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(names(graph), (Names{"a", "b"}));
  EXPECT_EQ(edge_names(graph), (Names{"a > b"}));
}

TEST(StreamGraphTest, ARingRunsEveryModuleOnce) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("b").module("c").sink("d");
  maker.route({"a", "b", "c", "d"}).route({"c", "b"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(names(graph), (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(graph.edges.size(), 4U);
  EXPECT_EQ(check_graph(maker.made(), graph, /*rings=*/true), "");
}

TEST(StreamGraphTest, AModuleMayHearItself) {
  TopologyMaker maker;
  maker.pipeline(1).module("a").route({"a", "a"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(edge_names(graph), (Names{"a > a"}));
  EXPECT_EQ(check_graph(maker.made(), graph, /*rings=*/true), "");
}

TEST(StreamGraphTest, PipelinesBringThoseTheyAreConnectedTo) {
  TopologyMaker maker;
  // 1 -> 3 <- 2, 4 -> 5, and 6 alone.
  for (std::uint32_t id = 1; id <= 6; ++id) {
    maker.pipeline(id).module("m" + std::to_string(id));
  }
  maker.route({"m2", "m3"}).route({"m1", "m3"}).route({"m4", "m5"});
  const auto chosen = [&](const Ids& ids) {
    const StreamGraph graph = build_graph(maker.made(), ids, kFile);
    EXPECT_EQ(check_graph(maker.made(), graph), "");
    return pipeline_ids(maker.made(), graph);
  };
  EXPECT_EQ(chosen({1}), (Ids{1, 2, 3}));
  EXPECT_EQ(chosen({2, 2, 3}), (Ids{1, 2, 3}));
  EXPECT_EQ(chosen({5}), (Ids{4, 5}));
  EXPECT_EQ(chosen({6}), (Ids{6}));
  EXPECT_EQ(chosen({6, 4}), (Ids{4, 5, 6}));
  EXPECT_EQ(chosen({}), (Ids{1, 2, 3, 4, 5, 6}));
}

TEST(StreamGraphTest, AnUnknownPipelineIsNamed) {
  TopologyMaker maker;
  maker.pipeline(1).module("a");
  EXPECT_NE(refusal(maker.made(), {1, 7}).find("no pipeline 7"), std::string::npos);
}

TEST(StreamGraphTest, NothingToRunIsAnError) {
  EXPECT_NE(refusal(TopologyMaker().made()).find("no modules"), std::string::npos);
  TopologyMaker maker;
  maker.pipeline(1).pipeline(2).module("a");
  EXPECT_NE(refusal(maker.made(), {1}).find("no modules"), std::string::npos);
  EXPECT_EQ(names(build_graph(maker.made(), {}, kFile)), (Names{"a"}));
}

TEST(StreamGraphTest, IdsAreThePipelinesAndTheIndex) {
  TopologyMaker maker;
  maker.pipeline(0xffff).sink("b").source("a");
  maker.pipeline(3).module("c").route({"a", "b"}).route({"a", "c"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  ASSERT_EQ(names(graph), (Names{"a", "b", "c"}));
  EXPECT_EQ(graph.nodes[0].component_id, 0xffff0001U);
  EXPECT_EQ(graph.nodes[1].component_id, 0xffff0000U);
  EXPECT_EQ(graph.nodes[2].component_id, 0x00030000U);
  EXPECT_EQ(graph.edges[0].id, 0xffff8000U);
  EXPECT_EQ(graph.edges[1].id, 0xffff8001U);
  EXPECT_EQ(check_graph(maker.made(), graph), "");
}

TEST(StreamGraphTest, AModuleOfManyRoutesKeepsIdsApart) {
  TopologyMaker maker;
  maker.pipeline(1).source("a");
  for (int i = 0; i < 300; ++i) {
    const std::string name = "m" + std::to_string(i);
    maker.module(name).route({"a", name.c_str()});
  }
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(graph.edges.size(), 300U);
  EXPECT_EQ(check_graph(maker.made(), graph), "");
}

TEST(StreamGraphTest, IdsThatDoNotFitAreRefused) {
  TopologyMaker wide;
  wide.pipeline(0x10000).module("a");
  EXPECT_NE(refusal(wide.made()).find("pipeline.65536"), std::string::npos);
  TopologyMaker long_one;
  long_one.pipeline(1);
  for (int i = 0; i < 0x8000; ++i) {
    long_one.module("m" + std::to_string(i));
  }
  EXPECT_EQ(build_graph(long_one.made(), {}, kFile).nodes.size(), 0x8000U);
  long_one.module("one too many");
  EXPECT_NE(refusal(long_one.made()).find("pipeline.1"), std::string::npos);
}

TEST(StreamGraphTest, EndpointsFollowFromTheTypeOfWidget) {
  TopologyMaker maker;
  maker.pipeline(1)
      .module("host in", WidgetType::aif_in)
      .module("host out", WidgetType::aif_out)
      .module("dai in", WidgetType::dai_in)
      .module("dai out", WidgetType::dai_out)
      .module("mixer", WidgetType::mixer)
      .module("buffer", WidgetType::buffer);
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  const Endpoint expected[] = {Endpoint::source, Endpoint::sink, Endpoint::sink,
                               Endpoint::source, Endpoint::none, Endpoint::none};
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    EXPECT_EQ(graph.nodes[i].endpoint, expected[i]) << graph.nodes[i].widget->name;
  }
}

TEST(StreamGraphTest, FramesOfAPeriodAddUpToTheRate) {
  for (const std::uint32_t rate : {1000U, 4000U, 11025U, 22050U, 44100U, 48000U, 192000U}) {
    std::size_t sum = 0;
    for (std::uint64_t period = 0; period < 1000; ++period) {
      const std::size_t frames = frames_in_period(rate, period);
      EXPECT_LE(frames, most_frames_in_period(rate));
      EXPECT_GE(frames + 1, most_frames_in_period(rate));
      sum += frames;
    }
    EXPECT_EQ(sum, rate);
  }
  EXPECT_EQ(frames_in_period(44100, 86'400'000), 44U);
}

}  // namespace
}  // namespace modmem::testbench
