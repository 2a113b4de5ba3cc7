// Footprints: what they say of a module, and how they stand in files.
#include "testbench/plan/footprint.hpp"

#include <gtest/gtest.h>

#include "testbench/input_error.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/plan/footprint_file.hpp"
#include "testbench/testing/topology_maker.hpp"

namespace modmem::testbench {
namespace {

constexpr const char* kText = R"([[module]]
uuid = "6d6f646d-656d-4d6f-a465-6d6d6f646d65"
name = "made-up"
parameters = { mode = "u16 at 4", delay_ms = "u32 at 8 / 1000" }
seen = { in_channels = [1, 8] }
init = [
  { bytes = 48, alignment = 8 },
  { total = "10*in_channels", count = 3, intent = "user large", when = "mode != delay_ms" },
]
prepare = [
  { by = ["in_rate"], cases = [
    [16000, "2*in_channels"],
    [48000, 600],
  ] },
  { bytes = "100*deep_buffer_ms", least = 64, intent = "dma coherent", temporary = true, estimate = true },
]
)";

Footprint parse(const std::string& text) {
  FootprintTable table;
  parse_footprints(text, "f.toml", table);
  return table.footprints().at(0);
}

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

// The sample with one word of it changed.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = kText;
  text.replace(text.find(from), from.size(), to);
  return text;
}

std::vector<std::size_t> sizes(const PlannedPhase& phase) {
  std::vector<std::size_t> bytes;
  for (const PlannedBlock& block : phase.blocks) {
    bytes.push_back(block.bytes);
  }
  return bytes;
}

TEST(FootprintTest, SaysWhatAModuleTakes) {
  const Footprint footprint = parse(kText);
  const PlannedPhase init = planned_blocks(footprint.init, {{"in_channels", 2}, {"mode", 1}});
  EXPECT_EQ(sizes(init), (std::vector<std::size_t>{48, 7, 7, 6}));  // 20 bytes in 3 blocks
  EXPECT_EQ(init.blocks[0].alignment, 8U);
  EXPECT_EQ(init.blocks[1].flags, flag::kUser | flag::kLargeBuffer);
  // A condition that does not hold.
  EXPECT_EQ(sizes(planned_blocks(footprint.init, {{"in_channels", 2}})),
            std::vector<std::size_t>{48});
}

TEST(FootprintTest, CasesCoverWhatTheyName) {
  const Footprint footprint = parse(kText);
  const PlannedPhase known =
      planned_blocks(footprint.prepare, {{"in_channels", 2}, {"in_rate", 16000}});
  EXPECT_EQ(sizes(known), std::vector<std::size_t>{4});
  EXPECT_TRUE(known.covered);
  // The most of any case stands for one that is not there.
  const PlannedPhase other =
      planned_blocks(footprint.prepare, {{"in_channels", 2}, {"in_rate", 8000}});
  EXPECT_EQ(sizes(other), std::vector<std::size_t>{600});
  EXPECT_FALSE(other.covered);
}

TEST(FootprintTest, RangesAndEstimatesAreMarked) {
  const Footprint footprint = parse(kText);
  const PlannedPhase phase =
      planned_blocks(footprint.prepare, {{"in_rate", 48000}, {"deep_buffer_ms", 20}});
  ASSERT_EQ(phase.blocks.size(), 2U);
  EXPECT_EQ(phase.blocks[1].bytes, 2000U);
  EXPECT_EQ(phase.blocks[1].least, 64U);
  EXPECT_TRUE(phase.blocks[1].temporary);
  EXPECT_TRUE(phase.estimate);
  EXPECT_FALSE(planned_blocks(footprint.prepare, {{"in_rate", 48000}}).estimate);
}

TEST(FootprintTest, KnowsWhatItHasSeen) {
  const Footprint footprint = parse(kText);
  EXPECT_TRUE(footprint.has_seen({{"in_channels", 8}}));
  EXPECT_FALSE(footprint.has_seen({{"in_channels", 9}}));
  EXPECT_FALSE(footprint.has_seen({}));
}

