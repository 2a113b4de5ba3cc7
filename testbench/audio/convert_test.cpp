#include "testbench/audio/convert.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "testbench/audio/audio_testing.hpp"
#include "testbench/audio/sample.hpp"

namespace modmem::testbench {
namespace {

constexpr std::array kFormats = {SampleFormat::s16, SampleFormat::s24_4le, SampleFormat::s32};

constexpr int bits_of(SampleFormat format) {
  return format == SampleFormat::s16 ? 16 : format == SampleFormat::s24_4le ? 24 : 32;
}

// One sample through convert_frames(), as numbers of each format's own scale.
std::int32_t convert_one(SampleFormat from, std::int32_t value, SampleFormat to) {
  std::array<std::byte, 4> in{};
  std::array<std::byte, 4> out{};
  if (from == SampleFormat::s16) {
    const auto word = static_cast<std::int16_t>(value);
    std::memcpy(in.data(), &word, sizeof(word));
  } else {
    std::memcpy(in.data(), &value, sizeof(value));
  }
  convert_frames(in.data(), {48000, 1, from}, out.data(), {48000, 1, to}, 1);
  if (to == SampleFormat::s16) {
    std::int16_t word = 0;
    std::memcpy(&word, out.data(), sizeof(word));
    return word;
  }
  std::int32_t word = 0;
  std::memcpy(&word, out.data(), sizeof(word));
  return word;
}

// Values of every magnitude, with the extremes among them.
class Values {
 public:
  explicit Values(SampleFormat format) : shift_(32U - static_cast<unsigned>(bits_of(format))) {}

  std::int32_t next() {
    const auto any = static_cast<std::int32_t>(random_());
    switch (random_() % 16) {
      case 0:
        return INT32_MIN >> shift_;
      case 1:
        return INT32_MAX >> shift_;
      default:
        return any >> (shift_ + random_() % (32U - shift_));
    }
  }

