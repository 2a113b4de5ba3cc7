// EqTest: what the tests of both equalisers have in common. They differ in blobs and references.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/filter_testing.hpp"

namespace modmem::testbench {

template <typename Eq>
class EqTest : public ModuleTest {
 protected:
  using Bytes = std::vector<std::byte>;
  // What a channel's samples become under a blob.
  using Reference = Values (*)(std::span<const std::byte> bytes, std::size_t channel,
                               const Values& x);

  void start(const Widget& widget, const StreamFormat& format) {
    eq = Eq();  // a module is initialised once
    ASSERT_TRUE(eq.init(widget, memory));
    ASSERT_TRUE(eq.prepare({&format, 1}, {&format, 1}, memory));
  }

  void expect_refused(const Bytes& bytes, const std::string& reason) {
    try {
      eq.init(blob_widget(bytes), memory);
      ADD_FAILURE() << "no error about " << reason;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()), "widget 'module.1.1': control 'blob': " + reason);
    }
  }

  // `bytes` assign responses to channels 0, 1 and 3 of four, and none to 2.
  void expect_follows(Reference reference, const Bytes& bytes, std::size_t frames) {
    for (const SampleFormat sample : kSampleFormats) {
      const Signal in = quiet_noise({48000, 4, sample}, frames);
      start(blob_widget(bytes), in.format);
      const AudioPathCheck check(system.memory());
      const Signal out = play(eq, in);
      for (const std::uint32_t channel : {0U, 1U, 3U}) {
        const Values expected = reference(bytes, channel, channel_values(in, channel));
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

  void expect_the_same_in_all_periods(const Bytes& bytes) {
    const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 1000);
    start(blob_widget(bytes), in.format);
    const Signal expected = play(eq, in);
    for (const std::size_t period : {1U, 63U, 64U, 65U, 1000U}) {
      start(blob_widget(bytes), in.format);
      EXPECT_EQ(play(eq, in, period).data, expected.data) << period;
    }
  }

  // `bytes` assign responses to two channels.
  void expect_further_channels_as_the_last(Reference reference, const Bytes& bytes) {
    const Signal in = quiet_noise({48000, 5, SampleFormat::s32}, 500);
    start(blob_widget(bytes), in.format);
    const Signal out = play(eq, in);
    for (std::uint32_t channel = 0; channel < 5; ++channel) {
      const Values x = channel_values(in, channel);
      EXPECT_LT(error_db(out, channel, reference(bytes, channel, x)), -180) << channel;
    }
  }

  void expect_waits_and_starts_anew(const Bytes& bytes) {
    const Signal in = quiet_noise({48000, 2, SampleFormat::s32}, 480);
    start(blob_widget(bytes), in.format);
    const Signal expected = play(eq, in);
    eq.reset(memory);
    ASSERT_TRUE(eq.prepare({&in.format, 1}, {&in.format, 1}, memory));
    Signal silence(in.format, 48, std::byte{0xa5});
    process(eq, {in.format, nullptr, 0}, silence.output());
    EXPECT_EQ(silence.data, Signal(in.format, 48).data);
    EXPECT_EQ(play(eq, in).data, expected.data);
  }

  // The blob's own memory lasts from init(), at least `configured` bytes; `state` come with
  // prepare(), and go with reset(). A module that passes needs none.
  void expect_memory(const Bytes& bytes, std::size_t configured, std::size_t state) {
    const StreamFormat format{48000, 4, SampleFormat::s32};
    ASSERT_TRUE(eq.init(blob_widget(bytes), memory));
    const std::size_t held = memory.held_bytes();
    EXPECT_GE(held, configured);
    ASSERT_TRUE(eq.prepare({&format, 1}, {&format, 1}, memory));
    EXPECT_GE(memory.held_bytes() - held, state);
    EXPECT_LT(memory.held_bytes() - held, state + 4 * 32);
    eq.reset(memory);
    EXPECT_EQ(memory.held_bytes(), held);
    start(Widget{}, format);
    EXPECT_EQ(memory.held_bytes(), 0U);
  }

  void expect_out_of_memory_reported(const Bytes& bytes) {
    const Widget widget = blob_widget(bytes);
    const StreamFormat format{48000, 2, SampleFormat::s32};
    bool done = false;
    std::size_t failed_inits = 0;
    std::size_t failed_prepares = 0;
    for (std::size_t limit = 8; !done; limit += 8) {
      ASSERT_LT(limit, 4096U);
      limit_memory(limit);
      Eq other;
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

  void expect_cut_short_refused(const Bytes& whole) {
    Bytes bytes = whole;
    while (bytes.size() > 4) {
      bytes.pop_back();
      const auto size = static_cast<std::uint32_t>(bytes.size());
      std::memcpy(bytes.data(), &size, sizeof(size));
      ASSERT_THROW(eq.init(blob_widget(bytes), memory), InputError) << size;
    }
    bytes = whole;
    bytes.resize(bytes.size() - 4);  // not what its size says
    EXPECT_THROW(eq.init(blob_widget(bytes), memory), InputError);
  }

  Eq eq;
};

}  // namespace modmem::testbench
