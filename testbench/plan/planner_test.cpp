#include "testbench/plan/planner.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "modmem/presets.hpp"
#include "testbench/out_of_memory.hpp"
#include "testbench/plan/footprint_file.hpp"
#include "testbench/session.hpp"
#include "testbench/testing/topology_maker.hpp"

namespace modmem::testbench {
namespace {

constexpr StreamFormat kFile{48000, 2, SampleFormat::s32};

// Two playback streams into one mixer, one of them through a module that nobody knows, and a
// capture stream.
Topology three_streams(std::uint32_t heap_bytes = 20000) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("gain", WidgetType::pga, kGainUuid);
  maker.module("ma", WidgetType::mixer, kMixinUuid);
  maker.pipeline(2).source("b").module("eq");
  maker.last().heap_bytes = heap_bytes;
  maker.module("mb", WidgetType::mixer, kMixinUuid);
  maker.pipeline(3).module("mix", WidgetType::mixer, kMixoutUuid).sink("speaker");
  maker.pipeline(4).module("mic", WidgetType::dai_out, kCopierUuid);
  maker.pipeline(5).module("c", WidgetType::aif_out, kCopierUuid);
  maker.route({"a", "gain", "ma", "mix", "speaker"}).route({"b", "eq", "mb", "mix"});
  maker.route({"mic", "c"});
  maker.pcm("Music", "a").pcm("Notification", "b").pcm("Microphone", nullptr, "c");
  return maker.made();
}

TopologyPlan plan(const Topology& topology, const char* platform = "ptl",
                  const char* policy = "elastic",
                  const FootprintTable& table = shipped_footprints()) {
  return plan_topology(topology, find_platform(platform), find_policy_named(policy), kFile, table,
                       [] {});
}

std::vector<std::vector<std::size_t>> streams_of(const TopologyPlan& plan) {
  std::vector<std::vector<std::size_t>> sets;
  for (const PlannedSet& set : plan.sets) {
    sets.push_back(set.streams);
  }
  return sets;
}

TEST(PlannerTest, TriesAllSetsOfAFewStreams) {
  const TopologyPlan planned = plan(three_streams());
  EXPECT_TRUE(planned.fits());
  EXPECT_EQ(planned.streams, (std::vector<std::string>{"Music playback", "Notification playback",
                                                       "Microphone capture"}));
  EXPECT_EQ(streams_of(planned), (std::vector<std::vector<std::size_t>>{
                                     {0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}}));
  // Music and Notification share the mixer's pipeline.
  const auto live = [&](std::size_t set) { return planned.sets[set].figures->live_bytes; };
  EXPECT_LT(live(3), live(0) + live(1));
  EXPECT_EQ(live(4), live(0) + live(2));
  EXPECT_EQ(planned.worst().figures->live_bytes, live(6));
  EXPECT_EQ(live(6), planned.everything.figures->live_bytes);
  EXPECT_EQ(planned.pipelines.size(), 5U);
}

TEST(PlannerTest, TriesPairsAndNearlyAllOfManyStreams) {
  TopologyMaker maker;
  std::vector<std::string> names;
  for (std::uint32_t i = 1; i <= 6; ++i) {
    const std::string number = std::to_string(i);
    names.push_back("h" + number);
    maker.pipeline(i).source("h" + number).sink("d" + number);
    maker.route({("h" + number).c_str(), ("d" + number).c_str()});
    maker.pcm("PCM " + number, names.back().c_str());
  }
  const TopologyPlan planned = plan(maker.made());
  EXPECT_EQ(planned.sets.size(), 6U + 15 + 6 + 1);
  EXPECT_EQ(planned.sets.back().streams.size(), 6U);
  EXPECT_EQ(to_string(planned.sets.back(), planned), "all 6 streams");
  EXPECT_EQ(to_string(planned.sets[6 + 15], planned), "all but PCM 1 playback");
  EXPECT_EQ(to_string(planned.sets[6], planned), "PCM 1 playback + PCM 2 playback");
}

TEST(PlannerTest, NeedsWhatARunNeeds) {
  const Topology topology = three_streams();
  for (const Policy* policy : kPolicies) {
    const TopologyPlan planned = plan(topology, "ptl", policy->name);
    const StreamGraph graph = build_graph(topology, {}, kFile);
    System system(find_platform("ptl"), *policy);
    Session session(system, topology, graph);
    try {
      session.set_up();
    } catch (const OutOfMemory&) {
      EXPECT_FALSE(planned.everything.fits) << policy->name;
      continue;
    }
    ASSERT_TRUE(planned.everything.fits) << policy->name << planned.everything.reason;
    const double live = static_cast<double>(system.memory().system().tree_peak);
    EXPECT_NEAR(static_cast<double>(planned.everything.figures->live_bytes), live, live / 50)
        << policy->name;
    EXPECT_NEAR(static_cast<double>(planned.everything.figures->mapped_bytes),
                static_cast<double>(system.mapped_bytes()), 2.0 * config::kPageBytes)
        << policy->name;
    session.tear_down();
  }
}

TEST(PlannerTest, LeftIsWhatIsThere) {
  const TopologyPlan planned = plan(three_streams());
  const PlanFigures& figures = *planned.everything.figures;
  EXPECT_EQ(figures.mapped_bytes + figures.free_bytes, planned.pool_bytes);
  EXPECT_LE(figures.largest_buffer, figures.free_bytes);
  EXPECT_GT(figures.largest_buffer, figures.free_bytes / 2);
  EXPECT_GE(figures.banks_on, 1U);
}

TEST(PlannerTest, BanksAreThoseOfThePool) {
  for (const PlatformConfig& platform : config::kPresets) {
    const System system(platform, find_policy_named(platform.policy));
    TopologyMaker maker;
    maker.pipeline(1).source("a").sink("b").route({"a", "b"});
    const TopologyPlan planned = plan(maker.made(), platform.name);
    EXPECT_EQ(planned.banks, system.memory().pool().banks()) << platform.name;
    EXPECT_EQ(planned.pool_bytes, system.memory().pool().frames() * config::kPageBytes);
  }
}

TEST(PlannerTest, UnknownModulesAreNamedAndCounted) {
  const TopologyPlan planned = plan(three_streams(20000));
  ASSERT_EQ(planned.gaps.size(), 1U);
  EXPECT_EQ(planned.gaps[0].name, "eq");
  EXPECT_EQ(planned.gaps[0].coverage, Coverage::unknown);
  EXPECT_EQ(planned.gaps[0].bytes, 20000U);
  EXPECT_EQ(planned.modules, 10U);
  // What is said of them counts.
  const TopologyPlan larger = plan(three_streams(30000));
  EXPECT_EQ(larger.everything.figures->live_bytes, planned.everything.figures->live_bytes + 10000);
}

TEST(PlannerTest, FactsBeyondWhatWasSeenAreUncovered) {
  FootprintTable table = shipped_footprints();
  Footprint gain = *table.find(kGainUuid);
  gain.seen["out_channels"] = {3, 8};
  table.put(gain);
  const TopologyPlan planned = plan(three_streams(), "ptl", "elastic", table);
  ASSERT_EQ(planned.count(Coverage::uncovered), 1U);
  EXPECT_EQ(planned.gaps[0].name, "gain");
  EXPECT_NE(planned.gaps[0].bytes, 0U);
}

TEST(PlannerTest, WhatDoesNotFitIsExplainedAndMeasured) {
  const std::uint32_t most = static_cast<std::uint32_t>(find_platform("ptl").sram_bytes);
  const TopologyPlan planned = plan(three_streams(most));
  EXPECT_FALSE(planned.fits());
  EXPECT_FALSE(planned.everything.fits);
  EXPECT_NE(planned.everything.reason, "");
  ASSERT_TRUE(planned.everything.figures);
  EXPECT_GT(planned.everything.figures->live_bytes, most);
  EXPECT_EQ(planned.everything.figures->free_bytes, 0U);
  EXPECT_EQ(planned.pipelines.size(), 5U);
  // Each set stands for itself: those without the large module fit.
  for (const PlannedSet& set : planned.sets) {
    const bool has_it = std::count(set.streams.begin(), set.streams.end(), 1) != 0;
    EXPECT_EQ(set.fits, !has_it) << to_string(set, planned);
  }
}

TEST(PlannerTest, SaysWhereTheOrderDecides) {
  // Music takes what is there, the module in Notification half of it.
  FootprintTable table = shipped_footprints();
  Footprint gain = *table.find(kGainUuid);
  const std::int64_t pool = 3 << 20;
  FootprintRequest& greedy = gain.init.emplace_back();
  greedy.bytes = Formula(pool);
  greedy.least = Formula(1000);
  table.put(gain);
  const TopologyPlan planned = plan(three_streams(3 << 19), "ptl", "elastic", table);
  ASSERT_EQ(planned.sets[3].streams, (std::vector<std::size_t>{0, 1}));
  EXPECT_FALSE(planned.sets[3].fits);
  EXPECT_NE(planned.sets[3].reason.find("start last"), std::string::npos);
  EXPECT_TRUE(planned.sets[0].fits);
  EXPECT_TRUE(planned.sets[1].fits);
}

TEST(PlannerTest, CoresThatAreNotThereDoNotFit) {
  TopologyMaker maker;
  maker.pipeline(1).core(2).source("a").sink("b").route({"a", "b"}).pcm("Music", "a");
  const TopologyPlan planned = plan(maker.made(), "mcu");
  EXPECT_FALSE(planned.fits());
  EXPECT_EQ(planned.everything.reason, "pipeline.1 is on core 2, and the platform has 1");
  EXPECT_FALSE(planned.worst().figures);
}

}  // namespace
}  // namespace modmem::testbench
