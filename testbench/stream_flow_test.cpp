#include "testbench/stream_flow.hpp"

#include <gtest/gtest.h>

#include "testbench/testing/topology_maker.hpp"

namespace modmem::testbench {
namespace {

constexpr StreamFormat kFile{48000, 2, SampleFormat::s32};

const StreamEdge& edge_of(const StreamGraph& graph, const std::string& name) {
  for (const StreamEdge& edge : graph.edges) {
    if (edge.name == name) {
      return edge;
    }
  }
  ADD_FAILURE() << "no edge " << name;
  return graph.edges.front();
}

// a > b > c on cores 0, 0 and 1.
StreamGraph two_cores(const Topology& topology, std::uint32_t rate = 48000) {
  return build_graph(topology, {}, {rate, 2, SampleFormat::s32});
}
TopologyMaker two_cores() {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("b");
  maker.pipeline(2).core(1).sink("c");
  maker.route({"a", "b", "c"});
  return maker;
}

// a > task > c, where the task takes and gives `in` and `out` frames at a time.
TopologyMaker with_task(std::uint32_t in, std::uint32_t out, std::uint32_t rate_out = 48000,
                        std::uint32_t rate_in = 48000) {
  const StreamFormat to{rate_out, 2, SampleFormat::s32};
  const StreamFormat from{rate_in, 2, SampleFormat::s32};
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("task").task();
  maker.inputs({pin_format(from, 0, in * 8)}).outputs({pin_format(to, 0, out * 8)});
  maker.sink("c").route({"a", "task", "c"});
  return maker;
}

TEST(StreamFlowTest, EdgesWithinACoreHoldAPeriodForItsSink) {
  const StreamGraph graph = two_cores(two_cores().made());
  const StreamEdge& edge = edge_of(graph, "a > b");
  EXPECT_FALSE(edge.decoupled);
  EXPECT_FALSE(edge.between_cores);
  EXPECT_EQ(edge.silence, 0U);
  EXPECT_EQ(edge.bytes, 2U * 48 * 8);
}

TEST(StreamFlowTest, EdgesBetweenCoresStartWithAPeriodOfSilence) {
  const StreamEdge even = edge_of(two_cores(two_cores().made()), "b > c");
  EXPECT_TRUE(even.decoupled);
  EXPECT_TRUE(even.between_cores);
  EXPECT_EQ(even.silence, 48U);
  const StreamEdge odd = edge_of(two_cores(two_cores().made(), 44100), "b > c");
  EXPECT_EQ(odd.silence, 45U);
  EXPECT_GE(odd.bytes, 2U * 45 * 8);
}

TEST(StreamFlowTest, ATasksEdgesAreDecoupledAndLargeEnoughForItsChunks) {
  const StreamGraph graph = build_graph(with_task(480, 480).made(), {}, kFile);
  const StreamEdge& in = edge_of(graph, "a > task");
  const StreamEdge& out = edge_of(graph, "task > c");
  EXPECT_TRUE(in.decoupled);
  EXPECT_TRUE(out.decoupled);
  EXPECT_FALSE(in.between_cores);
  EXPECT_EQ(in.sink_chunk, 480U);
  EXPECT_EQ(in.source_chunk, 0U);
  EXPECT_EQ(in.silence, 48U);
  EXPECT_GE(in.bytes, (48U + 480 + 48) * 8);
  EXPECT_EQ(out.source_chunk, 480U);
  EXPECT_EQ(out.sink_chunk, 0U);
  EXPECT_EQ(out.silence, 480U);
  EXPECT_GE(out.bytes, (480U + 48 + 48) * 8);
}

TEST(StreamFlowTest, ChunksThatArePartsOfPeriodsTakeALittleMore) {
  const StreamGraph graph = build_graph(with_task(72, 72).made(), {}, kFile);
  EXPECT_EQ(edge_of(graph, "task > c").silence, 48U + 72 - 24);
  const StreamGraph resampled =
      build_graph(with_task(441, 480, 48000, 44100).made(), {}, {44100, 2, SampleFormat::s32});
  EXPECT_EQ(edge_of(resampled, "task > c").silence, 48U + 480 - 1);
  EXPECT_EQ(edge_of(resampled, "a > task").silence, 45U);
}

TEST(StreamFlowTest, WhatATaskDoesNotSayIsAsLongAsWhatComesIn) {
  const StreamGraph graph = build_graph(with_task(480, 0).made(), {}, kFile);
  EXPECT_EQ(edge_of(graph, "task > c").source_chunk, 480U);
  // Nor is a period or less a chunk, or what goes out in larger ones than what comes in.
  const StreamGraph small = build_graph(with_task(48, 480).made(), {}, kFile);
  EXPECT_EQ(edge_of(small, "a > task").sink_chunk, 0U);
  EXPECT_EQ(edge_of(small, "task > c").source_chunk, 0U);
  EXPECT_EQ(edge_of(small, "task > c").silence, 48U);
}

TEST(StreamFlowTest, OnlyTasksHaveChunks) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("b").inputs({pin_format(kFile, 0, 3840)});
  maker.outputs({pin_format(kFile, 0, 3840)}).sink("c").route({"a", "b", "c"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  for (const StreamEdge& edge : graph.edges) {
    EXPECT_FALSE(edge.decoupled);
    EXPECT_EQ(edge.sink_chunk, 0U);
    EXPECT_EQ(edge.source_chunk, 0U);
    EXPECT_EQ(edge.bytes, 7680U);
  }
}

TEST(StreamFlowTest, WhatComesAtATimeFitsEverythingBehind) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("b").inputs({pin_format(kFile, 0, 3840)});
  maker.module("c").sink("d").route({"a", "b", "c", "d"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(edge_of(graph, "a > b").bytes, 7680U);
  EXPECT_EQ(edge_of(graph, "a > b").room, 96U);
  EXPECT_EQ(edge_of(graph, "c > d").room, 96U);
}

}  // namespace
}  // namespace modmem::testbench
