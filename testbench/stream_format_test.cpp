// Which formats streams get: of topologies made by hand, of the examples, and of the production
// files.
#include <gtest/gtest.h>

#include "testbench/input_error.hpp"
#include "testbench/stream_graph.hpp"
#include "testbench/testing/graph_checks.hpp"
#include "testbench/testing/topology_maker.hpp"
#include "testbench/topology/test_files.hpp"

namespace modmem::testbench {

// How GoogleTest shows one.
inline void PrintTo(const StreamFormat& format, std::ostream* out) {
  *out << format.rate << " Hz, " << format.channels << " channels, "
       << (format.sample == SampleFormat::s16       ? "s16"
           : format.sample == SampleFormat::s24_4le ? "s24"
                                                    : "s32");
}

namespace {

constexpr SampleFormat kS16 = SampleFormat::s16;
constexpr SampleFormat kS24 = SampleFormat::s24_4le;
constexpr SampleFormat kS32 = SampleFormat::s32;
constexpr StreamFormat kFile{48000, 2, kS16};

// The formats that `graph` has at and behind the modules of the topologies below.
const StreamEdge& edge(const StreamGraph& graph, const std::string& name) {
  for (const StreamEdge& candidate : graph.edges) {
    if (candidate.name == name) {
      return candidate;
    }
  }
  throw std::out_of_range(name);
}

const StreamNode& node(const StreamGraph& graph, const std::string& name) {
  for (const StreamNode& candidate : graph.nodes) {
    if (candidate.widget->name == name) {
      return candidate;
    }
  }
  throw std::out_of_range(name);
}

// What a source that lists `formats` takes where the file is `file`.
StreamFormat source_format(std::initializer_list<PinFormat> formats, const StreamFormat& file) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").inputs(formats);
  return build_graph(maker.made(), {}, file).nodes.front().file_format;
}

TEST(StreamFormatTest, ASourceTakesTheFilesFormatWhereItCan) {
  const auto s16 = pin_format({48000, 2, kS16});
  const auto s24 = pin_format({48000, 2, kS24});
  const auto s32 = pin_format({48000, 2, kS32});
  for (const SampleFormat sample : {kS16, kS24, kS32}) {
    const StreamFormat file{48000, 2, sample};
    EXPECT_EQ(source_format({s16, s24, s32}, file), file);
    EXPECT_EQ(source_format({s32, s24, s16}, file), file);
    EXPECT_EQ(source_format({}, file), file);
  }
}

TEST(StreamFormatTest, RateCountsBeforeChannelsBeforeSamples) {
  const StreamFormat file{44100, 1, kS16};
  EXPECT_EQ(source_format({pin_format({48000, 1, kS16}), pin_format({44100, 4, kS32})}, file),
            (StreamFormat{44100, 4, kS32}));
  EXPECT_EQ(source_format({pin_format({44100, 2, kS16}), pin_format({44100, 1, kS32})}, file),
            (StreamFormat{44100, 1, kS32}));
  // The first of equals.
  EXPECT_EQ(source_format({pin_format({16000, 2, kS32}), pin_format({48000, 4, kS32})}, file),
            (StreamFormat{16000, 2, kS32}));
}

TEST(StreamFormatTest, WiderSamplesAreNearerThanNarrowerOnes) {
  const auto s16 = pin_format({48000, 2, kS16});
  const auto s32 = pin_format({48000, 2, kS32});
  EXPECT_EQ(source_format({s16, s32}, {48000, 2, kS24}).sample, kS32);
  EXPECT_EQ(source_format({s32, s16}, {48000, 2, kS24}).sample, kS32);
  EXPECT_EQ(source_format({s16, pin_format({48000, 2, kS24})}, {48000, 2, kS32}).sample, kS16);
}

TEST(StreamFormatTest, SamplesAtTheTopOfTheirWordAre32Bit) {
  PinFormat dai = pin_format({48000, 2, kS32});
  dai.valid_bits = 24;
  dai.sample_type = SampleType::msb_integer;
  EXPECT_EQ(source_format({dai}, kFile).sample, kS32);
  dai.sample_type = SampleType::signed_integer;
  EXPECT_EQ(source_format({dai}, kFile).sample, kS24);
  dai.valid_bits = 20;
  EXPECT_EQ(source_format({dai}, kFile).sample, kS32);
}

TEST(StreamFormatTest, WhatIsNoIntegerPcmIsPassedOver) {
  PinFormat floating = pin_format({48000, 2, kS32});
  floating.sample_type = SampleType::floating;
  PinFormat bytes = pin_format({48000, 2, kS16});
  bytes.bits = 8;
  bytes.valid_bits = 8;
  PinFormat slow = pin_format({999, 2, kS16});
  EXPECT_EQ(source_format({floating, bytes, slow, pin_format({8000, 1, kS32})}, kFile),
            (StreamFormat{8000, 1, kS32}));
  for (const PinFormat& only : {floating, bytes, slow}) {
    try {
      source_format({only}, kFile);
      ADD_FAILURE() << "no error";
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).rfind("made.tplg: a: ", 0), 0U) << error.what();
    }
  }
}

