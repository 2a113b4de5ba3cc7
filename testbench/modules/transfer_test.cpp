#include "testbench/modules/transfer.hpp"

#include <algorithm>
#include <cmath>

#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

TEST(Transfer, EqualFormatsPassBitForBit) {
  for (const SampleFormat sample : kSampleFormats) {
    for (const std::uint32_t channels : {1U, 2U, 8U}) {
      const Signal in = random_signal({48000, channels, sample}, 480);
      Signal out(in.format, 480, std::byte{0xa5});
      transfer(in.input(), out.output());
      EXPECT_EQ(out.data, in.data);
    }
  }
}

TEST(Transfer, ThereAndBackAgainThroughAWiderFormatIsBitForBit) {
  for (const SampleFormat narrow : kSampleFormats) {
    for (const SampleFormat wide : kSampleFormats) {
      if (bits_of(wide) < bits_of(narrow)) {
        continue;
      }
      const Signal in = random_signal({48000, 2, narrow}, 480);
      Signal between({48000, 2, wide}, 480);
      Signal out(in.format, 480);
      transfer(in.input(), between.output());
      transfer(between.input(), out.output());
      EXPECT_EQ(out.data, in.data);
    }
  }
}

TEST(Transfer, WhatTheInputLacksIsSilent) {
  const Signal in = random_signal({48000, 2, SampleFormat::s16}, 30);
  Signal out(in.format, 48, std::byte{0xa5});
  transfer(in.input(), out.output());
  for (std::size_t i = 0; i < out.samples(); ++i) {
    EXPECT_EQ(out.at(i), i < 60 ? in.at(i) : 0);
  }
}

TEST(Transfer, NoInputIsSilence) {
  for (const std::uint32_t rate : {48000U, 16000U}) {
    Signal out({rate, 2, SampleFormat::s16}, 16, std::byte{0xa5});
    transfer({}, out.output());
    EXPECT_EQ(out.data, Signal(out.format, 16).data);
  }
}

TEST(Transfer, SurplusFramesOfAnEqualRateAreLeftOut) {
  const Signal in = random_signal({48000, 2, SampleFormat::s16}, 60);
  Signal out(in.format, 48);
  transfer(in.input(), out.output());
  EXPECT_TRUE(std::equal(out.data.begin(), out.data.end(), in.data.begin()));
}

TEST(Transfer, RatesAreConvertedByRepeatingAndLeavingOut) {
  Signal in({16000, 1, SampleFormat::s16}, 4);
  for (std::size_t i = 0; i < 4; ++i) {
    in.set(i, static_cast<std::int32_t>(i + 1));
  }
  Signal faster({48000, 1, SampleFormat::s16}, 12);
  transfer(in.input(), faster.output());
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(faster.at(i), static_cast<std::int32_t>(i / 3 + 1));
  }
  Signal slower({8000, 1, SampleFormat::s16}, 2);
  transfer(in.input(), slower.output());
  EXPECT_EQ(slower.at(0), 1);
  EXPECT_EQ(slower.at(1), 3);
}

// 44 or 45 frames become 48 in every millisecond: over many, each output frame is the input frame
// of its own time, give or take one.
TEST(Transfer, UnevenRatesStayInStep) {
  struct Rates {
    std::uint32_t in;
    std::uint32_t out;
  };
  for (const Rates rates : {Rates{44100, 48000}, Rates{48000, 44100}, Rates{11025, 16000},
                            Rates{192000, 44100}, Rates{8000, 192000}}) {
    std::size_t in_done = 0;
    std::size_t out_done = 0;
    std::int32_t previous = -1;
    for (std::size_t period = 1; period <= 2000; ++period) {
      const std::size_t in_frames = period * rates.in / 1000 - in_done;
      const std::size_t out_frames = period * rates.out / 1000 - out_done;
      Signal in({rates.in, 1, SampleFormat::s32}, in_frames);
      for (std::size_t i = 0; i < in_frames; ++i) {
        in.set(i, static_cast<std::int32_t>(in_done + i));
      }
      Signal out({rates.out, 1, SampleFormat::s32}, out_frames, std::byte{0xa5});
      transfer(in.input(), out.output());
      for (std::size_t i = 0; i < out_frames; ++i) {
        const std::int32_t frame = out.at(i);
        const double due = static_cast<double>(out_done + i) * rates.in / rates.out;
        // One frame of the slower side, in frames of the input.
        const double tolerance = 1 + std::ceil(static_cast<double>(rates.in) / rates.out);
        ASSERT_LE(std::abs(frame - due), tolerance) << rates.in << " to " << rates.out;
        ASSERT_GE(frame, previous);
        previous = frame;
      }
      in_done += in_frames;
      out_done += out_frames;
    }
  }
}

// Where less came in than the rate promises, that is spread, and nothing beyond it is read.
TEST(Transfer, AnInputThatRunsShortAtAnotherRateIsSpread) {
  const Signal in = constant_signal({44100, 1, SampleFormat::s16}, 11, 7);
  Signal longer(in.format, 44);
  std::copy(in.data.begin(), in.data.end(), longer.data.begin());
  Signal out({48000, 1, SampleFormat::s16}, 48);
  transfer(longer.input(0, 11), out.output());
  EXPECT_EQ(out.data, constant_signal(out.format, 48, 7).data);
}

TEST(Transfer, NothingIsWrittenBeyondTheFramesThatAreDue) {
  for (const std::uint32_t rate : {48000U, 44100U}) {
    const Signal in = random_signal({rate, 3, SampleFormat::s32}, 44);
    Signal out({48000, 2, SampleFormat::s16}, 50, std::byte{0xa5});
    transfer(in.input(), out.output(1, 48));
    for (const std::size_t sample : {0U, 1U, 98U, 99U}) {
      EXPECT_EQ(static_cast<std::uint16_t>(out.at(sample)), 0xa5a5) << rate;
    }
  }
}

}  // namespace
}  // namespace modmem::testbench
