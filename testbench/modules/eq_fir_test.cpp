#include "testbench/modules/eq_fir.hpp"

#include <random>
#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/filter_testing.hpp"

namespace modmem::testbench {
namespace {

struct Response {
  std::int16_t shift;
  std::vector<std::int16_t> taps;
};

std::vector<std::byte> payload(const std::vector<std::int16_t>& assigned,
                               const std::vector<Response>& responses) {
  BlobBytes bytes;
  bytes.put(static_cast<std::uint16_t>(assigned.size()));
  bytes.put(static_cast<std::uint16_t>(responses.size())).zeros(16);
  for (const std::int16_t response : assigned) {
    bytes.put(response);
  }
  for (const Response& response : responses) {
    bytes.put(static_cast<std::int16_t>(response.taps.size())).put(response.shift).zeros(16);
    for (const std::int16_t tap : response.taps) {
      bytes.put(tap);
    }
  }
  return bytes.sized();
}

std::vector<std::int16_t> random_taps(std::size_t count, std::int16_t most, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int16_t> taps(count);
  for (std::int16_t& tap : taps) {
    tap = static_cast<std::int16_t>(
        static_cast<int>(random() % (2U * static_cast<unsigned>(most) + 1U)) - most);
  }
  return taps;
}

const Response kUnity = {-1, {16384, 0, 0, 0}};

// A short filter, and the longest one.
std::vector<std::byte> two_responses(const std::vector<std::int16_t>& assigned) {
  return payload(assigned, {{-2, random_taps(12, 2000, 1)}, {1, random_taps(256, 1500, 2)}});
}

class EqFirTest : public ModuleTest {
 protected:
  void start(const Widget& widget, const StreamFormat& format) {
    eq = EqFir();  // a module is initialised once
    ASSERT_TRUE(eq.init(widget, memory));
    ASSERT_TRUE(eq.prepare({&format, 1}, {&format, 1}, memory));
  }
  void expect_refused(const std::vector<std::byte>& bytes, const std::string& reason) {
    try {
      eq.init(blob_widget(bytes), memory);
      ADD_FAILURE() << "no error about " << reason;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()), "widget 'module.1.1': control 'blob': " + reason);
    }
  }

  EqFir eq;
};

TEST_F(EqFirTest, FollowsTheReferenceInEveryFormat) {
  const std::vector<std::byte> bytes = two_responses({0, 1, -1, 0});
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = quiet_noise({48000, 4, sample}, 2400);
    start(blob_widget(bytes), in.format);
    const AudioPathCheck check(system.memory());
    const Signal out = play(eq, in);
    for (const std::uint32_t channel : {0U, 1U, 3U}) {
      const Values expected = reference_fir(bytes, channel, channel_values(in, channel));
      EXPECT_LT(error_db(out, channel, expected), rounding_db(sample)) << channel;
      if (sample == SampleFormat::s32) {
        EXPECT_LT(error_db(out, channel, expected), -100);
      }
      EXPECT_GT(error_db(out, channel, channel_values(in, channel)), -40);
    }
    EXPECT_EQ(channel_values(out, 2), channel_values(in, 2));
  }
}

TEST_F(EqFirTest, AnImpulseShowsTheTaps) {
  const std::vector<std::int16_t> taps = random_taps(256, INT16_MAX, 3);
  const StreamFormat format{48000, 1, SampleFormat::s32};
  Signal in(format, 300);
  in.set(0, 1 << 20);
  start(blob_widget(payload({0, 0}, {{0, taps}})), format);
  const Signal out = play(eq, in);
  for (std::size_t i = 0; i < out.samples(); ++i) {
    ASSERT_EQ(out.at(i), i < taps.size() ? taps[i] * 32 : 0) << i;
  }
}

// The largest sum that there can be does not overflow on its way to saturation.
TEST_F(EqFirTest, SumsAreExactUpToTheLargest) {
  const Signal in = constant_signal({48000, 1, SampleFormat::s32}, 300, INT32_MIN);
  const std::vector<std::int16_t> taps(256, INT16_MIN);
  start(blob_widget(payload({0, 0}, {{8, taps}})), in.format);
  const Signal out = play(eq, in);
  EXPECT_EQ(out.at(0), 1 << 23);
  EXPECT_EQ(out.at(254), 255 << 23);
  EXPECT_EQ(out.at(299), INT32_MAX);
  start(blob_widget(payload({0, 0}, {{-15, taps}})), in.format);
  EXPECT_EQ(play(eq, in).at(299), INT32_MAX);
}

TEST_F(EqFirTest, TheSizeOfPeriodsDoesNotMatter) {
  const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 1000);
  start(blob_widget(two_responses({1, 0})), in.format);
  const Signal expected = play(eq, in);
  for (const std::size_t period : {1U, 63U, 64U, 65U, 1000U}) {
    start(blob_widget(two_responses({1, 0})), in.format);
    EXPECT_EQ(play(eq, in, period).data, expected.data) << period;
  }
}

TEST_F(EqFirTest, FurtherChannelsGetWhatTheLastOneGets) {
  const std::vector<std::byte> bytes = two_responses({1, 0});
  const Signal in = quiet_noise({48000, 5, SampleFormat::s32}, 500);
  start(blob_widget(bytes), in.format);
  const Signal out = play(eq, in);
  for (std::uint32_t channel = 0; channel < 5; ++channel) {
    const Values x = channel_values(in, channel);
    EXPECT_LT(error_db(out, channel, reference_fir(bytes, channel, x)), -180) << channel;
  }
}