 private:
  std::mt19937 random_{1};
  unsigned shift_;
};

TEST(Convert, WideningShiftsLeft) {
  EXPECT_EQ(convert_one(SampleFormat::s16, -32768, SampleFormat::s24_4le), -0x800000);
  EXPECT_EQ(convert_one(SampleFormat::s16, 0x7fff, SampleFormat::s24_4le), 0x7fff00);
  EXPECT_EQ(convert_one(SampleFormat::s16, -32768, SampleFormat::s32), INT32_MIN);
  EXPECT_EQ(convert_one(SampleFormat::s16, 0x1234, SampleFormat::s32), 0x12340000);
  EXPECT_EQ(convert_one(SampleFormat::s24_4le, -1, SampleFormat::s32), -0x100);
  EXPECT_EQ(convert_one(SampleFormat::s24_4le, 0x123456, SampleFormat::s32), 0x12345600);
}

TEST(Convert, NarrowingRoundsToTheNearestAndSaturates) {
  struct Case {
    SampleFormat from;
    std::int32_t value;
    SampleFormat to;
    std::int32_t expected;
  };
  constexpr auto k16 = SampleFormat::s16;
  constexpr auto k24 = SampleFormat::s24_4le;
  constexpr auto k32 = SampleFormat::s32;
  for (const Case& c : {
           Case{k32, 0x00007fff, k16, 0},
           Case{k32, 0x00008000, k16, 1},
           Case{k32, -0x00008000, k16, 0},
           Case{k32, -0x00008001, k16, -1},
           Case{k32, 0x7fff7fff, k16, 0x7fff},
           Case{k32, 0x7fff8000, k16, 0x7fff},
           Case{k32, INT32_MAX, k16, 0x7fff},
           Case{k32, INT32_MIN, k16, -0x8000},
           Case{k32, 0x7f, k24, 0},
           Case{k32, 0x80, k24, 1},
           Case{k32, -0x81, k24, -1},
           Case{k32, INT32_MAX, k24, 0x7fffff},
           Case{k32, INT32_MIN, k24, -0x800000},
           Case{k24, 0x7f, k16, 0},
           Case{k24, 0x80, k16, 1},
           Case{k24, 0x7fffff, k16, 0x7fff},
           Case{k24, -0x800000, k16, -0x8000},
       }) {
    EXPECT_EQ(convert_one(c.from, c.value, c.to), c.expected) << c.value;
  }
}

TEST(Convert, TheHighByteOfS24IsNotLookedAtAndIsStoredAsTheSign) {
  EXPECT_EQ(convert_one(SampleFormat::s24_4le, 0x00ffffff, SampleFormat::s32), -0x100);
  EXPECT_EQ(convert_one(SampleFormat::s24_4le, 0x55000001, SampleFormat::s32), 0x100);
  EXPECT_EQ(convert_one(SampleFormat::s24_4le, 0x00800000, SampleFormat::s16), -0x8000);
  EXPECT_EQ(convert_one(SampleFormat::s32, -0x100, SampleFormat::s24_4le), -1);
}

TEST(Convert, EveryConversionIsWithinHalfAStepOrSaturates) {
  for (const SampleFormat from : kFormats) {
    for (const SampleFormat to : kFormats) {
      const double highest = std::ldexp(1.0, bits_of(to) - 1) - 1;
      Values values(from);
      for (int i = 0; i < 100'000; ++i) {
        const std::int32_t value = values.next();
        const std::int32_t result = convert_one(from, value, to);
        const double exact = std::ldexp(value, bits_of(to) - bits_of(from));
        ASSERT_LE(std::abs(result - std::min(exact, highest)), 0.5) << value;
      }
    }
  }
}

TEST(Convert, WhatWasWidenedNarrowsBackBitForBit) {
  for (const SampleFormat narrow : kFormats) {
    for (const SampleFormat wide : kFormats) {
      if (bits_of(narrow) > bits_of(wide)) {
        continue;
      }
      Values values(narrow);
      for (int i = 0; i < 100'000; ++i) {
        const std::int32_t value = values.next();
        ASSERT_EQ(convert_one(wide, convert_one(narrow, value, wide), narrow), value);
      }
    }
  }
}

TEST(Convert, EveryS16ValueSurvivesTheWayThroughTheOthers) {
  for (std::int32_t value = -0x8000; value <= 0x7fff; ++value) {
    for (const SampleFormat wide : kFormats) {
      ASSERT_EQ(convert_one(wide, convert_one(SampleFormat::s16, value, wide), SampleFormat::s16),
                value);
    }
  }
}

TEST(Convert, EqualFormatsAreCopiedAsTheyAre) {
  const std::vector<std::uint32_t> in = {0x12345678, 0x00ffffff, 0xffffffff, 0x80000000};
  for (const SampleFormat sample : {SampleFormat::s24_4le, SampleFormat::s32}) {
    std::vector<std::uint32_t> out(in.size());
    convert_frames(bytes_of(in), {48000, 2, sample}, bytes_of(out), {48000, 2, sample}, 2);
    EXPECT_EQ(out, in);
  }
}

TEST(Convert, MonoGoesToEveryChannel) {
  const std::vector<std::int16_t> in = {1, -2};
  std::vector<std::int32_t> out(6);
  convert_frames(bytes_of(in), {48000, 1, SampleFormat::s16}, bytes_of(out),
                 {48000, 3, SampleFormat::s32}, 2);
  EXPECT_EQ(out,
            (std::vector<std::int32_t>{0x10000, 0x10000, 0x10000, -0x20000, -0x20000, -0x20000}));
}

TEST(Convert, MissingChannelsAreSilentAndSurplusOnesLeftOut) {
  const std::vector<std::int16_t> stereo = {1, 2, 3, 4};
  std::vector<std::int16_t> quad(8, 99);
  convert_frames(bytes_of(stereo), {48000, 2, SampleFormat::s16}, bytes_of(quad),
                 {48000, 4, SampleFormat::s16}, 2);
  EXPECT_EQ(quad, (std::vector<std::int16_t>{1, 2, 0, 0, 3, 4, 0, 0}));

  const std::vector<std::int16_t> surround = {1, 2, 3, 4, 5, 6};
  std::vector<std::int16_t> two(4, 99);
  convert_frames(bytes_of(surround), {48000, 3, SampleFormat::s16}, bytes_of(two),
                 {48000, 2, SampleFormat::s16}, 2);
  EXPECT_EQ(two, (std::vector<std::int16_t>{1, 2, 4, 5}));
}

TEST(Convert, WritesTheFramesAskedForAndNothingElse) {
  EXPECT_TRUE(rc::check([] {
    const StreamFormat from{48000, *rc::gen::inRange(1U, 9U), *rc::gen::elementOf(kFormats)};
    const StreamFormat to{44100, *rc::gen::inRange(1U, 9U), *rc::gen::elementOf(kFormats)};
    const auto frames = *rc::gen::inRange<std::size_t>(0, 50);
    constexpr std::size_t kGuard = 16;
    const std::vector<std::byte> in(frames * from.frame_bytes(), std::byte{0});
    std::vector<std::byte> out(frames * to.frame_bytes() + 2 * kGuard, std::byte{0xa5});
    convert_frames(in.data(), from, out.data() + kGuard, to, frames);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const bool guard = i < kGuard || i >= out.size() - kGuard;
      RC_ASSERT(out[i] == (guard ? std::byte{0xa5} : std::byte{0}));
    }
  }));
}

TEST(Convert, SilenceIsZeros) {
  std::vector<std::int16_t> out(6, 7);
  silence_frames(bytes_of(out), {48000, 2, SampleFormat::s16}, 2);
  EXPECT_EQ(out, (std::vector<std::int16_t>{0, 0, 0, 0, 7, 7}));
  silence_frames(nullptr, {48000, 2, SampleFormat::s16}, 0);
}

// More bits behind the point than the format has: rounded once, not twice.
TEST(Sample, RoundsOnceFromAnyPrecision) {
  std::int16_t word = 0;
  auto* at = reinterpret_cast<std::byte*>(&word);
  constexpr std::int64_t kStep = std::int64_t{1} << 47;  // of s16 with 31 bits behind the point
  Sample<SampleFormat::s16>::store<31>(at, kStep / 2 - 1);
  EXPECT_EQ(word, 0);
  Sample<SampleFormat::s16>::store<31>(at, kStep / 2);
  EXPECT_EQ(word, 1);
  Sample<SampleFormat::s16>::store<31>(at, -kStep / 2 - 1);
  EXPECT_EQ(word, -1);
  Sample<SampleFormat::s16>::store<31>(at, std::int64_t{1} << 62);
  EXPECT_EQ(word, INT16_MAX);
  Sample<SampleFormat::s16>::store<31>(at, -(std::int64_t{1} << 62));
  EXPECT_EQ(word, INT16_MIN);
}

}  // namespace
}  // namespace modmem::testbench
