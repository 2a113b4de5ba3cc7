#include "testbench/modules/eq_fir.hpp"

#include <random>
#include <string>

#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/eq_testing.hpp"
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

using EqFirTest = EqTest<EqFir>;

TEST_F(EqFirTest, FollowsTheReferenceInEveryFormat) {
  expect_follows(reference_fir, two_responses({0, 1, -1, 0}), 2400);
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
  expect_the_same_in_all_periods(two_responses({1, 0}));
}

TEST_F(EqFirTest, FurtherChannelsGetWhatTheLastOneGets) {
  expect_further_channels_as_the_last(reference_fir, two_responses({1, 0}));
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
  expect_waits_and_starts_anew(two_responses({0, 1}));
}

TEST_F(EqFirTest, TakesMemoryForWhatTheBlobNeeds) {
  expect_memory(two_responses({0, 1, -1, 0}), (12 + 256) * sizeof(std::int16_t),
                (11 + 255 + 11) * sizeof(std::int32_t));
}

TEST_F(EqFirTest, ReportsThatMemoryRanOutWhereverItDoes) {
  expect_out_of_memory_reported(two_responses({0, 1}));
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
  expect_cut_short_refused(payload({0, 1}, {kUnity, kUnity}));
}

}  // namespace
}  // namespace modmem::testbench
