#include "testbench/modules/eq_iir.hpp"

#include <string>

#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/eq_testing.hpp"
#include "testbench/modules/filter_testing.hpp"

namespace modmem::testbench {
namespace {

struct Response {
  std::int32_t in_chain;
  std::vector<Section> sections;
};

std::vector<std::byte> payload(const std::vector<std::int32_t>& assigned,
                               const std::vector<Response>& responses) {
  BlobBytes bytes;
  bytes.put(static_cast<std::uint32_t>(assigned.size()));
  bytes.put(static_cast<std::uint32_t>(responses.size())).zeros(16).words(assigned);
  for (const Response& response : responses) {
    bytes.put(static_cast<std::uint32_t>(response.sections.size()));
    bytes.put(response.in_chain).zeros(16);
    for (const Section& section : response.sections) {
      bytes.words(section);
    }
  }
  return bytes.sized();
}

// Speaker protection and a dip, then two bands beside each other.
std::vector<std::byte> two_responses(const std::vector<std::int32_t>& assigned) {
  Section boosted = butterworth(false, 8000, 48000, 0.75);
  boosted[5] = -1;
  return payload(
      assigned,
      {{3, {butterworth(true, 60, 48000, 0.9), boosted, butterworth(false, 16000, 48000)}},
       {2,
        {butterworth(false, 300, 48000), butterworth(false, 300, 48000),
         butterworth(true, 300, 48000), butterworth(true, 300, 48000)}}});
}

using EqIirTest = EqTest<EqIir>;

TEST_F(EqIirTest, FollowsTheReferenceInEveryFormat) {
  expect_follows(reference_iir, two_responses({0, 1, -1, 0}), 9600);
}

TEST_F(EqIirTest, TheSizeOfPeriodsDoesNotMatter) {
  expect_the_same_in_all_periods(two_responses({1, 0}));
}

TEST_F(EqIirTest, FurtherChannelsGetWhatTheLastOneGets) {
  expect_further_channels_as_the_last(reference_iir, two_responses({0, 1}));
}

// Gains whose product is moderate may pass beyond full scale on the way.
TEST_F(EqIirTest, HasHeadroomInsideAndSaturatesOutside) {
  const Section louder = {0, 0, 0, 0, kQ30One, -6, kQ14One};
  const Section quieter = {0, 0, 0, 0, kQ30One, 6, kQ14One};
  const Signal in = random_signal({48000, 1, SampleFormat::s32}, 500);
  start(blob_widget(payload({0}, {{2, {louder, quieter}}})), in.format);
  EXPECT_EQ(play(eq, in).data, in.data);
  start(blob_widget(payload({0}, {{1, {louder}}})), in.format);
  const Signal out = play(eq, in);
  for (std::size_t i = 0; i < in.samples(); ++i) {
    ASSERT_EQ(out.at(i),
              std::clamp<std::int64_t>(std::int64_t{in.at(i)} * 64, INT32_MIN, INT32_MAX));
  }
}

TEST_F(EqIirTest, PassesBitForBitWithoutABlobOrAResponse) {
  Widget nothing;
  nothing.name = "eqiir.1.1";
  const std::vector<Widget> widgets = {
      nothing, blob_widget({}), blob_widget(two_responses({-1, -1})),
      blob_widget(payload({-1}, {})),
      blob_widget(payload({0}, {{1, {kFlatSection, kFlatSection}}}))};
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 480);
    for (std::size_t i = 0; i + 1 < widgets.size(); ++i) {
      start(widgets[i], in.format);
      EXPECT_EQ(play(eq, in).data, in.data) << i;
      EXPECT_EQ(system.memory().audio_path_calls(), 0U);
    }
    // Two flat chains side by side make twice the input.
    start(widgets.back(), in.format);
    const Signal out = play(eq, in);
    const std::int64_t top = (std::int64_t{1} << (bits_of(sample) - 1)) - 1;
    for (std::size_t i = 0; i < in.samples(); ++i) {
      ASSERT_EQ(out.at(i), std::clamp<std::int64_t>(2 * std::int64_t{in.at(i)}, -top - 1, top));
    }
  }
}

TEST_F(EqIirTest, ServesOutputsOfOtherFormats) {
  const std::vector<std::byte> bytes = two_responses({0});
  const Signal in = quiet_noise({48000, 1, SampleFormat::s32}, 960);
  std::array outs = {Signal({48000, 2, SampleFormat::s16}, 960),
                     Signal({48000, 1, SampleFormat::s24_4le}, 960)};
  const std::array formats = {outs[0].format, outs[1].format};
  ASSERT_TRUE(eq.init(blob_widget(bytes), memory));
  ASSERT_TRUE(eq.prepare({&in.format, 1}, formats, memory));
  play(eq, in, outs);
  const Values expected = reference_iir(bytes, 0, channel_values(in, 0));
  EXPECT_LT(error_db(outs[0], 0, expected), rounding_db(SampleFormat::s16));
  EXPECT_LT(error_db(outs[0], 1, expected), rounding_db(SampleFormat::s16));
  EXPECT_LT(error_db(outs[1], 0, expected), rounding_db(SampleFormat::s24_4le));
}

TEST_F(EqIirTest, WaitsWhereAudioComesLateAndStartsAnewWhenPrepared) {
  expect_waits_and_starts_anew(two_responses({0, 1}));
}

TEST_F(EqIirTest, TakesMemoryForWhatTheBlobNeeds) {
  expect_memory(two_responses({0, 1, -1, 0}), 7 * sizeof(Biquad),
                (3 + 4 + 3) * sizeof(BiquadState));
}

TEST_F(EqIirTest, ReportsThatMemoryRanOutWhereverItDoes) {
  expect_out_of_memory_reported(two_responses({0, 1}));
}

TEST_F(EqIirTest, RefusesBlobsThatMakeNoSense) {
  const Response flat = {1, {kFlatSection}};
  expect_refused(payload({}, {flat}), "a number of channels of 0, 1 to 8 are possible");
  expect_refused(payload(std::vector<std::int32_t>(9, 0), {flat}),
                 "a number of channels of 9, 1 to 8 are possible");
  expect_refused(payload({0}, std::vector<Response>(9, flat)),
                 "a number of responses of 9, 0 to 8 are possible");
  expect_refused(payload({0, 1}, {flat}), "channel 1 is assigned response 1 of 1");
  expect_refused(payload({0}, {flat, {1, {}}}),
                 "response 1: a number of sections of 0, 1 to 11 are possible");
  expect_refused(payload({0}, {{1, std::vector<Section>(12, kFlatSection)}}),
                 "response 0: a number of sections of 12, 1 to 11 are possible");
  expect_refused(payload({0}, {{0, {kFlatSection}}}),
                 "response 0: a number of sections in a chain of 0, 1 to 1 are possible");
  expect_refused(payload({0}, {{2, {kFlatSection}}}),
                 "response 0: a number of sections in a chain of 2, 1 to 1 are possible");
  expect_refused(payload({0}, {{2, std::vector<Section>(3, kFlatSection)}}),
                 "response 0: 3 sections can't be divided into chains of 2");
  Section loud = kFlatSection;
  loud[5] = 40;
  expect_refused(payload({0}, {{1, {loud}}}),
                 "response 0: an output shift of 40, -13 to 31 are possible");
}

TEST_F(EqIirTest, RefusesBlobsThatAreCutShort) { expect_cut_short_refused(two_responses({0, 1})); }

}  // namespace
}  // namespace modmem::testbench
