// Sessions on several cores and with tasks: the same audio, but for the latency of decoupled edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

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

using Samples = std::vector<std::int32_t>;

// A chain of pipelines, on one core each, and what their modules do beside running every period.
TopologyMaker chain(std::uint32_t first, std::uint32_t second, std::uint32_t third) {
  TopologyMaker maker;
  maker.pipeline(1).core(first).source("a").module("b");
  maker.pipeline(2).core(second).module("c").module("d");
  maker.pipeline(3).core(third).module("e").sink("f");
  maker.route({"a", "b", "c", "d", "e", "f"}).pcm("Music", "a");
  return maker;
}

// Two streams on cores of their own into a mixer on a third.
TopologyMaker mixer(std::uint32_t first, std::uint32_t second, std::uint32_t third) {
  TopologyMaker maker;
  maker.pipeline(1).core(first).source("a").module("ma", WidgetType::mixer, kMixinUuid);
  maker.pipeline(2).core(second).source("b").module("mb", WidgetType::mixer, kMixinUuid);
  maker.pipeline(3).core(third).module("mix", WidgetType::mixer, kMixoutUuid).sink("f");
  maker.route({"a", "ma", "mix", "f"}).route({"b", "mb", "mix"});
  maker.pcm("Music", "a").pcm("Notification", "b");
  return maker;
}

// Plays noise for so many periods; what sink "f" got.
Samples play(Player& player, std::uint64_t periods) {
  std::mt19937 random(11);
  Samples heard;
  for (std::uint64_t period = 0; period < periods; ++period) {
    player.play_with([&](const std::string&, FilePort& file) {
      for (std::size_t at = 0; at < file.frames * file.format.channels; ++at) {
        const auto sample = static_cast<std::int32_t>(random()) >> 2;  // two add up without a limit
        std::memcpy(file.data + 4 * at, &sample, 4);
      }
    });
    const FilePort& sink = player.port("f");
    const std::size_t before = heard.size();
    heard.resize(before + sink.frames * sink.format.channels);
    std::memcpy(heard.data() + before, sink.data, 4 * (heard.size() - before));
  }
  return heard;
}

Samples play(const Topology& topology, std::uint64_t periods, std::uint32_t rate = 48000) {
  Player player(topology, find_platform("mtl"), kElasticPolicy, {rate, 2, SampleFormat::s32});
  player.session.set_up();
  const std::uint64_t host = host_allocations_on_audio_path();
  Samples heard = play(player, periods);
  EXPECT_EQ(player.session.xruns(), 0U);
  EXPECT_EQ(host_allocations_on_audio_path(), host);
  EXPECT_EQ(player.system.memory().audio_path_calls(), 0U);
  return heard;
}

// `late` is `early`, so many frames later, after silence.
void expect_later(const Samples& late, const Samples& early, std::size_t frames) {
  ASSERT_EQ(late.size(), early.size());
  ASSERT_LT(2 * frames, late.size() / 2);
  EXPECT_TRUE(std::all_of(late.begin(), late.begin() + static_cast<std::ptrdiff_t>(2 * frames),
                          [](std::int32_t sample) { return sample == 0; }));
  EXPECT_TRUE(std::equal(late.begin() + static_cast<std::ptrdiff_t>(2 * frames), late.end(),
                         early.begin()));
  EXPECT_NE(early.at(0), 0);
}

TEST(SessionCoresTest, EachCrossingDelaysByAPeriodAndChangesNothing) {
  const Samples plain = play(chain(0, 0, 0).made(), 50);
  expect_later(play(chain(0, 0, 1).made(), 50), plain, 48);
  expect_later(play(chain(1, 1, 1).made(), 50), plain, 0);
  expect_later(play(chain(0, 2, 1).made(), 50), plain, 96);
  expect_later(play(chain(1, 0, 1).made(), 50), plain, 96);
}

TEST(SessionCoresTest, RatesThatAreNotWholeKilohertzCrossToo) {
  for (const std::uint32_t rate : {44100U, 11025U, 22050U}) {
    const Samples plain = play(chain(0, 0, 0).made(), 500, rate);
    expect_later(play(chain(0, 1, 2).made(), 500, rate), plain, 2 * most_frames_in_period(rate));
  }
}

