#include "testbench/modules/eq_iir.hpp"

#include <string>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
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

class EqIirTest : public ModuleTest {
 protected:
  void start(const Widget& widget, const StreamFormat& format) {
    eq = EqIir();  // a module is initialised once
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

  EqIir eq;
};

TEST_F(EqIirTest, FollowsTheReferenceInEveryFormat) {
  const std::vector<std::byte> bytes = two_responses({0, 1, -1, 0});
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = quiet_noise({48000, 4, sample}, 9600);
    start(blob_widget(bytes), in.format);
    const AudioPathCheck check(system.memory());
    const Signal out = play(eq, in);
    for (const std::uint32_t channel : {0U, 1U, 3U}) {
      const Values expected = reference_iir(bytes, channel, channel_values(in, channel));
      EXPECT_LT(error_db(out, channel, expected), rounding_db(sample)) << channel;
      if (sample == SampleFormat::s32) {
        EXPECT_LT(error_db(out, channel, expected), -100);
      }
      // It is a filter, and not the same one everywhere.
      EXPECT_GT(error_db(out, channel, channel_values(in, channel)), -40);
    }
    EXPECT_EQ(channel_values(out, 2), channel_values(in, 2));
  }
}

TEST_F(EqIirTest, TheSizeOfPeriodsDoesNotMatter) {
  const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 1000);
  start(blob_widget(two_responses({1, 0})), in.format);
  const Signal expected = play(eq, in);
  for (const std::size_t period : {1U, 63U, 64U, 65U, 1000U}) {
    start(blob_widget(two_responses({1, 0})), in.format);
    EXPECT_EQ(play(eq, in, period).data, expected.data) << period;
  }
}

TEST_F(EqIirTest, FurtherChannelsGetWhatTheLastOneGets) {
  const std::vector<std::byte> bytes = two_responses({0, 1});
  const Signal in = quiet_noise({48000, 5, SampleFormat::s32}, 500);
  start(blob_widget(bytes), in.format);
  const Signal out = play(eq, in);
  for (std::uint32_t channel = 0; channel < 5; ++channel) {
    const Values x = channel_values(in, channel);
    EXPECT_LT(error_db(out, channel, reference_iir(bytes, channel, x)), -180) << channel;
  }
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

TEST_F(EqIirTest, TakesMemoryForWhatTheBlobNeeds) {
  const StreamFormat format{48000, 4, SampleFormat::s32};
  ASSERT_TRUE(eq.init(blob_widget(two_responses({0, 1, -1, 0})), memory));
  const std::size_t configured = memory.held_bytes();
  EXPECT_GE(configured, 7 * sizeof(Biquad));
  ASSERT_TRUE(eq.prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_GE(memory.held_bytes() - configured, (3 + 4 + 3) * sizeof(BiquadState));
  EXPECT_LT(memory.held_bytes() - configured, (3 + 4 + 3) * sizeof(BiquadState) + 4 * 32);
  eq.reset(memory);
  EXPECT_EQ(memory.held_bytes(), configured);
  // A module that passes needs none.
  start(Widget{}, format);
  EXPECT_EQ(memory.held_bytes(), 0U);
}

TEST_F(EqIirTest, ReportsThatMemoryRanOutWhereverItDoes) {
  const Widget widget = blob_widget(two_responses({0, 1}));
  const StreamFormat format{48000, 2, SampleFormat::s32};
  bool done = false;
  std::size_t failed_inits = 0;
  std::size_t failed_prepares = 0;
  for (std::size_t limit = 8; !done; limit += 8) {
    ASSERT_LT(limit, 4096U);
    limit_memory(limit);
    EqIir other;
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

TEST_F(EqIirTest, RefusesBlobsThatAreCutShort) {
  std::vector<std::byte> bytes = two_responses({0, 1});
  while (bytes.size() > 4) {
    bytes.pop_back();
    const auto size = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(bytes.data(), &size, sizeof(size));
    ASSERT_THROW(eq.init(blob_widget(bytes), memory), InputError) << size;
  }
  bytes = two_responses({0, 1});
  bytes.resize(bytes.size() - 4);  // not what its size says
  EXPECT_THROW(eq.init(blob_widget(bytes), memory), InputError);
}

}  // namespace
}  // namespace modmem::testbench