TEST_F(EqFirTest, PassesBitForBitWithoutABlobOrAResponse) {
  Widget nothing;
  nothing.name = "eqfir.1.1";
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    for (const Widget& widget :
         {nothing, blob_widget({}), blob_widget(two_responses({-1, -1})),
          blob_widget(payload({-1, -1}, {})), blob_widget(payload({0, 0}, {kUnity}))}) {
      start(widget, in.format);
      EXPECT_EQ(play(eq, in).data, in.data);
      EXPECT_EQ(system.memory().audio_path_calls(), 0U);
    }
  }
}

TEST_F(EqFirTest, WaitsWhereAudioComesLateAndStartsAnewWhenPrepared) {
  const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 480);
  start(blob_widget(two_responses({0, 1})), in.format);
  const Signal expected = play(eq, in);
  eq.reset(memory);
  ASSERT_TRUE(eq.prepare({&in.format, 1}, {&in.format, 1}, memory));
  Signal silence(in.format, 48, std::byte{0xa5});
  process(eq, {in.format, nullptr, 0}, silence.output());
  EXPECT_EQ(silence.data, Signal(in.format, 48).data);
  EXPECT_EQ(play(eq, in).data, expected.data);
}

TEST_F(EqFirTest, TakesMemoryForWhatTheBlobNeeds) {
  const StreamFormat format{48000, 4, SampleFormat::s32};
  ASSERT_TRUE(eq.init(blob_widget(two_responses({0, 1, -1, 0})), memory));
  const std::size_t configured = memory.held_bytes();
  EXPECT_GE(configured, (12 + 256) * sizeof(std::int16_t));
  ASSERT_TRUE(eq.prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_GE(memory.held_bytes() - configured, (11 + 255 + 11) * sizeof(std::int32_t));
  EXPECT_LT(memory.held_bytes() - configured, (11 + 255 + 11) * sizeof(std::int32_t) + 4 * 32);
  eq.reset(memory);
  EXPECT_EQ(memory.held_bytes(), configured);
  start(Widget{}, format);
  EXPECT_EQ(memory.held_bytes(), 0U);
}

TEST_F(EqFirTest, ReportsThatMemoryRanOutWhereverItDoes) {
  const Widget widget = blob_widget(two_responses({0, 1}));
  const StreamFormat format{48000, 2, SampleFormat::s32};
  bool done = false;
  std::size_t failed_inits = 0;
  std::size_t failed_prepares = 0;
  for (std::size_t limit = 8; !done; limit += 8) {
    ASSERT_LT(limit, 4096U);
    limit_memory(limit);
    EqFir other;
    const bool initialised = other.init(widget, memory);
    failed_inits += initialised ? 0 : 1;
    done = initialised && other.prepare({&format, 1}, {&format, 1}, memory);
    failed_prepares += initialised && !done ? 1 : 0;
    EXPECT_EQ(memory.failures() == 0, done);
    other.reset(memory);
  }
  EXPECT_GT(failed_inits, 2U);
  EXPECT_GT(failed_prepares, 1U);
  memory.close();
  EXPECT_TRUE(system.check());
}

TEST_F(EqFirTest, RefusesBlobsThatMakeNoSense) {
  expect_refused(payload({}, {kUnity}), "a number of channels of 0, 1 to 8 are possible");
  expect_refused(payload({0, 0, 0}, {kUnity}), "3 channels: only even numbers are possible");
  expect_refused(payload(std::vector<std::int16_t>(10, 0), {kUnity}),
                 "a number of channels of 10, 1 to 8 are possible");
  expect_refused(payload({0, 0}, std::vector<Response>(9, kUnity)),
                 "a number of responses of 9, 0 to 8 are possible");
  expect_refused(payload({0, 1}, {kUnity}), "channel 1 is assigned response 1 of 1");
  expect_refused(payload({0, 0}, {kUnity, {0, {}}}),
                 "response 1: a number of taps of 0, 4 to 256 are possible");
  expect_refused(payload({0, 0}, {{0, std::vector<std::int16_t>(260, 0)}}),
                 "response 0: a number of taps of 260, 4 to 256 are possible");
  expect_refused(payload({0, 0}, {{0, std::vector<std::int16_t>(6, 0)}}),
                 "response 0: 6 taps: only multiples of 4 are possible");
  expect_refused(payload({0, 0}, {{-16, kUnity.taps}}),
                 "response 0: an output shift of -16, -15 to 31 are possible");
  expect_refused(payload({0, 0}, {{32, kUnity.taps}}),
                 "response 0: an output shift of 32, -15 to 31 are possible");
}

TEST_F(EqFirTest, RefusesBlobsThatAreCutShort) {
  std::vector<std::byte> bytes = payload({0, 1}, {kUnity, kUnity});
  while (bytes.size() > 4) {
    bytes.pop_back();
    const auto size = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(bytes.data(), &size, sizeof(size));
    ASSERT_THROW(eq.init(blob_widget(bytes), memory), InputError) << size;
  }
  bytes = payload({0, 1}, {kUnity, kUnity});
  bytes.resize(bytes.size() - 4);  // not what its size says
  EXPECT_THROW(eq.init(blob_widget(bytes), memory), InputError);
}

}  // namespace
}  // namespace modmem::testbench