TEST(SessionCoresTest, AMixerHearsAllItsCores) {
  const Samples plain = play(mixer(0, 0, 0).made(), 50);
  expect_later(play(mixer(1, 2, 0).made(), 50), plain, 48);
  expect_later(play(mixer(1, 1, 2).made(), 50), plain, 48);
}

TEST(SessionCoresTest, TasksDelayByAsMuchAsTheyWaitForAndChangeNothing) {
  const Samples plain = play(chain(0, 0, 0).made(), 200);
  const StreamFormat format{48000, 2, SampleFormat::s32};
  // Frames that the task takes at a time, and how late it is heard.
  const std::pair<std::uint32_t, std::size_t> cases[] = {
      {0, 96}, {48, 96}, {96, 144}, {480, 528}, {72, 48 + 96}, {100, 48 + 48 + 100 - 4}};
  for (const auto& [chunk, late] : cases) {
    for (const std::uint32_t core : {0U, 1U}) {
      TopologyMaker maker;
      maker.pipeline(1).core(core).source("a").module("b").task();
      maker.inputs({pin_format(format, 0, chunk * 8)}).outputs({pin_format(format, 0, chunk * 8)});
      maker.module("c").sink("f").route({"a", "b", "c", "f"});
      expect_later(play(maker.made(), 200), plain, late);
    }
  }
}

TEST(SessionCoresTest, TasksOfDifferentChunksFollowOneAnother) {
  const Samples plain = play(chain(0, 0, 0).made(), 300);
  const StreamFormat format{48000, 2, SampleFormat::s32};
  for (const auto& [one, two] : {std::pair{480U, 192U}, {192U, 480U}, {72U, 480U}, {480U, 72U}}) {
    TopologyMaker maker;
    maker.pipeline(1).source("a").module("b").task();
    maker.inputs({pin_format(format, 0, one * 8)}).outputs({pin_format(format, 0, one * 8)});
    maker.pipeline(2).core(1).module("c").task();
    maker.inputs({pin_format(format, 0, two * 8)}).outputs({pin_format(format, 0, two * 8)});
    maker.sink("f").route({"a", "b", "c", "f"});
    const Samples heard = play(maker.made(), 300);
    const auto first = std::find_if(heard.begin(), heard.end(), [](auto s) { return s != 0; });
    ASSERT_NE(first, heard.end());
    expect_later(heard, plain, static_cast<std::size_t>(first - heard.begin()) / 2);
  }
}

TEST(SessionCoresTest, ATaskMayChangeTheRate) {
  const StreamFormat in{44100, 2, SampleFormat::s32};
  const StreamFormat out{48000, 2, SampleFormat::s32};
  for (const std::uint32_t periods : {0U, 10U, 20U}) {
    TopologyMaker maker;
    maker.pipeline(1).source("a").module("b").task();
    maker.inputs({pin_format(in, 0, periods * 441 / 10 * 8)});
    maker.outputs({pin_format(out, 0, periods * 48 * 8)});
    maker.sink("f").route({"a", "b", "f"});
    const Samples heard = play(maker.made(), 1000, 44100);  // expects no xrun
    EXPECT_EQ(heard.size(), 2U * 48000);
    // Once it has begun, there is no gap: what stands in for a resampler repeats frames.
    const auto first = std::find_if(heard.begin(), heard.end(), [](auto s) { return s != 0; });
    EXPECT_LT(first - heard.begin(), 2 * 48 * (2 * periods + 4));
    EXPECT_LT(std::count(first, heard.end(), 0), 4);
  }
}

