// Streams that come and go while others play.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "testbench/audio_path_guard.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/out_of_memory.hpp"
#include "testbench/session.hpp"
#include "testbench/testing/player.hpp"
#include "testbench/testing/system_state.hpp"
#include "testbench/testing/topology_maker.hpp"
#include "testbench/topology/test_files.hpp"

namespace modmem::testbench {
namespace {

constexpr StreamFormat kFile{48000, 2, SampleFormat::s32};
enum Stream : std::size_t { music, notification, microphone };

// Two playback streams into one mixer, each in a pipeline of its own, and a capture stream.
Topology two_and_one() {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("ma", WidgetType::mixer, kMixinUuid);
  maker.pipeline(2).source("b").module("eq").module("mb", WidgetType::mixer, kMixinUuid);
  maker.pipeline(3).module("mix", WidgetType::mixer, kMixoutUuid).sink("speaker");
  maker.pipeline(4).module("mic", WidgetType::dai_out, kCopierUuid);
  maker.pipeline(5).module("c", WidgetType::aif_out, kCopierUuid);
  maker.route({"a", "ma", "mix", "speaker"}).route({"b", "eq", "mb", "mix"}).route({"mic", "c"});
  maker.pcm("Music", "a").pcm("Notification", "b").pcm("Microphone", nullptr, "c");
  return maker.made();
}

using Ids = std::set<std::uint32_t>;

TEST(SessionStreamsTest, AStreamIsWhatLiesBetweenHostAndDai) {
  const Topology topology = two_and_one();
  const StreamGraph graph = build_graph(topology, {}, kFile);
  const std::vector<PcmStream> streams = find_streams(topology, graph);
  ASSERT_EQ(streams.size(), 3U);
  const auto names = [&](const PcmStream& stream) {
    std::set<std::string> found;
    for (const std::size_t node : stream.nodes) {
      found.insert(graph.nodes[node].widget->name);
    }
    return found;
  };
  EXPECT_EQ(to_string(streams[music]), "Music playback");
  EXPECT_EQ(names(streams[music]), (std::set<std::string>{"a", "ma", "mix", "speaker"}));
  EXPECT_EQ(streams[music].pipelines, (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(names(streams[notification]),
            (std::set<std::string>{"b", "eq", "mb", "mix", "speaker"}));
  EXPECT_EQ(to_string(streams[microphone]), "Microphone capture");
  EXPECT_EQ(names(streams[microphone]), (std::set<std::string>{"mic", "c"}));
  EXPECT_EQ(graph.nodes[streams[microphone].host].widget->name, "c");
}

TEST(SessionStreamsTest, SideBranchesAndEndsWithoutADaiAreTold) {
  TopologyMaker maker;
  maker.pipeline(1).source("a").module("split").sink("dai");
  maker.pipeline(2).module("meter").module("probe", WidgetType::aif_out, kCopierUuid);
  maker.route({"a", "split", "dai"}).route({"split", "meter", "probe"});
  maker.pcm("Main", "a").pcm("Probe", nullptr, "probe");
  const StreamGraph graph = build_graph(maker.made(), {}, kFile);
  const std::vector<PcmStream> streams = find_streams(maker.made(), graph);
  ASSERT_EQ(streams.size(), 2U);
  // The probe lies on no path to a DAI; and no DAI leads to the probe, so all it hears is its.
  EXPECT_EQ(streams[0].pipelines, (std::vector<std::size_t>{0}));
  EXPECT_EQ(streams[0].nodes.size(), 3U);
  EXPECT_EQ(streams[1].pipelines, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(streams[1].nodes.size(), 4U);
}

TEST(SessionStreamsTest, PipelinesComeWithTheirFirstStreamAndGoWithTheirLast) {
  for (const Policy* policy : kPolicies) {
    Player player(two_and_one(), find_platform("mtl"), *policy);
    Session& session = player.session;
    const State nothing = state_of(player.system);
    session.start(music);
    EXPECT_EQ(player.pipelines(), (Ids{1, 3}));
    const State one = payload_of(player.system);
    session.start(notification);
    EXPECT_EQ(player.pipelines(), (Ids{1, 2, 3}));
    const State two = payload_of(player.system);
    session.start(microphone);
    EXPECT_EQ(player.pipelines(), (Ids{1, 2, 3, 4, 5}));
    session.stop(microphone);
    EXPECT_EQ(payload_of(player.system), two);
    session.stop(notification);
    EXPECT_EQ(payload_of(player.system), one);
    session.start(notification);
    session.stop(music);
    EXPECT_EQ(player.pipelines(), (Ids{2, 3}));
    session.stop(notification);
    EXPECT_EQ(state_of(player.system), nothing);
  }
}

TEST(SessionStreamsTest, ARunningMixerIsJoinedAndLeftWithoutAWord) {
  Player player(two_and_one());
  player.session.start(music);
  player.play({{"a", 5}});
  EXPECT_EQ(player.heard("speaker"), 5);
  const Owner before = player.system.memory().snapshot(*player.pipeline(3));
  player.session.start(notification);
  player.play({{"a", 6}, {"b", 700}});
  EXPECT_EQ(player.heard("speaker"), 706);
  player.session.stop(notification);
  player.play({{"a", 7}});
  EXPECT_EQ(player.heard("speaker"), 7);
  const Owner after = player.system.memory().snapshot(*player.pipeline(3));
  EXPECT_EQ(after.tree, before.tree);
  EXPECT_EQ(after.tree_peak, before.tree_peak);
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(player.pipelines(), (Ids{1, 3}));
  EXPECT_EQ(player.session.xruns(), 0U);
}

TEST(SessionStreamsTest, APausedStreamIsSilentAndKeepsItsMemory) {
  Player player(two_and_one());
  Session& session = player.session;
  session.start(music);
  session.start(notification);
  player.play({{"a", 1}, {"b", 10}});
  const State before = payload_of(player.system);
  session.pause(notification);
  EXPECT_EQ(session.state(notification), PlayState::paused);
  EXPECT_EQ(payload_of(player.system), before);
  for (int i = 0; i < 3; ++i) {
    player.play({{"a", 2}, {"b", 20}});
    EXPECT_EQ(player.heard("speaker"), 2);
  }
  session.pause(music);
  player.play({{"a", 3}, {"b", 30}});
  EXPECT_EQ(player.heard("speaker"), std::nullopt);
  EXPECT_EQ(payload_of(player.system), before);
  session.start(notification);
  player.play({{"a", 4}, {"b", 40}});
  EXPECT_EQ(player.heard("speaker"), 40);
  EXPECT_EQ(session.xruns(), 0U);
}

TEST(SessionStreamsTest, AResetStreamGivesBackWhatItsFormatsTook) {
  Player player(two_and_one());
  Session& session = player.session;
  session.start(music);
  session.start(notification);
  const State prepared = payload_of(player.system);
  session.reset(notification);
  EXPECT_EQ(session.state(notification), PlayState::reset);
  const State one_reset = payload_of(player.system);
  EXPECT_LT(one_reset.live_bytes, prepared.live_bytes);
  EXPECT_EQ(player.pipelines(), (Ids{1, 2, 3}));
  player.play({{"a", 8}, {"b", 80}});
  EXPECT_EQ(player.heard("speaker"), 8);
  session.reset(music);
  EXPECT_LT(payload_of(player.system).live_bytes, one_reset.live_bytes);
  player.play({});
  EXPECT_EQ(player.heard("speaker"), std::nullopt);
  session.start(music);
  EXPECT_EQ(payload_of(player.system), one_reset);
  session.pause(music);
  session.reset(music);
  session.start(music);
  session.start(notification);
  EXPECT_EQ(payload_of(player.system), prepared);
  player.play({{"a", 9}, {"b", 90}});
  EXPECT_EQ(player.heard("speaker"), 99);
}

TEST(SessionStreamsTest, WhatAStateDoesNotAllowIsRefused) {
  Player player(two_and_one());
  Session& session = player.session;
  using Operation = void (Session::*)(std::size_t);
  const auto expect_refused = [&](Operation operation) {
    const State before = payload_of(player.system);
    const PlayState state = session.state(music);
    try {
      (session.*operation)(music);
      ADD_FAILURE() << "no error";
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).rfind("stream Music playback: it ", 0), 0U)
          << error.what();
    }
    EXPECT_EQ(payload_of(player.system), before);
    EXPECT_EQ(session.state(music), state);
  };
  expect_refused(&Session::pause);
  expect_refused(&Session::reset);
  expect_refused(&Session::stop);
  session.start(music);
  expect_refused(&Session::start);
  session.pause(music);
  expect_refused(&Session::pause);
  session.reset(music);
  expect_refused(&Session::pause);
  expect_refused(&Session::reset);
  session.stop(music);
  expect_refused(&Session::stop);
}

TEST(SessionStreamsTest, TheAudioPathAllocatesNothingWhateverRuns) {
  Player player(Topology(load_topology(example_topology("playback-and-capture"))));
  Session& session = player.session;
  ASSERT_EQ(session.streams().size(), 3U);
  const std::uint64_t host = host_allocations_on_audio_path();
  for (std::size_t stream = 0; stream < 3; ++stream) {
    session.start(stream);
    player.play({});
    session.pause(stream);
    player.play({});
    session.start(stream);
    player.play({});
  }
  EXPECT_EQ(host_allocations_on_audio_path(), host);
  EXPECT_EQ(player.system.memory().audio_path_calls(), 0U);
  EXPECT_EQ(session.xruns(), 0U);
}

TEST(SessionStreamsTest, ReportsRememberWhatIsGone) {
  Player player(two_and_one());
  player.session.start(notification);
  const std::vector<ModuleReport> once = player.session.modules();
  player.session.stop(notification);
  for (std::uint64_t life = 1; life < 4; ++life) {
    player.session.start(notification);
    const std::vector<ModuleReport> live = player.session.modules();
    ASSERT_EQ(live.size(), once.size());
    for (std::size_t i = 0; i < live.size(); ++i) {
      EXPECT_EQ(live[i].name, once[i].name);
      EXPECT_EQ(live[i].live_bytes, once[i].live_bytes);
      EXPECT_EQ(live[i].peak_live_bytes, once[i].peak_live_bytes);
      EXPECT_EQ(live[i].allocations, (life + 1) * once[i].allocations);
    }
    player.session.stop(notification);
  }
  for (const ModuleReport& gone : player.session.modules()) {
    EXPECT_EQ(gone.live_bytes, 0U);
    EXPECT_NE(gone.peak_live_bytes, 0U);
  }
  for (const PipelineReport& gone : player.session.pipelines()) {
    EXPECT_EQ(gone.live_bytes, 0U);
    EXPECT_EQ(gone.mapped_bytes, 0U);
    EXPECT_NE(gone.peak_live_bytes, 0U);
    EXPECT_NE(gone.peak_mapped_bytes, 0U);
  }
  EXPECT_EQ(player.session.pipelines().size(), 2U);
}

// --- starts that fail ---

// Tries to start `notification` beside `music`, and expects that a failure leaves no trace. True
// where it started.
bool starts(Player& player) {
  const State before = payload_of(player.system);
  bool started = true;
  try {
    player.session.start(notification);
  } catch (const OutOfMemory& error) {
    EXPECT_NE(std::string(error.what()), "");
    started = false;
    EXPECT_EQ(payload_of(player.system), before);
    EXPECT_EQ(player.session.state(notification), PlayState::absent);
  }
  player.play({{"a", 11}, {"b", 22}});
  EXPECT_EQ(player.heard("speaker"), started ? 33 : 11);
  EXPECT_EQ(player.session.xruns(), 0U);
  return started;
}

TEST(SessionStreamsTest, EveryRequestOfAStartMayFail) {
  for (const Policy* policy : kPolicies) {
    Player player(two_and_one(), find_platform("mtl"), *policy);
    player.session.start(music);
    player.play({{"a", 1}});
    const State before = payload_of(player.system);
    Owner& all = player.system.memory().system();
    int failures = 0;
    for (std::size_t limit = all.tree;; limit += 8) {
      all.spec.limit = limit;
      if (starts(player)) {
        break;
      }
      ++failures;
    }
    // No request is for less.
    EXPECT_GT(failures, 100);
    all.spec.limit = OwnerSpec::kNoLimit;
    player.session.stop(notification);
    EXPECT_EQ(payload_of(player.system), before);
  }
}

TEST(SessionStreamsTest, EveryMappingOfAStartMayFail) {
  Player player(two_and_one());
  player.session.start(music);
  player.play({{"a", 1}});
  std::uint64_t maps = 0;
  for (bool started = false; !started; ++maps) {
    ASSERT_LT(maps, 100U);
    player.system.port().fail_maps_after(maps);
    started = starts(player);
    player.system.port().fail_maps_after(HostPort::kNever);
  }
  EXPECT_GT(maps, 1U);
}

TEST(SessionStreamsTest, EveryOwnerAndHeapOfAStartMayBeTheOneTooMany) {
  PlatformConfig config = find_platform("mtl");
  int failures = 0;
  for (config.max_owners = 10;; ++config.max_owners) {
    Player player(two_and_one(), config);
    player.session.start(music);
    player.play({{"a", 1}});
    if (starts(player)) {
      break;
    }
    ++failures;
  }
  EXPECT_GT(failures, 3);  // a pipeline, three modules, three buffers
  config = find_platform("mtl");
  config.max_heaps = heaps_at_boot(config, kElasticPolicy) + 2;  // and those of pipelines 1 and 3
  Player player(two_and_one(), config);
  player.session.start(music);
  player.play({{"a", 1}});
  EXPECT_FALSE(starts(player));
  player.session.stop(music);
  player.session.start(notification);
}

TEST(SessionStreamsTest, AWidgetThatMakesNoSenseStopsItsOwnStreamOnly) {
  TopologyMaker maker;
  maker.pipeline(1).source("a");
  maker.pipeline(2).source("b").module("bad", WidgetType::pga, kGainUuid);
  maker.last().gain = GainSettings{.curve_type = 77};
  maker.pipeline(3).module("mix", WidgetType::mixer, kMixoutUuid).sink("speaker");
  maker.route({"a", "mix", "speaker"}).route({"b", "bad", "mix"});
  maker.pcm("Music", "a").pcm("Notification", "b");
  Player player(maker.made());
  player.session.start(music);
  const State before = payload_of(player.system);
  try {
    player.session.start(notification);
    ADD_FAILURE() << "no error";
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()).rfind("made.tplg: ", 0), 0U) << error.what();
  }
  EXPECT_EQ(payload_of(player.system), before);
  player.play({{"a", 3}});
  EXPECT_EQ(player.heard("speaker"), 3);
}

// --- any order ---

TEST(SessionStreamsTest, MemoryFollowsFromTheStatesHoweverTheyWereReached) {
  for (const Policy* policy : kPolicies) {
    Player player(Topology(load_topology(example_topology("playback-and-capture"))),
                  find_platform("mtl"), *policy);
    Session& session = player.session;
    const std::size_t count = session.streams().size();
    std::map<std::vector<PlayState>, std::size_t> live_bytes;
    live_bytes[std::vector<PlayState>(count, PlayState::absent)] = 0;
    std::mt19937 random(7);
    for (int step = 0; step < 3000; ++step) {
      const std::size_t stream = random() % count;
      const PlayState state = session.state(stream);
      switch (random() % 4) {
        case 0:
          state == PlayState::running ? session.pause(stream) : session.start(stream);
          break;
        case 1:
          state >= PlayState::paused ? session.reset(stream) : session.start(stream);
          break;
        case 2:
          state != PlayState::absent ? session.stop(stream) : session.start(stream);
          break;
        default:
          break;
      }
      player.play({});
      std::vector<PlayState> states(count);
      for (std::size_t i = 0; i < count; ++i) {
        states[i] = session.state(i);
      }
      const std::size_t live = player.system.memory().system().tree;
      ASSERT_EQ(live_bytes.emplace(states, live).first->second, live) << "step " << step;
    }
    EXPECT_GE(live_bytes.size(), 60U);  // of 64
    EXPECT_EQ(session.xruns(), 0U);
    EXPECT_TRUE(player.system.memory().check(CheckDepth::deep));
  }
}

}  // namespace
}  // namespace modmem::testbench