TEST(StreamFormatTest, FormatsTravelDownTheStream) {
  TopologyMaker maker;
  maker.pipeline(1).source("host").inputs({pin_format({48000, 2, kS16})});
  maker.outputs({pin_format({48000, 2, kS16}), pin_format({48000, 2, kS32})});
  maker.module("any").module("widen").outputs({pin_format({48000, 4, kS32})});
  maker.module("resample").outputs({pin_format({16000, 4, kS32}), pin_format({16000, 1, kS24})});
  maker.sink("dai").outputs({pin_format({16000, 4, kS32}), pin_format({16000, 4, kS16})});
  maker.route({"host", "any", "widen", "resample", "dai"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(edge(graph, "host > any").format, kFile);
  EXPECT_EQ(edge(graph, "any > widen").format, kFile);
  EXPECT_EQ(edge(graph, "widen > resample").format, (StreamFormat{48000, 4, kS32}));
  EXPECT_EQ(edge(graph, "resample > dai").format, (StreamFormat{16000, 4, kS32}));
  EXPECT_EQ(node(graph, "dai").file_format, (StreamFormat{16000, 4, kS32}));
  EXPECT_EQ(check_graph(maker.made(), graph), "");
}

TEST(StreamFormatTest, AHostGetsTheFilesSamplesAndADaiWhatItHears) {
  const auto all = {pin_format({48000, 2, kS32}), pin_format({48000, 2, kS16})};
  TopologyMaker maker;
  maker.pipeline(1).source("in").outputs({pin_format({48000, 2, kS32})});
  maker.sink("dai").outputs(all).module("host", WidgetType::aif_out, kCopierUuid).outputs(all);
  maker.route({"in", "dai"}).route({"in", "host"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(node(graph, "dai").file_format.sample, kS32);
  EXPECT_EQ(node(graph, "host").file_format.sample, kS16);
}

TEST(StreamFormatTest, PinsAreThoseThatModulesBind) {
  TopologyMaker maker;
  maker.pipeline(1).source("microphone").outputs({pin_format({16000, 4, kS32})});
  maker.source("reference").outputs({pin_format({48000, 2, kS16})}).source("third");
  maker.module("echo").inputs({pin_format({16000, 4, kS32}, 0, 1000),
                               pin_format({48000, 2, kS16}, 1, 2000),
                               pin_format({48000, 2, kS16}, 2, 3000)});
  maker.last().input_bindings = {"microphone", "reference"};
  maker.outputs({pin_format({16000, 1, kS16}, 0), pin_format({16000, 4, kS16}, 1)});
  maker.last().output_bindings = {"voice", "raw"};
  maker.sink("voice").sink("raw");
  // Not in the order of the pins.
  maker.route({"third", "echo"}).route({"reference", "echo"}).route({"microphone", "echo"});
  maker.route({"echo", "raw"}).route({"echo", "voice"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  const StreamNode& echo = node(graph, "echo");
  ASSERT_EQ(echo.inputs.size(), 3U);
  EXPECT_EQ(graph.edges[echo.inputs[0]].name, "microphone > echo");
  EXPECT_EQ(graph.edges[echo.inputs[1]].name, "reference > echo");
  EXPECT_EQ(graph.edges[echo.inputs[2]].name, "third > echo");
  EXPECT_EQ(edge(graph, "microphone > echo").sink_pin, 0U);
  EXPECT_EQ(edge(graph, "reference > echo").sink_pin, 1U);
  EXPECT_EQ(edge(graph, "third > echo").sink_pin, 2U);
  EXPECT_GE(edge(graph, "reference > echo").bytes, 4000U);
  EXPECT_GE(edge(graph, "third > echo").bytes, 6000U);
  EXPECT_EQ(edge(graph, "echo > voice").format, (StreamFormat{16000, 1, kS16}));
  EXPECT_EQ(edge(graph, "echo > raw").format, (StreamFormat{16000, 4, kS16}));
  EXPECT_EQ(graph.edges[echo.outputs[0]].name, "echo > voice");
}

TEST(StreamFormatTest, AnInputWhoseNeighbourIsMissingKeepsItsPin) {
  TopologyMaker maker;
  maker.pipeline(1).source("reference").module("echo");
  maker.inputs({pin_format({16000, 1, kS32}, 0, 1000), pin_format({48000, 2, kS16}, 1, 2000)});
  maker.last().input_bindings = {"microphone", "reference"};
  maker.route({"microphone", "echo"}).route({"reference", "echo"});
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  EXPECT_EQ(edge(graph, "reference > echo").sink_pin, 1U);
  EXPECT_EQ(edge(graph, "reference > echo").bytes, 4000U);
}

TEST(StreamFormatTest, BuffersHoldTwiceWhatEitherSideMovesAndAPeriodAtLeast) {
  const auto bytes = [](std::uint32_t out, std::uint32_t in, const StreamFormat& format) {
    TopologyMaker maker;
    maker.pipeline(1).source("a").outputs({pin_format(format, 0, out)});
    maker.sink("b").inputs({pin_format(format, 0, in)}).route({"a", "b"});
    return build_graph(maker.made(), {}, kFile).edges.front().bytes;
  };
  EXPECT_EQ(bytes(384, 0, kFile), 768U);
  EXPECT_EQ(bytes(384, 1000, kFile), 2000U);
  EXPECT_EQ(bytes(2000, 1000, kFile), 4000U);
  EXPECT_EQ(bytes(0, 0, kFile), 2U * 48 * 4);
  EXPECT_EQ(bytes(1, 1, {44100, 2, kS32}), 2U * 45 * 8);
  EXPECT_EQ(bytes(0xffffffff, 0, kFile), 2 * std::size_t{0xffffffff});
  EXPECT_EQ(bytes(0, 0xffffffff, kFile), 2 * std::size_t{0xffffffff});
}

TEST(StreamFormatTest, ExamplesHaveTheFormatsTheyDocument) {
  const Topology topology = load_topology(example_topology("playback-and-capture"));
  const StreamGraph graph = build_graph(topology, {}, {48000, 1, kS24});
  EXPECT_EQ(check_graph(topology, graph), "");
  for (const StreamEdge& one : graph.edges) {
    EXPECT_EQ(one.format, (StreamFormat{48000, 2, kS32})) << one.name;
    EXPECT_EQ(one.bytes, 2U * 384) << one.name;
  }
  EXPECT_EQ(node(graph, "host-copier.0.playback").file_format, kFile);
  EXPECT_EQ(node(graph, "dai-copier.SSP.Speaker.playback").file_format.sample, kS32);
  EXPECT_EQ(node(graph, "dai-copier.SSP.Microphone.capture").file_format.sample, kS32);
  EXPECT_EQ(node(graph, "host-copier.2.capture").file_format, kFile);
}

// True where `widget` lists `format` among its inputs for `pin`, or lists none.
bool takes(const Widget& widget, std::uint32_t pin, const StreamFormat& format) {
  const bool pin_listed = std::any_of(widget.inputs.begin(), widget.inputs.end(),
                                      [pin](const PinFormat& f) { return f.pin == pin; });
  return widget.inputs.empty() ||
         std::any_of(widget.inputs.begin(), widget.inputs.end(), [&](const PinFormat& f) {
           const bool same_width = f.bits == 8 * sample_bytes(format.sample);
           return (f.pin == pin || !pin_listed) && f.rate == format.rate &&
                  f.channels == format.channels && same_width;
         });
}

TEST(StreamFormatTest, TheEndsOfEveryBufferOfProductionFilesAgree) {
  const auto files = production_topologies();
  if (files.empty()) {
    GTEST_SKIP() << "no production topologies: set MODMEM_SHARED";
  }
  for (const auto& file : files) {
    const Topology topology = load_topology(file);
    for (const StreamFormat& format :
         {kFile, StreamFormat{48000, 1, kS24}, StreamFormat{44100, 2, kS32},
          StreamFormat{16000, 8, kS16}, StreamFormat{192000, 4, kS32}}) {
      const StreamGraph graph = build_graph(topology, {}, format);
      EXPECT_EQ(check_graph(topology, graph), "") << file;
      for (const StreamEdge& one : graph.edges) {
        const StreamNode& sink = graph.nodes[one.sink];
        // Gains and mixers work on what they hear; all others convert.
        const bool converts = *sink.widget->uuid != kGainUuid && *sink.widget->uuid != kMixinUuid &&
                              *sink.widget->uuid != kMixoutUuid;
        EXPECT_TRUE(converts || takes(*sink.widget, one.sink_pin, one.format))
            << file << ": " << one.name;
        for (const std::size_t next : sink.outputs) {
          EXPECT_TRUE(converts || graph.edges[next].format.rate == one.format.rate)
              << file << ": " << one.name;
        }
      }
    }
  }
}

TEST(StreamFormatTest, EveryPipelineOfProductionFilesRunsAlone) {
  const auto files = production_topologies();
  if (files.empty()) {
    GTEST_SKIP() << "no production topologies: set MODMEM_SHARED";
  }
  for (const auto& file : files) {
    const Topology topology = load_topology(file);
    for (const Pipeline& pipeline : topology.pipelines) {
      if (pipeline.widgets.empty()) {
        continue;
      }
      const StreamGraph graph = build_graph(topology, {pipeline.id}, kFile);
      EXPECT_EQ(check_graph(topology, graph), "") << file << ": " << pipeline.name;
      const auto chosen = static_cast<std::size_t>(&pipeline - topology.pipelines.data());
      EXPECT_EQ(std::count(graph.pipelines.begin(), graph.pipelines.end(), chosen), 1);
    }
  }
}

}  // namespace
}  // namespace modmem::testbench