TEST(SessionCoresTest, StreamsComeAndGoOnAllCores) {
  for (const Policy* policy : kPolicies) {
    Player player(mixer(1, 2, 0).made(), find_platform("mtl"), *policy);
    const State nothing = state_of(player.system);
    player.session.start(0);
    const State one = payload_of(player.system);
    std::mt19937 random(5);
    for (int round = 0; round < 50; ++round) {
      player.session.start(1);
      for (auto periods = random() % 5; periods > 0; --periods) {
        player.play({{"a", 1}, {"b", 10}});
      }
      if (random() % 2 == 0) {
        player.session.pause(1);
        player.play({{"a", 1}});
        player.play({{"a", 1}});
        EXPECT_EQ(player.heard("f"), 1);
      }
      if (player.session.state(1) == PlayState::paused && random() % 2 == 0) {
        player.session.start(1);
        player.play({{"a", 1}, {"b", 10}});
        EXPECT_EQ(player.heard("f"), 1);  // a period late
        player.play({{"a", 1}, {"b", 10}});
        EXPECT_EQ(player.heard("f"), 11);
      }
      player.session.stop(1);
      ASSERT_EQ(payload_of(player.system), one) << round;
    }
    EXPECT_EQ(player.session.xruns(), 0U);
    player.session.stop(0);
    EXPECT_EQ(state_of(player.system), nothing);
  }
}

// --- memory ---

TEST(SessionCoresTest, EveryRequestMayFailOnAnyCore) {
  TopologyMaker maker = mixer(1, 2, 0);
  maker.pipeline(4).core(1).module("task").task().route({"mix", "task"});
  for (const Policy* policy : kPolicies) {
    Player player(maker.made(), find_platform("mtl"), *policy);
    player.session.start(0);
    const State before = payload_of(player.system);
    Owner& all = player.system.memory().system();
    int failures = 0;
    for (std::size_t limit = all.tree;; limit += 7, ++failures) {
      all.spec.limit = limit;
      try {
        player.session.start(1);
        break;
      } catch (const OutOfMemory& error) {
        ASSERT_EQ(payload_of(player.system), before) << error.what();
      }
      player.play({});
    }
    EXPECT_GT(failures, 20);
    player.session.stop(1);
    EXPECT_EQ(payload_of(player.system), before);
    EXPECT_EQ(player.session.xruns(), 0U);
  }
}

TEST(SessionCoresTest, ATaskHoldsItsStack) {
  for (const std::uint32_t declared : {0U, 3072U}) {
    TopologyMaker maker;
    maker.pipeline(1).source("a").module("b").task();
    maker.last().heap_bytes = 24576;
    if (declared != 0) {
      maker.last().stack_bytes = declared;
    }
    maker.sink("f").route({"a", "b", "f"});
    TopologyMaker plain;
    plain.pipeline(1).source("a").module("b");
    plain.last().heap_bytes = 24576;
    plain.sink("f").route({"a", "b", "f"});
    Player with(maker.made());
    Player without(plain.made());
    with.session.set_up();
    without.session.set_up();
    const ModuleReport task = with.session.modules().at(1);
    const ModuleReport module = without.session.modules().at(1);
    EXPECT_EQ(task.live_bytes, module.live_bytes + (declared != 0 ? declared : 8192));
    EXPECT_EQ(task.declared_heap_bytes, 24576U);
    EXPECT_EQ(module.declared_heap_bytes, std::nullopt);
    // A kernel's: in the system's heap, not in the pipeline's.
    std::size_t system = 0;
    with.system.memory().for_each_heap([&](const HeapReport& heap) {
      system += heap.name == std::string("system") ? heap.live_bytes : 0;
    });
    EXPECT_EQ(system, declared != 0 ? declared : 8192);
  }
}

TEST(SessionCoresTest, ACoreThatThePlatformHasNotIsNamed) {
  for (const auto& [platform, core] : {std::pair{"mcu", 1U}, {"mtl", 3U}}) {
    try {
      const Player player(chain(0, core, 0).made(), find_platform(platform));
      ADD_FAILURE() << "no error";
    } catch (const InputError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind("made.tplg: pipeline.2 ", 0), 0U) << message;
      EXPECT_NE(message.find("core " + std::to_string(core)), std::string::npos) << message;
      EXPECT_NE(message.find(platform), std::string::npos) << message;
    }
  }
  const Player player(chain(0, 2, 0).made(), find_platform("mtl"));
}

}  // namespace
}  // namespace modmem::testbench
