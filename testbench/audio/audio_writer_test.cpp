#include "testbench/audio/audio_writer.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "testbench/audio/audio_reader.hpp"
#include "testbench/audio/audio_testing.hpp"
#include "testbench/audio/sample.hpp"

namespace modmem::testbench {
namespace {

constexpr std::array kFormats = {SampleFormat::s16, SampleFormat::s24_4le, SampleFormat::s32};

// Random frames of `format`, with the extremes among them.
std::vector<std::byte> random_frames(const StreamFormat& format, std::size_t frames) {
  std::mt19937 random(7);
  std::vector<std::byte> data(frames * format.frame_bytes());
  with_sample(format.sample, [&](auto sample) {
    const std::size_t step = decltype(sample)::kBytes;
    for (std::size_t at = 0; at < data.size(); at += step) {
      const std::uint32_t value = random() % 16 == 0
                                      ? (random() % 2 == 0 ? 0x80000000U : 0x7fffffffU)
                                      : static_cast<std::uint32_t>(random());
      decltype(sample)::store(data.data() + at, static_cast<std::int32_t>(value));
    }
  });
  return data;
}

class AudioWriterTest : public ::testing::Test {
 protected:
  TemporaryFolder folder;
};

TEST_F(AudioWriterTest, WhatItWritesReadsBackBitForBit) {
  constexpr std::size_t kFrames = 5000;
  for (const SampleFormat sample : kFormats) {
    for (const std::uint32_t channels : {1U, 2U, 6U, 8U}) {
      for (const std::uint32_t rate : {8000U, 48000U, 192000U}) {
        const StreamFormat format{rate, channels, sample};
        const std::vector<std::byte> in = random_frames(format, kFrames);
        AudioWriter writer(folder / "a.wav", format);
        for (std::size_t done = 0; done < kFrames; done += 48) {
          writer.write(in.data() + done * format.frame_bytes(),
                       std::min<std::size_t>(48, kFrames - done));
        }
        EXPECT_EQ(writer.frames(), kFrames);
        writer.finish();

        AudioReader reader(folder / "a.wav");
        EXPECT_EQ(reader.format(), format);
        EXPECT_EQ(reader.frames(), kFrames);
        std::vector<std::byte> out(in.size());
        ASSERT_EQ(reader.read(out.data(), format, kFrames), kFrames);
        EXPECT_EQ(out, in);
      }
    }
  }
}

// Looks at the bytes themselves, so that reader and writer cannot be wrong together.
TEST_F(AudioWriterTest, StoresSamplesLittleEndianInTheirOwnWidth) {
  const std::vector<std::int32_t> samples = {0x123456, -2};
  AudioWriter writer(folder / "a.wav", {48000, 1, SampleFormat::s24_4le});
  writer.write(bytes_of(samples), samples.size());
  writer.finish();
  const std::string bytes = read_file(folder / "a.wav");
  EXPECT_EQ(bytes.substr(0, 4), "RIFF");
  const std::size_t data = bytes.find("data");
  ASSERT_NE(data, std::string::npos);
  EXPECT_EQ(bytes.substr(data + 4, 10), std::string("\6\0\0\0\x56\x34\x12\xfe\xff\xff", 10));
}

TEST_F(AudioWriterTest, NothingAppearsBeforeFinish) {
  const std::vector<std::int16_t> samples(2000, 1);
  {
    AudioWriter writer(folder / "a.wav", {48000, 2, SampleFormat::s16});
    writer.write(bytes_of(samples), 1000);
    EXPECT_FALSE(std::filesystem::exists(folder / "a.wav"));
  }
  EXPECT_EQ(folder.entries(), 0U);

  AudioWriter writer(folder / "a.wav", {48000, 2, SampleFormat::s16});
  writer.finish();
  EXPECT_EQ(folder.entries(), 1U);
  EXPECT_EQ(read_file(folder / "a.wav").size(), kWavHeaderBytes);
}

TEST_F(AudioWriterTest, ARunThatFailsLeavesTheOldFileAsItWas) {
  write_file(folder / "a.wav", "old");
  { const AudioWriter writer(folder / "a.wav", {48000, 2, SampleFormat::s16}); }
  EXPECT_EQ(read_file(folder / "a.wav"), "old");
  EXPECT_EQ(folder.entries(), 1U);

  AudioWriter writer(folder / "a.wav", {48000, 2, SampleFormat::s16});
  writer.finish();
  EXPECT_NE(read_file(folder / "a.wav"), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST_F(AudioWriterTest, SeveralWriteToOneFolderAtATime) {
  const std::int16_t one = 1;
  const std::int16_t two = 2;
  const StreamFormat format{48000, 1, SampleFormat::s16};
  AudioWriter first(folder / "1.wav", format);
  AudioWriter second(folder / "2.wav", format);
  first.write(reinterpret_cast<const std::byte*>(&one), 1);
  second.write(reinterpret_cast<const std::byte*>(&two), 1);
  first.finish();
  second.finish();
  EXPECT_EQ(read_file(folder / "1.wav").substr(kWavHeaderBytes), std::string("\1\0", 2));
  EXPECT_EQ(read_file(folder / "2.wav").substr(kWavHeaderBytes), std::string("\2\0", 2));
}

TEST_F(AudioWriterTest, WritesThroughASymbolicLink) {
  write_file(folder / "real.wav", "old");
  std::filesystem::create_symlink("real.wav", folder / "link.wav");
  AudioWriter writer(folder / "link.wav", {48000, 2, SampleFormat::s16});
  writer.finish();
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.wav"));
  EXPECT_EQ(read_file(folder / "real.wav").size(), kWavHeaderBytes);
}

TEST_F(AudioWriterTest, WritesThroughASymbolicLinkToNothing) {
  std::filesystem::create_symlink("link2.wav", folder / "link1.wav");
  std::filesystem::create_symlink("real.wav", folder / "link2.wav");
  AudioWriter writer(folder / "link1.wav", {48000, 2, SampleFormat::s16});
  writer.finish();
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link1.wav"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link2.wav"));
  EXPECT_EQ(read_file(folder / "real.wav").size(), kWavHeaderBytes);
}

// What is read may be what is to be replaced.
TEST_F(AudioWriterTest, ReplacesTheFileThatIsBeingRead) {
  const std::vector<std::int16_t> samples = {1, 2, 3};
  const StreamFormat format{48000, 1, SampleFormat::s16};
  {
    AudioWriter writer(folder / "a.wav", format);
    writer.write(bytes_of(samples), 3);
    writer.finish();
  }
  AudioReader reader(folder / "a.wav");
  AudioWriter writer(folder / "a.wav", format);
  std::vector<std::int16_t> copy(3);
  ASSERT_EQ(reader.read(bytes_of(copy), format, 3), 3U);
  writer.write(bytes_of(copy), 2);
  writer.finish();
  EXPECT_EQ(AudioReader(folder / "a.wav").frames(), 2U);
}

TEST_F(AudioWriterTest, RefusesWhatCannotBeWritten) {
  const StreamFormat format{48000, 2, SampleFormat::s16};
  const auto expect_refused = [&](const std::filesystem::path& path, std::string_view reason) {
    expect_input_error(path, reason, [&] { const AudioWriter writer(path, format); });
  };
  expect_refused(folder.path(), "it is a directory");
  expect_refused(folder / "none/a.wav", "No such file or directory");
  expect_refused("/dev/null", "is not a regular file");
  write_file(folder / "file", "");
  expect_refused(folder / "file/a.wav", "Not a directory");
  expect_refused(folder / std::string(300, 'x'), "File name too long");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST_F(AudioWriterTest, RefusesAFormatThatNoFileHas) {
  for (const StreamFormat& format :
       {StreamFormat{48000, 0, SampleFormat::s16}, StreamFormat{0, 2, SampleFormat::s16},
        StreamFormat{48000, 0xffffffff, SampleFormat::s16},
        StreamFormat{48000, 5000, SampleFormat::s16},
        StreamFormat{0xffffffff, 2, SampleFormat::s16}}) {
    expect_input_error(folder / "a.wav", "a WAV file cannot have",
                       [&] { const AudioWriter writer(folder / "a.wav", format); });
  }
  EXPECT_EQ(folder.entries(), 0U);
}

TEST_F(AudioWriterTest, RefusesMoreThanAWavFileHolds) {
  AudioWriter writer(folder / "a.wav", {48000, 2, SampleFormat::s16});
  const std::int32_t frame = 0;
  expect_input_error(folder / "a.wav", "4 GiB", [&] {
    writer.write(reinterpret_cast<const std::byte*>(&frame), std::size_t{1} << 30);
  });
  EXPECT_EQ(writer.frames(), 0U);
}

// A limit on the size of files stands for a disk that is full.
TEST_F(AudioWriterTest, AFullDiskIsAnErrorAndLeavesNothing) {
  write_file(folder / "a.wav", "old");
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = old_limit;
  limit.rlim_cur = 10'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);

  const std::vector<std::int16_t> samples(20'000, 1);
  expect_input_error(folder / "a.wav", "cannot be written", [&] {
    AudioWriter writer(folder / "a.wav", {48000, 2, SampleFormat::s16});
    writer.write(bytes_of(samples), 10'000);
    writer.finish();
  });

  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(read_file(folder / "a.wav"), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

}  // namespace
}  // namespace modmem::testbench
