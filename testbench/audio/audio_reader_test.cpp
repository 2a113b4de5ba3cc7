#include "testbench/audio/audio_reader.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "testbench/audio/audio_testing.hpp"

namespace modmem::testbench {
namespace {

class AudioReaderTest : public ::testing::Test {
 protected:
  std::filesystem::path file(std::string_view content) {
    std::filesystem::path path = folder / "a.wav";
    write_file(path, content);
    return path;
  }
  void expect_refused(const std::filesystem::path& path, std::string_view reason) {
    expect_input_error(path, reason, [&] { const AudioReader reader(path); });
  }

  TemporaryFolder folder;
};

// All frames of a file as 32-bit integers.
std::vector<std::int32_t> read_all(AudioReader& reader) {
  std::vector<std::int32_t> samples(reader.frames() * reader.channels());
  const std::size_t frames =
      reader.read(bytes_of(samples), {48000, reader.channels(), SampleFormat::s32},
                  static_cast<std::size_t>(reader.frames()));
  EXPECT_EQ(frames, reader.frames());
  return samples;
}

TEST_F(AudioReaderTest, ReadsIntegersBitForBitIntoTheHighBits) {
  Wav wav{.tag = 1, .channels = 2, .rate = 44100, .bits = 16, .data = ""};
  for (const int value : {1, -1, 0x1234, -0x8000}) {
    Wav::put(wav.data, static_cast<std::int16_t>(value));
  }
  AudioReader reader(file(wav.bytes()));
  EXPECT_EQ(reader.format(), (StreamFormat{44100, 2, SampleFormat::s16}));
  EXPECT_EQ(reader.frames(), 2U);
  EXPECT_EQ(read_all(reader),
            (std::vector<std::int32_t>{0x10000, -0x10000, 0x12340000, INT32_MIN}));
}

TEST_F(AudioReaderTest, Reads24And32And8Bits) {
  Wav wav{.tag = 1, .channels = 1, .rate = 48000, .bits = 24, .data = {}};
  wav.data = std::string("\x56\x34\x12\xff\xff\xff", 6);
  AudioReader reader24(file(wav.bytes()));
  EXPECT_EQ(reader24.sample(), SampleFormat::s24_4le);
  EXPECT_EQ(read_all(reader24), (std::vector<std::int32_t>{0x12345600, -0x100}));

  wav.bits = 32;
  wav.data = std::string("\x78\x56\x34\x12\x00\x00\x00\x80", 8);
  AudioReader reader32(file(wav.bytes()));
  EXPECT_EQ(reader32.sample(), SampleFormat::s32);
  EXPECT_EQ(read_all(reader32), (std::vector<std::int32_t>{0x12345678, INT32_MIN}));

  wav.bits = 8;  // unsigned
  wav.data = std::string("\x80\xff\x00", 3);
  AudioReader reader8(file(wav.bytes()));
  EXPECT_EQ(reader8.sample(), SampleFormat::s16);
  EXPECT_EQ(read_all(reader8), (std::vector<std::int32_t>{0, 0x7f000000, INT32_MIN}));
}

TEST_F(AudioReaderTest, ScalesFloatingPointByFullScaleNotByItsPeak) {
  Wav wav{.tag = 3, .channels = 1, .rate = 48000, .bits = 32, .data = {}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float value : {0.0F, 0.5F, -0.25F, -1.0F, 1.0F, 2.0F, -3.0F, 0x1p-31F, 0x1.8p-32F,
                            0x1p-33F, nan, infinity, -infinity}) {
    Wav::put(wav.data, value);
  }
  AudioReader reader(file(wav.bytes()));
  EXPECT_EQ(reader.sample(), SampleFormat::s32);
  EXPECT_EQ(read_all(reader),
            (std::vector<std::int32_t>{0, 0x40000000, -0x20000000, INT32_MIN, INT32_MAX, INT32_MAX,
                                       INT32_MIN, 1, 1, 0, 0, INT32_MAX, INT32_MIN}));
}

TEST_F(AudioReaderTest, ReadsInAnyPieces) {
  Wav wav;
  for (std::int16_t i = 0; i < 5000; ++i) {
    Wav::put(wav.data, i);
    Wav::put(wav.data, static_cast<std::int16_t>(-i));
  }
  const std::filesystem::path path = file(wav.bytes());
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    AudioReader reader(path);
    std::vector<std::int16_t> piece;
    std::size_t position = 0;
    while (position < 5000) {
      const std::size_t frames = random() % 3000;
      piece.assign(frames * 2, 77);
      const std::size_t got = reader.read(bytes_of(piece), {48000, 2, SampleFormat::s16}, frames);
      ASSERT_EQ(got, std::min<std::size_t>(frames, 5000 - position));
      for (std::size_t i = 0; i < frames; ++i) {
        ASSERT_EQ(piece[2 * i], i < got ? static_cast<int>(position + i) : 77);
      }
      position += got;
    }
    piece.assign(2, 77);
    EXPECT_EQ(reader.read(bytes_of(piece), {48000, 2, SampleFormat::s16}, 1), 0U);
  }
}

TEST_F(AudioReaderTest, ReadsFromTheStartAgainAfterRewind) {
  Wav wav{.tag = 1, .channels = 1, .rate = 48000, .bits = 16, .data = std::string(200, '\1')};
  AudioReader reader(file(wav.bytes()));
  const std::vector<std::int32_t> first = read_all(reader);
  reader.rewind();
  EXPECT_EQ(read_all(reader), first);
}

TEST_F(AudioReaderTest, ConvertsToTheFormatAskedFor) {
  Wav wav{.tag = 1, .channels = 1, .rate = 48000, .bits = 16, .data = {}};
  Wav::put(wav.data, std::int16_t{-3});
  AudioReader reader(file(wav.bytes()));
  std::vector<std::int32_t> frame(2);
  ASSERT_EQ(reader.read(bytes_of(frame), {48000, 2, SampleFormat::s24_4le}, 1), 1U);
  EXPECT_EQ(frame, (std::vector<std::int32_t>{-0x300, -0x300}));
}

TEST_F(AudioReaderTest, PlaysWhatIsThereOfAFileThatWasCutOff) {
  Wav wav{.tag = 1, .channels = 2, .rate = 48000, .bits = 16, .data = std::string(400, '\1')};
  const std::string bytes = wav.bytes();
  AudioReader reader(file(bytes.substr(0, kWavHeaderBytes + 42)));
  EXPECT_EQ(reader.frames(), 10U);
  EXPECT_EQ(read_all(reader), std::vector<std::int32_t>(20, 0x01010000));
}

TEST_F(AudioReaderTest, RefusesWhatIsNoRegularFile) {
  expect_refused(folder / "none.wav", "No such file");
  expect_refused(folder.path(), "is a directory");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  expect_refused(folder / "fifo", "is not a regular file");
  expect_refused("/dev/null", "is not a regular file");
}

TEST_F(AudioReaderTest, RefusesWhatIsNotAudio) {
  expect_refused(file(""), "is empty");
  expect_refused(file("This is a letter, not a recording.\n"), "is not an audio file");
  expect_refused(file(std::string(100'000, 'x')), "is not an audio file");
  expect_refused(file(std::string(1000, '\0')), "is not an audio file");
  std::mt19937 random(1);
  std::string noise(5000, ' ');
  for (char& c : noise) {
    c = static_cast<char>(random());
  }
  expect_refused(file(noise), "is not an audio file");
}

// libsndfile takes some extensions for the promise of audio without a header.
TEST_F(AudioReaderTest, DoesNotGuessFromTheName) {
  for (const char* name : {"letter.vox", "letter.gsm", "letter.au", "letter.raw"}) {
    write_file(folder / name, "This is a letter, not a recording.\n");
    expect_refused(folder / name, "is not an audio file");
  }
}

TEST_F(AudioReaderTest, NamesAFileWithUnprintableCharactersOnOneLine) {
  try {
    const AudioReader reader(folder / "a\nb\tc.wav");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("a?b?c.wav: "), std::string::npos) << error.what();
  }
}

TEST_F(AudioReaderTest, RefusesAHeaderAlone) {
  expect_refused(file(Wav{}.bytes()), "holds no audio");
}

TEST_F(AudioReaderTest, RefusesAHeaderThatEndsAnywhere) {
  const std::string bytes = Wav{.data = std::string(4, '\0')}.bytes();
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    SCOPED_TRACE(length);
    expect_refused(file(std::string_view(bytes).substr(0, length)), "");
  }
  EXPECT_EQ(AudioReader(file(bytes)).frames(), 1U);
}

TEST_F(AudioReaderTest, RefusesImpossibleChannels) {
  const std::string data(4096, '\0');
  expect_refused(file(Wav{.channels = 0, .data = data}.bytes()), "Channel count is zero");
  expect_refused(file(Wav{.channels = 9, .data = data}.bytes()), "has 9 channels, 1 to 8");
  expect_refused(file(Wav{.channels = 1024, .data = data}.bytes()), "channels");
  expect_refused(file(Wav{.channels = 0xffff, .data = data}.bytes()), "");
  EXPECT_EQ(AudioReader(file(Wav{.channels = 8, .data = data}.bytes())).channels(), 8U);
}

TEST_F(AudioReaderTest, RefusesImpossibleRates) {
  const std::string data(4096, '\0');
  for (const std::uint32_t rate :
       {0U, 1U, 3999U, 384'001U, 10'000'000U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    SCOPED_TRACE(rate);
    expect_refused(file(Wav{.rate = rate, .data = data}.bytes()), " rate ");
  }
  EXPECT_EQ(AudioReader(file(Wav{.rate = 384'000, .data = data}.bytes())).rate(), 384'000U);
  EXPECT_EQ(AudioReader(file(Wav{.rate = 8'000, .data = data}.bytes())).rate(), 8'000U);
}

TEST_F(AudioReaderTest, RefusesImpossibleSampleFormats) {
  const std::string data(4096, '\0');
  for (const std::uint16_t bits : std::initializer_list<std::uint16_t>{0, 64, 1000}) {
    SCOPED_TRACE(bits);
    expect_refused(file(Wav{.bits = bits, .data = data}.bytes()), "");
  }
  expect_refused(file(Wav{.tag = 0x1234, .data = data}.bytes()), "");
  expect_refused(file(Wav{.tag = 0, .data = data}.bytes()), "");
}

// Whatever a damaged header says, it is either refused in one line or read within its limits.
TEST_F(AudioReaderTest, SurvivesEveryByteOfItsHeaderFlipped) {
  const std::string bytes = Wav{.data = std::string(4000, '\3')}.bytes();
  std::size_t refused = 0;
  std::size_t taken = 0;
  std::vector<std::byte> out(std::size_t{4096} * 8 * 4);
  for (std::size_t position = 0; position < kWavHeaderBytes; ++position) {
    for (const int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x7f}) {
      SCOPED_TRACE(std::to_string(position) + " ^ " + std::to_string(flip));
      std::string damaged = bytes;
      damaged[position] = static_cast<char>(damaged[position] ^ flip);
      const std::filesystem::path path = file(damaged);
      try {
        AudioReader reader(path);
        EXPECT_GE(reader.channels(), 1U);
        EXPECT_LE(reader.channels(), kMaxFileChannels);
        EXPECT_GE(reader.rate(), kMinFileRate);
        EXPECT_LE(reader.rate(), kMaxFileRate);
        EXPECT_GT(reader.frames(), 0U);
        EXPECT_LE(reader.read(out.data(), {48000, 8, SampleFormat::s32}, 4096), reader.frames());
        ++taken;
      } catch (const InputError& error) {
        const std::string message = error.what();
        EXPECT_EQ(message.rfind(path.string() + ": ", 0), 0U) << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 0U);
  EXPECT_GT(taken, 0U);
}

}  // namespace
}  // namespace modmem::testbench