TEST(FootprintTest, FilesComeBackAsTheyWere) {
  FootprintTable table;
  parse_footprints(kText, "f.toml", table);
  FootprintTable again;
  parse_footprints(to_toml(table), "g.toml", again);
  EXPECT_EQ(again.footprints(), table.footprints());
  EXPECT_EQ(to_toml(again), to_toml(table));
  EXPECT_EQ(table.footprints()[0].parameters[1],
            (Parameter{.name = "delay_ms", .offset = 8, .bytes = 4, .unit = 1000}));
}

TEST(FootprintTest, ErrorsNameFileLineAndReason) {
  EXPECT_EQ(error_of(changed("bytes = 48", "bytes = \"48*x\"")),
            "f.toml:7: module.init.bytes: '48*x': there is no fact 'x'");
  EXPECT_EQ(error_of(changed("u16 at", "u24 at")).substr(0, 9), "f.toml:4:");
  EXPECT_EQ(error_of(changed("mode = ", "in_rate = ")).substr(0, 9), "f.toml:4:");
  EXPECT_EQ(error_of(changed("[1, 8]", "[8, 1]")).substr(0, 9), "f.toml:5:");
  EXPECT_EQ(error_of(changed("alignment = 8", "alignment = 9")),
            "f.toml:7: module.init.alignment: must be a power of two, or 0");
  EXPECT_EQ(error_of(changed("user large", "user larger")),
            "f.toml:8: module.init.intent: there is no intent 'larger'");
  EXPECT_EQ(error_of(changed("when =", "if =")), "f.toml:8: module.init.if: there is no such key");
  EXPECT_EQ(error_of(changed("6d6f646d-", "6d6f646d")).substr(0, 9), "f.toml:2:");
  EXPECT_EQ(error_of(changed("[16000, ", "[")).substr(0, 10), "f.toml:12:");
  EXPECT_EQ(error_of(changed("total = ", "bytes = 1, total = ")).substr(0, 9), "f.toml:8:");
  EXPECT_EQ(error_of(std::string(kText) + kText).substr(0, 10), "f.toml:17:");
  EXPECT_EQ(error_of("module = 1"), "f.toml:1: module: must be a list");
}

TEST(FootprintTest, TooManyBlocksAreRefused) {
  const Footprint footprint = parse(changed("count = 3", "count = 99999"));
  EXPECT_THROW(planned_blocks(footprint.init, {{"in_channels", 2}, {"mode", 1}}), InputError);
}

TEST(ShippedFootprintsTest, HasAllModulesOfTheTestbench) {
  for (const ModuleInfo& module : known_modules()) {
    const Footprint* const footprint = shipped_footprints().find(module.uuid);
    ASSERT_NE(footprint, nullptr) << module.name;
    EXPECT_EQ(footprint->name, module.name);
    EXPECT_FALSE(footprint->init.empty()) << module.name;
  }
}

TEST(ModuleFactsTest, AreThoseOfFormatsAndWidget) {
  const StreamFormat mono{44100, 1, SampleFormat::s16};
  const StreamFormat stereo{48000, 2, SampleFormat::s32};
  const Topology topology = TopologyMaker()
                                .pipeline(1)
                                .source("host")
                                .inputs({pin_format(mono, 0, 180)})
                                .outputs({pin_format(mono)})
                                .module("src")
                                .inputs({pin_format(mono)})
                                .outputs({pin_format(stereo)})
                                .sink("dai")
                                .route({"host", "src", "dai"})
                                .made();
  const StreamGraph graph = build_graph(topology, {}, mono);
  const Facts host = facts_of(graph, graph.nodes[0], {});
  EXPECT_EQ(host.at("endpoint_bytes"), 180);  // declared, more than 45 frames
  EXPECT_EQ(host.at("endpoint_formats"), 1);
  EXPECT_EQ(host.at("name_bytes"), 4);
  const Facts src = facts_of(graph, graph.nodes[1], {});
  EXPECT_EQ(src.at("in_rate"), 44100);
  EXPECT_EQ(src.at("out_rate"), 48000);
  EXPECT_EQ(src.at("in_period_bytes"), 90);
  EXPECT_EQ(src.at("out_period_bytes"), 384);
  EXPECT_EQ(src.at("inputs"), 1);
  EXPECT_EQ(src.count("endpoint_bytes"), 0U);
}

}  // namespace
}  // namespace modmem::testbench
