// Streams that do not bring a period's frames every period: deep buffers and key-phrase buffers.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "testbench/modules/factory.hpp"
#include "testbench/modules/kpb.hpp"
#include "testbench/session.hpp"
#include "testbench/testing/player.hpp"
#include "testbench/testing/topology_maker.hpp"

namespace modmem::testbench {
namespace {

constexpr StreamFormat kVoice{16000, 1, SampleFormat::s32};

// A microphone, a key-phrase buffer and its two listeners, the host on `core`.
Topology key_phrase(std::uint32_t core) {
  TopologyMaker maker;
  maker.pipeline(1).module("mic", WidgetType::dai_out, kCopierUuid);
  maker.module("kpb", WidgetType::effect, kKpbUuid);
  maker.last().output_bindings = {"detector", "between"};
  maker.pipeline(2).module("detector");
  maker.pipeline(3).core(core).module("between").module("host", WidgetType::aif_out, kCopierUuid);
  maker.route({"mic", "kpb", "detector"}).route({"kpb", "between", "host"});
  return maker.pcm("Key phrase", nullptr, "host").made();
}

// A source that counts from 1, and what a sink got of it.
struct Counting {
  void play(Player& player, const char* sink, std::uint64_t periods) {
    for (; periods > 0; --periods) {
      player.play_with([&](const std::string&, FilePort& file) {
        most_read = std::max(most_read, file.frames);
        for (std::size_t at = 0; at < file.frames * file.format.channels; ++at, ++next) {
          std::memcpy(file.data + 4 * at, &next, 4);
        }
      });
      const FilePort& file = player.port(sink);
      const std::size_t before = heard.size();
      heard.resize(before + file.frames * file.format.channels);
      if (heard.size() != before) {  // memcpy() takes no null pointers, which empty vectors have
        std::memcpy(heard.data() + before, file.data, 4 * (heard.size() - before));
      }
    }
  }

  std::int32_t next = 1;
  std::vector<std::int32_t> heard;
  std::size_t most_read = 0;
};

std::vector<std::int32_t> count(std::int32_t from, std::size_t length) {
  std::vector<std::int32_t> numbers(length);
  std::iota(numbers.begin(), numbers.end(), from);
  return numbers;
}

TEST(SessionPaceTest, AKeyPhraseBufferDrainsToTheBit) {
  for (const std::uint32_t core : {0U, 1U}) {
    for (const std::uint64_t before : {1U, 500U, 5000U}) {
      if (core != 0 && before != 500) {
        continue;  // threads wait for each other: one will do
      }
      Player player(key_phrase(core), find_platform("mtl"), kElasticPolicy, kVoice);
      ASSERT_EQ(player.session.streams().size(), 1U);
      Counting counting;
      player.session.start(0);
      counting.play(player, "host", before);
      // Nothing was drained, but for what a crossing starts with.
      EXPECT_EQ(counting.heard, std::vector<std::int32_t>(core == 0 ? 0 : 16, 0));
      counting.heard.clear();
      EXPECT_FALSE(player.session.trigger(player.node("mic")));
      EXPECT_TRUE(player.session.trigger(player.node("kpb")));
      EXPECT_FALSE(player.session.trigger(player.node("kpb")));
      counting.play(player, "host", 3000);
      const auto first = static_cast<std::int32_t>(
          16 * (before > Kpb::kHistoryMs ? before - Kpb::kHistoryMs : 0) + 1);
      EXPECT_EQ(counting.heard, count(first, counting.heard.size()));
      // It has caught up with the present.
      EXPECT_GE(counting.heard.back() + (core == 0 ? 2 : 4) * 16, counting.next);
      EXPECT_EQ(player.session.xruns(), 0U);
      EXPECT_EQ(player.system.memory().audio_path_calls(), 0U);
      player.session.pause(0);
      EXPECT_FALSE(player.session.trigger(player.node("kpb")));
    }
  }
}

TEST(SessionPaceTest, ADeepBufferIsFilledInBurstsAndPlaysWithoutAGap) {
  TopologyMaker maker;
  maker.pipeline(1).source("a");
  maker.last().deep_buffer_ms = 100;
  maker.module("b").sink("f").route({"a", "b", "f"}).pcm("Music", "a");
  Player player(maker.made());
  Counting counting;
  player.session.start(0);
  counting.play(player, "f", 1000);
  EXPECT_EQ(counting.most_read, 4800U);
  EXPECT_EQ(counting.heard, count(1, std::size_t{1000} * 48 * 2));
  EXPECT_EQ(player.session.xruns(), 0U);
  // Another life starts with an empty buffer.
  player.session.reset(0);
  counting.heard.clear();
  const std::int32_t from = counting.next;
  player.session.start(0);
  counting.play(player, "f", 100);
  EXPECT_EQ(counting.heard, count(from, std::size_t{100} * 48 * 2));
}

}  // namespace
}  // namespace modmem::testbench
